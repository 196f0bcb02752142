//! Places for machines that have not proved yet who they are: few in all, fewer from one address. Whoever finds all
//! taken waits a moment: hundreds come at once when a coordinator returns, and each has paid for its handshake.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Refusal;

/// Machines that are greeted at one time.
const MAX_GREETINGS: usize = 1024;
/// Of these and of those that wait, from one address.
const MAX_PER_ADDRESS: usize = 256;
/// How long a machine waits for its place: well within the time that it gives its coordinator.
const WAIT: Duration = Duration::from_secs(5);
/// After how many seconds whoever found no place tries again.
const RETRY_AFTER: u64 = 1;

/// Who is being greeted, and how many from each address.
#[derive(Clone)]
pub(crate) struct Greetings {
    free: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place, given back when dropped.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _among: Among,
}

/// One of those from an address.
struct Among {
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Default for Greetings {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_GREETINGS)), by_address: Arc::default() }
    }
}

impl Greetings {
    /// Takes a place, in the order of coming.
    pub(crate) async fn enter(&self, address: IpAddr) -> Result<Place, Refusal> {
        let too_many = || Refusal::too_many(RETRY_AFTER);
        let among = self.among(address).ok_or_else(too_many)?;
        match tokio::time::timeout(WAIT, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit, _among: among }),
            _ => Err(too_many()),
        }
    }

    fn among(&self, address: IpAddr) -> Option<Among> {
        let mut counts = self.by_address.lock();
        let here = counts.entry(address).or_default();
        if *here >= MAX_PER_ADDRESS {
            return None;
        }
        *here += 1;
        Some(Among { by_address: Arc::clone(&self.by_address), address })
    }
}

impl Drop for Among {
    fn drop(&mut self) {
        let mut counts = self.by_address.lock();
        if let Some(here) = counts.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    async fn full(greetings: &Greetings) -> Vec<Place> {
        let mut held = Vec::new();
        for n in 0..MAX_GREETINGS {
            let from = address(u8::try_from(n / MAX_PER_ADDRESS).unwrap());
            held.push(greetings.enter(from).await.unwrap());
        }
        held
    }

    #[tokio::test]
    async fn one_address_leaves_places_for_others() {
        let greetings = Greetings::default();
        let mut held = Vec::new();
        for _ in 0..MAX_PER_ADDRESS {
            held.push(greetings.enter(address(1)).await.unwrap());
        }
        assert!(greetings.enter(address(1)).await.is_err());
        assert!(greetings.enter(address(2)).await.is_ok());
        held.pop();
        assert!(greetings.enter(address(1)).await.is_ok(), "a place that was given back is free");
        drop(held);
        assert!(greetings.by_address.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_all_taken_waits_a_moment() {
        let greetings = Greetings::default();
        let mut held = full(&greetings).await;
        let (late, ()) =
            tokio::join!(greetings.enter(address(9)), async { held.truncate(MAX_GREETINGS - 1) });
        assert!(late.is_ok(), "a place became free");
        let begun = tokio::time::Instant::now();
        assert!(greetings.enter(address(9)).await.is_err());
        assert_eq!(begun.elapsed(), WAIT);
    }
}
