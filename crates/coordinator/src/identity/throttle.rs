//! How fast one address or machine may knock at the doors that cost work, and how fast all together: sign-in, setup,
//! pairing, tokens and tickets. A kindness to the others in the queue, not the lock itself; that is `lockout`.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use parking_lot::Mutex;
use proto::DeviceId;

/// Callers remembered; beyond that, those that have not knocked for long are forgotten first.
const CAPACITY: usize = 4096;

/// So many knocks at once, and so many per second after that.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: f64,
    pub(crate) per_second: f64,
}

/// Signing in and setting up.
pub(crate) const SIGN_IN: [Rate; 2] =
    [Rate { burst: 40.0, per_second: 2.0 }, Rate { burst: 2000.0, per_second: 200.0 }];
/// Beginning a pairing: people do this, seldom.
pub(crate) const PAIRING: [Rate; 2] =
    [Rate { burst: 10.0, per_second: 0.1 }, Rate { burst: 40.0, per_second: 1.0 }];
/// Asking how a pairing stands, and using invites.
pub(crate) const CLAIM: [Rate; 2] =
    [Rate { burst: 30.0, per_second: 3.0 }, Rate { burst: 200.0, per_second: 50.0 }];
/// Getting a token: each machine once an hour, and all of them after a restart.
pub(crate) const TOKEN: [Rate; 2] =
    [Rate { burst: 60.0, per_second: 5.0 }, Rate { burst: 2000.0, per_second: 200.0 }];

/// Getting tickets to ask a device straight: each machine one a minute for each share that it reads.
pub(crate) const TICKET: [Rate; 2] =
    [Rate { burst: 60.0, per_second: 2.0 }, Rate { burst: 2000.0, per_second: 200.0 }];

struct Bucket {
    level: f64,
    at_ms: i64,
}

impl Bucket {
    const fn full(rate: Rate, now_ms: i64) -> Self {
        Self { level: rate.burst, at_ms: now_ms }
    }

    fn level_at(&self, rate: Rate, now_ms: i64) -> f64 {
        let seconds = (now_ms - self.at_ms).max(0) as f64 / 1000.0;
        (self.level + seconds * rate.per_second).min(rate.burst)
    }

    /// Lets one through, or says after how many seconds there is room for one.
    fn take(&mut self, rate: Rate, now_ms: i64) -> Result<(), u64> {
        self.level = self.level_at(rate, now_ms);
        self.at_ms = now_ms;
        if self.level < 1.0 {
            return Err(((1.0 - self.level) / rate.per_second).ceil().max(1.0) as u64);
        }
        self.level -= 1.0;
        Ok(())
    }
}

/// Who knocks: an address, or a machine that has proved its key.
pub(crate) trait Knocker: Eq + Hash {
    /// Those who are counted as one.
    fn counted_as(self) -> Self;
}

impl Knocker for IpAddr {
    /// The address itself, or the /64 network of an IPv6 one: a host has all of that to itself.
    fn counted_as(self) -> Self {
        match self.to_canonical() {
            Self::V6(v6) => Self::V6((u128::from(v6) >> 64 << 64).into()),
            v4 => v4,
        }
    }
}

impl Knocker for DeviceId {
    fn counted_as(self) -> Self {
        self
    }
}

/// Token buckets: one for each who knocks, and one for all.
pub(crate) struct Throttle<K = IpAddr> {
    each: Rate,
    all: Rate,
    buckets: Mutex<Buckets<K>>,
}

struct Buckets<K> {
    all: Bucket,
    each: HashMap<K, Bucket>,
}

impl<K: Knocker> Throttle<K> {
    pub(crate) fn new([each, all]: [Rate; 2]) -> Self {
        let buckets = Buckets { all: Bucket::full(all, 0), each: HashMap::new() };
        Self { each, all, buckets: Mutex::new(buckets) }
    }

    /// Lets a knock in, or says after how many seconds to try again. What one has too much does not count for all.
    pub(crate) fn knock(&self, who: K, now_ms: i64) -> Result<(), u64> {
        let Buckets { all, each } = &mut *self.buckets.lock();
        if each.len() >= CAPACITY {
            each.retain(|_, bucket| bucket.level_at(self.each, now_ms) < self.each.burst);
        }
        if each.len() >= CAPACITY {
            // Everybody is knocking: the limit for all holds them then.
            each.clear();
        }
        let bucket = each.entry(who.counted_as()).or_insert(Bucket::full(self.each, now_ms));
        bucket.take(self.each, now_ms)?;
        all.take(self.all, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_two_a_second() {
        let throttle = Throttle::new(SIGN_IN);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let passed = (0..100).filter(|_| throttle.knock(one, 0).is_ok()).count();
        assert_eq!(passed, 40);
        assert!(throttle.knock(other, 0).is_ok());
        let later = (0..100).filter(|_| throttle.knock(one, 1000).is_ok()).count();
        assert_eq!(later, 2);
    }

    #[test]
    fn all_together_have_a_limit_too_and_the_wait_it_says_is_enough() {
        let throttle = Throttle::new(PAIRING);
        let from = |i: u16| IpAddr::from([10, 0, (i >> 8) as u8, i as u8]);
        let passed = (0..1000).filter(|i| throttle.knock(from(*i), 0).is_ok()).count();
        assert_eq!(passed, 40);
        let wait = throttle.knock(from(2000), 0).unwrap_err();
        assert!(throttle.knock(from(2001), i64::try_from(wait).unwrap() * 1000).is_ok());
        let one = IpAddr::from([10, 1, 0, 1]);
        let now = 1_000_000;
        let wait = (0..11).find_map(|_| throttle.knock(one, now).err()).unwrap();
        assert_eq!(wait, 10, "a tenth of one per second");
        assert!(throttle.knock(one, now + 10_000).is_ok());
    }

    #[test]
    fn addresses_of_one_v6_network_are_one() {
        let throttle = Throttle::new(SIGN_IN);
        let passed = (0..100u16)
            .filter(|i| throttle.knock(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, *i]), 0).is_ok())
            .count();
        assert_eq!(passed, 40);
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::new(SIGN_IN);
        for i in 0..20_000u32 {
            let _ = throttle.knock(IpAddr::from(i.to_be_bytes()), 0);
        }
        assert!(throttle.buckets.lock().each.len() <= CAPACITY);
    }
}
