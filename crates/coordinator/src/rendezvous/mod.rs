//! The rendezvous: mailboxes in which two programs that know the same code find each other. It speaks the mailbox protocol
//! of magic-wormhole, so its clients can use it, and ours can use theirs. What is in a mailbox is sealed by what only the two
//! know: the rendezvous sees who is there, and how much they say.
//!
//! [`mailboxes`] holds what there is, in memory and within bounds; [`conversation`] is one connection's words. Neither knows
//! a socket: the door brings it, a coordinator's or that of a program that hosts a rendezvous of its own.

pub(crate) mod conversation;
mod mailboxes;
#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use proto::DeviceId;

use conversation::Conversation;
pub(crate) use mailboxes::{MAX_MESSAGE_BYTES, Outbox};
use mailboxes::{Mailboxes, Place};

/// A rendezvous. Clones are the same one.
#[derive(Clone)]
pub struct Rendezvous(Arc<Shared>);

struct Shared {
    mailboxes: Mutex<Mailboxes>,
    /// What whoever comes is told.
    offers: words::Offers,
}

impl Rendezvous {
    /// A rendezvous that also has a relay and links for those who meet at it, or one that has nothing else.
    #[must_use]
    pub fn new(name: String, beside: Beside) -> Self {
        let everything = beside == Beside::Coordinator;
        let id = format!("{:016x}", mailboxes::random());
        let offers = words::Offers { id, name, relay: everything, drops: everything };
        let shortest = if everything { 1 } else { ALONE_DIGITS };
        Self(Arc::new(Shared { mailboxes: Mutex::new(Mailboxes::new(shortest)), offers }))
    }

    /// Whether this device has met another here, so that it may use the relay.
    #[must_use]
    pub fn has_met(&self, device: DeviceId) -> bool {
        self.0.mailboxes.lock().has_met(device)
    }

    /// A conversation with somebody from this address; none if there are too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Conversation> {
        let place = Place::enter(&self.0, address)?;
        Some(Conversation::new(self.clone(), place))
    }
}

/// What else there is where a rendezvous is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// A coordinator, with a relay and a page.
    Coordinator,
    /// Nothing: a program hosts it for as long as it waits.
    Nothing,
}

/// Several may be hosted on one network at once, and a code says only which nameplate: theirs are so long that two are seldom
/// the same.
const ALONE_DIGITS: u32 = 3;
