//! What there is: the machines and shares of everybody, and who sees what of them. Puts together what other rooms know
//! by heart, and remembers only what each person was last seen to have, so that what they lose ends and what changes
//! is told to those whom it concerns, and to nobody else.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::Mutex;
use proto::api::events::Happening;
use proto::wire::link::Revoked;
use proto::{DeviceId, Permission, Permissions, PrincipalId, ShareId};
use time::OffsetDateTime;

use crate::access::{Caller, Denied, Grant, Held, Place, authorize, authorize_device, effective};
use crate::clock::{from_ms, to_ms};
use crate::coordinator::Rooms;
use crate::store::devices::DeviceRow;

/// More shares than these changing at once for one person are told as one change of everything.
const MAX_SHARES_TOLD: usize = 32;

/// A share of any machine.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) id: ShareId,
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// What was told last.
#[derive(Default)]
pub(crate) struct LastTold {
    /// What people hold by rights given to them.
    holdings: Mutex<Holdings>,
    /// What those who listen see.
    views: Mutex<HashMap<PrincipalId, View>>,
}

type Holdings = HashMap<(PrincipalId, ShareId), Permissions>;

/// What one person sees, as short as it can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// One hash for all machines: which there are, their names, and whether they are hidden.
    devices: u64,
    shares: HashMap<ShareId, (DeviceId, u64)>,
}

