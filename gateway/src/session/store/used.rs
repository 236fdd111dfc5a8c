//! Names of what counts once, for as long as it could come again: answered sign-in attempts (requirements CB-01, CB-11)
//! and logout tokens (BL-07). Only what was proved gets here, and each entry has its end.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;

/// The most names remembered, 16 MiB at most. Beyond it the one that ends first is forgotten rather than anybody refused:
/// a forgotten attempt still cannot be replayed, because its code was spent at the provider, and a forgotten logout token
/// ends no session that began after it.
const CAPACITY: usize = 100_000;

/// A name: a hash of whatever counts once.
pub type Name = [u8; 32];

/// Names that were claimed.
#[derive(Debug, Default)]
pub struct Used {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    names: HashSet<Name>,
    /// The same names, by when each may be forgotten.
    order: BTreeSet<(Timestamp, Name)>,
}

impl Used {
    /// Claims a name until `until`. True once, then false.
    pub fn claim(&self, name: Name, until: Timestamp) -> bool {
        let mut seen = self.lock();
        if !seen.names.insert(name) {
            return false;
        }
        seen.order.insert((until, name));
        if seen.order.len() > CAPACITY {
            seen.forget_first();
        }
        true
    }

    /// Takes a claim back.
    pub fn unclaim(&self, name: Name) {
        let mut seen = self.lock();
        if seen.names.remove(&name) {
            seen.order.retain(|(_, known)| *known != name);
        }
    }

    /// Forgets names that could not come again anyway.
    pub fn sweep(&self, now: Timestamp) {
        let mut seen = self.lock();
        while seen.order.first().is_some_and(|(until, _)| *until <= now) {
            seen.forget_first();
        }
    }

    /// A panic while the lock was held cannot leave more than one name behind.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn forget_first(&mut self) {
        if let Some((_, name)) = self.order.pop_first() {
            self.names.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Name {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_le_bytes());
        name
    }

    fn sizes(used: &Used) -> (usize, usize) {
        let seen = used.lock();
        (seen.names.len(), seen.order.len())
    }

    #[test]
    fn an_attempt_is_claimed_once() {
        let used = Used::default();
        assert!(used.claim(name(1), Timestamp(601)));
        assert!(!used.claim(name(1), Timestamp(602)));
        assert!(used.claim(name(2), Timestamp(602)));
    }

    #[test]
    fn a_name_is_remembered_until_its_end_and_no_longer() {
        let used = Used::default();
        assert!(used.claim(name(1), Timestamp(601)));
        assert!(used.claim(name(2), Timestamp(100)), "one that ends sooner may come later");
        used.sweep(Timestamp(600));
        assert_eq!(sizes(&used), (1, 1));
        assert!(!used.claim(name(1), Timestamp(601)));
        used.sweep(Timestamp(601));
        assert_eq!(sizes(&used), (0, 0));
    }

    #[test]
    fn a_claim_that_was_taken_back_can_be_made_again() {
        let used = Used::default();
        assert!(used.claim(name(1), Timestamp(601)));
        used.unclaim(name(1));
        assert_eq!(sizes(&used), (0, 0));
        assert!(used.claim(name(1), Timestamp(601)));
    }

    #[test]
    fn a_flood_of_answers_refuses_nobody_and_stays_bounded() {
        let used = Used::default();
        for number in 0..CAPACITY + 10 {
            assert!(used.claim(name(number), Timestamp(1)));
        }
        assert_eq!(sizes(&used), (CAPACITY, CAPACITY));
    }
}
