//! The signing keys of this run: made at the start or when an algorithm is first asked for, rotated on demand, published
//! without their private halves. Knows nothing of what is signed.

mod algorithm;
mod public;
mod signing;

use std::sync::{Arc, Mutex, OnceLock};

pub use algorithm::Algorithm;
pub(crate) use public::verifies;
pub(crate) use signing::SigningKey;

use crate::people::lock;

/// The keys of the run. Of each algorithm the last one signs; all are published until retired. There is always one for
/// RS256, which signs access tokens.
pub(crate) struct Keyring(Mutex<Vec<Arc<SigningKey>>>);

impl Keyring {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(vec![Arc::new(SigningKey::generate(Algorithm::Rs256))]))
    }

    /// The key for RS256.
    pub(crate) fn current(&self) -> Arc<SigningKey> {
        self.of(Algorithm::Rs256)
    }

    /// The key for this algorithm, made and published if it is the first.
    pub(crate) fn of(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        let mut keys = lock(&self.0);
        if let Some(key) = keys.iter().rev().find(|key| key.algorithm == algorithm) {
            return Arc::clone(key);
        }
        let key = Arc::new(SigningKey::generate(algorithm));
        keys.push(Arc::clone(&key));
        key
    }

    pub(crate) fn published(&self) -> Vec<Arc<SigningKey>> {
        lock(&self.0).clone()
    }

    /// From now on new keys sign, one for each algorithm in use; the old ones stay published.
    pub(crate) fn rotate(&self) {
        let mut algorithms: Vec<_> = self.published().iter().map(|key| key.algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let new: Vec<_> = algorithms.into_iter().map(SigningKey::generate).map(Arc::new).collect();
        lock(&self.0).extend(new);
    }

    /// Stops publishing every key but the newest of each algorithm.
    pub(crate) fn retire_old(&self) {
        let mut keys = lock(&self.0);
        let mut newest: Vec<Arc<SigningKey>> = Vec::new();
        for key in keys.iter().rev() {
            if newest.iter().all(|kept| kept.algorithm != key.algorithm) {
                newest.push(Arc::clone(key));
            }
        }
        newest.reverse();
        *keys = newest;
    }
}

/// A key that no provider ever publishes: what an attacker would sign with.
pub(crate) fn stranger() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::Rs256))
}

/// A P-256 key that is published only beside faults: signatures by it must be refused for their algorithm.
pub(crate) fn odd_curve() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::Es256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_verifies_what_it_signed_and_nothing_else() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm);
            let signature = key.sign(b"text");
            assert!(key.verifies(b"text", &signature), "{algorithm:?}");
            assert!(!key.verifies(b"texT", &signature));
            assert!(!stranger().verifies(b"text", &signature));
        }
    }

    #[test]
    fn rotation_adds_a_key_and_retiring_leaves_the_new_one() {
        let ring = Keyring::new();
        let first = ring.current().kid.clone();
        ring.rotate();
        assert_ne!(ring.current().kid, first);
        assert_eq!(ring.published().len(), 2);
        ring.retire_old();
        assert_eq!(ring.published().len(), 1);
        assert_ne!(ring.current().kid, first);
    }

    #[test]
    fn each_algorithm_has_a_key_of_its_own_that_rotates_with_the_others() {
        let ring = Keyring::new();
        let (rsa, curve) = (ring.current().kid.clone(), ring.of(Algorithm::Es384).kid.clone());
        assert_eq!(ring.of(Algorithm::Es384).kid, curve, "made once");
        assert_eq!(ring.published().len(), 2);
        ring.rotate();
        assert_eq!(ring.published().len(), 4);
        ring.retire_old();
        let left: Vec<_> = ring.published().iter().map(|key| key.algorithm).collect();
        assert_eq!(left, [Algorithm::Rs256, Algorithm::Es384]);
        assert!(ring.current().kid != rsa && ring.of(Algorithm::Es384).kid != curve);
    }

    #[test]
    fn the_published_key_has_no_private_part() {
        let names = |algorithm| {
            let jwk = SigningKey::generate(algorithm).jwk();
            jwk.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(Algorithm::Rs256), ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!(names(Algorithm::Es256), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(names(Algorithm::EdDsa), ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}
