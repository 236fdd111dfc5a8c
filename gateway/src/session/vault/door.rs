//! A door: a session's data key, locked up so that it takes both a cookie and a server key to reach it.
//! Neither a thief of the store nor a thief of the store and its keys can open one; nor can a cookie alone.

use std::fmt;

use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::hkdf::HKDF_SHA256;
use zeroize::{Zeroize, Zeroizing};

use crate::entropy;
use crate::session::SessionKey;

use super::aead::{self, NONCE, TAG, purpose, with_context};
use super::server_key::Derived;

const ID: usize = 4;
const KEY: usize = 32;

/// The key that a session's body is sealed with: random, and nowhere in plain sight.
#[derive(Clone)]
pub struct DataKey([u8; KEY]);

impl DataKey {
    /// A new key, never seen before.
    pub fn generate() -> Self {
        Self(entropy::bytes())
    }

    pub(super) fn cipher(&self) -> RandomizedNonceKey {
        aead::cipher(&self.0)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[data key]")
    }
}

impl Drop for DataKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A data key behind one door: the server key's name, nonce, cipher text and tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wrap([u8; Wrap::LENGTH]);

impl Wrap {
    /// How many bytes a wrap is, always.
    pub const LENGTH: usize = ID + NONCE + KEY + TAG;

    /// The bytes, for a record.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The wrap of those bytes, which [`Self::as_bytes`] gave. Other bytes open nothing.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    pub(super) fn close(server: &Derived, session: SessionKey, secret: &[u8; 32], key: &DataKey) -> Self {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.extend_from_slice(&server.id);
        aead::seal_onto(
            &mut bytes,
            &door_key(server, session, secret),
            &door_context(server, session),
            &key.0,
        );
        Self(bytes.try_into().expect("every part has its length"))
    }

    pub(super) fn open(&self, server: &Derived, session: SessionKey, secret: &[u8; 32]) -> Option<DataKey> {
        let (id, sealed) = self.0.split_first_chunk()?;
        if server.id != *id {
            return None;
        }
        let context = door_context(server, session);
        let opened = Zeroizing::new(aead::open(&door_key(server, session, secret), &context, sealed)?);
        Some(DataKey(opened.as_slice().try_into().ok()?))
    }
}

impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[wrap]")
    }
}

fn door_context(server: &Derived, session: SessionKey) -> Vec<u8> {
    with_context(purpose::DOOR, &[&server.id, session.as_bytes()])
}

/// HKDF-SHA256 (RFC 5869) of the cookie's secret, salted with the server key: both are needed to compute it.
fn door_key(server: &Derived, session: SessionKey, secret: &[u8; 32]) -> RandomizedNonceKey {
    let mut key = Zeroizing::new([0; KEY]);
    server
        .doors
        .extract(secret)
        .expand(&[purpose::DOOR, session.as_bytes()], HKDF_SHA256)
        .and_then(|derived| derived.fill(key.as_mut_slice()))
        .expect("32 bytes are one block");
    aead::cipher(&key)
}
