//! What the claims of an ID token must say (OpenID Connect Core 1.0, sections 2 and 3.1.3.7). Pure.

use std::borrow::Cow;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::LEEWAY;
use crate::clock::Timestamp;
use crate::oidc::json::{self, JsonError};
use crate::oidc::settings::{Algorithm, Settings, TENANT_PLACE};
use crate::secret::Secret;

/// An ID token is fetched the moment it is made; an older one is somebody's keepsake (requirement IT-10).
const MAX_AGE: Duration = Duration::from_mins(10);
/// The year 9999: what no honest token says.
const END_OF_TIME: i64 = 253_402_300_799;

/// What the claims are compared with.
pub(in crate::oidc) struct Expected<'a> {
    pub(in crate::oidc) issuer: &'a str,
    pub(in crate::oidc) client_id: &'a str,
    /// Tenants that may sign in; empty where every tenant of the issuer may.
    pub(in crate::oidc) tenants: &'a [String],
    pub(in crate::oidc) nonce: ExpectedNonce<'a>,
    /// The access token that came with it, for `at_hash`.
    pub(in crate::oidc) access_token: &'a str,
    /// The code that it was got for, for `c_hash`.
    pub(in crate::oidc) code: Option<&'a str>,
    pub(in crate::oidc) now: Timestamp,
}

/// At sign-in the nonce must be there; a refreshed token need not have it (OpenID Connect Core 1.0, section 12.2).
pub(in crate::oidc) enum ExpectedNonce<'a> {
    Exactly(&'a Secret<String>),
    AbsentOr(Option<Secret<String>>),
}

/// The claim that is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::oidc) enum ClaimError {
    /// A claim is missing or of the wrong type.
    #[error("they cannot be read")]
    Json(#[from] JsonError),
    /// `iss` is not the configured issuer.
    #[error("\"iss\" is another issuer")]
    Issuer,
    /// `tid` is not a tenant that may sign in.
    #[error("\"tid\" is a tenant that may not sign in")]
    Tenant,
    /// `aud` does not name this client, or names others too.
    #[error("\"aud\" is not this client alone")]
    Audience,
    /// `azp` is missing or is another client.
    #[error("\"azp\" is not this client")]
    AuthorizedParty,
    /// A moment that is not a sensible number.
    #[error("\"{0}\" is not a moment")]
    NotAMoment(&'static str),
    /// `exp` has passed.
    #[error("\"exp\" has passed")]
    Expired,
    /// `iat` is in the future.
    #[error("\"iat\" is in the future")]
    IssuedInFuture,
    /// `iat` is long ago.
    #[error("\"iat\" is too long ago")]
    IssuedLongAgo,
    /// `nbf` is in the future.
    #[error("\"nbf\" is in the future")]
    NotYetValid,
    /// `nonce` is missing or another attempt's.
    #[error("\"nonce\" is not the one of this attempt")]
    Nonce,
    /// `sub` is empty or too long.
    #[error("\"sub\" is not between 1 and 255 characters")]
    Subject,
    /// `at_hash` or `c_hash` is not the hash of what came along.
    #[error("\"{0}\" is not the hash of what came along")]
    Hash(&'static str),
    /// It has `events`: a logout token or another security event (RFC 8417).
    #[error("it has \"events\", so it is another kind of token")]
    Events,
}

impl Expected<'_> {
    /// Checks every claim; says which issuer the token is from, with the tenant filled in.
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        algorithm: Algorithm,
    ) -> Result<String, ClaimError> {
        if claims.contains_key("events") {
            return Err(ClaimError::Events);
        }
        let issuer = self.issuer_of(claims)?;
        if json::text(claims, "iss")? != issuer {
            return Err(ClaimError::Issuer);
        }
        check_audience(claims, self.client_id)?;
        Times::check(claims, self.now)?;
        self.check_nonce(claims)?;
        check_subject(json::text(claims, "sub")?)?;
        check_hash(claims, "at_hash", Some(self.access_token), algorithm)?;
        check_hash(claims, "c_hash", self.code, algorithm)?;
        Ok(issuer.into_owned())
    }

    /// The issuer that the token must be from: the configured one, with the token's own tenant in its template.
    fn issuer_of(&self, claims: &Map<String, Value>) -> Result<Cow<'_, str>, ClaimError> {
        let is_template = self.issuer.contains(TENANT_PLACE);
        if !is_template && self.tenants.is_empty() {
            return Ok(Cow::Borrowed(self.issuer));
        }
        let tenant = json::text(claims, "tid")?;
        if !self.tenants.iter().any(|allowed| allowed == tenant) {
            return Err(ClaimError::Tenant);
        }
        Ok(Cow::Owned(self.issuer.replace(TENANT_PLACE, tenant)))
    }

    fn check_nonce(&self, claims: &Map<String, Value>) -> Result<(), ClaimError> {
        let nonce = json::optional_text(claims, "nonce")?;
        let is_right = match (&self.nonce, nonce) {
            (ExpectedNonce::Exactly(expected), Some(nonce)) => expected.matches(nonce),
            (ExpectedNonce::Exactly(_), None) => false,
            (ExpectedNonce::AbsentOr(_), None) => true,
            (ExpectedNonce::AbsentOr(expected), Some(nonce)) => {
                expected.as_ref().is_some_and(|expected| expected.matches(nonce))
            }
        };
        if is_right { Ok(()) } else { Err(ClaimError::Nonce) }
    }
}

