//! Which sign-in attempts were already answered, so that an answer counts once (requirements CB-01, CB-11).
//! Only answers that opened this browser's sealed cookie get here, and each entry lives ten minutes.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;

use crate::clock::Timestamp;
use crate::session::attempt::{LIFETIME, LoginAttempt};

/// The most attempts remembered, 10 MiB at most. Beyond it the oldest is forgotten rather than anybody refused: a
/// forgotten one still cannot be replayed, because its code was spent at the provider.
const CAPACITY: usize = 100_000;

/// The answered attempts of the last ten minutes.
#[derive(Debug, Default)]
pub struct UsedAttempts {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    keys: HashSet<[u8; 32]>,
    /// The same keys, oldest first, and when each may be forgotten.
    order: VecDeque<([u8; 32], Timestamp)>,
}

impl UsedAttempts {
    /// Claims the attempt. Once this returns the attempt's hash, then nothing for every later answer.
    pub fn claim(&self, attempt: &LoginAttempt, now: Timestamp) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        key.copy_from_slice(digest::digest(&digest::SHA256, attempt.state.expose().as_bytes()).as_ref());
        let mut seen = self.lock();
        if !seen.keys.insert(key) {
            return None;
        }
        seen.order.push_back((key, now.plus(LIFETIME)));
        if seen.order.len() > CAPACITY {
            seen.forget_oldest();
        }
        Some(key)
    }

    /// Forgets attempts that have expired anyway.
    pub fn sweep(&self, now: Timestamp) {
        let mut seen = self.lock();
        while seen.order.front().is_some_and(|(_, until)| *until <= now) {
            seen.forget_oldest();
        }
    }

    /// A panic while the lock was held cannot leave more than one key behind.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn forget_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::ScopeSet;
    use crate::session::return_to::ReturnTo;

    fn attempt() -> LoginAttempt {
        LoginAttempt::start("issuer", ScopeSet::default(), ReturnTo::home(), Timestamp(0))
    }

    fn sizes(used: &UsedAttempts) -> (usize, usize) {
        let seen = used.lock();
        (seen.keys.len(), seen.order.len())
    }

    #[test]
    fn an_attempt_is_claimed_once() {
        let used = UsedAttempts::default();
        let (attempt, other) = (attempt(), attempt());
        assert!(used.claim(&attempt, Timestamp(1)).is_some());
        assert!(used.claim(&attempt, Timestamp(2)).is_none());
        assert!(used.claim(&other, Timestamp(2)).is_some());
    }

    #[test]
    fn an_attempt_is_remembered_as_long_as_its_cookie_lives() {
        let used = UsedAttempts::default();
        let attempt = attempt();
        assert!(used.claim(&attempt, Timestamp(1)).is_some());
        used.sweep(Timestamp(600));
        assert!(used.claim(&attempt, Timestamp(600)).is_none());
        used.sweep(Timestamp(601));
        assert_eq!(sizes(&used), (0, 0));
    }

    #[test]
    fn a_flood_of_answers_refuses_nobody_and_stays_bounded() {
        let used = UsedAttempts::default();
        for _ in 0..CAPACITY + 10 {
            assert!(used.claim(&attempt(), Timestamp(1)).is_some());
        }
        assert_eq!(sizes(&used), (CAPACITY, CAPACITY));
    }
}
