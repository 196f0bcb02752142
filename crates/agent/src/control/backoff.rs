//! How long to wait before the next try: longer each time, and never the same for two devices. Pure but for chance.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);
/// The longest: with a dial behind it, a device is back within five seconds of its coordinator.
const LONGEST: Duration = Duration::from_secs(4);

/// Waits that grow.
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next wait: between half of what is due and all of it.
    pub(super) fn wait(&mut self) -> Duration {
        let due = self.next;
        self.next = (due * 2).min(LONGEST);
        due.mul_f64(0.5 + 0.5 * chance())
    }

    /// Begins anew, after a success.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A number from 0 to 1. Without random numbers the wait is a middling one.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        for due_ms in [500, 1000, 2000, 4000, 4000] {
            let wait = backoff.wait().as_millis();
            assert!((due_ms / 2..=due_ms).contains(&wait), "{wait} of {due_ms}");
        }
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }

    #[test]
    fn two_devices_do_not_wait_alike() {
        let waits: std::collections::HashSet<_> = (0..20).map(|_| Backoff::default().wait()).collect();
        assert!(waits.len() > 10);
    }
}
