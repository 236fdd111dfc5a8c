//! A compact JWS, first doubted, then verified. Reads header and payload by hand and strictly; the library is used
//! for the signature alone, because its own checks let too much through. Knows nothing of what the claims mean.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::fault::TokenFault;
use super::issuer::Issuer;
use super::jwks::VerifyingKey;
use crate::json;

/// Longer tokens are refused unread; Entra's stay far below.
const MAX_TOKEN: usize = 16 * 1024;

/// Header parameters that change what the rest means. None is supported, so their presence is a refusal
/// (RFC 7515 section 4.1.11 for `crit`; RFC 7797 for `b64`; RFC 7516 for `enc` and `zip`; `cty` marks a nested token).
/// `jku`, `jwk`, `x5u`, `x5c` are not here: they are never read at all.
const REFUSED_PARAMETERS: [&str; 5] = ["crit", "b64", "zip", "cty", "enc"];

/// What a header says that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) kind: Kind,
}

/// The declared type of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `JWT`: what Entra says of access tokens, and everybody of everything.
    Jwt,
    /// `at+jwt` (RFC 9068).
    AccessToken,
}

/// A token that nobody has checked. What it says may choose the key to check it with, and nothing else.
pub(crate) struct Unverified<'a> {
    /// Header and payload as signed.
    signed: &'a str,
    signature: &'a str,
    header: Header,
    claims: Map<String, Value>,
}

/// Claims under a good signature by a key of the issuer that they name. Made only by `Unverified::verify`.
pub(crate) struct Verified {
    claims: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenFault> {
        if token.len() > MAX_TOKEN {
            return Err(TokenFault::Form);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Form)?;
        // Five parts would be an encrypted token; an empty signature is `alg: none` in another coat.
        if payload.contains('.') || signature.is_empty() {
            return Err(TokenFault::Form);
        }
        let header = part(header).ok_or(TokenFault::Header)?;
        let claims = part(payload).ok_or(TokenFault::Payload)?;
        Ok(Self { signed, signature, header: Header::read(&header)?, claims })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The `iss` claim, still unproved: good for looking up whose keys to try.
    pub(crate) fn issuer(&self) -> Result<&str, TokenFault> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(TokenFault::Issuer)
    }

    /// Whether the header fits the issuer's settings; asked first, so that a hopeless token never causes a fetch.
    pub(crate) fn allowed_by(&self, issuer: &Issuer) -> Result<(), TokenFault> {
        if !issuer.algorithms.contains(&self.header.algorithm) {
            return Err(TokenFault::Algorithm);
        }
        if issuer.strict_typ && self.header.kind != Kind::AccessToken {
            return Err(TokenFault::Kind);
        }
        Ok(())
    }

    pub(crate) fn verify(self, key: &VerifyingKey) -> Result<Verified, TokenFault> {
        let message = self.signed.as_bytes();
        let algorithm = self.header.algorithm.for_verification();
        match jsonwebtoken::crypto::verify(self.signature, message, key.decoding(), algorithm) {
            Ok(true) => Ok(Verified { claims: self.claims }),
            Ok(false) | Err(_) => Err(TokenFault::Signature),
        }
    }
}

impl Verified {
    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// For tests of what comes after the signature.
    #[cfg(test)]
    pub(crate) fn assumed(claims: Map<String, Value>) -> Self {
        Self { claims }
    }
}

impl Header {
    fn read(members: &Map<String, Value>) -> Result<Self, TokenFault> {
        if REFUSED_PARAMETERS.iter().any(|name| members.contains_key(*name)) {
            return Err(TokenFault::Extension);
        }
        let algorithm = members.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        let key_id = match members.get("kid") {
            None => None,
            Some(Value::String(id)) if !id.is_empty() => Some(id.clone()),
            Some(_) => return Err(TokenFault::KeyId),
        };
        let kind = members.get("typ").and_then(Value::as_str).and_then(Kind::read);
        Ok(Self {
            algorithm: algorithm.ok_or(TokenFault::Algorithm)?,
            key_id,
            kind: kind.ok_or(TokenFault::Kind)?,
        })
    }
}

impl Kind {
    /// Media types are compared without regard to case (RFC 7515 section 4.1.9). No type at all is refused too.
    fn read(typ: &str) -> Option<Self> {
        match typ.to_ascii_lowercase().as_str() {
            "jwt" => Some(Self::Jwt),
            "at+jwt" | "application/at+jwt" => Some(Self::AccessToken),
            _ => None,
        }
    }
}

