//! The userinfo endpoint (OpenID Connect Core 1.0, section 5.3): asked once, at the sign-in, for the claims that the
//! configuration names and nothing else. What it says of another person, or what it does not sign as it should, ends the
//! sign-in (requirement IT-14).

use http::StatusCode;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::oidc::Provider;
use crate::oidc::discovery::Metadata;
use crate::oidc::http::{CallError, Kind};
use crate::oidc::id_token::{ClaimError, IdTokenError, LEEWAY, Unverified, moment};
use crate::oidc::json::{self, JsonError};
use crate::oidc::keys::NoKey;
use crate::oidc::settings::{SIGN_IN_CLAIMS, Userinfo};
use crate::oidc::token_endpoint::Granted;
use crate::secret::Secret;
use crate::stop::{Reason, Stop, Whose};

/// Why there are no such claims.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserinfoError {
    /// The metadata names no endpoint.
    #[error("the provider has no userinfo endpoint")]
    NoEndpoint,
    /// Nothing readable came back.
    #[error("the userinfo endpoint could not be called")]
    Call(#[from] CallError),
    /// Another status than 200.
    #[error("the userinfo endpoint answered {0}")]
    Status(StatusCode),
    /// Not a strict JSON object.
    #[error("the answer of the userinfo endpoint cannot be read")]
    Json(#[from] JsonError),
    /// Signed, and the signature does not hold.
    #[error("the signed answer of the userinfo endpoint is refused")]
    Token(#[from] IdTokenError),
    /// Signed by or for somebody else, or no longer valid.
    #[error("the signed answer of the userinfo endpoint is refused: its {0}")]
    Claim(#[from] ClaimError),
    /// Another person's (section 5.3.4), or nobody's.
    #[error("the userinfo endpoint speaks of another person than the ID token")]
    Subject,
}

impl UserinfoError {
    /// Whether what came back is a lie, or might be one; otherwise it is a failure.
    pub(super) fn is_false(&self) -> bool {
        let no_keys = matches!(self, Self::Token(IdTokenError::Key(NoKey::Unavailable)));
        matches!(self, Self::Token(_) | Self::Claim(_) | Self::Subject) && !no_keys
    }
}

impl From<UserinfoError> for Stop {
    fn from(error: UserinfoError) -> Self {
        let is_transient = match &error {
            UserinfoError::Call(cause) => cause.is_transient(),
            UserinfoError::Status(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            UserinfoError::Token(IdTokenError::Key(NoKey::Unavailable)) => true,
            _ => false,
        };
        let reason = if is_transient { Reason::ProviderUnavailable } else { Reason::ProviderBroken };
        Self::failed(Whose::Provider, reason, error)
    }
}

impl Provider {
    /// The claims of a verified ID token, with what the userinfo endpoint says in the place of those that the
    /// configuration takes from there. `claims` are returned as they are where it need not be asked.
    pub(super) async fn with_userinfo(
        &self,
        metadata: &Metadata,
        granted: &Granted,
        mut claims: Map<String, Value>,
    ) -> Result<Map<String, Value>, UserinfoError> {
        if !self.settings.userinfo.is_needed(&claims) {
            return Ok(claims);
        }
        let url = metadata.userinfo_endpoint.as_ref().ok_or(UserinfoError::NoEndpoint)?;
        let reply = self.client.get_as_bearer(url, granted.authorization()).await?;
        if reply.status != StatusCode::OK {
            return Err(UserinfoError::Status(reply.status));
        }
        let said = match reply.kind {
            Kind::Json => json::object(&reply.body)?,
            Kind::Jwt => self.signed_userinfo(metadata, &reply.body, &claims).await?,
        };
        if claims.get("sub").is_none() || said.get("sub") != claims.get("sub") {
            return Err(UserinfoError::Subject);
        }
        take(&self.settings.userinfo, &mut claims, said);
        Ok(claims)
    }

    /// A signed answer (section 5.3.2): by the provider's keys and the algorithms of ID tokens, from the ID token's
    /// issuer, for this client.
    async fn signed_userinfo(
        &self,
        metadata: &Metadata,
        body: &[u8],
        of_id_token: &Map<String, Value>,
    ) -> Result<Map<String, Value>, UserinfoError> {
        let text = std::str::from_utf8(body).map_err(|_| IdTokenError::Form)?;
        let text = Secret::new(text.trim().to_owned());
        let token = Unverified::parse(&text, &metadata.algorithms)?;
        let key = self.key_for(metadata, &token.header).await.map_err(IdTokenError::Key)?;
        let said = token.signed_claims(&key)?;
        check(&said, of_id_token, &self.settings.client_id, self.clock.now())?;
        Ok(said)
    }
}

pub(super) fn check(
    said: &Map<String, Value>,
    of_id_token: &Map<String, Value>,
    client_id: &str,
    now: Timestamp,
) -> Result<(), ClaimError> {
    let issuer = said.get("iss");
    if issuer.is_none() || issuer != of_id_token.get("iss") {
        return Err(ClaimError::Issuer);
    }
    let is_for_us = match said.get("aud") {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(several)) => several.iter().any(|one| one == client_id),
        _ => false,
    };
    if !is_for_us {
        return Err(ClaimError::Audience);
    }
    match moment(said, "exp")? {
        Some(end) if now >= end.plus(LEEWAY) => Err(ClaimError::Expired),
        _ => Ok(()),
    }
}

/// The named claims, and no others. None of them says who it is or how they signed in: that the ID token alone says.
pub(super) fn take(settings: &Userinfo, claims: &mut Map<String, Value>, mut said: Map<String, Value>) {
    for name in settings.claims.iter().filter(|name| !SIGN_IN_CLAIMS.contains(&name.as_str())) {
        if let Some(value) = said.remove(name) {
            claims.insert(name.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests;
