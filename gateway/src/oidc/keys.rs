//! The provider's signing keys: fetched rarely, found fast, never trusted beyond what each says it is for.
//!
//! A token that names an unknown key causes one fetch, at most every thirty seconds however many such tokens come and
//! whether or not the fetch succeeds (requirement JW-01). Keys older than an hour are fetched anew before they are
//! used; while that fails the old ones serve, for a day at most (requirements JW-02, JW-05).

mod jwk;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;
use url::Url;

use crate::clock::{Clock, Timestamp};
use crate::oidc::http::{CallError, HttpClient};
use crate::oidc::json::{self, JsonError};
use crate::oidc::settings::Algorithm;

pub(super) use jwk::Key;

/// A key that the provider takes out of its set stops verifying after this long.
const FRESH: Duration = Duration::from_hours(1);
/// The longest time that keys serve while the provider cannot be asked.
const LAST_RESORT: Duration = Duration::from_hours(24);
const COOL_DOWN_SECONDS: u64 = 30;
/// More keys than this are not looked at.
const MAX_KEYS: usize = 100;

/// Why the set of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeySetError {
    /// It could not be fetched.
    #[error("they could not be fetched")]
    Call(#[from] CallError),
    /// Another status than 200.
    #[error("they were answered with {0}")]
    Status(http::StatusCode),
    /// Not a set of keys.
    #[error("they cannot be read")]
    Json(#[from] JsonError),
    /// There are keys, but none that this gateway could use.
    #[error("none of them can verify signatures")]
    Empty,
}

/// Why there is no key for a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKey {
    /// The provider publishes no key that fits.
    #[error("the provider publishes no key that fits the token")]
    Unknown,
    /// More than one fits, and guessing is not verifying (requirements IT-05, IT-06).
    #[error("the provider publishes several keys that fit the token, and nothing tells which is meant")]
    Ambiguous,
    /// No keys at all, and they cannot be had now.
    #[error("the provider's keys could not be had")]
    Unavailable,
}

/// The keys of one issuer.
pub(super) struct KeyCache {
    current: ArcSwapOption<KeySet>,
    /// When a token last made us fetch. Held while fetching, by those who fetch only: nobody waits who finds a key.
    asked: Mutex<Option<Timestamp>>,
    clock: Clock,
}

struct KeySet {
    keys: Vec<Key>,
    fetched: Timestamp,
}

impl KeyCache {
    pub(super) fn new(clock: Clock) -> Self {
        Self { current: ArcSwapOption::empty(), asked: Mutex::new(None), clock }
    }

    /// Whether there are keys that may still be used.
    pub(super) fn is_ready(&self) -> bool {
        self.usable().is_some()
    }

    /// Fetches the set and puts it in the place of the old one, which stays if anything is wrong.
    pub(super) async fn refresh(&self, client: &HttpClient, url: &Url) -> Result<(), KeySetError> {
        let reply = client.get(url).await?;
        if reply.status != http::StatusCode::OK {
            return Err(KeySetError::Status(reply.status));
        }
        let keys = read(&reply.body)?;
        self.current.store(Some(Arc::new(KeySet { keys, fetched: self.clock.now() })));
        Ok(())
    }

    /// The one key for a token with this header.
    pub(super) async fn find(
        &self,
        client: &HttpClient,
        url: &Url,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Key, NoKey> {
        let known = self.usable();
        if let Some(set) = known.as_ref().filter(|set| self.clock.now() < set.fetched.plus(FRESH)) {
            match set.find(id, algorithm) {
                Err(NoKey::Unknown) => {}
                found => return found,
            }
        }
        self.ask(client, url, known).await;
        self.usable().ok_or(NoKey::Unavailable)?.find(id, algorithm)
    }

    /// The same, if it is known without asking anybody.
    pub(super) fn at_hand(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        let set = self.usable().filter(|set| self.clock.now() < set.fetched.plus(FRESH))?;
        set.find(id, algorithm).ok()
    }

    /// Fetches, unless somebody else just did.
    async fn ask(&self, client: &HttpClient, url: &Url, known: Option<Arc<KeySet>>) {
        let mut asked = self.asked.lock().await;
        let now = self.clock.now();
        let is_unknown = known.is_some();
        let is_newer = match (self.usable(), known) {
            (Some(set), Some(known)) => !Arc::ptr_eq(&set, &known),
            (set, _) => set.is_some(),
        };
        // A clock that was set back must not stop us from asking for as long as it was ahead.
        if is_newer || asked.is_some_and(|last| now.0.abs_diff(last.0) < COOL_DOWN_SECONDS) {
            return;
        }
        let (event, words) = if is_unknown {
            ("key_unknown", "a token names a key that is not known: the keys are fetched again")
        } else {
            ("keys_refetched", "the keys are old: they are fetched again")
        };
        tracing::info!(target: "gateway::oidc", event, "{words}");
        if let Err(error) = self.refresh(client, url).await {
            tracing::warn!(
                target: "gateway::oidc",
                event = "keys_not_fetched",
                error = %crate::stop::causes(&error),
                "the provider's keys could not be had",
            );
        }
        // Also after a failure, and counted from its end: a provider in trouble is not asked more often.
        *asked = Some(self.clock.now());
    }

    fn usable(&self) -> Option<Arc<KeySet>> {
        self.current.load_full().filter(|set| self.clock.now() < set.fetched.plus(LAST_RESORT))
    }
}

impl KeySet {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Key, NoKey> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(id, algorithm));
        let key = fitting.next().ok_or(NoKey::Unknown)?;
        // The same key published twice is still one key.
        if fitting.any(|other| other != key) { Err(NoKey::Ambiguous) } else { Ok(key.clone()) }
    }
}

