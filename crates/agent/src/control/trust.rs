//! Whom this device trusts: the keys whose tickets count, and the devices that may knock. Each coordinator speaks for
//! itself; what holds is what all of them say together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use peer::{CertificateDer, Endpoint, Meeting};
use proto::ticket::{Issuer, KeyRing};
use proto::wire::link::{Addresses, Peer, Revoked, TicketKeys};
use proto::{DeviceId, Offered};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Membership, Pinned, PinnedKeys};
use crate::agent::Agent;
use crate::serve::ended::Ended;

/// Keys that one coordinator may have at a time: the present one and those of a rotation.
const MAX_KEYS: usize = 4;
/// Gateways that one coordinator may have.
const MAX_GATEWAYS: usize = 16;
/// Relays that one coordinator may name.
const MAX_RELAYS: usize = 4;

/// Keys that nothing vouches for which this device has pinned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unproven;

/// Everything that coordinators say, put together.
pub(super) struct Trust {
    agent: Arc<Agent>,
    endpoint: Endpoint,
    book: Mutex<Book>,
    /// The keys of each coordinator as they are pinned now, for who keeps them.
    pinned: watch::Sender<PinnedKeys>,
}

#[derive(Default)]
struct Book {
    own: Issuer,
    /// Whom the device's own coordinator lets come.
    own_guests: Vec<DeviceId>,
    joined: HashMap<String, Word>,
}

