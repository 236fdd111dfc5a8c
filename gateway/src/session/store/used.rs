//! Which sign-in attempts were already answered, so that an answer counts once (requirements CB-01, CB-11).
//! Only answers that opened this browser's sealed cookie get here, and each entry lives ten minutes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;

use crate::clock::Timestamp;
use crate::session::attempt::{LIFETIME, LoginAttempt};

/// The most attempts remembered; a gateway that sees more answers than this in ten minutes refuses further ones
/// rather than forget (8 MiB at most).
const CAPACITY: usize = 100_000;

/// The answered attempts of the last ten minutes.
#[derive(Debug, Default)]
pub struct UsedAttempts {
    seen: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl UsedAttempts {
    /// Claims the attempt. True once; false for every later answer, and when there is no room to remember.
    pub fn claim(&self, attempt: &LoginAttempt, now: Timestamp) -> bool {
        let mut key = [0; 32];
        key.copy_from_slice(digest::digest(&digest::SHA256, attempt.state.expose().as_bytes()).as_ref());
        // A panic while the lock was held cannot leave a map half changed.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= CAPACITY {
            seen.retain(|_, started| now < started.plus(LIFETIME));
        }
        if seen.len() >= CAPACITY || seen.contains_key(&key) {
            return false;
        }
        seen.insert(key, attempt.started);
        true
    }

    /// Forgets attempts that have expired anyway.
    pub fn sweep(&self, now: Timestamp) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, started| now < started.plus(LIFETIME));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::ScopeSet;
    use crate::session::return_to::ReturnTo;

    #[test]
    fn an_attempt_is_claimed_once() {
        let used = UsedAttempts::default();
        let attempt = LoginAttempt::start("issuer", ScopeSet::default(), ReturnTo::home(), Timestamp(0));
        let other = LoginAttempt::start("issuer", ScopeSet::default(), ReturnTo::home(), Timestamp(0));
        assert!(used.claim(&attempt, Timestamp(1)));
        assert!(!used.claim(&attempt, Timestamp(2)));
        assert!(used.claim(&other, Timestamp(2)));
        used.sweep(Timestamp(599));
        assert!(!used.claim(&attempt, Timestamp(599)));
    }
}
