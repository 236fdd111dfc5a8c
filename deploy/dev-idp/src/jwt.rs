//! Compact JWS: writing one, and reading back one of our own. Knows nothing of what the claims mean; deliberately
//! able to write tokens that nobody should accept, because tests ask for them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::keys::{Keyring, SigningKey};

/// Members of a JSON object.
pub type Members = Map<String, Value>;

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `header.payload`, what a signature is made over.
pub(crate) fn signing_input(header: &str, payload: &str) -> String {
    format!("{}.{}", encode(header), encode(payload))
}

/// A token signed by this key, whatever its text says.
pub(crate) fn sign(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = signing_input(header, payload);
    let signature = key.sign(input.as_bytes());
    format!("{input}.{}", encode(signature))
}

/// The header of an ordinary token.
pub(crate) fn header(key: &SigningKey) -> Members {
    let mut header = Members::new();
    header.insert("typ".to_owned(), "JWT".into());
    header.insert("alg".to_owned(), key.algorithm.name().into());
    header.insert("kid".to_owned(), key.kid.clone().into());
    header
}

/// The claims of a token that one of the published keys signed; nothing else about it is checked.
pub(crate) fn read_own(keys: &Keyring, token: &str) -> Option<Members> {
    let (input, signature) = token.rsplit_once('.')?;
    let (_, payload) = input.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !keys.published().iter().any(|key| key.verifies(input.as_bytes(), &signature)) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_tokens_are_read_back_and_others_are_not() {
        let keys = Keyring::new();
        let key = keys.current();
        let header = Value::Object(header(&key)).to_string();
        let token = sign(&key, &header, r#"{"sub":"x"}"#);
        assert_eq!(read_own(&keys, &token).and_then(|claims| claims.get("sub").cloned()), Some("x".into()));
        let forged = sign(crate::keys::stranger(), &header, r#"{"sub":"x"}"#);
        assert_eq!(read_own(&keys, &forged), None);
        assert_eq!(read_own(&keys, "x"), None);
    }
}
