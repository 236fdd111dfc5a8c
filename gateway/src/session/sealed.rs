//! Authenticated encryption of small values that the browser keeps for us (AES-256-GCM-SIV, RFC 8452).
//! A sealed value is bound to the name of its cookie: moved to another name it does not open (requirement SE-06).

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entropy;
use crate::session::vault::Vault;

const NONCE_LENGTH: usize = 12;

/// The keys of login cookies: the first closes, all open.
pub struct Seal {
    first: RandomizedNonceKey,
    older: Vec<RandomizedNonceKey>,
}

impl Seal {
    /// A seal whose key nobody knows and nothing stores. Attempts under way when the process ends must be begun again.
    pub fn generate() -> Self {
        Self { first: cipher(&entropy::bytes()), older: Vec::new() }
    }

    /// The seal of every gateway that has these server keys: what one closed another opens.
    pub fn of(vault: &Vault) -> Self {
        let mut keys = vault.login_keys().map(|key| cipher(key.expose()));
        let first = keys.next().expect("a vault has a key");
        Self { first, older: keys.collect() }
    }

    /// Encrypts `plain` for the cookie called `name`: base64url of nonce, cipher text and tag.
    pub fn close(&self, name: &str, plain: Vec<u8>) -> String {
        let mut sealed = plain;
        let nonce = self
            .first
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut sealed)
            .expect("a cookie is far below the algorithm's limit");
        let mut bytes = nonce.as_ref().to_vec();
        bytes.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What [`Self::close`] sealed under the same name; nothing for anything else.
    pub fn open(&self, name: &str, text: &[u8]) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LENGTH>()?;
        std::iter::once(&self.first).chain(&self.older).find_map(|key| {
            // A key that does not fit leaves nothing usable behind: each begins with a copy.
            let mut opened = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let plain = key.open_in_place(nonce, Aad::from(name.as_bytes()), &mut opened).ok()?;
            Some(plain.to_vec())
        })
    }
}

fn cipher(key: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM_SIV, key).expect("32 bytes are a key")
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[seal]")
    }
}

#[cfg(test)]
mod tests {
    use crate::session::vault::ServerKey;

    use super::*;

    #[test]
    fn gateways_that_share_a_server_key_open_each_others_cookies() {
        let (old, new) = (ServerKey::generate(), ServerKey::generate());
        let seal = |first: &ServerKey, older: &[ServerKey]| Seal::of(&Vault::new(first, older));
        let text = seal(&old, &[]).close("login", b"value".to_vec());
        let opens = |seal: &Seal| seal.open("login", text.as_bytes()).as_deref() == Some(b"value");
        assert!(opens(&seal(&old, &[])) && opens(&seal(&new, std::slice::from_ref(&old))));
        assert!(!opens(&seal(&new, &[])));
        assert_eq!(seal(&old, &[]).open("login-2", text.as_bytes()), None);
    }

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
