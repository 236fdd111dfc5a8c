//! How a session is written down: sealed with its data key, which in turn only the identifiers in cookies open. What
//! operators may see is sealed apart, with the gateways' own key. Knows nothing of where it is kept.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::clock::Timestamp;
use crate::origin::OriginTag;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::session::doors::{Door, Doors, Through};
use crate::session::id::{Proof, SessionId, SessionKey};
use crate::session::vault::{DataKey, Purpose, Vault, Wrap};
use crate::session::{Credentials, Device, Held, Identity, Lasting, Lifetimes, Session, State, TokenSpec};

use super::backend::{IndexKey, Stored};

/// The first byte of a body. Another layout gets another number.
const FORMAT: u8 = 1;

/// What operators, and the person's own list, may see of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The issuer.
    pub issuer: String,
    /// The `sub` claim.
    pub subject: String,
    /// What the person is called, if that is known.
    pub name: Option<String>,
    /// The provider's `sid`, if it has one.
    pub provider_session: Option<String>,
    /// When they signed in, in Unix seconds.
    pub started: i64,
    /// When that was by the provider's clock.
    #[serde(default)]
    pub asserted: i64,
    /// From where.
    pub device: Device,
}

impl Summary {
    /// What may be seen of that session.
    pub(super) fn of(session: &Session) -> Self {
        let identity = session.identity();
        Self {
            issuer: identity.issuer.to_string(),
            subject: identity.subject.clone(),
            name: identity.display_name(),
            provider_session: identity.provider_session.clone(),
            started: session.started().0,
            asserted: identity.asserted.0,
            device: session.device().clone(),
        }
    }

    /// Opens what [`write`] sealed; nothing for what no gateway of this key wrote.
    pub(super) fn open(vault: &Vault, key: SessionKey, sealed: &[u8]) -> Option<Self> {
        serde_json::from_slice(&vault.open_summary(key, sealed)?).ok()
    }
}

/// A session as it is kept, with `state` for what can change in it.
///
/// # Panics
/// Never: sessions with a store behind them have a data key.
pub(super) fn write(vault: &Vault, session: &Session, state: &State) -> Stored {
    let data_key = session.data_key.as_ref().expect("sessions with a store behind them have a data key");
    let wraps: Vec<&Wrap> = state.doors.all().filter_map(|door| door.wrap.as_deref()).collect();
    let mut header = vec![FORMAT, u8::try_from(wraps.len()).expect("three doors at most")];
    for wrap in wraps {
        header.extend_from_slice(wrap.as_bytes());
    }
    let plain = Zeroizing::new(
        serde_json::to_vec(&Wire::of(session, state)).expect("strings, numbers and maps of them are JSON"),
    );
    let sealed = vault.seal_body(data_key, session.key(), &header, &plain);
    header.extend_from_slice(&sealed);
    let summary = serde_json::to_vec(&Summary::of(session)).expect("strings and a number are JSON");
    let identity = &state.identity;
    Stored {
        version: state.version,
        body: header,
        summary: vault.seal_summary(session.key(), &summary),
        last_used: session.last_used(),
        idle: session.lifetimes().idle,
        absolute_end: session.absolute_end(),
        subject: subject_index(vault, identity),
        provider_session: provider_session_index(vault, identity),
    }
}

/// Under what the sessions of a person are found, as it is written now.
pub(super) fn subject_index(vault: &Vault, identity: &Identity) -> IndexKey {
    IndexKey(vault.index(Purpose::Subject, &identity.issuer, &identity.subject)[0])
}

/// Likewise for the sessions of one sign-in at the provider.
pub(super) fn provider_session_index(vault: &Vault, identity: &Identity) -> Option<IndexKey> {
    let sid = identity.provider_session.as_ref()?;
    Some(IndexKey(vault.index(Purpose::ProviderSession, &identity.issuer, sid)[0]))
}

/// A session that an identifier opened.
pub(super) struct Opened {
    pub(super) session: Session,
    /// Whether it is locked with a server key that is on its way out.
    pub(super) is_outdated: bool,
}

