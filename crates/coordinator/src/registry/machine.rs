//! One other machine: what is known of it, and its way from there to away. Holds no lock and asks nobody.

use std::sync::Arc;

use proto::wire::link::{Addresses, FromCoordinator, OfferedShare};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::store::presence::PresenceRow;

/// Both clocks at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall_ms: i64,
    pub(crate) steady_ms: i64,
}

/// A machine, as it is at the moment somebody asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    pub(crate) online: bool,
    pub(crate) addresses: Addresses,
    /// What it offers.
    pub(crate) offer: Arc<[OfferedShare]>,
    /// How far its clock is ahead of this machine's.
    pub(crate) skew: time::Duration,
}

/// The sending half of a machine's link. The link ends when this goes.
pub(crate) struct LinkHandle {
    pub(crate) serial: u64,
    pub(crate) sender: mpsc::Sender<FromCoordinator>,
    pub(crate) ended: CancellationToken,
}

impl Drop for LinkHandle {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// A machine in the book.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) row: PresenceRow,
    pub(crate) offer: Arc<[OfferedShare]>,
    online: bool,
    heard_steady_ms: i64,
    skew: time::Duration,
    link: Option<LinkHandle>,
}

impl Entry {
    pub(crate) fn new(row: PresenceRow) -> Self {
        Self { row, ..Self::default() }
    }

    pub(crate) fn presence(&self) -> Presence {
        Presence {
            online: self.online,
            addresses: self.row.addresses.clone(),
            offer: Arc::clone(&self.offer),
            skew: self.skew,
        }
    }

    pub(crate) fn last_heard(&self) -> (bool, Option<i64>) {
        (self.online, self.row.seen_ms)
    }

    pub(crate) fn offer_at_start(&mut self, share: OfferedShare) {
        self.offer = self.offer.iter().cloned().chain([share]).collect();
    }

    /// True if it was away before.
    pub(crate) fn connect(&mut self, link: LinkHandle, now: Now, skew: time::Duration) -> bool {
        // The older link, if there is one, ends here.
        self.link = Some(link);
        self.hear(now, Some(skew))
    }

    /// True if it was away before.
    pub(crate) fn hear(&mut self, now: Now, skew: Option<time::Duration>) -> bool {
        self.heard_steady_ms = now.steady_ms;
        self.row.seen_ms = Some(now.wall_ms);
        self.skew = skew.unwrap_or(self.skew);
        !std::mem::replace(&mut self.online, true)
    }

    /// When it was last heard, if it is there.
    pub(crate) fn seen_if_online(&self) -> Option<i64> {
        if self.online { self.row.seen_ms } else { None }
    }

    pub(crate) fn is_current(&self, serial: u64) -> bool {
        self.link.as_ref().is_some_and(|link| link.serial == serial)
    }

    /// The link is gone. Gives when the machine was last heard if it is offline by that.
    pub(crate) fn disconnect(&mut self, goodbye: bool) -> Option<i64> {
        self.link = None;
        if goodbye { self.go() } else { None }
    }

    /// Offline if nothing was heard since.
    pub(crate) fn expire(&mut self, silent_since: i64) -> Option<i64> {
        if !self.online || self.heard_steady_ms >= silent_since {
            return None;
        }
        self.link = None;
        self.go()
    }

    fn go(&mut self) -> Option<i64> {
        std::mem::replace(&mut self.online, false).then_some(self.row.seen_ms).flatten()
    }

    /// Sends a message. A machine that takes none has its link ended: it comes again and is told anew.
    pub(crate) fn push(&self, message: FromCoordinator) {
        if let Some(link) = &self.link
            && link.sender.try_send(message).is_err()
        {
            link.ended.cancel();
        }
    }
}
