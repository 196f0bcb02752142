//! Whom this device trusts: the keys whose tickets count, and the devices that may knock. Each coordinator speaks for
//! itself; what holds is what all of them say together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use peer::Endpoint;
use proto::DeviceId;
use proto::ticket::{KeyRing, PublicKey};
use proto::wire::link::{Peer, Revoked};
use time::OffsetDateTime;

use crate::agent::Agent;
use crate::serve::ended::Ended;

/// Keys that one coordinator may have at a time: the present one and those of a rotation.
const MAX_KEYS: usize = 4;
/// Gateways that one coordinator may have.
const MAX_GATEWAYS: usize = 16;

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
}

impl Trust {
    pub(super) fn new(agent: Arc<Agent>, endpoint: Endpoint, own: Vec<PublicKey>) -> Self {
        let trust = Self { agent, endpoint, book: Mutex::new(Book { own, ..Book::default() }) };
        trust.follow(&trust.book.lock());
        trust
    }

    pub(super) fn set_own(&self, own: Vec<PublicKey>) {
        self.change(|book| book.own = own);
    }

    pub(super) fn join(&self, coordinator: &str, keys: &[PublicKey]) {
        self.word(coordinator, |word| word.keys = keys.to_vec());
    }

    pub(super) fn forget(&self, coordinator: &str) {
        self.change(|book| drop(book.joined.remove(coordinator)));
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

    /// Other devices that may come, and where they are.
    pub(super) fn set_peers(&self, coordinator: &str, peers: Vec<Peer>) {
        let ids = peers.iter().map(|peer| peer.device).collect();
        for peer in peers {
            self.endpoint.learn(peer.device, peer.addresses);
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
        let before = (book.keys(), book.guests());
        change(&mut book);
        if before != (book.keys(), book.guests()) {
            // With the book held, so that what holds is always what was said last.
            self.follow(&book);
        }
    }

    fn follow(&self, book: &Book) {
        self.agent.tickets().honour(KeyRing::new(self.agent.config().device, book.keys()));
        self.endpoint.allow(book.guests());
    }
}

impl Book {
    fn keys(&self) -> Vec<PublicKey> {
        self.own.iter().chain(self.joined.values().flat_map(|word| &word.keys)).copied().collect()
    }

    fn guests(&self) -> HashSet<DeviceId> {
        self.joined.values().flat_map(|word| word.gateways.iter().chain(&word.peers)).copied().collect()
    }
}

/// A key as it is written on the wire.
fn public_key(text: &str) -> Option<PublicKey> {
    proto::base64url::decode_exactly(text).map(PublicKey::from_bytes)
}
