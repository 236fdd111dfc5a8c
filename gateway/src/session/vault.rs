//! The cryptography behind kept sessions: who can read what of them, and with which keys.
//! A session's body needs its cookie and a server key; its summary, its index entries and login cookies need a server
//! key alone. It knows nothing of what is sealed and never touches a file or a socket.

mod aead;
mod door;
mod server_key;

pub use door::{DataKey, Wrap};
pub use server_key::{KeyError, ServerKey};

use std::fmt;

use aws_lc_rs::hmac;

use crate::secret::Secret;
use crate::session::SessionKey;

use aead::{purpose, with_context};
use server_key::Derived;

/// What an index entry finds sessions by. The same text under another purpose is another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// All sessions of one person: issuer and `sub`.
    Subject,
    /// All sessions of one sign-in at the provider: issuer and `sid`.
    ProviderSession,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Subject => b"gateway index subject",
            Self::ProviderSession => b"gateway index provider session",
        }
    }
}

/// The server keys of a gateway, ready for use. The first seals, all open: so keys are changed while sessions live on.
pub struct Vault {
    first: Derived,
    older: Vec<Derived>,
}

impl Vault {
    /// The vault of these keys, of which `first` seals.
    pub fn new(first: &ServerKey, older: &[ServerKey]) -> Self {
        Self { first: Derived::of(first), older: older.iter().map(Derived::of).collect() }
    }

    /// A vault for a process whose sessions nobody else must ever open.
    pub fn generate() -> Self {
        Self::new(&ServerKey::generate(), &[])
    }

    fn keys(&self) -> impl Iterator<Item = &Derived> {
        std::iter::once(&self.first).chain(&self.older)
    }

    /// Where sessions of that issuer and value are indexed: one place for each key, the first being the one to write.
    pub fn index(&self, purpose: Purpose, issuer: &str, value: &str) -> Vec<[u8; 32]> {
        self.keys().map(|key| key.index(purpose.label(), issuer, value)).collect()
    }

    /// Seals what operators may see of a session.
    pub fn seal_summary(&self, session: SessionKey, plain: &[u8]) -> Vec<u8> {
        let key = &self.first;
        let mut sealed = key.id.to_vec();
        aead::seal_onto(&mut sealed, &key.summary, &summary_context(key, session), plain);
        sealed
    }

    /// What [`Self::seal_summary`] sealed for the same session under a key that is still here.
    pub fn open_summary(&self, session: SessionKey, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_first_chunk()?;
        // Two keys may share the four bytes that name them: each is tried.
        let mut named = self.keys().filter(|key| key.id == *id);
        named.find_map(|key| aead::open(&key.summary, &summary_context(key, session), rest))
    }

    /// Seals what the gateway holds for a person. `header` stays readable and cannot be changed.
    pub fn seal_body(&self, key: &DataKey, session: SessionKey, header: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        aead::seal_onto(&mut sealed, &key.cipher(), &body_context(session, header), plain);
        sealed
    }

    /// What [`Self::seal_body`] sealed with the same key for the same session and header.
    pub fn open_body(
        &self,
        key: &DataKey,
        session: SessionKey,
        header: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        aead::open(&key.cipher(), &body_context(session, header), sealed)
    }

    /// Locks a data key up: only this cookie secret with this gateway's server key opens it.
    pub fn wrap(&self, session: SessionKey, secret: &[u8; 32], key: &DataKey) -> Wrap {
        Wrap::close(&self.first, session, secret, key)
    }

    /// The data key behind that wrap, and whether the key that sealed it is the one that would seal it today.
    pub fn unwrap(&self, session: SessionKey, secret: &[u8; 32], wrap: &Wrap) -> Option<(DataKey, bool)> {
        if let Some(key) = wrap.open(&self.first, session, secret) {
            return Some((key, true));
        }
        self.older.iter().find_map(|older| wrap.open(older, session, secret)).map(|key| (key, false))
    }

    /// The keys of login cookies, in the order of the server keys.
    pub(super) fn login_keys(&self) -> impl Iterator<Item = &Secret<[u8; 32]>> {
        self.keys().map(|key| &key.login)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[vault]")
    }
}

fn summary_context(key: &Derived, session: SessionKey) -> Vec<u8> {
    with_context(purpose::SUMMARY, &[&key.id, session.as_bytes()])
}

fn body_context(session: SessionKey, header: &[u8]) -> Vec<u8> {
    with_context(purpose::BODY, &[session.as_bytes(), header])
}

impl Derived {
    /// The lengths keep ("ab", "c") and ("a", "bc") apart.
    fn index(&self, label: &[u8], issuer: &str, value: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.index);
        for part in [label, issuer.as_bytes(), value.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut entry = [0; 32];
        entry.copy_from_slice(context.sign().as_ref());
        entry
    }
}

#[cfg(test)]
mod tests;
