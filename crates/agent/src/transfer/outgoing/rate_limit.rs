//! How fast this machine sends at most: one measure for all that share it, whatever they send.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::transfer::blocking::Blocking;

/// What was not used is kept for so long: who was slow for a moment may catch up.
const KEPT: Duration = Duration::from_millis(100);

/// A limit of bytes per second.
#[derive(Debug)]
pub struct RateLimit {
    bytes_per_second: u64,
    /// When all that was let through so far would be through at this speed.
    through: Mutex<Instant>,
}

impl RateLimit {
    /// At most so many bytes per second; at least one.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), through: Mutex::new(Instant::now()) }
    }

    /// How much is best let through at once: a twentieth of a second's worth, and not more than this.
    fn portion(&self, most: usize) -> usize {
        usize::try_from(self.bytes_per_second / 20).unwrap_or(most).max(1).min(most)
    }

    /// Takes the next turn, for so many bytes; how long it is until then.
    fn turn(&self, bytes: usize) -> Duration {
        self.turn_at(bytes, Instant::now())
    }

    fn turn_at(&self, bytes: usize, now: Instant) -> Duration {
        let nanos = u128::from(bytes as u64) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let lasts = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut through = self.through.lock();
        let begins = now.checked_sub(KEPT).map_or(*through, |earliest| earliest.max(*through));
        *through = begins + lasts;
        begins.saturating_duration_since(now)
    }
}

/// A stream that keeps to a limit, if there is one.
pub(super) struct Limited {
    pub(super) stream: Blocking,
    pub(super) rate_limit: Option<Arc<RateLimit>>,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(rate_limit) = &self.rate_limit else { return self.stream.write(bytes) };
        let some = &bytes[..rate_limit.portion(bytes.len())];
        self.stream.wait(rate_limit.turn(some.len()))?;
        self.stream.write_all(some)?;
        Ok(some.len())
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.rate_limit.is_none() {
            return self.stream.write_all(bytes);
        }
        while !bytes.is_empty() {
            let written = self.write(bytes)?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_each_other_at_the_pace_and_little_is_saved_up() {
        let rate_limit = RateLimit::new(1_000_000);
        let began = *rate_limit.through.lock();
        let second = Duration::from_secs(1);
        assert_eq!(rate_limit.turn_at(1_000_000, began), Duration::ZERO);
        assert_eq!(rate_limit.turn_at(500_000, began), second);
        assert_eq!(rate_limit.turn_at(1, began + second), second / 2);
        // An hour of silence gives no hour's worth at once.
        let later = began + 3600 * second;
        assert_eq!(rate_limit.turn_at(1_000_000, later), Duration::ZERO);
        assert_eq!(rate_limit.turn_at(1, later), second - KEPT);
    }

    #[test]
    fn portions_are_small_where_the_pace_is() {
        assert_eq!(RateLimit::new(0).portion(1000), 1);
        assert_eq!(RateLimit::new(2_000).portion(1000), 100);
        assert_eq!(RateLimit::new(u64::MAX).portion(1000), 1000);
    }
}
