//! A person's session: who they are, what the gateway holds for them, and until when.
//! Pure values and transitions; where sessions are kept is the store's matter, how tokens are got is `tokens`'.

pub mod attempt;
pub mod browser;
pub mod claims;
pub mod cookie;
pub mod doors;
pub mod ending;
pub mod id;
pub mod introduction;
pub mod return_to;
pub mod sealed;
pub mod store;
pub mod token;
pub mod vault;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::hash::sha256;
use crate::hex;
use crate::origin::OriginTag;
use crate::rule::Facts;
use crate::scope::{Scope, ScopeSet};
use crate::secret::Secret;

use claims::Claims;
use doors::{Door, Doors};
use vault::DataKey;

pub use id::{KeyMemo, Proof, SessionId, SessionKey, Shown};
pub use token::{Held, TokenFor, TokenKind, TokenSpec};

/// How long sessions live, enforced on the server (requirement SE-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// A session nobody used for this long is over.
    pub idle: Duration,
    /// A session this old is over, used or not.
    pub absolute: Duration,
    /// A session's identifier is replaced when it is this old.
    pub renewal: Duration,
}

/// Who signed in, as the provider asserted it. Identity is (issuer, subject), never an e-mail address (requirement IT-20).
#[derive(Clone, Debug)]
pub struct Identity {
    /// The configured issuer of the provider that they signed in with.
    pub provider: Arc<str>,
    /// The issuer that vouches for them: the same, or that of their tenant.
    pub issuer: Arc<str>,
    /// The `sub` claim.
    pub subject: String,
    /// Every claim of the ID token that says something about the person; protocol claims are left out.
    pub claims: Claims,
    /// The scopes granted at sign-in.
    pub granted: ScopeSet,
    /// The provider's own name for the sign-in: the ID token's `sid`, if it has one (OpenID Connect Back-Channel Logout
    /// 1.0, section 2.1).
    pub provider_session: Option<String>,
    /// When the provider said all this first, by its own clock: `iat` of the ID token of the sign-in. What it says of the
    /// end of earlier sessions is not about this one.
    pub asserted: Timestamp,
}

impl Identity {
    /// Eight hex digits that tell people apart in the log without naming them.
    pub fn pseudonym(&self) -> String {
        hex::encode(&sha256(format!("{}\n{}", self.issuer, self.subject).as_bytes())[..4])
    }

    /// What to call the person: `name`, else `preferred_username`, else `email`, else nothing.
    pub fn display_name(&self) -> Option<String> {
        let claims = self.claims.to_map();
        let name = |claim: &&str| claims.get(*claim)?.as_str().map(str::to_owned);
        ["name", "preferred_username", "email"].iter().find_map(name)
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

/// From where somebody signed in, as far as it was seen. Shown to the person and to operators, never trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The `User-Agent`, cut to 200 characters.
    pub agent: Box<str>,
    /// The address of the other end.
    pub address: Box<str>,
}

/// Everything about a session that can change. One immutable value, swapped whole.
#[derive(Clone, Debug)]
pub struct State {
    /// One more with each change.
    pub version: u64,
    /// By which identifiers the session may be used.
    pub doors: Doors,
    /// When the identifier is due to be replaced.
    pub renewal_due: Timestamp,
    /// Who signed in.
    pub identity: Arc<Identity>,
    /// What the gateway holds for them.
    pub credentials: Arc<Credentials>,
}

/// A live session. Shared between requests; what changes in it changes atomically.
#[derive(Debug)]
pub struct Session {
    key: SessionKey,
    started: Timestamp,
    /// Seconds: these are kept a million times.
    idle: u32,
    absolute: u32,
    renewal: u32,
    device: Device,
    origin: OriginTag,
    /// Locks what is stored of this session; nothing where nothing is.
    data_key: Option<Box<DataKey>>,
    state: ArcSwap<State>,
    last_used: AtomicI64,
    /// Whether `last_used` waits to be written down.
    unwritten: AtomicBool,
    ended: AtomicBool,
    /// Up to which point of the store's news this copy is known to be good; 0 if it is not.
    seen: AtomicU64,
}

/// What a session is begun with.
#[derive(Debug)]
pub struct Beginning {
    /// Who signed in.
    pub identity: Identity,
    /// What the provider gave for them.
    pub credentials: Credentials,
    /// From where.
    pub device: Device,
    /// The site on which they signed in; the session is good there and nowhere else.
    pub origin: OriginTag,
}

/// What never changes in a session, from its beginning to its end.
struct Lasting {
    key: SessionKey,
    started: Timestamp,
    lifetimes: Lifetimes,
    device: Device,
    origin: OriginTag,
    data_key: Option<DataKey>,
}

impl Session {
    /// A session for a person just signed in, with its first door. The identifier goes to the browser, the session to
    /// the store, which is the one to call this.
    fn start(
        id: &SessionId,
        beginning: Beginning,
        lifetimes: Lifetimes,
        now: Timestamp,
        lock: Option<(DataKey, vault::Wrap)>,
    ) -> Self {
        let (data_key, wrap) = lock.unzip();
        let Beginning { identity, credentials, device, origin } = beginning;
        let state = State {
            version: 1,
            doors: Doors::first(Door { proof: id.proof(), wrap: wrap.map(Box::new) }, now),
            renewal_due: now.plus(lifetimes.renewal),
            identity: Arc::new(identity),
            credentials: Arc::new(credentials),
        };
        Self::of(Lasting { key: id.key(), started: now, lifetimes, device, origin, data_key }, state, now)
    }

