//! Connections to one peer that are free: a few, for a while.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::connection::Connection;

/// How many free connections are kept.
const MAX_IDLE: usize = 8;
/// How long a free connection is kept.
const IDLE_DEADLINE: Duration = Duration::from_secs(60);

/// The free connections, the last one used on top.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Pool {
    /// A free connection, if there is one that still stands.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        idle.retain(|(connection, since)| !connection.is_closed() && since.elapsed() < IDLE_DEADLINE);
        idle.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection for the next request, or ends it if there are enough.
    pub(crate) fn put(&self, connection: Connection) {
        let mut idle = self.idle.lock();
        if !connection.is_closed() && idle.len() < MAX_IDLE {
            idle.push((connection, Instant::now()));
        }
    }

    /// True if no connection is free.
    pub(crate) fn is_empty(&self) -> bool {
        self.idle.lock().iter().all(|(connection, _)| connection.is_closed())
    }

    /// Ends every free connection.
    pub(crate) fn clear(&self) {
        self.idle.lock().clear();
    }
}
