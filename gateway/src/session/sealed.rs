//! Authenticated encryption of small values that the browser keeps for us (AES-256-GCM-SIV, RFC 8452).
//! A sealed value is bound to the name of its cookie: moved to another name it does not open (requirement SE-06).

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entropy;

const NONCE_LENGTH: usize = 12;

/// The key of one process. Attempts under way when the process ends must be begun again.
pub struct Seal {
    key: RandomizedNonceKey,
}

impl Seal {
    /// A seal whose key nobody knows and nothing stores.
    ///
    /// # Panics
    /// Never: the key has the length that the algorithm asks for.
    pub fn generate() -> Self {
        let key =
            RandomizedNonceKey::new(&AES_256_GCM_SIV, &entropy::bytes::<32>()).expect("32 bytes are a key");
        Self { key }
    }

    /// Encrypts `plain` for the cookie called `name`: base64url of nonce, cipher text and tag.
    pub fn close(&self, name: &str, plain: Vec<u8>) -> String {
        let mut sealed = plain;
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut sealed)
            .expect("a cookie is far below the algorithm's limit");
        let mut bytes = nonce.as_ref().to_vec();
        bytes.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What [`Self::close`] sealed under the same name; nothing for anything else.
    pub fn open(&self, name: &str, text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        if bytes.len() < NONCE_LENGTH {
            return None;
        }
        let mut sealed = bytes.split_off(NONCE_LENGTH);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).ok()?;
        let plain = self.key.open_in_place(nonce, Aad::from(name.as_bytes()), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[seal]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_under_its_own_name_only() {
        let seal = Seal::generate();
        let text = seal.close("login-1", b"value".to_vec());
        assert_eq!(seal.open("login-1", text.as_bytes()).as_deref(), Some(&b"value"[..]));
        assert_eq!(seal.open("login-2", text.as_bytes()), None);
        assert_eq!(Seal::generate().open("login-1", text.as_bytes()), None);
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let seal = Seal::generate();
        let text = seal.close("login", b"value".to_vec()).into_bytes();
        for position in 0..text.len() {
            let mut changed = text.clone();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open("login", &changed), None, "position {position}");
        }
        assert_eq!(seal.open("login", &text[..text.len() - 1]), None);
        assert_eq!(seal.open("login", b""), None);
    }

    #[test]
    fn the_same_value_is_never_sealed_alike() {
        let seal = Seal::generate();
        assert_ne!(seal.close("login", b"value".to_vec()), seal.close("login", b"value".to_vec()));
    }
}
