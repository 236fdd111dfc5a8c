//! Signing out at the provider: the redirect that ends its session too (OpenID Connect RP-Initiated Logout 1.0), and
//! the revocation of the refresh token (RFC 7009). Neither is needed for the gateway's own session to end.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::oidc::http::CallError;
use crate::oidc::{BrokenOff, Provider};
use crate::secret::Secret;
use crate::stop::{Fault, Reason, Whose};

/// Nobody waits longer for a revocation (requirement LO-07).
const REVOCATION_LIMIT: Duration = Duration::from_secs(2);

/// The provider did not take a token back.
#[derive(Debug, thiserror::Error)]
enum RevocationError {
    #[error("the revocation endpoint could not be called")]
    Call(#[from] CallError),
    #[error("the revocation endpoint answered {0}")]
    Status(StatusCode),
}

impl Provider {
    /// Where to send the browser so that the provider forgets the person too, and then sends it back with `state`.
    /// Nothing if the provider has no such place, or was never reached.
    pub fn end_session_url(&self, id_token: &Secret<String>, state: &str) -> Option<String> {
        let mut url = self.known.metadata()?.end_session_endpoint.clone()?;
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token.expose())
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", self.settings.post_logout_redirect_uri.as_str())
            .append_pair("state", state);
        Some(url.into())
    }

    /// Takes a refresh token back at the provider, within two seconds. A provider without a revocation endpoint has
    /// nothing to do.
    ///
    /// # Errors
    /// A fault, for the log: nothing depends on it.
    pub async fn revoke(self: &Arc<Self>, refresh_token: &Secret<String>) -> Result<(), Fault> {
        let token = refresh_token.clone();
        let revoked = self.on_runtime(|provider| async move { provider.revoke_now(&token).await }).await;
        let fault = |whose, reason, cause: crate::stop::Cause| Fault { whose, reason, cause };
        match revoked {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(fault(Whose::Provider, Reason::ProviderUnavailable, error.into())),
            None => Err(fault(Whose::Gateway, Reason::Internal, BrokenOff.into())),
        }
    }

    async fn revoke_now(&self, token: &Secret<String>) -> Result<(), RevocationError> {
        let Some(metadata) = self.known.metadata() else {
            return Ok(());
        };
        let Some(url) = &metadata.revocation_endpoint else {
            return Ok(());
        };
        let parameters = [("token", token.expose().as_str()), ("token_type_hint", "refresh_token")];
        match self.post_as_client(&metadata, url, &parameters, REVOCATION_LIMIT).await {
            // What a success says is nobody's concern (RFC 7009, section 2.2).
            Err(CallError::NotJson(_)) => Ok(()),
            Ok(reply) if reply.status.is_success() => Ok(()),
            Ok(reply) => Err(RevocationError::Status(reply.status)),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
