//! How often a PIN may be tried, and from where. A try is counted before the PIN is looked at, on the disk, and taken
//! back only if it proves right; so neither tries at the same time nor a restart gains any.
//!
//! Time here is *lived time*: it grows with the process's steady clock. The time of day counts only across a
//! restart, and then for [`MAX_CREDIT_MS`] at most, so that setting the clock on does not end a lockout.

use std::sync::Arc;

use proto::api::transfers::PASSCODE_TRIES;
use proto::{DeviceId, PrincipalId};

use crate::clock::{Clock, to_ms};
use crate::store::attempts::Lived;
use crate::store::{Store, StoreError};

/// Wrong PINs are remembered for a day.
const WINDOW_MS: i64 = 24 * 3600 * 1000;
/// Wrong PINs in a day from all browsers that never signed in here, together.
const UNKNOWN_LIMIT: usize = 10;
/// Wrong PINs in a day from one browser that did.
const KNOWN_LIMIT: usize = 5;
/// Seconds to wait after so many wrong PINs: three are free, as people mistype.
const DELAYS: [i64; 10] = [0, 0, 0, 5, 15, 30, 60, 120, 300, 900];
/// Seconds to wait after even more, where there is no limit.
const LAST_DELAY: i64 = 3600;
/// Wrong passcodes of one sender at one machine, each as many as a transfer's window allows, cost more and more seconds.
const PASSCODE_LOCKS: [i64; 3] = [60, 600, 3600];
/// Seconds to wait after even more.
const LAST_PASSCODE_LOCK: i64 = 6 * 3600;
/// The most that time spent switched off counts for, across one restart.
const MAX_CREDIT_MS: i64 = 3600 * 1000;

/// Where a try comes from. Each has its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A browser that has not signed in here before. All of them share one count.
    Unknown,
    /// A browser that holds the token it was given when it signed in.
    Known(i64),
    /// The owner who types a pairing code. Slowed down, but never locked out.
    Code,
    /// Somebody who says the passcode of a transfer to a machine, whichever transfer that is.
    Passcode(PrincipalId, DeviceId),
    /// This machine itself. Slowed down, but never locked out.
    Machine,
}

impl Source {
    fn key(self) -> String {
        match self {
            Self::Unknown => "unknown".to_owned(),
            Self::Known(browser) => format!("browser:{browser}"),
            Self::Code => "code".to_owned(),
            Self::Passcode(sender, device) => format!("passcode:{sender}:{device}"),
            Self::Machine => "machine".to_owned(),
        }
    }

    const fn limit(self) -> usize {
        match self {
            Self::Unknown => UNKNOWN_LIMIT,
            Self::Known(_) => KNOWN_LIMIT,
            Self::Code | Self::Machine | Self::Passcode(..) => usize::MAX,
        }
    }
}

/// How long to wait before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// At least one.
    pub(crate) seconds: u64,
    /// True if the day's limit is reached, false if it is a pause between two tries.
    pub(crate) locked: bool,
}

/// Whether a source may try now, after the wrong ones of the last day at `earlier` (oldest first).
fn may_try(source: Source, earlier: &[i64], now: i64) -> Result<(), Wait> {
    let count = earlier.len();
    if count >= source.limit() {
        // One more is allowed once so many have passed out of the window that the count is below the limit.
        let frees = earlier[count - source.limit()] + WINDOW_MS;
        return Err(wait_until(frees, now, true));
    }
    let delay = match source {
        Source::Passcode(..) => passcode_lock(count),
        _ => DELAYS.get(count).copied().unwrap_or(LAST_DELAY),
    };
    let next = earlier.last().map_or(i64::MIN, |last| last.saturating_add(delay * 1000));
    if next > now { Err(wait_until(next, now, false)) } else { Ok(()) }
}

/// Seconds to wait after so many wrong passcodes: none until a window's worth of them is used up.
fn passcode_lock(count: usize) -> i64 {
    let tries = PASSCODE_TRIES as usize;
    match (count / tries).checked_sub(1) {
        Some(nth) if count.is_multiple_of(tries) => {
            PASSCODE_LOCKS.get(nth).copied().unwrap_or(LAST_PASSCODE_LOCK)
        }
        _ => 0,
    }
}

