//! Signing out at the provider: the request that ends its session too (OpenID Connect RP-Initiated Logout 1.0), and
//! the revocation of the refresh token (RFC 7009). Neither is needed for the gateway's own session to end.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use url::Url;

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

/// Longer addresses are refused on the way often enough (requirement LO-08).
const LONGEST_ADDRESS: usize = 2_048;

/// A request that ends the person's session at the provider (RP-Initiated Logout, section 2).
pub struct EndSession {
    endpoint: Url,
    hint: Secret<String>,
    others: [(&'static str, String); 3],
}

/// How the browser brings it there.
pub enum Carriage {
    /// By going to this address.
    Address(String),
    /// By a form, because the address would be too long: where it is posted, and its fields.
    Form(Url, Vec<(&'static str, Secret<String>)>),
}

impl EndSession {
    /// For a browser that shows pages.
    pub fn carriage(&self) -> Carriage {
        let address = self.address([self.hint()].into_iter().chain(self.others()));
        if address.len() <= LONGEST_ADDRESS {
            return Carriage::Address(address);
        }
        let fields = [self.hint()].into_iter().chain(self.others());
        let fields = fields.map(|(name, value)| (name, Secret::new(value.to_owned()))).collect();
        Carriage::Form(self.endpoint.clone(), fields)
    }

    /// For a script, which is told an address and nothing else: where that would be too long it goes without the ID
    /// token. The provider may ask the person then whether they mean it.
    pub fn address_for_scripts(&self) -> String {
        match self.carriage() {
            Carriage::Address(address) => address,
            Carriage::Form(..) => self.address(self.others()),
        }
    }

    fn hint(&self) -> (&'static str, &str) {
        ("id_token_hint", self.hint.expose())
    }

    fn others(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.others.iter().map(|(name, value)| (*name, value.as_str()))
    }

    fn address<'a>(&self, fields: impl Iterator<Item = (&'static str, &'a str)>) -> String {
        let mut url = self.endpoint.clone();
        url.query_pairs_mut().extend_pairs(fields);
        url.into()
    }
}

impl Provider {
    /// The origins at which the provider may show pages of its own, as far as they are known.
    pub fn origins(&self) -> Vec<String> {
        let metadata = self.known.metadata();
        let metadata = metadata.as_ref();
        let issuer = Url::parse(&self.settings.issuer).ok();
        let authorization = metadata.map(|metadata| metadata.authorization_endpoint.clone());
        let end_session = metadata.and_then(|metadata| metadata.end_session_endpoint.clone());
        let urls = [issuer, authorization, end_session].into_iter().flatten();
        urls.map(|url| url.origin())
            .filter(url::Origin::is_tuple)
            .map(|origin| origin.ascii_serialization())
            .collect()
    }

    /// What the browser has to bring to the provider so that it forgets the person too, and then sends it back with
    /// `state`: to `back`, or else to `public_url`. Nothing if the provider has no such place, or was never reached.
    pub fn end_session(
        &self,
        id_token: &Secret<String>,
        state: &str,
        back: Option<String>,
    ) -> Option<EndSession> {
        let back = back.unwrap_or_else(|| self.settings.post_logout_redirect_uri.to_string());
        let endpoint = self.known.metadata()?.end_session_endpoint.clone()?;
        Some(EndSession {
            endpoint,
            hint: id_token.clone(),
            others: [
                ("client_id", self.settings.client_id.clone()),
                ("post_logout_redirect_uri", back),
                ("state", state.to_owned()),
            ],
        })
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
