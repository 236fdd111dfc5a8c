//! What the gateway vouches for: who asks, told to upstreams in headers, and in a token that it signs with a key of its
//! own (`[identity]`). Made once for a session and a kind of route; a request after that clones what is there.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::oidc::client::key::SigningKey;
use crate::policy::Permit;
use crate::session::Session;
use crate::session::introduction::{Introduced, Introduction, Recipe, claim};

/// `typ` of the tokens: what is signed for an upstream is never taken for anything else (RFC 8725, section 3.11).
pub const TYPE: &str = "identity+jwt";

/// Claims that the gateway itself says in every token.
pub const OWN_CLAIMS: [&str; 8] = ["iss", "aud", "exp", "iat", "nbf", "jti", "sub", "idp"];

/// Who vouches, and with which keys.
#[derive(Clone, Debug)]
pub struct Vouch {
    issuer: Arc<str>,
    keys: Arc<[SigningKey]>,
}

impl Vouch {
    /// `issuer` is `public_url`. The first key signs, all are published; without one there are no tokens.
    pub fn new(issuer: &str, keys: Arc<[SigningKey]>) -> Self {
        Self { issuer: issuer.into(), keys }
    }

    /// The header lines that tell the route's upstream who asks. Nothing where the route tells nothing, or nobody is
    /// signed in.
    pub fn introduce(&self, permit: &Permit<'_>, now: Timestamp) -> Option<Arc<Introduced>> {
        let introduction = permit.changes()?.introduction.as_ref()?;
        let session = permit.caller().session()?;
        let state = session.state();
        let kept = state.identity.claims.introduced();
        kept.find(introduction, now).or_else(|| {
            let made = self.make(introduction, session, now);
            kept.keep(&made);
            Some(made)
        })
    }

    fn make(&self, introduction: &Arc<Introduction>, session: &Session, now: Timestamp) -> Arc<Introduced> {
        let identity = session.identity();
        let mut lines = introduction.lines(&identity);
        let mut good_until = Timestamp(i64::MAX);
        if let Some((recipe, key)) = introduction.token.as_ref().zip(self.keys.first()) {
            lines.push(self.token(recipe, key, session, now));
            // A fifth is left for requests that take their time.
            good_until = now.plus(recipe.lifetime.mul_f64(0.8));
        }
        Introduced::new(introduction, lines, good_until)
    }

    fn token(
        &self,
        recipe: &Recipe,
        key: &SigningKey,
        session: &Session,
        now: Timestamp,
    ) -> (HeaderName, HeaderValue) {
        let identity = session.identity();
        let mut claims: Map<String, Value> =
            recipe.claims.iter().filter_map(|name| Some((name.clone(), claim(&identity, name)?))).collect();
        // Nobody is vouched for beyond the end of the session.
        let end = now.plus(recipe.lifetime).min(session.absolute_end());
        for (name, value) in [
            ("iss", json!(*self.issuer)),
            ("aud", json!(recipe.audience)),
            ("sub", json!(identity.subject)),
            ("idp", json!(*identity.issuer)),
            ("iat", json!(now.0)),
            ("exp", json!(end.0)),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let signed = key.jws(TYPE, &Value::Object(claims));
        let mut value = HeaderValue::try_from(signed).expect("base64url and dots are visible ASCII");
        value.set_sensitive(true);
        (recipe.header.clone(), value)
    }

    /// The public halves of the keys, as they are published.
    pub fn public_keys(&self) -> impl Iterator<Item = Value> {
        self.keys.iter().map(SigningKey::public_jwk)
    }
}

/// How long a token may be good for.
pub const LIFETIMES: [Duration; 2] = [Duration::from_secs(30), Duration::from_hours(1)];
