//! The key that the gateways of one installation share, as operators write it down, and what is derived from it.
//! It does not know where the text comes from.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD as STANDARD_PADDED};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::entropy;
use crate::hex;
use crate::secret::Secret;

use super::aead;

const SHORTEST: usize = 32;
const LONGEST: usize = 1024;

/// Fewer different values than this in 32 or more bytes is nobody's luck: random ones have about thirty.
const FEWEST_VALUES: usize = 12;

/// Why a text is not a server key. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing there.
    #[error("a server key is empty; make one with: openssl rand -base64 32")]
    Empty,
    /// Neither base64 nor hexadecimal digits.
    #[error("a server key is neither base64 nor hex digits; make one with: openssl rand -base64 32")]
    NotText,
    /// Too short to be safe.
    #[error("a server key has {0} bytes and needs at least 32; make one with: openssl rand -base64 32")]
    Short(usize),
    /// Longer than any key: probably another file.
    #[error(
        "a server key has {0} bytes, more than 1024: is it another file? make one with: openssl rand -base64 32"
    )]
    Long(usize),
    /// A constant, a count or the like.
    #[error("a server key is not random; make one with: openssl rand -base64 32")]
    NotRandom,
}

/// At least 256 random bits that the gateways of one installation share and the store must never see.
#[derive(Clone)]
pub struct ServerKey(Secret<Vec<u8>>);

impl ServerKey {
    /// A new key.
    pub fn generate() -> Self {
        Self(Secret::new(entropy::bytes::<SHORTEST>().to_vec()))
    }

    /// Reads base64, standard or for URLs, padded or not, or an even number of hex digits. White space around it counts
    /// for nothing. 64 or more hex digits are read as such although they are base64, too.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        // No key is that long in any spelling: what follows stays cheap.
        if text.len() > 2 * LONGEST {
            return Err(KeyError::Long(text.len() / 4 * 3));
        }
        let bytes = Zeroizing::new(decode(text).ok_or(KeyError::NotText)?);
        match bytes.len() {
            length if length < SHORTEST => Err(KeyError::Short(length)),
            length if length > LONGEST => Err(KeyError::Long(length)),
            _ if !looks_random(&bytes) => Err(KeyError::NotRandom),
            _ => Ok(Self(Secret::new(bytes.to_vec()))),
        }
    }

    /// How [`Self::parse`] reads it again: padded base64.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(STANDARD_PADDED.encode(self.0.expose()))
    }

    /// Whether `other` is the same key, in time that does not depend on where they differ.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.expose().ct_eq(other.0.expose()).into()
    }

    /// Tells keys apart without saying anything about them.
    pub fn id(&self) -> [u8; 4] {
        id(&root(self))
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[server key]")
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() >= 2 * SHORTEST && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return hex::decode(text);
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}

fn looks_random(bytes: &[u8]) -> bool {
    let values: BTreeSet<_> = bytes.iter().collect();
    let steps: BTreeSet<_> = bytes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    values.len() >= FEWEST_VALUES && steps.len() >= FEWEST_VALUES
}

/// What a server key is used for: each use has a key of its own, none of which tells anything about another.
pub(super) struct Derived {
    pub(super) id: [u8; 4],
    pub(super) index: hmac::Key,
    pub(super) summary: RandomizedNonceKey,
    pub(super) doors: Salt,
    pub(super) login: Secret<[u8; 32]>,
}

impl Derived {
    pub(super) fn of(key: &ServerKey) -> Self {
        let root = root(key);
        Self {
            id: id(&root),
            index: hmac::Key::new(hmac::HMAC_SHA256, derive(&root, b"index").as_slice()),
            summary: aead::cipher(&derive(&root, b"summary")),
            doors: Salt::new(HKDF_SHA256, derive(&root, b"doors").as_slice()),
            login: Secret::new(*derive(&root, b"login")),
        }
    }
}

fn root(key: &ServerKey) -> Prk {
    Salt::new(HKDF_SHA256, b"gateway server key").extract(key.0.expose())
}

fn id(root: &Prk) -> [u8; 4] {
    let [a, b, c, d, ..] = *derive(root, b"id");
    [a, b, c, d]
}

fn derive(root: &Prk, label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    root.expand(&[label], HKDF_SHA256)
        .and_then(|derived| derived.fill(bytes.as_mut_slice()))
        .expect("32 bytes are one block");
    bytes
}
