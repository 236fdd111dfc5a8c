//! One attempt to sign in, from the redirect to the provider until its answer: single use, ten minutes,
//! bound to this browser by a sealed cookie, so that attempts cost no server memory (requirements SI-03 to SI-07).

use std::mem::take;
use std::time::Duration;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::clock::Timestamp;
use crate::entropy;
use crate::scope::ScopeSet;
use crate::secret::Secret;

use super::SessionKey;
use super::return_to::ReturnTo;

/// How long a person may take at the provider.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// What the gateway must remember to judge the provider's answer.
#[derive(Debug)]
pub struct LoginAttempt {
    /// Compared with the `state` of the answer (RFC 6749, section 10.12).
    pub state: Secret<String>,
    /// Compared with the `nonce` of the ID token (OpenID Connect Core, section 3.1.2.1).
    pub nonce: Secret<String>,
    /// Sent with the code (RFC 7636, section 4.5).
    pub verifier: Secret<String>,
    /// The issuer that was asked; another's answer is refused (RFC 9207).
    pub issuer: String,
    /// Every scope that was asked for.
    pub scopes: ScopeSet,
    /// Where the person wanted to go.
    pub return_to: ReturnTo,
    /// The session that the browser had when it began, which a new one ends. Kept here because a provider's form post
    /// comes from another site, and `SameSite` cookies stay behind then.
    pub previous: Option<SessionKey>,
    /// Whether the provider was asked to show nothing, so that it may say that it would have to.
    pub silent: bool,
    /// Where the answer goes, unless that is `public_url`.
    pub redirect_uri: Option<String>,
    /// When it began.
    pub started: Timestamp,
}

impl LoginAttempt {
    /// A new attempt with a state, nonce and verifier of its own.
    pub fn start(issuer: &str, scopes: ScopeSet, return_to: ReturnTo, now: Timestamp) -> Self {
        Self {
            state: Secret::new(entropy::token()),
            nonce: Secret::new(entropy::token()),
            verifier: Secret::new(entropy::token()),
            issuer: issuer.to_owned(),
            scopes,
            return_to,
            previous: None,
            silent: false,
            redirect_uri: None,
            started: now,
        }
    }

    /// Names it among all attempts without giving its state away.
    pub fn name(&self) -> [u8; 32] {
        let mut name = [0; 32];
        name.copy_from_slice(digest::digest(&digest::SHA256, self.state.expose().as_bytes()).as_ref());
        name
    }

    /// Whether it is too late for an answer.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.started.plus(LIFETIME)
    }

    /// The plain text that [`super::sealed::Seal`] encrypts into the cookie.
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = Wire {
            s: self.state.expose().clone(),
            n: self.nonce.expose().clone(),
            v: self.verifier.expose().clone(),
            i: self.issuer.clone(),
            c: self.scopes.to_string(),
            r: self.return_to.to_string(),
            p: self.previous.map(SessionKey::to_text),
            q: self.silent,
            u: self.redirect_uri.clone(),
            t: self.started.0,
        };
        serde_json::to_vec(&wire).expect("strings and a number are JSON")
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut wire: Wire = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            state: Secret::new(take(&mut wire.s)),
            nonce: Secret::new(take(&mut wire.n)),
            verifier: Secret::new(take(&mut wire.v)),
            issuer: take(&mut wire.i),
            scopes: wire.c.parse().ok()?,
            return_to: wire.r.parse().ok()?,
            previous: wire.p.as_deref().and_then(SessionKey::from_text),
            silent: wire.q,
            redirect_uri: take(&mut wire.u),
            started: Timestamp(wire.t),
        })
    }
}

/// Short names: ten of these must fit into one request's `Cookie` header. Wiped when dropped, as what it holds is.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Wire {
    s: String,
    n: String,
    v: String,
    i: String,
    c: String,
    r: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    q: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    t: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt() -> LoginAttempt {
        let scopes = "openid profile".parse().expect("valid");
        LoginAttempt::start(
            "http://localhost:3002",
            scopes,
            "/todos?a=1".parse().expect("local"),
            Timestamp(1_000),
        )
    }

    #[test]
    fn an_attempt_survives_its_cookie() {
        let key = crate::session::SessionId::generate().key();
        let sent = LoginAttempt { previous: Some(key), silent: true, ..attempt() };
        let read = LoginAttempt::from_bytes(&sent.to_bytes()).expect("own bytes");
        assert!(read.silent && !LoginAttempt::from_bytes(&attempt().to_bytes()).expect("own bytes").silent);
        assert_eq!(read.previous, Some(key));
        assert_eq!(read.return_to.as_str(), "/todos?a=1");
        assert_eq!(read.started, Timestamp(1_000));
        assert!(LoginAttempt::from_bytes(b"{}").is_none());
    }

    #[test]
    fn an_attempt_lasts_ten_minutes() {
        assert!(!attempt().has_expired(Timestamp(1_599)));
        assert!(attempt().has_expired(Timestamp(1_600)));
    }

    #[test]
    fn a_thousand_attempts_share_nothing() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let attempt = attempt();
            for value in [&attempt.state, &attempt.nonce, &attempt.verifier] {
                assert!(seen.insert(value.expose().clone()));
            }
        }
        assert_eq!(seen.len(), 3_000);
    }
}
