//! Writes tickets, and hands the same one out again while it is fresh: signing costs more than the rest of a request.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;
use parking_lot::{Mutex, RwLock};
use proto::ticket::{
    Claims, InvalidKey, PublicKey, READ_LIFETIME, Resource, SigningKey, TRANSFER_LIFETIME, Ticket,
};
use proto::wire::link::TicketKeys as Announcement;
use proto::{DeviceId, Permissions, PrincipalId, ShareId, TransferId};
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;
use uuid::Uuid;

use super::ticket_keys::TicketKeys;
use super::{Client, Grant};
use crate::clock::{Clock, from_ms};

/// Tickets remembered at most; beyond that the cache begins anew.
const CAPACITY: usize = 4096;

type Key = (PrincipalId, Client, DeviceId, Resource, Permissions);

/// A ticket that was written lately.
struct Written {
    bearer: HeaderValue,
    expires: OffsetDateTime,
    /// The key that signed it.
    by: PublicKey,
}

/// The coordinator's signing desk.
pub(crate) struct TicketDesk {
    /// The coordinator's id.
    coordinator: String,
    keys: RwLock<Arc<TicketKeys>>,
    announced: watch::Sender<Announcement>,
    clock: Arc<dyn Clock>,
    fresh: Mutex<HashMap<Key, Written>>,
}

impl TicketDesk {
    pub(crate) fn new(keys: TicketKeys, clock: Arc<dyn Clock>) -> Self {
        Self {
            coordinator: keys.coordinator(),
            announced: watch::Sender::new(keys.announcement()),
            keys: RwLock::new(Arc::new(keys)),
            clock,
            fresh: Mutex::default(),
        }
    }

    /// The id by which this coordinator goes, whichever key signs.
    pub(crate) fn coordinator(&self) -> &str {
        &self.coordinator
    }

    pub(crate) fn keys(&self) -> Arc<TicketKeys> {
        Arc::clone(&self.keys.read())
    }

    /// Goes on with these keys.
    pub(crate) fn use_keys(&self, keys: TicketKeys) {
        let announcement = keys.announcement();
        *self.keys.write() = Arc::new(keys);
        self.announced.send_replace(announcement);
    }

    /// The key that signs, for tokens that are no tickets.
    pub(crate) fn signing_key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.keys.read().present().key)
    }

    /// What devices are told of the keys, now and whenever it changes.
    pub(crate) fn announced(&self) -> watch::Receiver<Announcement> {
        self.announced.subscribe()
    }

    /// The ticket for a grant as the value of its `Authorization` header, or `None` for one that needs none. It lives
    /// for half its time at least. Only `presenter` can use it, which is the same for every request to one device.
    pub(crate) fn bearer(
        &self,
        grant: &Grant,
        presenter: Option<DeviceId>,
    ) -> Result<Option<HeaderValue>, InvalidKey> {
        let Some((resource, permissions)) = grant.resource else { return Ok(None) };
        let key = (grant.principal, grant.client, grant.device, resource, permissions);
        let (now, signer) = (self.clock.wall(), self.signing_key());
        let end = end_of(grant, now);
        if let Some(Written { bearer, expires, by }) = self.fresh.lock().get(&key) {
            let left = *expires - now;
            let fresh = left > lifetime(resource) / 2 || *expires == end;
            // More than the life that a new one would have means that the clock was set back, or the right ends sooner.
            if fresh && *expires <= end && *by == signer.public() {
                return Ok(Some(bearer.clone()));
            }
        }
        let ticket = signer.sign(&claims(grant, presenter, (resource, permissions), (now, end)))?;
        let mut bearer =
            HeaderValue::try_from(format!("Bearer {}", ticket.as_str())).map_err(|_| InvalidKey)?;
        bearer.set_sensitive(true);
        let mut fresh = self.fresh.lock();
        if fresh.len() >= CAPACITY {
            fresh.clear();
        }
        fresh.insert(key, Written { bearer: bearer.clone(), expires: end, by: signer.public() });
        Ok(Some(bearer))
    }

    /// A ticket for a machine that asks the device by itself, and how long it lives. `None` for a grant that needs none.
    pub(crate) fn give(
        &self,
        grant: &Grant,
        presenter: DeviceId,
    ) -> Result<Option<(Ticket, Duration)>, InvalidKey> {
        let Some(resource) = grant.resource else { return Ok(None) };
        let now = self.clock.wall();
        let end = end_of(grant, now);
        let ticket = self.signing_key().sign(&claims(grant, Some(presenter), resource, (now, end)))?;
        Ok(Some((ticket, end - now)))
    }

    /// Forgets the tickets of a client that has ended.
    pub(crate) fn forget_client(&self, ended: Client) {
        self.fresh.lock().retain(|(_, client, ..), _| *client != ended);
    }

    /// Forgets the tickets of a person: all, or those for one share.
    pub(crate) fn forget_principal(&self, person: PrincipalId, on: Option<ShareId>) {
        self.fresh.lock().retain(|(principal, _, _, resource, _), _| {
            *principal != person || on.is_some_and(|on| on != resource.share())
        });
    }

    /// Forgets the tickets of a transfer that has ended.
    pub(crate) fn forget_transfer(&self, ended: TransferId) {
        let of_it = |resource: &Resource| matches!(resource, Resource::Transfer(id, _) if *id == ended);
        self.fresh.lock().retain(|(_, _, _, resource, _), _| !of_it(resource));
    }
}

