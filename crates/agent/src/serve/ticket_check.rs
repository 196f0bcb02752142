//! The one place where the data plane checks a ticket.
//!
//! Verifying a signature costs some 140 µs, so a ticket that was found right is remembered by its hash until it
//! expires; its time is checked again on every use.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use proto::DeviceId;
use proto::ticket::{KeyRing, Ticket, TicketError, VerifiedTicket};
use time::OffsetDateTime;

use super::ended::Ended;

/// Tickets remembered at most; beyond that the cache begins anew.
const CAPACITY: usize = 4096;

/// For how long it is remembered what has ended: longer than any ticket lives.
const REMEMBER_ENDED: Duration = Duration::from_secs(20 * 60);
/// Ends remembered at most.
const MAX_ENDED: usize = 4096;

type Key = ([u8; 32], Option<DeviceId>);

/// Checks tickets with the coordinator's keys.
pub struct TicketCheck {
    keys: RwLock<KeyRing>,
    seen: Mutex<HashMap<Key, Arc<VerifiedTicket>>>,
    ended: RwLock<VecDeque<(Instant, Ended)>>,
}

impl TicketCheck {
    /// A check with these keys.
    #[must_use]
    pub fn new(keys: KeyRing) -> Self {
        Self { keys: RwLock::new(keys), seen: Mutex::default(), ended: RwLock::default() }
    }

    /// Honours these keys from now on, and no ticket that only others vouch for.
    pub fn honour(&self, keys: KeyRing) {
        *self.keys.write() = keys;
        self.seen.lock().clear();
    }

    /// The ticket, if it is right at this moment and for this presenter.
    ///
    /// # Errors
    /// The first check that fails, in the order of [`TicketError`].
    pub fn verify(
        &self,
        ticket: &Ticket,
        presenter: Option<DeviceId>,
    ) -> Result<Arc<VerifiedTicket>, TicketError> {
        let now = OffsetDateTime::now_utc();
        let key = (*blake3::hash(ticket.as_str().as_bytes()).as_bytes(), presenter);
        let seen = self.seen.lock().get(&key).cloned();
        if let Some(verified) = seen {
            verified.check_time(now)?;
            return Ok(verified);
        }
        let verified = Arc::new(self.keys.read().verify(ticket, presenter, now)?);
        self.remember(key, &verified);
        // Asked last: whoever ends something first writes that down and then forgets the tickets it concerns.
        if self.is_over(&verified) {
            self.seen.lock().remove(&key);
            return Err(TicketError::Revoked);
        }
        Ok(verified)
    }

    fn remember(&self, key: Key, verified: &Arc<VerifiedTicket>) {
        let mut seen = self.seen.lock();
        if seen.len() >= CAPACITY {
            seen.clear();
        }
        seen.insert(key, Arc::clone(verified));
    }

    /// Refuses from now on what this end concerns.
    pub(crate) fn end(&self, end: &Ended) {
        let now = Instant::now();
        let mut ended = self.ended.write();
        let old = |at: &Instant| now.duration_since(*at) > REMEMBER_ENDED;
        while ended.len() >= MAX_ENDED || ended.front().is_some_and(|(at, _)| old(at)) {
            ended.pop_front();
        }
        ended.push_back((now, end.clone()));
        drop(ended);
        self.seen.lock().retain(|_, ticket| !end.concerns(ticket));
    }

    /// True if what the ticket stands for has ended, or whoever signed it is not offered its share any more, or gave up the
    /// key.
    pub(crate) fn is_over(&self, ticket: &VerifiedTicket) -> bool {
        self.ended.read().iter().any(|(_, end)| end.concerns(ticket)) || !self.keys.read().reaches(ticket)
    }
}
