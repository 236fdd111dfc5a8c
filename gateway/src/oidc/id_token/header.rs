//! The JOSE header of an ID token. `jku`, `x5u`, `jwk` and `x5c` are ignored: keys come from the provider's set alone
//! (RFC 8725, section 3.10). Pure.

use serde_json::{Map, Value};

use crate::oidc::json::{self, JsonError};
use crate::oidc::settings::Algorithm;

/// What of the header decides how the token is verified.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::oidc) struct Header {
    pub(in crate::oidc) algorithm: Algorithm,
    pub(in crate::oidc) key_id: Option<String>,
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::oidc) enum HeaderError {
    /// `alg` or `kid` is missing or of the wrong type.
    #[error("it cannot be read")]
    Json(#[from] JsonError),
    /// `none`, HMAC, or an algorithm that the configuration does not accept.
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// Another kind of token (RFC 8725, section 3.11).
    #[error("it is another kind of token")]
    Type,
    /// Encryption, compression, nesting, or an extension that must be understood.
    #[error("its \"{0}\" asks for something that is not supported")]
    Unsupported(&'static str),
}

impl Header {
    /// Reads a header and refuses what is not done here.
    pub(super) fn read(
        members: &Map<String, Value>,
        algorithms: &[Algorithm],
        is_wanted: impl Fn(Option<&str>) -> bool,
    ) -> Result<Self, HeaderError> {
        // RFC 7515, section 4.1.11 and RFC 7797; RFC 7516, section 4.1; RFC 7519, section 5.2 (nested tokens).
        if let Some(name) =
            ["crit", "b64", "zip", "enc", "cty"].into_iter().find(|name| members.contains_key(*name))
        {
            return Err(HeaderError::Unsupported(name));
        }
        let name = json::text(members, "alg")?;
        let algorithm =
            algorithms.iter().copied().find(|one| one.as_str() == name).ok_or(HeaderError::Algorithm)?;
        if !is_wanted(json::optional_text(members, "typ")?) {
            return Err(HeaderError::Type);
        }
        Ok(Self { algorithm, key_id: json::optional_text(members, "kid")?.map(str::to_owned) })
    }
}

/// ID tokens have no type of their own: `JWT`, or `JOSE`, or none (RFC 7519, section 5.1).
pub(super) fn is_id_token(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| matches!(&*media_type(kind), "jwt" | "jose"))
}

/// A `typ` as it is compared: without the prefix that may be left out, and in one letter case (RFC 7515, section
/// 4.1.9).
pub(in crate::oidc) fn media_type(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(header: &Value) -> Result<Header, HeaderError> {
        let members = header.as_object().expect("an object");
        Header::read(members, &[Algorithm::RS256, Algorithm::ES256], is_id_token)
    }

    #[test]
    fn an_ordinary_header_is_read() {
        let expected = Header { algorithm: Algorithm::RS256, key_id: Some("k".to_owned()) };
        assert_eq!(read(&json!({"alg": "RS256", "kid": "k", "typ": "JWT"})), Ok(expected));
        for kind in ["JWT", "jwt", "JOSE", "application/jwt", "Application/JOSE"] {
            assert!(read(&json!({"alg": "RS256", "typ": kind})).is_ok(), "{kind}");
        }
        assert!(read(&json!({"alg": "ES256"})).is_ok());
    }

    #[test]
    fn algorithms_outside_the_list_are_refused() {
        for bad in ["none", "None", "nOnE", "HS256", "HS512", "PS256", "rs256", "RS256 ", "", "EdDSA"] {
            assert_eq!(read(&json!({"alg": bad})), Err(HeaderError::Algorithm), "{bad}");
        }
        for bad in [json!({}), json!({"alg": null}), json!({"alg": ["RS256"]}), json!({"alg": 1})] {
            assert!(matches!(read(&bad), Err(HeaderError::Json(_))), "{bad}");
        }
    }

    #[test]
    fn other_kinds_of_token_are_refused() {
        for bad in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "JOSE+JSON", "JWE", ""] {
            assert_eq!(read(&json!({"alg": "RS256", "typ": bad})), Err(HeaderError::Type), "{bad}");
        }
        assert!(matches!(read(&json!({"alg": "RS256", "typ": 1})), Err(HeaderError::Json(_))));
    }

    #[test]
    fn extensions_encryption_and_nesting_are_refused() {
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!("b64")),
            ("b64", json!(false)),
            ("b64", json!(true)),
            ("zip", json!("DEF")),
            ("enc", json!("A256GCM")),
            ("cty", json!("JWT")),
        ] {
            let mut header = json!({"alg": "RS256"});
            header[name] = value;
            assert_eq!(read(&header), Err(HeaderError::Unsupported(name)));
        }
    }

    #[test]
    fn keys_and_addresses_in_the_header_change_nothing() {
        let plain = read(&json!({"alg": "RS256", "kid": "k"}));
        let loaded = read(&json!({
            "alg": "RS256", "kid": "k", "jku": "http://evil.example/keys", "x5u": "http://evil.example/x5u",
            "jwk": {"kty": "RSA"}, "x5c": ["AAAA"], "x5t": "AAAA",
        }));
        assert_eq!(plain, loaded);
        assert!(matches!(read(&json!({"alg": "RS256", "kid": 7})), Err(HeaderError::Json(_))));
    }
}
