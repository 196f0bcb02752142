//! The pieces that are wanted. Whoever fills it waits while it is full; who empties it waits while there is nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

use super::Outgoing;

/// How many pieces may wait to be read.
const CAPACITY: usize = 4096;

/// A piece that is wanted.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) entry: u32,
    pub(super) piece: u32,
    pub(super) file: Arc<Outgoing>,
}

/// The pieces that are wanted.
pub(super) struct Queue {
    jobs: Mutex<Jobs>,
    more: Condvar,
    room: Semaphore,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { jobs: Mutex::default(), more: Condvar::new(), room: Semaphore::new(CAPACITY) }
    }

    /// Wants a piece, once there is room.
    pub(super) async fn push(&self, job: Job) {
        if let Ok(room) = self.room.acquire().await {
            room.forget();
        }
        self.jobs.lock().waiting.push_back(job);
        self.more.notify_one();
    }

    /// Wants a piece again, before all others.
    pub(super) fn push_again(&self, job: Job) {
        // Taken out, it makes room for one more than there was: of these there are few.
        self.jobs.lock().waiting.push_front(job);
        self.more.notify_one();
    }

    /// The next piece, if one is waiting.
    pub(super) fn try_pop(&self) -> Option<Job> {
        let job = self.jobs.lock().waiting.pop_front()?;
        self.room.add_permits(1);
        Some(job)
    }

    /// The next piece; waits for one. `None` once there will be no more.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            if jobs.closed {
                return None;
            }
            if let Some(job) = jobs.waiting.pop_front() {
                self.room.add_permits(1);
                return Some(job);
            }
            self.more.wait(&mut jobs);
        }
    }

    /// There will be no more.
    pub(super) fn close(&self) {
        self.jobs.lock().closed = true;
        self.more.notify_all();
    }
}
