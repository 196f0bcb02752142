//! The one place where the data plane checks a ticket.
//!
//! Verifying a signature costs some 140 µs, so a ticket that was found right is remembered by its hash until it
//! expires; its time is checked again on every use.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use proto::DeviceId;
use proto::ticket::{KeyRing, Ticket, TicketError, VerifiedTicket};
use time::OffsetDateTime;

/// Tickets remembered at most; beyond that the cache begins anew.
const CAPACITY: usize = 4096;

type Key = ([u8; 32], Option<DeviceId>);

/// Checks tickets with the coordinator's keys.
pub struct TicketCheck {
    keys: RwLock<KeyRing>,
    seen: Mutex<HashMap<Key, Arc<VerifiedTicket>>>,
}

impl TicketCheck {
    /// A check with these keys.
    #[must_use]
    pub fn new(keys: KeyRing) -> Self {
        Self { keys: RwLock::new(keys), seen: Mutex::default() }
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
        let mut seen = self.seen.lock();
        if seen.len() >= CAPACITY {
            seen.clear();
        }
        seen.insert(key, Arc::clone(&verified));
        Ok(verified)
    }
}
