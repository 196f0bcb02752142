//! Whom this device trusts: the keys whose tickets count, and the devices that may knock. Each coordinator speaks for
//! itself; what holds is what all of them say together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use peer::{CertificateDer, Endpoint, Meeting};
use proto::ticket::{KeyRing, PublicKey};
use proto::wire::link::{Addresses, Peer, Revoked};
use proto::{DeviceId, Offered};
use time::OffsetDateTime;

use super::Membership;
use crate::agent::Agent;
use crate::serve::ended::Ended;

/// Keys that one coordinator may have at a time: the present one and those of a rotation.
const MAX_KEYS: usize = 4;
/// Gateways that one coordinator may have.
const MAX_GATEWAYS: usize = 16;
/// Relays that one coordinator may name.
const MAX_RELAYS: usize = 4;

/// Everything that coordinators say, put together.
pub(super) struct Trust {
    agent: Arc<Agent>,
    endpoint: Endpoint,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    own: Vec<PublicKey>,
    joined: HashMap<String, Word>,
}

/// What one coordinator says.
#[derive(Default)]
struct Word {
    keys: Vec<PublicKey>,
    gateways: Vec<DeviceId>,
    peers: Vec<DeviceId>,
    relays: Vec<String>,
    authorities: Vec<CertificateDer<'static>>,
    /// Which shares it is offered: it allows nothing else.
    offered: Offered,
}

impl Word {
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
    own: Vec<PublicKey>,
    /// Whose tickets count besides, and for what.
    joined: Vec<(Vec<PublicKey>, Offered)>,
    guests: HashSet<DeviceId>,
    meetings: Vec<Meeting>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Trust {
    pub(super) fn new(agent: Arc<Agent>, endpoint: Endpoint, own: Vec<PublicKey>) -> Self {
        let trust = Self { agent, endpoint, book: Mutex::new(Book { own, ..Book::default() }) };
        let first = trust.book.lock().consequences();
        trust.follow(first);
        trust
    }

    pub(super) fn set_own(&self, own: Vec<PublicKey>) {
        self.change(|book| book.own = own);
    }

    pub(super) fn join(&self, membership: &Membership) {
        self.word(&membership.coordinator, |word| {
            word.keys.clone_from(&membership.ticket_keys);
            word.authorities.clone_from(&membership.authorities);
            word.offered.clone_from(&membership.offered);
        });
    }

    /// Which shares the coordinator is offered from now on.
    pub(super) fn offer(&self, coordinator: &str, offered: &Offered) {
        self.word(coordinator, |word| word.offered.clone_from(offered));
    }

    pub(super) fn forget(&self, coordinator: &str) {
        let keys = self.key_ids(coordinator);
        self.change(|book| drop(book.joined.remove(coordinator)));
        self.agent.forget(&keys);
    }

    /// The keys whose tickets count from now on. None at all is a mistake, and changes nothing.
    pub(super) fn set_keys(&self, coordinator: &str, keys: &[String]) {
        let keys: Vec<PublicKey> = keys.iter().take(MAX_KEYS).filter_map(|text| public_key(text)).collect();
        if !keys.is_empty() {
            self.word(coordinator, |word| word.keys = keys);
        }
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
        let issuers = self.key_ids(coordinator);
        self.agent.end(&Ended { issuers, what, at });
    }

    /// The ids of a coordinator's keys.
    pub(super) fn key_ids(&self, coordinator: &str) -> Vec<String> {
        let book = self.book.lock();
        book.joined
            .get(coordinator)
            .map(|word| word.keys.iter().map(PublicKey::id).collect())
            .unwrap_or_default()
    }

    fn word(&self, coordinator: &str, change: impl FnOnce(&mut Word)) {
        self.change(|book| change(book.joined.entry(coordinator.to_owned()).or_default()));
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
        let own = KeyRing::new(self.agent.config().device, now.own);
        let all = now.joined.into_iter().fold(own, |ring, (keys, offered)| ring.with(keys, &offered));
        self.agent.honour(all);
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
            own: self.own.clone(),
            joined: words().map(|word| (word.keys.clone(), word.offered.clone())).collect(),
            guests: words().flat_map(|word| word.gateways.iter().chain(&word.peers)).copied().collect(),
            meetings,
            authorities: words().flat_map(|word| &word.authorities).cloned().collect(),
        }
    }
}

/// A key as it is written on the wire.
fn public_key(text: &str) -> Option<PublicKey> {
    proto::base64url::decode_exactly(text).map(PublicKey::from_bytes)
}
