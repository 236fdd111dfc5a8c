//! An ID token, checked by the list of OpenID Connect Core 1.0, section 3.1.3.7. The signature is the library's work;
//! everything that it leaves open, and everything that two readers could read in two ways, is checked here.

mod claims;
mod header;

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm};
use openidconnect::{ClientId, IssuerUrl, JsonWebKey, JsonWebKeySet, Nonce};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::oidc::json::{self, JsonError};
use crate::oidc::keys::{Key, NoKey};
use crate::oidc::settings::Algorithm;
use crate::secret::Secret;

pub(super) use claims::{
    ClaimError, Expected, ExpectedNonce, Times, check_audience, check_subject, is_issuer, lacks_tenants,
    moment,
};
pub(super) use header::{Header, HeaderError, media_type};

/// How far the provider's clock may differ from ours (requirement IT-10).
pub(super) const LEEWAY: Duration = Duration::from_mins(1);

/// Why an ID token is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum IdTokenError {
    /// Not three parts of base64url: encrypted, unsigned, or no token at all.
    #[error("it does not have the form of a signed token")]
    Form,
    /// The header is not strict JSON.
    #[error("its header cannot be read")]
    HeaderJson(#[source] JsonError),
    /// The header asks for something that is not done here.
    #[error("its header is refused")]
    Header(#[from] HeaderError),
    /// The payload is not strict JSON.
    #[error("its claims cannot be read")]
    ClaimsJson(#[source] JsonError),
    /// A claim is not what it must be.
    #[error("its claims are refused")]
    Claims(#[from] ClaimError),
    /// No key for it.
    #[error("there is no key for it")]
    Key(#[from] NoKey),
    /// The library does not read it, although it is well formed: a standard claim of an impossible type.
    #[error("one of its standard claims is of an impossible type")]
    Type,
    /// The signature is wrong, or the library found what the checks here should have found.
    #[error("it does not verify: {0}")]
    Verification(&'static str),
}

/// A token taken apart. Nothing in it is proved.
pub(super) struct Unverified<'a> {
    text: &'a Secret<String>,
    pub(super) header: Header,
    pub(super) claims: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    /// Takes an ID token apart.
    pub(super) fn parse(text: &'a Secret<String>, algorithms: &[Algorithm]) -> Result<Self, IdTokenError> {
        Self::parse_kind(text, algorithms, header::is_id_token)
    }

    /// Takes a compact JWS apart (RFC 7515, section 7.1) whose `typ` is one that is wanted.
    pub(super) fn parse_kind(
        text: &'a Secret<String>,
        algorithms: &[Algorithm],
        is_wanted: impl Fn(Option<&str>) -> bool,
    ) -> Result<Self, IdTokenError> {
        let parts: Vec<&str> = text.expose().split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(IdTokenError::Form);
        };
        if signature.is_empty() {
            return Err(IdTokenError::Form);
        }
        let header = json::object(&decode(header)?).map_err(IdTokenError::HeaderJson)?;
        let header = Header::read(&header, algorithms, is_wanted)?;
        let claims = json::object(&decode(payload)?).map_err(IdTokenError::ClaimsJson)?;
        decode(signature)?;
        Ok(Self { text, header, claims })
    }

    /// Checks the signature by `key` and nothing else, and gives the claims away.
    pub(super) fn verify_signature(self, key: &Key) -> Result<Map<String, Value>, IdTokenError> {
        let (input, signature) = self.text.expose().rsplit_once('.').ok_or(IdTokenError::Form)?;
        let algorithm = library_algorithm(self.header.algorithm);
        key.to_library()
            .verify_signature(&algorithm, input.as_bytes(), &decode(signature)?)
            .map_err(|_| IdTokenError::Verification("signature"))?;
        Ok(self.claims)
    }

    /// Checks the claims, then the signature by `key`, and only then gives the claims away.
    pub(super) fn verify(
        self,
        key: &Key,
        expected: &Expected<'_>,
    ) -> Result<Map<String, Value>, IdTokenError> {
        let issuer = expected.check(&self.claims, self.header.algorithm)?;
        verify_by_library(self.text, key, self.header.algorithm, &issuer, expected)?;
        Ok(self.claims)
    }
}

impl Unverified<'_> {
    /// Checks the signature by `key` and nothing else: what the claims must say is the caller's matter. For statements
    /// of the provider that are no ID tokens.
    pub(super) fn signed_claims(self, key: &Key) -> Result<Map<String, Value>, IdTokenError> {
        let (signed, signature) = self.text.expose().rsplit_once('.').ok_or(IdTokenError::Form)?;
        let holds = key.verifies(self.header.algorithm, signed.as_bytes(), &decode(signature)?);
        if holds { Ok(self.claims) } else { Err(IdTokenError::Verification("signature")) }
    }
}

/// The `nonce` of a token that was verified before.
pub(super) fn nonce_of(verified: &Secret<String>) -> Option<Secret<String>> {
    let payload = verified.expose().split('.').nth(1)?;
    let claims = json::object(&decode(payload).ok()?).ok()?;
    json::optional_text(&claims, "nonce").ok()?.map(|nonce| Secret::new(nonce.to_owned()))
}

/// The claims that say something about the person, for an identity.
pub fn about_the_person(mut claims: Map<String, Value>) -> Map<String, Value> {
    claims.retain(|name, _| !is_protocol_claim(name));
    claims
}

/// Claims that serve the protocol and say nothing of the person (RFC 7519, section 4.1; OpenID Connect Core 1.0,
/// section 2), and three opaque ones that Entra uses for itself.
fn is_protocol_claim(name: &str) -> bool {
    matches!(
        name,
        "iss"
            | "aud"
            | "exp"
            | "iat"
            | "nbf"
            | "jti"
            | "nonce"
            | "azp"
            | "at_hash"
            | "c_hash"
            | "s_hash"
            | "aio"
            | "rh"
            | "uti"
    )
}

fn decode(part: &str) -> Result<Vec<u8>, IdTokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| IdTokenError::Form)
}

