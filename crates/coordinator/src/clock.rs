//! What time it is, as something that can be handed in: lockouts and idle ends are tested without waiting.

use std::time::Instant;

use time::OffsetDateTime;

/// Tells the time in two ways.
pub trait Clock: Send + Sync + 'static {
    /// The time of day. May be wrong, and may step either way.
    fn wall(&self) -> OffsetDateTime;
    /// Milliseconds since some fixed moment of this process. Never goes back.
    fn steady_ms(&self) -> i64;
}

/// The machine's clocks.
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose steady time begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn steady_ms(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// A time as the store keeps it: milliseconds since 1970.
pub(crate) fn to_ms(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// A stored time; the beginning of time if the number is not one.
pub(crate) fn from_ms(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
pub(crate) mod test {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A clock that goes only when told, each hand by itself.
    #[derive(Default)]
    pub(crate) struct ManualClock {
        wall_ms: AtomicI64,
        steady_ms: AtomicI64,
    }

    impl ManualClock {
        pub(crate) fn new() -> Self {
            let clock = Self::default();
            clock.wall_ms.store(1_795_000_000_000, Ordering::SeqCst);
            clock
        }

        pub(crate) fn pass(&self, seconds: i64) {
            self.wall_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
            self.steady_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
        }

        pub(crate) fn step_wall(&self, seconds: i64) {
            self.wall_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
        }

        pub(crate) fn restart(&self) {
            self.steady_ms.store(0, Ordering::SeqCst);
        }
    }

    impl Clock for ManualClock {
        fn wall(&self) -> OffsetDateTime {
            from_ms(self.wall_ms.load(Ordering::SeqCst))
        }

        fn steady_ms(&self) -> i64 {
            self.steady_ms.load(Ordering::SeqCst)
        }
    }
}
