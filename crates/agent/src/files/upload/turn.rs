//! Whose turn it is: one request at a time works on an upload, and the latest one is it. Who comes later does not wait for a
//! connection that hangs; the one before is told to stop, makes durable what came, and gives way.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Mutex as Queue, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use super::Upload;
use crate::files::write::sums::Sums;

/// What goes from turn to turn in memory. It can be had again from the disk.
pub(super) struct Hand {
    /// What is computed of the whole, and up to where.
    pub(super) sums: Option<(Sums, u64)>,
    /// What `verified` says on the disk.
    pub(super) verified: u64,
    /// True once the whole was found to be what was announced.
    pub(super) fits: bool,
}

impl Hand {
    pub(super) const fn new(verified: u64) -> Self {
        Self { sums: None, verified, fits: false }
    }

    /// What is computed of the whole, if it goes on at this byte.
    pub(super) fn take_sums(&mut self, at: u64) -> Option<Sums> {
        self.sums.take().filter(|(_, until)| *until == at).map(|(sums, _)| sums)
    }
}

/// The turns of something, of which each hands on what only the one whose turn it is needs.
pub(crate) struct Turns<T> {
    hand: Arc<Queue<T>>,
    stop: Mutex<CancellationToken>,
}

/// The turn: as long as it is held nobody else changes the upload.
pub struct Turn {
    /// The upload.
    pub upload: Arc<Upload>,
    /// Somebody else wants it.
    pub stop: CancellationToken,
    pub(super) hand: OwnedMutexGuard<Hand>,
}

impl<T> Turns<T> {
    pub(crate) fn new(hand: T) -> Self {
        Self { hand: Arc::new(Queue::new(hand)), stop: Mutex::default() }
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.hand.try_lock().is_err()
    }

    /// Takes the turn from whoever has it: the token is cancelled when somebody else wants it.
    pub(crate) async fn take_over(&self) -> (OwnedMutexGuard<T>, CancellationToken) {
        let stop = self.stop_others();
        (Arc::clone(&self.hand).lock_owned().await, stop)
    }

    /// [`Self::take_over`], for who is on a thread of its own and may wait there.
    pub(crate) fn take_over_blocking(&self) -> (OwnedMutexGuard<T>, CancellationToken) {
        let stop = self.stop_others();
        (Arc::clone(&self.hand).blocking_lock_owned(), stop)
    }

    fn stop_others(&self) -> CancellationToken {
        let stop = CancellationToken::new();
        std::mem::replace(&mut *self.stop.lock(), stop.clone()).cancel();
        stop
    }
}

impl Upload {
    /// Takes the turn from whoever has it.
    pub async fn take_over(self: Arc<Self>) -> Turn {
        let (hand, stop) = self.turns.take_over().await;
        Turn { upload: self, stop, hand }
    }

    /// The turn, for who is on a thread of its own and may wait there.
    #[must_use]
    pub fn take_over_blocking(self: Arc<Self>) -> Turn {
        let (hand, stop) = self.turns.take_over_blocking();
        Turn { upload: self, stop, hand }
    }
}
