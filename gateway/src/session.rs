//! A person's session: who they are, what the gateway holds for them, and until when.
//! Pure values and transitions; where sessions are kept is the store's matter, how tokens are got is `tokens`'.

pub mod attempt;
pub mod cookie;
pub mod return_to;
pub mod sealed;
pub mod store;
pub mod vault;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::clock::Timestamp;
use crate::entropy;
use crate::hex;
use crate::rule::Facts;
use crate::scope::{Scope, ScopeSet};
use crate::secret::Secret;

/// How long sessions live, enforced on the server (requirement SE-11).
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A session nobody used for this long is over.
    pub idle: Duration,
    /// A session this old is over, used or not.
    pub absolute: Duration,
}

/// 256 random bits that name a session; only the browser holds them. The gateway keeps their hash, a [`SessionKey`].
pub struct SessionId([u8; 32]);

impl SessionId {
    /// A new identifier, never seen before.
    pub fn generate() -> Self {
        Self(entropy::bytes())
    }

    /// Reads the cookie form: exactly 43 characters of unpadded, canonical base64url.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut id = Self([0; 32]);
        // The engine refuses stray trailing bits, so that one identifier has one spelling.
        (text.len() == 43 && URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut id.0).ok()? == 32)
            .then_some(id)
    }

    /// What the cookie holds.
    pub fn reveal(&self) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// What the store knows the session by.
    pub fn key(&self) -> SessionKey {
        let hash = digest::digest(&digest::SHA256, &self.0);
        let mut key = [0; 32];
        key.copy_from_slice(hash.as_ref());
        SessionKey(key)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[session id]")
    }
}

impl Drop for SessionId {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The SHA-256 of a [`SessionId`]: enough to find a session, useless to a thief of the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionKey([u8; 32]);

/// The bytes alone, without a length, for hashers that use them as they are.
impl std::hash::Hash for SessionKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl SessionKey {
    /// The whole key, for a sealed cookie.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        Some(Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    /// The bytes, for stores.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of those bytes, which [`Self::as_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Eight hex digits for log lines that belong together; not enough to find anything by.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({}…)", self.short())
    }
}

/// The identifier that a connection showed last, and its key. A connection shows one identifier a thousand times; it is
/// decoded and hashed once. Never leaves its thread.
#[derive(Default)]
pub struct KeyMemo {
    last: RefCell<Option<(Secret<Vec<u8>>, SessionKey)>>,
}

impl KeyMemo {
    /// The key of the identifier in a cookie's value, if it is one. Takes as long whatever was shown before.
    pub fn key(&self, value: &[u8]) -> Option<SessionKey> {
        let mut last = self.last.borrow_mut();
        if let Some((known, key)) = &*last
            && known.expose().ct_eq(value).into()
        {
            return Some(*key);
        }
        let key = SessionId::parse(value)?.key();
        *last = Some((Secret::new(value.to_vec()), key));
        Some(key)
    }
}

/// Who signed in, as the provider asserted it. Identity is (issuer, subject), never an e-mail address (requirement IT-20).
#[derive(Clone, Debug)]
pub struct Identity {
    /// The issuer, byte for byte as configured.
    pub issuer: Arc<str>,
    /// The `sub` claim.
    pub subject: String,
    /// Every claim of the ID token that says something about the person; protocol claims are left out.
    pub claims: Map<String, Value>,
    /// The scopes granted at sign-in.
    pub granted: ScopeSet,
}

impl Identity {
    /// What to call the person: `name`, else `preferred_username`, else `email`, else nothing.
    pub fn display_name(&self) -> Option<&str> {
        ["name", "preferred_username", "email"].iter().find_map(|claim| self.claims.get(*claim)?.as_str())
    }
}

impl Facts for Identity {
    fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    fn has_scope(&self, scope: &Scope) -> bool {
        self.granted.contains(scope.as_str())
    }
}

/// An access token that a route asks for, by the name it has in the configuration (`[tokens.NAME]`).
#[derive(Debug, PartialEq, Eq)]
pub struct TokenSpec {
    /// `NAME`.
    pub name: String,
    /// The scopes to ask the provider for; never empty.
    pub scopes: ScopeSet,
}

/// An access token ready to be sent upstream: `Bearer …`, marked sensitive, so that no `Debug` prints it.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it was asked for.
    pub spec: Arc<TokenSpec>,
    /// The `Authorization` header, prebuilt.
    pub authorization: HeaderValue,
    /// When the provider says it expires.
    pub expires: Timestamp,
    /// Whether the provider granted all that was asked for; it may grant less (RFC 6749, section 3.3).
    pub suffices: bool,
}

/// What the gateway holds for a session. One immutable value, swapped whole.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The ID token of the sign-in, kept for `id_token_hint` at sign-out.
    pub id_token: Secret<String>,
    /// Spent and replaced by each refresh.
    pub refresh_token: Option<Secret<String>>,
    /// Access tokens by name; a handful.
    pub access: Vec<Held>,
}

impl Credentials {
    /// The token of that name and those scopes, whether or not it has expired.
    pub fn held(&self, spec: &Arc<TokenSpec>) -> Option<&Held> {
        // Nearly always the very same value; only after a new configuration an equal one.
        self.access.iter().find(|held| Arc::ptr_eq(&held.spec, spec) || held.spec == *spec)
    }

    /// These credentials with `held` in the place of an older token of its name.
    #[must_use]
    pub fn with(&self, held: Held) -> Self {
        let is_other = |other: &&Held| other.spec.name != held.spec.name;
        let mut access: Vec<_> = self.access.iter().filter(is_other).cloned().collect();
        access.push(held);
        Self { access, ..self.clone() }
    }
}