/// How long a ticket lives at most.
const fn lifetime(resource: Resource) -> Duration {
    match resource {
        Resource::Share(_) => READ_LIFETIME,
        Resource::Transfer(..) => TRANSFER_LIFETIME,
    }
}

/// When a ticket ends that is written now: none outlives the right.
fn end_of(grant: &Grant, now: OffsetDateTime) -> OffsetDateTime {
    let longest = now + grant.resource.map_or(READ_LIFETIME, |(resource, _)| lifetime(resource));
    grant.until_ms.map_or(longest, |until| from_ms(until).min(longest))
}

fn claims(
    grant: &Grant,
    presenter: Option<DeviceId>,
    (resource, permissions): (Resource, Permissions),
    (now, expires): (OffsetDateTime, OffsetDateTime),
) -> Claims {
    Claims {
        sub: grant.principal,
        cli: grant.client.to_string(),
        pky: presenter,
        aud: grant.device,
        res: resource,
        perm: permissions,
        iat: now,
        exp: expires,
        jti: Uuid::now_v7().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test::ManualClock;
    use proto::ticket::{Issuer, KeyRing};
    use proto::{Permission, SessionId};

    fn desk(clock: &Arc<ManualClock>) -> TicketDesk {
        let keys = TicketKeys::begin(SigningKey::generate().unwrap(), clock.wall());
        TicketDesk::new(keys, Arc::<ManualClock>::clone(clock))
    }

    /// A device that honours what the desk announces.
    fn ring(device: DeviceId, desk: &TicketDesk) -> KeyRing {
        KeyRing::new(device, [Issuer::own(desk.announced().borrow().ticket_keys.clone())])
    }

    fn ticket(bearer: &HeaderValue) -> Ticket {
        Ticket::from_text(bearer.to_str().unwrap().strip_prefix("Bearer ").unwrap())
    }

    #[test]
    fn a_ticket_is_written_anew_when_another_key_signs() {
        let clock = Arc::new(ManualClock::new());
        let (desk, device) = (desk(&clock), DeviceId::from_public_key([1; 32]));
        let grant = Grant {
            device,
            principal: PrincipalId::generate(),
            client: Client::Session(SessionId::generate()),
            resource: Some((Resource::Share(ShareId::generate()), [Permission::Read].into_iter().collect())),
            until_ms: None,
        };
        let bearer = || desk.bearer(&grant, None).unwrap().unwrap();
        let before = bearer();
        desk.use_keys(desk.keys().announce(SigningKey::generate().unwrap()).unwrap());
        assert_eq!(bearer(), before, "the same key signs");
        desk.use_keys(desk.keys().replace(SigningKey::generate().unwrap(), clock.wall()).unwrap());
        let after = bearer();
        let honoured = |bearer| ring(device, &desk).verify(&ticket(bearer), None, clock.wall()).is_ok();
        assert_eq!([&before, &after].map(honoured), [false, true]);
    }

    #[test]
    fn a_ticket_is_used_again_for_half_its_life_and_is_for_one_grant() {
        let clock = Arc::new(ManualClock::new());
        let desk = desk(&clock);
        let device = DeviceId::from_public_key([1; 32]);
        let share = ShareId::generate();
        let grant = |permission| Grant {
            device,
            principal: PrincipalId::generate(),
            client: Client::Session(SessionId::generate()),
            resource: Some((Resource::Share(share), [permission].into_iter().collect())),
            until_ms: None,
        };
        let read = grant(Permission::Read);
        let first = desk.bearer(&read, None).unwrap().unwrap();
        assert!(first.is_sensitive());
        clock.pass(59);
        assert_eq!(desk.bearer(&read, None).unwrap().unwrap(), first);
        clock.pass(2);
        let second = desk.bearer(&read, None).unwrap().unwrap();
        assert_ne!(second, first);
        assert_ne!(desk.bearer(&grant(Permission::Download), None).unwrap().unwrap(), second);
        clock.step_wall(-7200);
        let third = desk.bearer(&read, None).unwrap().unwrap();
        let verified = ring(device, &desk).verify(&ticket(&third), None, clock.wall()).unwrap();
        assert!(verified.permit(share, Permission::Read).is_ok());
        assert!(verified.permit(share, Permission::Download).is_err());
    }

    #[test]
    fn no_ticket_outlives_the_right() {
        let clock = Arc::new(ManualClock::new());
        let desk = desk(&clock);
        let device = DeviceId::from_public_key([1; 32]);
        let ring = ring(device, &desk);
        let resource = Some((Resource::Share(ShareId::generate()), [Permission::Read].into_iter().collect()));
        let (principal, client) = (PrincipalId::generate(), Client::Session(SessionId::generate()));
        let start = clock.wall();
        let expires = |until: Option<i64>| {
            let until_ms = until.map(|seconds| crate::clock::to_ms(start) + seconds * 1000);
            let grant = Grant { device, principal, client, resource, until_ms };
            let bearer = desk.bearer(&grant, None).unwrap().unwrap();
            (ring.verify(&ticket(&bearer), None, clock.wall()).unwrap().claims().exp - start).whole_seconds()
        };
        assert_eq!(expires(None), 120);
        assert_eq!(expires(Some(500)), 120);
        assert_eq!(expires(Some(90)), 90, "one that was made before and lives longer is not handed out");
        clock.pass(85);
        assert_eq!(expires(Some(90)), 90);
        assert_eq!(expires(Some(100)), 100, "the right was prolonged");
        assert_eq!(expires(None), 205);
    }

    #[test]
    fn what_has_ended_leaves_no_ticket() {
        let desk = desk(&Arc::new(ManualClock::new()));
        let (client, share) = (Client::Session(SessionId::generate()), ShareId::generate());
        let permissions = [Permission::Read].into_iter().collect();
        let grant = Grant {
            device: DeviceId::from_public_key([1; 32]),
            principal: PrincipalId::generate(),
            client,
            resource: Some((Resource::Share(share), permissions)),
            until_ms: None,
        };
        type End = fn(&TicketDesk, &Grant, ShareId);
        let ends: [(End, bool); 6] = [
            (|desk, grant, _| desk.forget_client(grant.client), true),
            (|desk, grant, _| desk.forget_principal(grant.principal, None), true),
            (|desk, grant, share| desk.forget_principal(grant.principal, Some(share)), true),
            (|desk, grant, _| desk.forget_principal(grant.principal, Some(ShareId::generate())), false),
            (|desk, _, share| desk.forget_principal(PrincipalId::generate(), Some(share)), false),
            (|desk, grant, _| desk.forget_client(Client::Device(grant.device)), false),
        ];
        for (i, (end, gone)) in ends.into_iter().enumerate() {
            desk.bearer(&grant, None).unwrap();
            end(&desk, &grant, share);
            assert_eq!(desk.fresh.lock().is_empty(), gone, "end {i}");
        }
    }
}
