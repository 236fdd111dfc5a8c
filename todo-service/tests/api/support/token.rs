//! Tokens, good ones and every kind of bad ones.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{EcKey, RsaKey};

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Token {
    pub(crate) fn new(claims: Value) -> Self {
        Self { header: json!({ "typ": "JWT", "alg": "RS256", "kid": "first" }), claims }
    }

    /// Sets a claim.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("an object").remove(name);
        self
    }

    /// Sets a header parameter.
    pub(crate) fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub(crate) fn without_parameter(mut self, name: &str) -> Self {
        self.header.as_object_mut().expect("an object").remove(name);
        self
    }

    /// Signed with the issuer's first key.
    pub(crate) fn signed(&self) -> String {
        self.signed_by(RsaKey::first())
    }

    /// Signed as its own `alg` says.
    pub(crate) fn signed_by(&self, key: &RsaKey) -> String {
        let algorithm = self.header["alg"].as_str().unwrap_or_default().to_owned();
        self.sealed(|message| key.sign(&algorithm, message))
    }

    pub(crate) fn signed_by_ec(&self, key: &EcKey) -> String {
        self.sealed(|message| key.sign(message))
    }

    /// With whatever signature.
    pub(crate) fn sealed(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        compact(&self.header.to_string(), &self.claims.to_string(), sign)
    }
}

/// A compact token of two texts that need not even be JSON.
pub(crate) fn compact(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
