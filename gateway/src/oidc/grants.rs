//! Access tokens that are got without a refresh token: for the gateway itself (client credentials; RFC 6749, section 4.4),
//! by exchange of a token of the person (RFC 8693), and on behalf of a person as Entra does it. Who may have them, and
//! where they are kept, is `tokens`' matter.

use std::time::Duration;

use http::HeaderValue;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::oidc::Provider;
use crate::oidc::ask::Ask;
use crate::oidc::token_endpoint::{AnswerError, Denial, Granted, TokenError};
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::stop::{Fault, Reason, Whose};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// An access token that came by one of these grants. A refresh token beside it is not kept.
#[derive(Debug)]
pub struct AccessToken {
    /// The `Authorization` header with the access token, marked sensitive.
    pub authorization: HeaderValue,
    /// When the access token expires.
    pub expires: Timestamp,
    /// What it is for; as asked where the provider does not say.
    pub granted: ScopeSet,
}

/// What a subject token is (RFC 8693, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// An access token, for this client's own API.
    AccessToken,
    /// The ID token of the sign-in.
    IdToken,
}

impl SubjectKind {
    fn as_uri(self) -> &'static str {
        match self {
            Self::AccessToken => ACCESS_TOKEN,
            Self::IdToken => ID_TOKEN,
        }
    }
}

/// Why there is no access token.
#[derive(Debug)]
pub enum GrantError {
    /// The token that was shown is no longer good. A newer one may be; if that is refused too, it is the fault held here.
    InvalidGrant(Fault),
    /// The person must be asked first: consent, a second factor. The session goes on (requirement TK-10).
    ConsentRequired,
    /// The provider is away or did not answer; how long it asks to be left alone, if it says so. Nothing is spent, so
    /// the same may be tried again later.
    Transient(Fault, Option<Duration>),
    /// The provider, or this gateway's registration with it, is broken. Trying later does not help by itself.
    Broken(Fault),
}

/// The access token in a header that this folder made, for the one use beside sending it: to be exchanged.
pub fn bearer_of(authorization: &HeaderValue) -> Option<Secret<String>> {
    let token = authorization.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(Secret::new(token.to_owned()))
}

impl Provider {
    /// An access token for the gateway itself, in nobody's name.
    ///
    /// # Errors
    /// Never [`GrantError::InvalidGrant`] or [`GrantError::ConsentRequired`]: there is no person to help.
    pub async fn client_credentials(&self, ask: &Ask<'_>) -> Result<AccessToken, GrantError> {
        let parameters = vec![("grant_type", "client_credentials")];
        let granted = self.ask_for(parameters, ask).await?.map_err(of_client)?;
        Ok(self.access_token(&granted, ask))
    }

    /// Exchanges a token of a person for an access token of the same person (RFC 8693).
    ///
    /// # Errors
    /// As [`GrantError`] says.
    pub async fn exchange(
        &self,
        subject_token: &Secret<String>,
        kind: SubjectKind,
        ask: &Ask<'_>,
    ) -> Result<AccessToken, GrantError> {
        let parameters = vec![
            ("grant_type", EXCHANGE),
            ("subject_token", subject_token.expose().as_str()),
            ("subject_token_type", kind.as_uri()),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        let granted = self.ask_for(parameters, ask).await?;
        let granted = granted.map_err(|error| of_person(error, Denial::is_about_the_subject))?;
        if !gives_access_token(&granted) {
            let error = TokenError::Answer(AnswerError::IssuedTokenType);
            return Err(GrantError::Broken(error.into_fault()));
        }
        Ok(self.access_token(&granted, ask))
    }

    /// Gets an access token of the person for an API behind this one, by an access token for this one: Entra's
    /// on-behalf-of flow (the JWT bearer grant of RFC 7523, section 2.1, with `requested_token_use`).
    ///
    /// # Errors
    /// As [`GrantError`] says.
    pub async fn on_behalf_of(
        &self,
        assertion: &Secret<String>,
        ask: &Ask<'_>,
    ) -> Result<AccessToken, GrantError> {
        let parameters = vec![
            ("grant_type", JWT_BEARER),
            ("assertion", assertion.expose().as_str()),
            ("requested_token_use", "on_behalf_of"),
        ];
        let granted = self.ask_for(parameters, ask).await?;
        let granted = granted.map_err(|error| of_person(error, Denial::is_invalid_grant))?;
        Ok(self.access_token(&granted, ask))
    }

    /// Asks the token endpoint; the outer error is that there is none yet.
    async fn ask_for(
        &self,
        parameters: Vec<(&str, &str)>,
        ask: &Ask<'_>,
    ) -> Result<Result<Granted, TokenError>, GrantError> {
        let metadata = self.metadata().await.map_err(|error| {
            let (whose, reason) = (Whose::Provider, Reason::ProviderUnavailable);
            GrantError::Transient(Fault { whose, reason, cause: error.into() }, None)
        })?;
        let scope = ask.scopes.to_string();
        let mut parameters = parameters;
        ask.add_to(&mut parameters, &scope);
        Ok(self.ask_for_tokens(&metadata, &parameters).await)
    }

    fn access_token(&self, granted: &Granted, ask: &Ask<'_>) -> AccessToken {
        AccessToken {
            authorization: granted.authorization(),
            expires: self.clock.now().plus(granted.life),
            granted: granted.scopes.clone().unwrap_or_else(|| ask.scopes.clone()),
        }
    }
}

/// Whether an exchange gave what was asked for; one that does not say is believed to have.
fn gives_access_token(granted: &Granted) -> bool {
    match &granted.issued_token_type {
        None => true,
        Some(Value::String(kind)) => matches!(&**kind, ACCESS_TOKEN | JWT),
        Some(_) => false,
    }
}

fn of_client(error: TokenError) -> GrantError {
    if error.is_transient() {
        let pause = error.retry_after();
        return GrantError::Transient(error.into_fault(), pause);
    }
    GrantError::Broken(error.into_fault())
}

fn of_person(error: TokenError, is_about_the_token: fn(&Denial) -> bool) -> GrantError {
    match error {
        TokenError::Denied(_, ref denial) if denial.asks_for_the_person() => GrantError::ConsentRequired,
        TokenError::Denied(_, ref denial) if is_about_the_token(denial) => {
            GrantError::InvalidGrant(error.into_fault())
        }
        error => of_client(error),
    }
}

#[cfg(test)]
mod tests;
