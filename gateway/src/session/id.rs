//! What names a session. A name stays, the secret beside it changes; only the browser holds both. The gateway keeps
//! hashes: a [`SessionKey`] of the name, a [`Proof`] of both.

use std::cell::RefCell;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroize;

use crate::entropy;
use crate::hash::sha256;
use crate::hex;
use crate::secret::{Secret, same_bytes};

const HANDLE: usize = 16;
const SECRET: usize = 32;
const LENGTH: usize = HANDLE + SECRET;
/// 48 bytes are 64 characters of base64url exactly: no padding, no stray bits, one spelling.
const TEXT_LENGTH: usize = LENGTH / 3 * 4;

/// What a session cookie holds: 128 random bits that find the session, 256 more that open it.
pub struct SessionId([u8; LENGTH]);

impl SessionId {
    /// An identifier of a session that does not exist yet.
    pub fn generate() -> Self {
        Self(entropy::bytes())
    }

    /// Another identifier of the same session: same name, new secret.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let mut id = Self(entropy::bytes());
        id.0[..HANDLE].copy_from_slice(&self.0[..HANDLE]);
        id
    }

    /// Reads the cookie form: exactly 64 characters of base64url.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut id = Self([0; LENGTH]);
        let is_id = text.len() == TEXT_LENGTH
            && URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut id.0).ok()? == LENGTH;
        is_id.then_some(id)
    }

    /// What the cookie holds.
    pub fn reveal(&self) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// The part that opens the session; keys are derived from it.
    pub fn secret(&self) -> &[u8; SECRET] {
        self.0.last_chunk().expect("the identifier is longer than its secret")
    }

    /// What the store knows the session by.
    pub fn key(&self) -> SessionKey {
        SessionKey(sha256(&self.0[..HANDLE]))
    }

    /// What a session in memory compares.
    pub fn proof(&self) -> Proof {
        Proof(sha256(&self.0))
    }

    /// Both hashes.
    pub fn shown(&self) -> Shown {
        Shown { key: self.key(), proof: self.proof() }
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

/// The SHA-256 of an identifier's handle: enough to find a session, useless to a thief of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey([u8; 32]);

/// The bytes alone, without a length, for hashers that use them as they are.
impl std::hash::Hash for SessionKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl SessionKey {
    /// The whole key, for sealed cookies and operators.
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

    /// As a number that tells sessions apart; not enough to find anything by.
    pub fn number(&self) -> u128 {
        self.0.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
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

/// The SHA-256 of a whole identifier: proves that somebody showed it. Compared in constant time only.
#[derive(Clone, Copy)]
pub struct Proof([u8; 32]);

impl Proof {
    /// The bytes, for a sealed record.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The proof of those bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for Proof {
    fn eq(&self, other: &Self) -> bool {
        same_bytes(&self.0, &other.0)
    }
}

impl Eq for Proof {}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[proof]")
    }
}

/// What a request shows: which session, and the proof that it may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which session.
    pub key: SessionKey,
    /// That the browser was given it.
    pub proof: Proof,
}

/// The identifier that a connection showed last, and its hashes. A connection shows one identifier a thousand times; it
/// is decoded and hashed once. Never leaves its thread.
#[derive(Default)]
pub struct KeyMemo {
    last: RefCell<Option<(Secret<Vec<u8>>, Shown)>>,
}

impl KeyMemo {
    /// The hashes of the identifier in a cookie's value, if it is one. Takes as long whatever was shown before.
    pub fn shown(&self, value: &[u8]) -> Option<Shown> {
        let mut last = self.last.borrow_mut();
        if let Some((known, shown)) = &*last
            && same_bytes(known.expose(), value)
        {
            return Some(*shown);
        }
        let shown = SessionId::parse(value)?.shown();
        *last = Some((Secret::new(value.to_vec()), shown));
        Some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_survives_the_cookie_and_nothing_else_does() {
        let id = SessionId::generate();
        let text = id.reveal();
        let text = text.expose();
        assert!(SessionId::parse(text.as_bytes()).is_some_and(|read| read.shown() == id.shown()));
        assert!(SessionId::parse(&text.as_bytes()[..63]).is_none());
        assert!(SessionId::parse(&text.as_bytes()[..43]).is_none(), "the handle and a piece");
        assert!(SessionId::parse(format!("{text}=").as_bytes()).is_none());
        assert!(SessionId::parse(format!("{text}A").as_bytes()).is_none());
        assert!(SessionId::parse(text.replace(&text[..1], "+").as_bytes()).is_none());
    }

    #[test]
    fn every_character_counts() {
        let id = SessionId::generate();
        let text = id.reveal().expose().clone().into_bytes();
        for position in 0..text.len() {
            let mut changed = text.clone();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert!(
                SessionId::parse(&changed).is_none_or(|other| other.proof() != id.proof()),
                "position {position}"
            );
        }
    }

    #[test]
    fn a_renewed_identifier_names_the_same_session_and_proves_something_else() {
        let id = SessionId::generate();
        let renewed = id.renewed();
        assert_eq!(renewed.key(), id.key());
        assert_ne!(renewed.proof(), id.proof());
        assert_ne!(SessionId::generate().key(), id.key());
    }

    #[test]
    fn remembered_hashes_are_only_that_identifiers() {
        let (memo, one, other) = (KeyMemo::default(), SessionId::generate(), SessionId::generate());
        let shown = |id: &SessionId| memo.shown(id.reveal().expose().as_bytes());
        assert!(shown(&one) == Some(one.shown()) && shown(&one) == Some(one.shown()));
        assert!(shown(&other) == Some(other.shown()) && shown(&one) == Some(one.shown()));
        assert!(memo.shown(b"").is_none() && memo.shown(&one.reveal().expose().as_bytes()[..63]).is_none());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let id = SessionId::generate();
        let printed = format!("{id:?} {:?}", id.shown());
        assert!(!printed.contains(id.reveal().expose().as_str()));
        assert!(!printed.contains(&hex::encode(id.secret())) && !printed.contains(&hex::encode(&id.key().0)));
    }
}