/// `aud` names this client alone, and `azp` does not name another (section 3.1.3.7, steps 3 to 5).
pub(in crate::oidc) fn check_audience(
    claims: &Map<String, Value>,
    client_id: &str,
) -> Result<(), ClaimError> {
    let audiences = match claims.get("aud") {
        None => return Err(JsonError::Missing("aud").into()),
        Some(Value::String(one)) => vec![one.clone()],
        Some(_) => json::optional_texts(claims, "aud")?.unwrap_or_default(),
    };
    // Another audience could show this token to us as if it came from the person (section 3.1.3.7, step 3).
    if audiences.is_empty() || audiences.iter().any(|audience| audience != client_id) {
        return Err(ClaimError::Audience);
    }
    match json::optional_text(claims, "azp")? {
        Some(party) if party != client_id => Err(ClaimError::AuthorizedParty),
        None if audiences.len() > 1 => Err(ClaimError::AuthorizedParty),
        _ => Ok(()),
    }
}

/// A `sub` of possible length. Counted in characters: the standard says 255 ASCII characters, and others are not refused
/// for being others.
pub(in crate::oidc) fn check_subject(subject: &str) -> Result<(), ClaimError> {
    if (1..=255).contains(&subject.chars().count()) { Ok(()) } else { Err(ClaimError::Subject) }
}

/// From when until when a token may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::oidc) struct Times {
    /// `iat`, by the provider's clock.
    pub(in crate::oidc) issued: Timestamp,
    /// From here on [`Self::check`] refuses it.
    pub(in crate::oidc) over: Timestamp,
}

impl Times {
    /// Checks `exp` and `iat`, which must be there, and `nbf`.
    pub(in crate::oidc) fn check(claims: &Map<String, Value>, now: Timestamp) -> Result<Self, ClaimError> {
        let required = |name| moment(claims, name)?.ok_or(ClaimError::Json(JsonError::Missing(name)));
        let end = required("exp")?.plus(LEEWAY);
        if now >= end {
            return Err(ClaimError::Expired);
        }
        let issued = required("iat")?;
        if issued > now.plus(LEEWAY) {
            return Err(ClaimError::IssuedInFuture);
        }
        if now > issued.plus(MAX_AGE) {
            return Err(ClaimError::IssuedLongAgo);
        }
        match moment(claims, "nbf")? {
            Some(start) if start > now.plus(LEEWAY) => Err(ClaimError::NotYetValid),
            _ => Ok(Self { issued, over: end.min(issued.plus(MAX_AGE).plus_seconds(1)) }),
        }
    }
}

/// Whether `issuer`, as a callback names it (RFC 9207), is the configured one or one of its tenants.
pub(in crate::oidc) fn is_issuer(settings: &Settings, issuer: &str) -> bool {
    if settings.issuer.contains(TENANT_PLACE) {
        return settings.tenants.iter().any(|tenant| settings.issuer.replace(TENANT_PLACE, tenant) == issuer);
    }
    &*settings.issuer == issuer
}

/// Whether the issuer is a template although nothing says which tenants may sign in (requirement SI-21).
pub(in crate::oidc) fn lacks_tenants(settings: &Settings) -> bool {
    settings.issuer.contains(TENANT_PLACE) && settings.tenants.is_empty()
}

/// A `NumericDate` (RFC 7519, section 2): a number of seconds, whole or not, between 1970 and 9999.
pub(in crate::oidc) fn moment(
    claims: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Timestamp>, ClaimError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_i64().or_else(|| value.as_f64().and_then(whole));
    let seconds = seconds.filter(|seconds| (0..=END_OF_TIME).contains(seconds));
    seconds.map(|seconds| Some(Timestamp(seconds))).ok_or(ClaimError::NotAMoment(name))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the range is checked before"
)]
fn whole(seconds: f64) -> Option<i64> {
    (0.0..=END_OF_TIME as f64).contains(&seconds).then_some(seconds.floor() as i64)
}

/// The left half of the hash that the signature algorithm uses (OpenID Connect Core 1.0, section 3.1.3.6).
fn check_hash(
    claims: &Map<String, Value>,
    name: &'static str,
    hashed: Option<&str>,
    algorithm: Algorithm,
) -> Result<(), ClaimError> {
    let (Some(claimed), Some(hashed)) = (json::optional_text(claims, name)?, hashed) else {
        return Ok(());
    };
    let function = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => &digest::SHA256,
        Algorithm::ES384 => &digest::SHA384,
        Algorithm::EdDSA => &digest::SHA512,
    };
    let hash = digest::digest(function, hashed.as_bytes());
    let half = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..function.output_len() / 2]);
    if bool::from(half.as_bytes().ct_eq(claimed.as_bytes())) { Ok(()) } else { Err(ClaimError::Hash(name)) }
}
