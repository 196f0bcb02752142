//! How fast one address may knock at the doors that cost work: sign-in and setup. A kindness to the others in the
//! queue, not the lock itself; that is `lockout`.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

/// Knocks at once.
const BURST: f64 = 40.0;
/// Knocks per second after that.
const PER_SECOND: f64 = 2.0;
/// Addresses remembered; beyond that, those that have not knocked for long are forgotten first.
const CAPACITY: usize = 4096;

struct Bucket {
    level: f64,
    at_ms: i64,
}

/// Token buckets, one per address.
#[derive(Default)]
pub(crate) struct Throttle {
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Throttle {
    /// Lets a knock in, or says after how many seconds to try again.
    pub(crate) fn knock(&self, address: IpAddr, now_ms: i64) -> Result<(), u64> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= CAPACITY {
            buckets.retain(|_, bucket| refilled(bucket, now_ms) < BURST);
        }
        if buckets.len() >= CAPACITY {
            // Everybody is knocking: the PIN queue is the limit then.
            buckets.clear();
        }
        let bucket = buckets.entry(network_of(address)).or_insert(Bucket { level: BURST, at_ms: now_ms });
        bucket.level = refilled(bucket, now_ms);
        bucket.at_ms = now_ms;
        if bucket.level < 1.0 {
            return Err(1);
        }
        bucket.level -= 1.0;
        Ok(())
    }
}

fn refilled(bucket: &Bucket, now_ms: i64) -> f64 {
    let seconds = (now_ms - bucket.at_ms).max(0) as f64 / 1000.0;
    (bucket.level + seconds * PER_SECOND).min(BURST)
}

/// The address itself, or the /64 network of an IPv6 one: a host has all of that to itself.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_two_a_second() {
        let throttle = Throttle::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let passed = (0..100).filter(|_| throttle.knock(one, 0).is_ok()).count();
        assert_eq!(passed, BURST as usize);
        assert!(throttle.knock(other, 0).is_ok());
        let later = (0..100).filter(|_| throttle.knock(one, 1000).is_ok()).count();
        assert_eq!(later, PER_SECOND as usize);
    }

    #[test]
    fn addresses_of_one_v6_network_are_one() {
        let throttle = Throttle::default();
        let passed = (0..100u16)
            .filter(|i| throttle.knock(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, *i]), 0).is_ok())
            .count();
        assert_eq!(passed, BURST as usize);
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for i in 0..20_000u32 {
            let _ = throttle.knock(IpAddr::from(i.to_be_bytes()), 0);
        }
        assert!(throttle.buckets.lock().len() <= CAPACITY);
    }
}