fn part(encoded: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    json::object(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(header: &str, payload: &str) -> Option<TokenFault> {
        let token = format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        Unverified::parse(&token).err()
    }

    #[test]
    fn a_plain_header_is_read() {
        let token = format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(
                r#"{"alg":"RS256","typ":"JWT","kid":"k","x5t":"ignored","jku":"https://evil.example"}"#
            ),
            URL_SAFE_NO_PAD.encode(r#"{"iss":"https://id.example"}"#)
        );
        let unverified = Unverified::parse(&token).expect("well-formed");
        let expected = Header { algorithm: Algorithm::RS256, key_id: Some("k".to_owned()), kind: Kind::Jwt };
        assert_eq!(unverified.header(), &expected);
        assert_eq!(unverified.issuer(), Ok("https://id.example"));
    }

    #[test]
    fn token_types_other_than_jwt_and_at_jwt_are_refused() {
        for good in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
            assert_eq!(fault(&format!(r#"{{"alg":"RS256","typ":"{good}"}}"#), "{}"), None, "{good}");
        }
        for bad in [
            r#""dpop+jwt""#,
            r#""logout+jwt""#,
            r#""JOSE""#,
            r#""""#,
            "null",
            "1",
            r#"["JWT"]"#,
            r#""application/jwt""#,
        ] {
            assert_eq!(
                fault(&format!(r#"{{"alg":"RS256","typ":{bad}}}"#), "{}"),
                Some(TokenFault::Kind),
                "{bad}"
            );
        }
        assert_eq!(fault(r#"{"alg":"RS256"}"#, "{}"), Some(TokenFault::Kind));
    }

    #[test]
    fn parameters_that_change_the_meaning_are_refused() {
        for parameter in [
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""cty":"JWT""#,
            r#""enc":"A128GCM""#,
        ] {
            let header = format!(r#"{{"alg":"RS256","typ":"JWT",{parameter}}}"#);
            assert_eq!(fault(&header, "{}"), Some(TokenFault::Extension), "{parameter}");
        }
    }

    #[test]
    fn repeated_members_are_refused_in_header_and_payload() {
        let header = r#"{"alg":"RS256","typ":"JWT"}"#;
        assert_eq!(fault(r#"{"alg":"RS256","typ":"JWT","alg":"RS256"}"#, "{}"), Some(TokenFault::Header));
        assert_eq!(fault(header, r#"{"aud":"a","aud":"a"}"#), Some(TokenFault::Payload));
        assert_eq!(fault(header, r#"{"aud":"a"}"#), None);
    }

    #[test]
    fn what_is_not_three_parts_of_base64url_is_refused() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let good = format!("{header}.e30.c2ln");
        assert!(Unverified::parse(&good).is_ok());
        let long = format!("{header}.e30.{}", "A".repeat(MAX_TOKEN));
        for bad in [
            "",
            ".",
            "..",
            "a.b",
            "e30.e30.c2ln",
            &format!("{header}.e30."),
            &format!("{header}.e30"),
            &format!("{header}.e30.c2ln.c2ln.c2ln"),
            &format!("{header}=.e30.c2ln"),
            &format!("{header}.e31.c2ln"),
            &format!("{header}..c2ln"),
            &format!(".{good}"),
            &long,
        ] {
            assert!(Unverified::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_issuer_that_is_not_a_text_is_refused() {
        for claims in [r#"{"iss":["https://id.example"]}"#, r#"{"iss":null}"#, r#"{"iss":{}}"#, "{}"] {
            let token = format!(
                "{}.{}.c2ln",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#),
                URL_SAFE_NO_PAD.encode(claims)
            );
            assert_eq!(
                Unverified::parse(&token).expect("well-formed").issuer(),
                Err(TokenFault::Issuer),
                "{claims}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in "[A-Za-z0-9_.=-]{0,120}") {
            let _ = Unverified::parse(&text);
        }

        #[test]
        fn any_json_header_is_parsed_or_refused_without_a_panic(header in "\\{(\"(alg|typ|kid|crit)\":(\"[a-zA-Z0-9+]{0,8}\"|null|[0-9]{1,20}|\\[\\]),?){0,4}\\}") {
            let _ = fault(&header, "{}");
        }
    }
}