fn wait_until(then: i64, now: i64, locked: bool) -> Wait {
    let ms = u64::try_from(then.saturating_sub(now)).unwrap_or(0);
    Wait { seconds: ms.div_ceil(1000).max(1), locked }
}

/// A try that has been counted.
pub(crate) struct Attempt(i64);

/// The book of tries.
pub(crate) struct Attempts {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Lived time when the steady clock showed `steady_base`.
    lived_base: i64,
    steady_base: i64,
}

impl Attempts {
    pub(crate) async fn open(store: Store, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let saved = store.lived().await?;
        let lived_base = saved.map_or(0, |saved| {
            let off = to_ms(clock.wall()).saturating_sub(saved.wall_ms);
            saved.lived_ms + off.clamp(0, MAX_CREDIT_MS)
        });
        let steady_base = clock.steady_ms();
        Ok(Self { store, clock, lived_base, steady_base })
    }

    fn now(&self) -> Lived {
        Lived {
            lived_ms: self.lived_base + (self.clock.steady_ms() - self.steady_base),
            wall_ms: to_ms(self.clock.wall()),
        }
    }

    /// Counts a try before it is made, or says how long to wait.
    pub(crate) async fn reserve(&self, source: Source) -> Result<Result<Attempt, Wait>, StoreError> {
        let now = self.now();
        let allow = |earlier: &[i64]| may_try(source, earlier, now.lived_ms);
        let reserved =
            self.store.reserve_attempt(&source.key(), now, now.lived_ms - WINDOW_MS, allow).await?;
        Ok(reserved.map(Attempt))
    }

    /// Takes back a try that proved right. The wrong ones before it stay: else an owner who signs in every hour
    /// would give a guesser ten tries every hour.
    pub(crate) async fn take_back(&self, attempt: Attempt) -> Result<(), StoreError> {
        self.store.forget_attempt(attempt.0).await
    }

    /// Writes down how much time has been lived, as long as there is a try to remember.
    pub(crate) async fn save_time(&self) -> Result<(), StoreError> {
        if self.store.has_attempts().await? { self.store.save_lived(self.now()).await } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn three_tries_are_free_then_each_costs_more_time() {
        let mut earlier = Vec::new();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..UNKNOWN_LIMIT {
            if let Err(wait) = may_try(Source::Unknown, &earlier, now) {
                assert!(!wait.locked);
                waits.push(wait.seconds);
                now += wait.seconds as i64 * 1000;
                assert_eq!(may_try(Source::Unknown, &earlier, now), Ok(()), "the wait it said is enough");
            }
            earlier.push(now);
        }
        assert_eq!(waits, [5, 15, 30, 60, 120, 300, 900]);
        let wait = may_try(Source::Unknown, &earlier, now).unwrap_err();
        assert!(wait.locked);
        assert_eq!(
            i64::try_from(wait.seconds).unwrap() * 1000,
            WINDOW_MS - now,
            "till the first is a day old"
        );
    }

    #[test]
    fn every_five_wrong_passcodes_lock_for_longer() {
        let source = Source::Passcode(PrincipalId::generate(), DeviceId::from_public_key([1; 32]));
        let (mut earlier, mut now, mut waits) = (Vec::new(), 0, Vec::new());
        for count in 0..23 {
            if let Err(wait) = may_try(source, &earlier, now) {
                waits.push((count, wait.seconds));
                now += wait.seconds as i64 * 1000;
                assert_eq!(may_try(source, &earlier, now), Ok(()), "the wait it said is enough");
            }
            earlier.push(now);
        }
        assert_eq!(waits, [(5, 60), (10, 600), (15, 3600), (20, 6 * 3600)]);
    }

    #[test]
    fn each_source_has_its_limit() {
        let long_ago: Vec<i64> = (0..30).map(|i| i * 30 * MINUTE).collect();
        let now = 29 * 30 * MINUTE + 3600 * 1000;
        for (source, count, allowed) in [
            (Source::Unknown, 9, true),
            (Source::Unknown, 10, false),
            (Source::Known(1), 4, true),
            (Source::Known(1), 5, false),
            (Source::Machine, 30, true),
        ] {
            assert_eq!(may_try(source, &long_ago[..count], now).is_ok(), allowed, "{source:?} {count}");
        }
    }
}
