//! `private_key_jwt`: a short statement that the gateway signs, anew for each request, instead of showing a secret
//! (RFC 7523, and the draft that corrects it, rfc7523bis: one audience, the issuer; requirement CB-14).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::key::SigningKey;
use crate::clock::Timestamp;
use crate::entropy;
use crate::secret::Secret;

/// `client_assertion_type` (RFC 7523, section 2.2).
pub(in crate::oidc) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An assertion is sent the moment it is made.
const LIFE: Duration = Duration::from_mins(1);

/// The keys that sign for the gateway at one provider, and how.
pub struct Assertions {
    keys: Vec<SigningKey>,
    audience: Audience,
    certificate: Option<String>,
}

/// To whom an assertion is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The issuer, as rfc7523bis asks: a provider cannot pass it on to another one as its own.
    Issuer,
    /// The token endpoint's address, as RFC 7523 had it; what Microsoft Entra and older providers ask for.
    TokenEndpoint,
}

impl Assertions {
    /// The first key signs; the others are published, for those who still or already know them. `certificate` is the
    /// SHA-256 thumbprint of the first key's certificate, for providers that look it up by that.
    ///
    /// Nothing, if there is no key.
    pub fn new(keys: Vec<SigningKey>, audience: Audience, certificate: Option<String>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self { keys, audience, certificate })
    }

    /// Whether both sign with the same keys in the same way. No two keys have the same public half.
    pub(in crate::oidc) fn is_same(&self, other: &Self) -> bool {
        let public = |keys: &[SigningKey]| keys.iter().map(SigningKey::public_jwk).collect::<Vec<_>>();
        public(&self.keys) == public(&other.keys)
            && self.audience == other.audience
            && self.certificate == other.certificate
    }

    /// Every key, the signing one first.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// A new assertion that the gateway is `client_id`. No two are alike.
    pub(in crate::oidc) fn make(
        &self,
        client_id: &str,
        issuer: &str,
        token_endpoint: &str,
        now: Timestamp,
    ) -> Secret<String> {
        let (audience, kind) = match self.audience {
            Audience::Issuer => (issuer, "client-authentication+jwt"),
            Audience::TokenEndpoint => (token_endpoint, "JWT"),
        };
        let key = &self.keys[0];
        let mut header = json!({ "alg": key.algorithm().as_str(), "typ": kind, "kid": key.id() });
        if let Some(thumbprint) = &self.certificate {
            header["x5t#S256"] = thumbprint.as_str().into();
        }
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": audience, "jti": entropy::token(),
            "iat": now.0, "nbf": now.0, "exp": now.plus(LIFE).0,
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
        Secret::new(format!("{signed}.{signature}"))
    }
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertions").field("keys", &self.keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::pem;
    use super::*;
    use crate::oidc::keys::Key;
    use crate::oidc::settings::Algorithm;
    use std::collections::HashSet;

    fn assertions(audience: Audience, certificate: Option<&str>) -> Assertions {
        let key = SigningKey::parse(&pem(Algorithm::ES256), Algorithm::RS256).expect("sound");
        Assertions::new(vec![key], audience, certificate.map(str::to_owned)).expect("a key")
    }

    fn made(assertions: &Assertions) -> [Value; 2] {
        let text =
            assertions.make("todo-web", "https://idp.example", "https://idp.example/token", Timestamp(1_000));
        let parts: Vec<&str> = text.expose().split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("three parts") };
        let key = Key::read(&assertions.keys()[0].public_jwk()).expect("a sound key");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        assert!(key.verifies(Algorithm::ES256, format!("{header}.{claims}").as_bytes(), &signature));
        [header, claims].map(|part| {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
        })
    }

    #[test]
    fn an_assertion_is_for_the_issuer_alone_and_for_a_minute() {
        let assertions = assertions(Audience::Issuer, None);
        let [header, claims] = made(&assertions);
        let kid = assertions.keys()[0].id();
        assert_eq!(header, json!({"alg": "ES256", "typ": "client-authentication+jwt", "kid": kid}));
        assert_eq!(claims["aud"], "https://idp.example", "one text and no list");
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("todo-web"), &json!("todo-web")));
        assert_eq!(
            (&claims["iat"], &claims["nbf"], &claims["exp"]),
            (&json!(1_000), &json!(1_000), &json!(1_060))
        );
    }

    #[test]
    fn older_providers_get_the_token_endpoint_and_a_certificate() {
        let [header, claims] = made(&assertions(Audience::TokenEndpoint, Some("thumb")));
        assert_eq!((&header["typ"], &header["x5t#S256"]), (&json!("JWT"), &json!("thumb")));
        assert_eq!(claims["aud"], "https://idp.example/token");
    }

    #[test]
    fn a_hundred_assertions_have_a_hundred_names() {
        let assertions = assertions(Audience::Issuer, None);
        let names: HashSet<String> = (0..100).map(|_| made(&assertions)[1]["jti"].to_string()).collect();
        assert_eq!(names.len(), 100);
    }

    #[test]
    fn nothing_signs_without_a_key() {
        assert!(Assertions::new(Vec::new(), Audience::Issuer, None).is_none());
    }
}