/// Opens what was stored with the identifier that somebody showed. Nothing if it does not open, or no longer.
pub(super) fn open(
    vault: &Vault,
    id: &SessionId,
    stored: &Stored,
    specs: &[Arc<TokenSpec>],
    now: Timestamp,
) -> Option<Opened> {
    let (header, wraps, sealed) = split(&stored.body)?;
    let (data_key, is_current) = wraps.iter().find_map(|wrap| vault.unwrap(id.key(), id.secret(), wrap))?;
    let wire = wire(vault, id.key(), &data_key, header, sealed)?;
    let state = wire.state(stored.version, &wraps, specs)?;
    if state.doors.try_open(id.proof(), now) == Through::Closed {
        return None;
    }
    let started = Timestamp(wire.started);
    // The place knows them to sweep by; whoever can write there must not make a session live longer.
    let absolute = u64::try_from(stored.absolute_end.0.checked_sub(started.0)?).ok()?;
    let [idle, absolute] = match wire.lasts {
        None => [stored.idle.as_secs(), absolute],
        Some([sealed_idle, sealed_absolute]) => {
            [stored.idle.as_secs().min(sealed_idle), absolute.min(sealed_absolute)]
        }
    };
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(idle),
        absolute: Duration::from_secs(absolute),
        renewal: Duration::from_secs(wire.renewal),
    };
    let device = wire.device.clone();
    let (key, origin, data_key) = (id.key(), OriginTag(wire.origin), Some(data_key));
    let lasting = Lasting { key, started, lifetimes, device, origin, data_key };
    let session = Session::of(lasting, state, stored.last_used);
    Some(Opened { session, is_outdated: !is_current })
}

/// What changed in a session that this process holds already.
pub(super) fn reopen(
    vault: &Vault,
    session: &Session,
    stored: &Stored,
    specs: &[Arc<TokenSpec>],
) -> Option<State> {
    let (header, wraps, sealed) = split(&stored.body)?;
    wire(vault, session.key(), session.data_key.as_ref()?, header, sealed)?.state(
        stored.version,
        &wraps,
        specs,
    )
}

/// Header, the wraps in it, and what is sealed.
fn split(body: &[u8]) -> Option<(&[u8], Vec<Wrap>, &[u8])> {
    let (&[format, count], rest) = body.split_first_chunk::<2>()?;
    let length = usize::from(count) * Wrap::LENGTH;
    if format != FORMAT || rest.len() < length {
        return None;
    }
    let (wraps, _) = rest[..length].as_chunks::<{ Wrap::LENGTH }>();
    Some((&body[..2 + length], wraps.iter().copied().map(Wrap::from_bytes).collect(), &rest[length..]))
}

