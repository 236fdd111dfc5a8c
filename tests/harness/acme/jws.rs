//! What ACME clients sign (RFC 7515 in the flattened form, ES256 only): who signed it, for which address, and whether
//! that is so.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A message with its signature, not yet checked.
pub(super) struct Signed {
    pub(super) nonce: String,
    pub(super) url: String,
    pub(super) signer: Signer,
    pub(super) payload: Vec<u8>,
    input: String,
    signature: Vec<u8>,
}

pub(super) enum Signer {
    /// A key that nobody knows yet.
    Key(Key),
    /// The address of an account.
    Account(String),
}

/// A key on the curve P-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    x: String,
    y: String,
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl Signed {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let message: Value = serde_json::from_slice(body).ok()?;
        let text = |member: &str| message[member].as_str();
        let (protected, payload) = (text("protected")?, text("payload")?);
        let header: Value = serde_json::from_slice(&decode(protected)?).ok()?;
        if header["alg"] != "ES256" {
            return None;
        }
        let signer = match (header["kid"].as_str(), header["jwk"].is_object()) {
            (Some(account), false) => Signer::Account(account.to_owned()),
            (None, true) => Signer::Key(Key::parse(&header["jwk"])?),
            _ => return None,
        };
        Some(Self {
            nonce: header["nonce"].as_str()?.to_owned(),
            url: header["url"].as_str()?.to_owned(),
            signer,
            payload: decode(payload)?,
            input: format!("{protected}.{payload}"),
            signature: decode(text("signature")?)?,
        })
    }

    /// Whether that key signed it.
    pub(super) fn is_by(&self, key: &Key) -> bool {
        let point = key.point();
        point.is_some_and(|point| {
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            key.verify(self.input.as_bytes(), &self.signature).is_ok()
        })
    }
}

impl Key {
    fn parse(jwk: &Value) -> Option<Self> {
        let is_known = jwk["kty"] == "EC" && jwk["crv"] == "P-256";
        is_known.then(|| Some(Self { x: jwk["x"].as_str()?.to_owned(), y: jwk["y"].as_str()?.to_owned() }))?
    }

    fn point(&self) -> Option<Vec<u8>> {
        Some([vec![4], decode(&self.x)?, decode(&self.y)?].concat())
    }

    /// RFC 7638.
    pub(super) fn thumbprint(&self) -> String {
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, self.x, self.y);
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }
}