/// Reads a set (RFC 7517, section 5). One broken key does not spoil the others.
pub(super) fn read(document: &[u8]) -> Result<Vec<Key>, KeySetError> {
    let members = json::object(document)?;
    let published = members.get("keys").ok_or(JsonError::Missing("keys"))?;
    let published = published.as_array().ok_or(JsonError::WrongType("keys"))?;
    let mut keys = Vec::new();
    for value in published.iter().take(MAX_KEYS) {
        match Key::read(value) {
            Ok(key) => keys.push(key),
            Err(why) => {
                tracing::debug!(
                    target: "gateway::oidc",
                    event = "key_left_out",
                    %why,
                    "a published key is not used",
                );
            }
        }
    }
    if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::testing::Signer;
    use serde_json::{Value, json};

    fn set(keys: &[Value]) -> Result<KeySet, KeySetError> {
        let keys = read(json!({ "keys": keys }).to_string().as_bytes())?;
        Ok(KeySet { keys, fetched: Timestamp(0) })
    }

    fn jwk(algorithm: Algorithm, id: Option<&str>) -> Value {
        Signer::new(algorithm, id).jwk()
    }

    #[test]
    fn a_token_without_key_id_takes_the_only_key_that_fits() {
        let set = set(&[jwk(Algorithm::RS256, Some("a")), jwk(Algorithm::ES256, Some("b"))]).expect("sound");
        assert!(set.find(None, Algorithm::RS256).is_ok());
        assert!(matches!(set.find(None, Algorithm::ES384), Err(NoKey::Unknown)));
    }

    #[test]
    fn a_token_without_key_id_is_refused_when_several_keys_fit() {
        let set = set(&[jwk(Algorithm::RS256, Some("a")), jwk(Algorithm::RS256, Some("b"))]).expect("sound");
        assert!(matches!(set.find(None, Algorithm::RS256), Err(NoKey::Ambiguous)));
        assert!(set.find(Some("a"), Algorithm::RS256).is_ok());
    }

    #[test]
    fn one_id_for_two_keys_is_settled_by_their_kinds_or_refused() {
        let differing =
            set(&[jwk(Algorithm::RS256, Some("a")), jwk(Algorithm::ES256, Some("a"))]).expect("sound");
        assert!(differing.find(Some("a"), Algorithm::RS256).is_ok());
        assert!(differing.find(Some("a"), Algorithm::ES256).is_ok());
        let alike =
            set(&[jwk(Algorithm::RS256, Some("a")), jwk(Algorithm::RS256, Some("a"))]).expect("sound");
        assert!(matches!(alike.find(Some("a"), Algorithm::RS256), Err(NoKey::Ambiguous)));
        let same = jwk(Algorithm::RS256, Some("a"));
        let twice = set(&[same.clone(), same]).expect("sound");
        assert!(twice.find(Some("a"), Algorithm::RS256).is_ok(), "one key published twice");
    }

    #[test]
    fn a_broken_key_does_not_spoil_its_set() {
        let set =
            set(&[json!({"kty": "RSA"}), json!(7), jwk(Algorithm::RS256, Some("a"))]).expect("one is sound");
        assert!(set.find(Some("a"), Algorithm::RS256).is_ok());
    }

    #[test]
    fn what_is_not_a_set_of_usable_keys_is_refused() {
        for bad in ["{}", r#"{"keys":{}}"#, "[]", "<html>"] {
            assert!(matches!(read(bad.as_bytes()), Err(KeySetError::Json(_))), "{bad}");
        }
        assert!(matches!(set(&[]), Err(KeySetError::Empty)));
        assert!(matches!(set(&[json!({"kty": "oct", "k": "AAAA"})]), Err(KeySetError::Empty)));
    }

    #[test]
    fn keys_beyond_the_hundredth_are_not_looked_at() {
        let mut keys = vec![json!({"kty": "RSA"}); MAX_KEYS - 1];
        keys.push(jwk(Algorithm::RS256, Some("a")));
        assert!(set(&keys).is_ok());
        keys.insert(0, json!({"kty": "RSA"}));
        assert!(matches!(set(&keys), Err(KeySetError::Empty)));
    }
}