    /// A session that nobody keeps and no cookie opens: what `gateway explain` supposes of somebody who is signed in.
    pub fn imagined(identity: Identity, now: Timestamp) -> Self {
        let credentials =
            Credentials { id_token: Secret::new(String::new()), refresh_token: None, access: Vec::new() };
        let beginning =
            Beginning { identity, credentials, device: Device::default(), origin: OriginTag::default() };
        let day = Duration::from_hours(24);
        let lifetimes = Lifetimes { idle: day, absolute: day, renewal: day };
        Self::start(&SessionId::generate(), beginning, lifetimes, now, None)
    }

    fn of(lasting: Lasting, state: State, last_used: Timestamp) -> Self {
        let Lasting { key, started, lifetimes, device, origin, data_key } = lasting;
        Self {
            key,
            started,
            idle: seconds(lifetimes.idle),
            absolute: seconds(lifetimes.absolute),
            renewal: seconds(lifetimes.renewal),
            device,
            origin,
            data_key: data_key.map(Box::new),
            state: ArcSwap::from_pointee(state),
            last_used: AtomicI64::new(last_used.0),
            unwritten: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            seen: AtomicU64::new(0),
        }
    }

    /// What the store knows it by, for its whole life.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Who signed in, what is held for them, and by which identifiers: all of one moment.
    pub fn state(&self) -> Guard<Arc<State>> {
        self.state.load()
    }

    /// Who signed in.
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.state.load().identity)
    }

    /// The credentials of this moment.
    pub fn credentials(&self) -> Arc<Credentials> {
        Arc::clone(&self.state.load().credentials)
    }

    /// When the person signed in.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// From where.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether it was begun on that site (requirement SE-06). Of sessions that were written down before there were several
    /// sites nobody knows; they are good everywhere.
    pub fn is_of(&self, origin: OriginTag) -> bool {
        self.origin == origin || self.origin == OriginTag::default()
    }

    /// How long it lives.
    pub fn lifetimes(&self) -> Lifetimes {
        let span = |seconds: u32| Duration::from_secs(seconds.into());
        Lifetimes { idle: span(self.idle), absolute: span(self.absolute), renewal: span(self.renewal) }
    }

    /// When it was used last.
    pub fn last_used(&self) -> Timestamp {
        Timestamp(self.last_used.load(Ordering::Relaxed))
    }

    /// When the session ends whatever happens.
    pub fn absolute_end(&self) -> Timestamp {
        self.started.plus_seconds(self.absolute)
    }

    /// When the session ends if it is not used again.
    pub fn idle_end(&self) -> Timestamp {
        self.last_used().plus_seconds(self.idle).min(self.absolute_end())
    }

    /// Whether the session may be used at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.has_ended() && now < self.idle_end()
    }

    /// Whether somebody ended it, as far as this process knows.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Notes a use, which moves the idle end. One write at most a second, however many requests come. True if it is the
    /// first since [`Self::take_unwritten`].
    fn touch(&self, now: Timestamp) -> bool {
        if self.last_used.load(Ordering::Relaxed) >= now.0 {
            return false;
        }
        self.last_used.fetch_max(now.0, Ordering::Relaxed);
        !self.unwritten.swap(true, Ordering::AcqRel)
    }

    /// The last use, to be written down now.
    fn take_unwritten(&self) -> Timestamp {
        self.unwritten.store(false, Ordering::Release);
        self.last_used()
    }

    /// Ends the session for everybody in this process who still holds it. True for the one caller that ended it.
    fn end(&self) -> bool {
        !self.ended.swap(true, Ordering::AcqRel)
    }
}

/// Whole seconds; no session lives for a century.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn identity() -> Identity {
        Identity {
            provider: "http://localhost:3002".into(),
            issuer: "http://localhost:3002".into(),
            subject: "alice".into(),
            claims: Claims::default(),
            granted: ScopeSet::default(),
            provider_session: None,
            asserted: Timestamp(0),
        }
    }

    pub(crate) fn credentials() -> Credentials {
        Credentials { id_token: Secret::new("id".into()), refresh_token: None, access: Vec::new() }
    }

    pub(crate) fn beginning() -> Beginning {
        Beginning {
            identity: identity(),
            credentials: credentials(),
            device: Device::default(),
            origin: OriginTag::default(),
        }
    }

    pub(crate) fn lifetimes() -> Lifetimes {
        Lifetimes {
            idle: Duration::from_secs(60),
            absolute: Duration::from_secs(600),
            renewal: Duration::from_secs(100_000),
        }
    }

    pub(crate) fn started(now: i64) -> (SessionId, Session) {
        let id = SessionId::generate();
        let session = Session::start(&id, beginning(), lifetimes(), Timestamp(now), None);
        (id, session)
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
    fn a_use_is_to_be_written_down_once() {
        let (_, session) = started(1_000);
        assert!(!session.touch(Timestamp(1_000)), "nothing new");
        assert!(session.touch(Timestamp(1_001)));
        assert!(!session.touch(Timestamp(1_002)), "it is waiting already");
        assert_eq!(session.take_unwritten(), Timestamp(1_002));
        assert!(session.touch(Timestamp(1_003)));
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