fn wire(vault: &Vault, key: SessionKey, data_key: &DataKey, header: &[u8], sealed: &[u8]) -> Option<Wire> {
    let plain = Zeroizing::new(vault.open_body(data_key, key, header, sealed)?);
    serde_json::from_slice(&plain).ok()
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Wire {
    started: i64,
    /// Idle and absolute, in seconds; earlier gateways did not seal them.
    #[serde(default)]
    lasts: Option<[u64; 2]>,
    renewal: u64,
    renewal_due: i64,
    device: Device,
    /// Earlier gateways had one site.
    #[serde(default)]
    origin: u64,
    provider: String,
    issuer: String,
    subject: String,
    claims: Map<String, Value>,
    granted: String,
    provider_session: Option<String>,
    #[serde(default)]
    asserted: i64,
    current: WireDoor,
    pending: Option<WireDoor>,
    previous: Option<WireDoor>,
    tokens: WireTokens,
}

/// A door's proof, and the moment that belongs to it.
#[derive(Serialize, Deserialize)]
struct WireDoor(String, i64);

/// Wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct WireTokens {
    id_token: String,
    refresh_token: Option<String>,
    access: Vec<WireToken>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct WireToken {
    name: String,
    fingerprint: String,
    authorization: String,
    renew_from: i64,
    expires: i64,
    suffices: bool,
}

impl WireDoor {
    fn of(door: &Door, at: Timestamp) -> Self {
        Self(URL_SAFE_NO_PAD.encode(door.proof.as_bytes()), at.0)
    }

    fn read(&self, wrap: &Wrap) -> Option<(Door, Timestamp)> {
        let proof = Proof::from_bytes(URL_SAFE_NO_PAD.decode(&self.0).ok()?.try_into().ok()?);
        Some((Door { proof, wrap: Some(Box::new(*wrap)) }, Timestamp(self.1)))
    }
}

impl Wire {
    fn of(session: &Session, state: &State) -> Self {
        let State { doors, identity, credentials, .. } = state;
        let other =
            |door: &Option<Box<(Door, Timestamp)>>| door.as_ref().map(|door| WireDoor::of(&door.0, door.1));
        Self {
            started: session.started().0,
            lasts: Some([session.lifetimes().idle.as_secs(), session.lifetimes().absolute.as_secs()]),
            renewal: session.lifetimes().renewal.as_secs(),
            renewal_due: state.renewal_due.0,
            device: session.device().clone(),
            origin: session.origin.0,
            provider: identity.provider.to_string(),
            issuer: identity.issuer.to_string(),
            subject: identity.subject.clone(),
            claims: identity.claims.to_map(),
            granted: identity.granted.to_string(),
            provider_session: identity.provider_session.clone(),
            asserted: identity.asserted.0,
            current: WireDoor::of(&doors.current, doors.since),
            pending: other(&doors.pending),
            previous: other(&doors.previous),
            tokens: WireTokens {
                id_token: credentials.id_token.expose().clone(),
                refresh_token: credentials.refresh_token.as_ref().map(|token| token.expose().clone()),
                access: credentials.access.iter().filter_map(WireToken::of).collect(),
            },
        }
    }

    fn state(&self, version: u64, wraps: &[Wrap], specs: &[Arc<TokenSpec>]) -> Option<State> {
        let mut wraps = wraps.iter();
        let (current, since) = self.current.read(wraps.next()?)?;
        let mut other = |door: &Option<WireDoor>| match door {
            None => Some(None),
            Some(door) => Some(Some(Box::new(door.read(wraps.next()?)?))),
        };
        let (pending, previous) = (other(&self.pending)?, other(&self.previous)?);
        Some(State {
            version,
            doors: Doors { current, since, pending, previous },
            renewal_due: Timestamp(self.renewal_due),
            identity: Arc::new(Identity {
                provider: self.provider.as_str().into(),
                issuer: self.issuer.as_str().into(),
                subject: self.subject.clone(),
                claims: self.claims.clone().into(),
                granted: scopes(&self.granted)?,
                provider_session: self.provider_session.clone(),
                asserted: Timestamp(self.asserted),
            }),
            credentials: Arc::new(Credentials {
                id_token: Secret::new(self.tokens.id_token.clone()),
                refresh_token: self.tokens.refresh_token.clone().map(Secret::new),
                access: self.tokens.access.iter().filter_map(|token| token.read(specs)).collect(),
            }),
        })
    }
}

/// Scopes as they were written; unlike in a request, there may be none.
fn scopes(text: &str) -> Option<ScopeSet> {
    if text.is_empty() { Some(ScopeSet::default()) } else { text.parse().ok() }
}

impl WireToken {
    fn of(held: &Held) -> Option<Self> {
        Some(Self {
            name: held.spec.name.clone(),
            fingerprint: held.spec.fingerprint(),
            authorization: held.authorization.to_str().ok()?.to_owned(),
            renew_from: held.renew_from.0,
            expires: held.expires.0,
            suffices: held.suffices,
        })
    }

    /// The token, if routes may still ask for it as they did when it was got.
    fn read(&self, specs: &[Arc<TokenSpec>]) -> Option<Held> {
        let spec =
            specs.iter().find(|spec| spec.name == self.name && spec.fingerprint() == self.fingerprint)?;
        let mut authorization = HeaderValue::from_str(&self.authorization).ok()?;
        authorization.set_sensitive(true);
        let (renew_from, expires) = (Timestamp(self.renew_from), Timestamp(self.expires));
        Some(Held { spec: Arc::clone(spec), authorization, renew_from, expires, suffices: self.suffices })
    }
}
