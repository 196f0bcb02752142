//! Places for machines that have not proved yet who they are: few in all, fewer from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::error::Refusal;

/// Machines that are greeted at one time.
const MAX_GREETINGS: usize = 1024;
/// Of these, from one address.
const MAX_PER_ADDRESS: usize = 256;
/// After how many seconds whoever found no place tries again.
const RETRY_AFTER: u64 = 1;

/// Who is being greeted, by address.
#[derive(Clone, Default)]
pub(crate) struct Greetings(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place, given back when dropped.
pub(crate) struct Place {
    greetings: Greetings,
    address: IpAddr,
}

impl Greetings {
    /// Takes a place.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<Place, Refusal> {
        let mut places = self.0.lock();
        let all: usize = places.values().sum();
        let here = places.get(&address).copied().unwrap_or_default();
        if all >= MAX_GREETINGS || here >= MAX_PER_ADDRESS {
            return Err(Refusal::too_many(RETRY_AFTER));
        }
        places.insert(address, here + 1);
        Ok(Place { greetings: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.greetings.0.lock();
        if let Some(here) = places.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                places.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_places_for_others() {
        let greetings = Greetings::default();
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut held: Vec<_> = (0..MAX_PER_ADDRESS).map(|_| greetings.enter(address(1)).unwrap()).collect();
        assert!(greetings.enter(address(1)).is_err());
        assert!(greetings.enter(address(2)).is_ok());
        held.pop();
        assert!(greetings.enter(address(1)).is_ok(), "a place that was given back is free");
        drop(held);
        assert!(greetings.0.lock().is_empty());
    }
}
