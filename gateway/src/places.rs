//! How many connections each client holds. One entry for each client that holds any, so that it is bounded by what the
//! process can serve.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::household;

/// Every client's connections.
#[derive(Debug, Default)]
pub struct Places {
    held: Mutex<HashMap<u128, u32>>,
}

/// One connection's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    who: u128,
}

impl Places {
    /// A place for one more connection of that address, if it holds fewer than `most`.
    pub fn enter(self: &Arc<Self>, address: IpAddr, most: NonZeroU32) -> Option<Place> {
        let who = household(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(who).or_default();
        if *count >= most.get() {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), who })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_holds_so_many_places_and_gets_them_back() {
        let places = Arc::new(Places::default());
        let most = NonZeroU32::new(2).expect("some");
        let enter = |address: &str| places.enter(address.parse().expect("an address"), most);
        let held = [enter("192.0.2.1"), enter("192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some(), "others have their own");
        drop(held);
        assert!(enter("192.0.2.1").is_some());
        assert!(places.held.lock().expect("whole").is_empty(), "nothing is kept of clients that went");
    }
}