impl View {
    /// What to tell somebody who saw this before and sees `now`.
    fn changes(&self, now: &Self) -> Vec<Happening> {
        let gone = self.shares.keys().any(|share| !now.shares.contains_key(share));
        let changed = now.shares.iter().filter(|(share, seen)| self.shares.get(share) != Some(seen));
        let mut changed: Vec<_> = changed
            .map(|(share, (device, _))| Happening::ShareChanged { device: *device, share: *share })
            .collect();
        if gone || self.devices != now.devices || changed.len() > MAX_SHARES_TOLD {
            changed = vec![Happening::CatalogChanged];
        }
        changed
    }
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Rooms {
    fn now_ms(&self) -> i64 {
        to_ms(self.clock.wall())
    }

    /// Where this device's shares are; `None` for a device that is not paired, or not any more.
    fn place_on(&self, device: DeviceId, read_only: bool) -> Option<Place> {
        let row = self.identity.devices().find(device)?;
        Some(Place { device, owner: row.principal, visible: row.visible, read_only })
    }

    /// A share on offer, on whichever machine.
    pub(crate) fn share(&self, id: ShareId) -> Option<Placed> {
        let local = self.shares.borrow().iter().find(|share| share.id == id).map(|share| share.name.clone());
        if let Some(name) = local {
            return Some(Placed { id, name, place: self.place_on(self.device, false)? });
        }
        let (device, offered) = self.registry.share(id)?;
        Some(Placed { id, name: offered.name, place: self.place_on(device, offered.read_only)? })
    }

    /// Whether a device answers, and when it last did.
    pub(crate) fn presence_of(&self, device: DeviceId) -> (bool, Option<OffsetDateTime>) {
        if device == self.device {
            let online = self.gateway.is_local_online();
            return (online, online.then(|| self.clock.wall()));
        }
        let presence = self.registry.presence(device);
        (presence.online, presence.seen_ms.map(from_ms))
    }

    /// A device has been hidden: the owner of this coordinator, who holds all elsewhere without any grant, loses it.
    pub(crate) fn end_for_the_owner(&self, device: DeviceId) {
        let Some(principal) = self.identity.owner_id() else { return };
        if self.identity.devices().owner_of(device) == Some(principal) {
            return;
        }
        for share in self.shares_on(device) {
            self.has_ended(Revoked::Grant { principal, share: share.id });
        }
    }

    /// What a device offers, or did when it was last heard.
    fn shares_on(&self, device: DeviceId) -> Vec<Placed> {
        let Some(place) = self.place_on(device, false) else { return Vec::new() };
        if device == self.device {
            let shares = self.shares.borrow();
            return shares
                .iter()
                .map(|share| Placed { id: share.id, name: share.name.clone(), place })
                .collect();
        }
        let offer = self.registry.presence(device).offer;
        let placed = offer.iter().map(|offered| Placed {
            id: offered.id,
            name: offered.name.clone(),
            place: Place { read_only: offered.read_only, ..place },
        });
        placed.collect()
    }

    /// Every share on offer, on whichever machine, those that are away among them.
    fn all_shares(&self) -> Vec<Placed> {
        self.identity.devices().list().into_iter().flat_map(|row| self.shares_on(row.id)).collect()
    }

    /// What somebody may do with a share on a private connection.
    pub(crate) fn held_by(&self, person: PrincipalId, share: &Placed) -> Held {
        let Some(owner) = self.identity.owner_id() else { return Held::default() };
        effective(person, owner, &share.place, self.rights.held(person, share.id, self.now_ms()))
    }

    /// What the caller may do with a share on the connection on which they ask.
    pub(crate) fn held(&self, caller: &Caller, share: &Placed) -> Held {
        caller.limit(self.held_by(caller.principal, share))
    }

    /// Decides whether the caller may do this with a share of this device.
    pub(crate) fn allow(
        &self,
        caller: &Caller,
        device: DeviceId,
        share: ShareId,
        permission: Permission,
    ) -> Result<Grant, Denied> {
        let placed = self.share(share).filter(|share| share.place.device == device).ok_or(Denied::Unknown)?;
        let granted = self.rights.held(caller.principal, share, self.now_ms());
        authorize(caller, &placed.place, share, granted, permission)
    }

    /// Decides whether the caller may ask a device what it is.
    pub(crate) fn allow_device(&self, caller: &Caller, device: DeviceId) -> Result<Grant, Denied> {
        if !self.sees_device(caller.principal, device) {
            return Err(Denied::Unknown);
        }
        Ok(authorize_device(caller, device))
    }

    /// True if somebody knows of a device: it is theirs, or it is not hidden and they own this coordinator or hold
    /// something on one of its shares.
    pub(crate) fn sees_device(&self, person: PrincipalId, device: DeviceId) -> bool {
        let Some(place) = self.place_on(device, false) else { return false };
        if person == place.owner {
            return true;
        }
        place.visible
            && (self.identity.owner_id() == Some(person)
                || self
                    .shares_on(device)
                    .iter()
                    .any(|share| !self.held_by(person, share).permissions.is_empty()))
    }

    /// The shares that somebody sees, with what they hold, by device and name.
    pub(crate) fn shares_seen_by(&self, person: PrincipalId) -> Vec<(Placed, Held)> {
        let held = self.all_shares().into_iter().map(|share| {
            let held = self.held_by(person, &share);
            (share, held)
        });
        let mut seen: Vec<_> = held.filter(|(_, held)| !held.permissions.is_empty()).collect();
        seen.sort_by_cached_key(|(share, _)| (share.place.device, share.name.to_lowercase(), share.id));
        seen
    }

    /// The paired devices that somebody sees.
    pub(crate) fn devices_seen_by(&self, person: PrincipalId) -> Vec<DeviceRow> {
        let owner = self.identity.owner_id() == Some(person);
        let holds_on: HashSet<_> =
            self.shares_seen_by(person).into_iter().map(|(share, _)| share.place.device).collect();
        let mut devices = self.identity.devices().list();
        devices.retain(|row| row.principal == person || row.visible && (owner || holds_on.contains(&row.id)));
        devices
    }

    /// True if somebody may be told of this now.
    pub(crate) fn may_hear(&self, person: PrincipalId, what: &Happening) -> bool {
        match what {
            Happening::DeviceOnline { device } | Happening::DeviceOffline { device } => {
                self.sees_device(person, *device)
            }
            Happening::ShareChanged { share, .. } => {
                self.share(*share).is_some_and(|share| !self.held_by(person, &share).permissions.is_empty())
            }
            Happening::CatalogChanged | Happening::EventsLost => true,
            Happening::PairingWaiting => self.identity.owner_id() == Some(person),
        }
    }

    /// Tells those who may hear it.
    pub(crate) fn tell(&self, what: &Happening) {
        self.events.tell(what, |person| self.may_hear(person, what));
    }

    /// To be called after every change of rights, rooms, devices or shares, and when a right's time is over: ends what
    /// people do not hold any more, and tells listeners what looks different to them.
    pub(crate) fn rights_moved(&self) {
        self.end_what_is_lost();
        self.tell_what_changed();
    }

    fn end_what_is_lost(&self) {
        let mut last = self.told.holdings.lock();
        let now = self.holdings();
        let lost: Vec<_> = last
            .iter()
            .filter(|(key, had)| now.get(key).is_none_or(|has| has.union(**had) != *has))
            .map(|(key, _)| *key)
            .collect();
        *last = now;
        drop(last);
        for (principal, share) in lost {
            self.has_ended(Revoked::Grant { principal, share });
        }
    }

    /// What everybody holds by rights given to them, on shares that are there. Owners hold without.
    fn holdings(&self) -> Holdings {
        let people = self.identity.principals().list();
        let mut holdings = Holdings::new();
        for share in self.rights.shares_with_rights().into_iter().filter_map(|id| self.share(id)) {
            for person in &people {
                let permissions = self.held_by(person.id, &share).permissions;
                if !permissions.is_empty() {
                    holdings.insert((person.id, share.id), permissions);
                }
            }
        }
        holdings
    }

    /// What somebody sees now.
    fn view(&self, person: PrincipalId) -> View {
        let devices: Vec<_> =
            self.devices_seen_by(person).into_iter().map(|row| (row.id, row.name, row.visible)).collect();
        let shares = self.shares_seen_by(person).into_iter().map(|(share, held)| {
            let seen = hash_of((&share.name, share.place.read_only, held.permissions));
            (share.id, (share.place.device, seen))
        });
        View { devices: hash_of(devices), shares: shares.collect() }
    }

    /// Remembers what somebody sees who begins to listen: from here on they are told what changes.
    pub(crate) fn begin_view(&self, person: PrincipalId) {
        let view = self.view(person);
        self.told.views.lock().entry(person).or_insert(view);
    }

    fn tell_what_changed(&self) {
        let listeners = self.events.people();
        let mut views = self.told.views.lock();
        views.retain(|person, _| listeners.contains(person));
        let mut news = Vec::new();
        for person in listeners {
            let now = self.view(person);
            if let Some(before) = views.insert(person, now.clone()) {
                news.extend(before.changes(&now).into_iter().map(|what| (person, what)));
            }
        }
        drop(views);
        for (person, what) in news {
            self.events.tell(&what, |hearer| hearer == person);
        }
    }

    /// True while the caller may go on with what was granted: asked of answers that take their time.
    pub(crate) fn still_allowed(&self, caller: &Caller, grant: &Grant) -> bool {
        self.still_lives(caller)
            && match grant.resource() {
                Some((share, permissions)) => {
                    permissions.iter().all(|each| self.allow(caller, grant.device(), share, each).is_ok())
                }
                None => self.allow_device(caller, grant.device()).is_ok(),
            }
    }
}