/// What one coordinator says.
struct Word {
    /// When it was joined.
    joined: OffsetDateTime,
    /// Whose tickets count, and for what.
    issuer: Issuer,
    gateways: Vec<DeviceId>,
    peers: Vec<DeviceId>,
    relays: Vec<String>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Word {
    fn pinned(&self) -> Pinned {
        Pinned { joined: self.joined, keys: self.issuer.keys.clone() }
    }

    fn take_keys(&mut self, new: TicketKeys) -> Result<(), Unproven> {
        if new.ticket_keys.is_empty() {
            return Ok(());
        }
        if !new.follow_from(&self.issuer.keys) {
            return Err(Unproven);
        }
        self.issuer.keys = new.ticket_keys.into_iter().take(MAX_KEYS).collect();
        self.issuer.dropped = new.dropped;
        Ok(())
    }

    /// Where the coordinator's gateway looks for this device.
    fn meetings(&self) -> impl Iterator<Item = Meeting> {
        let gateway = self.gateways.first();
        gateway.into_iter().flat_map(|gateway| {
            self.relays.iter().map(|relay| Meeting { relay: relay.clone(), with: *gateway })
        })
    }
}

/// What follows from all that is said.
#[derive(PartialEq, Eq)]
struct Consequences {
    /// Whose tickets count, and for what.
    issuers: Vec<Issuer>,
    pinned: PinnedKeys,
    guests: HashSet<DeviceId>,
    meetings: Vec<Meeting>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Trust {
    pub(super) fn new(agent: Arc<Agent>, endpoint: Endpoint, own: Issuer) -> Self {
        let book = Mutex::new(Book { own, ..Book::default() });
        let trust = Self { agent, endpoint, book, pinned: watch::Sender::default() };
        let first = trust.book.lock().consequences();
        trust.follow(first);
        trust
    }

    pub(super) fn set_own(&self, own: Issuer) {
        self.change(|book| book.own = own);
    }

    pub(super) fn set_own_guests(&self, guests: Vec<DeviceId>) {
        self.change(|book| book.own_guests = guests);
    }

    pub(super) fn join(&self, membership: &Membership) {
        let issuer = Issuer {
            coordinator: Some(membership.coordinator.clone()),
            keys: membership.ticket_keys.clone(),
            dropped: Vec::new(),
            offered: membership.offered.clone(),
        };
        let word = Word {
            joined: membership.joined,
            issuer,
            gateways: Vec::new(),
            peers: Vec::new(),
            relays: Vec::new(),
            authorities: membership.authorities.clone(),
        };
        self.change(|book| drop(book.joined.insert(membership.coordinator.clone(), word)));
    }

    /// The keys of each coordinator that this device goes by, now and whenever they change.
    pub(super) fn pinned(&self) -> watch::Receiver<PinnedKeys> {
        self.pinned.subscribe()
    }

    /// Which shares the coordinator is offered from now on.
    pub(super) fn offer(&self, coordinator: &str, offered: &Offered) {
        self.word(coordinator, |word| word.issuer.offered.clone_from(offered));
    }

    pub(super) fn forget(&self, coordinator: &str) {
        self.change(|book| drop(book.joined.remove(coordinator)));
        self.agent.forget(coordinator);
    }

    /// The keys whose tickets count from now on, if keys vouch for them that this device has pinned: whoever answers at the
    /// coordinator's address cannot make keys of their own count. None at all is a mistake, and changes nothing.
    pub(super) fn set_keys(&self, coordinator: &str, new: TicketKeys) -> Result<(), Unproven> {
        let mut answer = Ok(());
        self.word(coordinator, |word| answer = word.take_keys(new));
        answer
    }

    /// The keys that the coordinator's gateway presents.
    pub(super) fn set_gateways(&self, coordinator: &str, gateways: Vec<DeviceId>) {
        self.word(coordinator, |word| word.gateways = gateways.into_iter().take(MAX_GATEWAYS).collect());
    }

    /// The relays of the coordinator, as they are reached from here.
    pub(super) fn set_relays(&self, coordinator: &str, relays: Vec<String>) {
        self.word(coordinator, |word| word.relays = relays.into_iter().take(MAX_RELAYS).collect());
    }

    /// Other devices that may come, and where they are.
    pub(super) fn set_peers(&self, coordinator: &str, peers: Vec<Peer>) {
        let ids = peers.iter().map(|peer| peer.device).collect();
        let relay = self.book.lock().joined.get(coordinator).and_then(|word| word.relays.first().cloned());
        for Peer { device, addresses } in peers {
            // Its own name for the relay may lead nowhere from here.
            self.endpoint.learn(device, Addresses { relay: relay.clone(), ..addresses });
        }
        self.word(coordinator, |word| word.peers = ids);
    }

    /// Drops what the coordinator has ended.
    pub(super) fn end(&self, coordinator: &str, what: Revoked, at: OffsetDateTime) {
        if let Revoked::Device { id } = &what {
            self.word(coordinator, |word| word.peers.retain(|peer| peer != id));
        }
        self.agent.end(&Ended { coordinator: Some(coordinator.to_owned()), what, at });
    }

    /// Changes what one coordinator says. A link that is being left says nothing any more.
    fn word(&self, coordinator: &str, change: impl FnOnce(&mut Word)) {
        self.change(|book| {
            book.joined.get_mut(coordinator).map(change);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Book)) {
        let mut book = self.book.lock();
        let before = book.consequences();
        change(&mut book);
        let now = book.consequences();
        if before != now {
            // With the book held, so that what holds is always what was said last.
            self.follow(now);
        }
    }

    fn follow(&self, now: Consequences) {
        self.agent.honour(KeyRing::new(self.agent.config().device, now.issuers));
        self.pinned.send_if_modified(|known| {
            let changed = *known != now.pinned;
            *known = now.pinned;
            changed
        });
        self.endpoint.use_relays(&now.meetings, now.authorities);
        self.endpoint.allow(now.guests);
    }
}

impl Book {
    fn consequences(&self) -> Consequences {
        let words = || self.joined.values();
        let mut meetings: Vec<Meeting> = words().flat_map(Word::meetings).collect();
        meetings.sort_unstable();
        meetings.dedup();
        Consequences {
            pinned: self.joined.iter().map(|(id, word)| (id.clone(), word.pinned())).collect(),
            issuers: std::iter::once(&self.own).chain(words().map(|word| &word.issuer)).cloned().collect(),
            guests: words()
                .flat_map(|word| word.gateways.iter().chain(&word.peers))
                .chain(&self.own_guests)
                .copied()
                .collect(),
            meetings,
            authorities: words().flat_map(|word| &word.authorities).cloned().collect(),
        }
    }
}