/// The second opinion, and the only one on the signature. The verifier is that of a public client, so that there is
/// no secret it could mistake for an HMAC key, and it knows one key and one algorithm.
fn verify_by_library(
    text: &Secret<String>,
    key: &Key,
    algorithm: Algorithm,
    issuer: &str,
    expected: &Expected<'_>,
) -> Result<(), IdTokenError> {
    let token: CoreIdToken = text.expose().parse().map_err(|_| IdTokenError::Type)?;
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| IdTokenError::Verification("issuer"))?;
    let keys = JsonWebKeySet::new(vec![key.to_library()]);
    let now = expected.now.minus(LEEWAY);
    let verifier =
        CoreIdTokenVerifier::new_public_client(ClientId::new(expected.client_id.to_owned()), issuer, keys)
            .set_allowed_algs([library_algorithm(algorithm)])
            .set_time_fn(move || system_time(now).into());
    let verified = match &expected.nonce {
        ExpectedNonce::Exactly(nonce) => {
            token.claims(&verifier, &Nonce::new(nonce.expose().clone())).map(|_| ())
        }
        // Compared already, where it is present.
        ExpectedNonce::AbsentOr(_) => token.claims(&verifier, |_: Option<&Nonce>| Ok(())).map(|_| ()),
    };
    verified.map_err(|error| IdTokenError::Verification(kind(&error)))
}

fn system_time(moment: Timestamp) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(moment.0).unwrap_or(0))
}

fn library_algorithm(algorithm: Algorithm) -> CoreJwsSigningAlgorithm {
    match algorithm {
        Algorithm::RS256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::PS256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        Algorithm::ES256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::ES384 => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        Algorithm::EdDSA => CoreJwsSigningAlgorithm::EdDsa,
    }
}

/// The library's errors quote what they refuse; the log gets only which check it was.
fn kind(error: &openidconnect::ClaimsVerificationError) -> &'static str {
    use openidconnect::ClaimsVerificationError as Error;
    match error {
        Error::Expired(_) => "expired",
        Error::InvalidAudience(_) => "audience",
        Error::InvalidIssuer(_) => "issuer",
        Error::InvalidNonce(_) => "nonce",
        Error::InvalidSubject(_) => "subject",
        Error::SignatureVerification(_) => "signature",
        Error::Unsupported(_) => "unsupported",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