/// A live session. Shared between requests; what changes in it changes atomically.
#[derive(Debug)]
pub struct Session {
    key: SessionKey,
    identity: Identity,
    started: Timestamp,
    lifetimes: Lifetimes,
    last_used: AtomicI64,
    ended: AtomicBool,
    credentials: ArcSwap<Credentials>,
}

impl Session {
    /// Starts a session for a person just signed in. The identifier goes to the browser, the session to the store.
    pub fn start(
        identity: Identity,
        credentials: Credentials,
        lifetimes: Lifetimes,
        now: Timestamp,
    ) -> (SessionId, Self) {
        let id = SessionId::generate();
        let session = Self {
            key: id.key(),
            identity,
            started: now,
            lifetimes,
            last_used: AtomicI64::new(now.0),
            ended: AtomicBool::new(false),
            credentials: ArcSwap::from_pointee(credentials),
        };
        (id, session)
    }

    /// What the store knows it by.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Who signed in.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When the session ends whatever happens.
    pub fn absolute_end(&self) -> Timestamp {
        self.started.plus(self.lifetimes.absolute)
    }

    /// When the session ends if it is not used again.
    pub fn idle_end(&self) -> Timestamp {
        Timestamp(self.last_used.load(Ordering::Relaxed)).plus(self.lifetimes.idle).min(self.absolute_end())
    }

    /// Whether the session may be used at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.ended.load(Ordering::Acquire) && now < self.idle_end()
    }

    /// Notes a use, which moves the idle end. One store at most a second, however many requests come.
    pub fn touch(&self, now: Timestamp) {
        if self.last_used.load(Ordering::Relaxed) < now.0 {
            self.last_used.store(now.0, Ordering::Relaxed);
        }
    }

    /// Ends the session for everybody who still holds it. True for the one caller that ended it.
    pub fn end(&self) -> bool {
        !self.ended.swap(true, Ordering::AcqRel)
    }

    /// The credentials of this moment.
    pub fn credentials(&self) -> Guard<Arc<Credentials>> {
        self.credentials.load()
    }

    /// Puts new credentials in the place of the old. Only `tokens`, under its per-session lease, may call this.
    pub fn replace_credentials(&self, credentials: Credentials) {
        self.credentials.store(Arc::new(credentials));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn identity() -> Identity {
        Identity {
            issuer: "http://localhost:3002".into(),
            subject: "alice".into(),
            claims: Map::new(),
            granted: ScopeSet::default(),
        }
    }

    pub(crate) fn credentials() -> Credentials {
        Credentials { id_token: Secret::new("id".into()), refresh_token: None, access: Vec::new() }
    }

    pub(crate) fn started(now: i64) -> (SessionId, Session) {
        let lifetimes = Lifetimes { idle: Duration::from_secs(60), absolute: Duration::from_secs(600) };
        Session::start(identity(), credentials(), lifetimes, Timestamp(now))
    }

    #[test]
    fn an_identifier_survives_the_cookie_and_nothing_else_does() {
        let id = SessionId::generate();
        let text = id.reveal();
        let text = text.expose();
        assert!(SessionId::parse(text.as_bytes()).is_some_and(|read| read.key() == id.key()));
        assert!(SessionId::parse(&text.as_bytes()[..42]).is_none());
        assert!(SessionId::parse(format!("{text}=").as_bytes()).is_none());
        assert!(SessionId::parse(format!("{text}A").as_bytes()).is_none());
        assert!(SessionId::parse(text.replace(&text[..1], "+").as_bytes()).is_none());
    }

    #[test]
    fn a_remembered_key_is_only_that_identifiers() {
        let (memo, one, other) = (KeyMemo::default(), SessionId::generate(), SessionId::generate());
        let key = |id: &SessionId| memo.key(id.reveal().expose().as_bytes());
        assert!(key(&one) == Some(one.key()) && key(&one) == Some(one.key()));
        assert!(key(&other) == Some(other.key()) && key(&one) == Some(one.key()));
        assert!(memo.key(b"").is_none() && memo.key(&one.reveal().expose().as_bytes()[..42]).is_none());
    }

    #[test]
    fn one_identifier_has_one_spelling() {
        // 43 characters carry 258 bits: the last two must be zero, or two cookies would name one session.
        let text = URL_SAFE_NO_PAD.encode([0xff; 32]);
        let tampered = format!("{}9", &text[..42]);
        assert!(SessionId::parse(text.as_bytes()).is_some());
        assert!(SessionId::parse(tampered.as_bytes()).is_none());
    }

    #[test]
    fn idle_time_ends_a_session_and_use_extends_it() {
        let (_, session) = started(1_000);
        assert!(session.is_live(Timestamp(1_059)));
        assert!(!session.is_live(Timestamp(1_060)));
        session.touch(Timestamp(1_059));
        assert!(session.is_live(Timestamp(1_118)));
    }

    #[test]
    fn absolute_time_ends_a_session_however_much_it_is_used() {
        let (_, session) = started(1_000);
        for now in (1_000..1_600).step_by(30) {
            session.touch(Timestamp(now));
        }
        assert!(session.is_live(Timestamp(1_599)));
        assert!(!session.is_live(Timestamp(1_600)));
    }

    #[test]
    fn a_session_is_ended_once() {
        let (_, session) = started(1_000);
        assert!(session.end());
        assert!(!session.end());
        assert!(!session.is_live(Timestamp(1_001)));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let (id, session) = started(1_000);
        let printed = format!("{id:?} {session:?}");
        assert!(!printed.contains(id.reveal().expose().as_str()));
        assert!(!printed.contains("\"id\""));
    }
}
