//! Refreshing: a new access token, and whatever the provider renews with it (RFC 6749, section 6; OpenID Connect
//! Core 1.0, section 12). Which session may do so, and when, is `tokens`' matter.

use std::time::Duration;

use http::HeaderValue;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::oidc::Provider;
use crate::oidc::ask::{Ask, is_about_sign_in};
use crate::oidc::discovery::Metadata;
use crate::oidc::id_token::{self, Expected, ExpectedNonce, IdTokenError};
use crate::oidc::keys::NoKey;
use crate::oidc::settings::When;
use crate::oidc::token_endpoint::{Granted, TokenError};
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::session::{Credentials, Identity};
use crate::stop::{Fault, Reason, Whose, causes};

/// What a refresh brought.
#[derive(Debug)]
pub struct Refreshed {
    /// The `Authorization` header with the access token, marked sensitive.
    pub authorization: HeaderValue,
    /// When the access token expires.
    pub expires: Timestamp,
    /// What the access token is for; as asked where the provider does not say.
    pub granted: ScopeSet,
    /// The refresh token that takes the place of the spent one; nothing if the old one stays.
    pub refresh_token: Option<Secret<String>>,
    /// A newer ID token of the same person, verified.
    pub id_token: Option<Secret<String>>,
    /// What that token says of the person, in the place of all that was known before (requirement IT-22).
    pub identity_claims: Option<Map<String, Value>>,
}

/// Why a refresh brought nothing.
#[derive(Debug)]
pub enum RefreshError {
    /// The grant is gone: expired, revoked, or its token used twice. The session must end (requirement TK-07).
    InvalidGrant,
    /// The person must be asked first: consent, a second factor. The session goes on (requirement TK-10).
    ConsentRequired,
    /// The provider is away: it was not reached, or says that it is busy and perhaps for how long. The refresh token is
    /// not spent, the session goes on, and trying later may help (requirement TK-08).
    Transient(Fault, Option<Duration>),
    /// The request may have reached the provider, and no whole answer came back: the refresh token may be spent and its
    /// successor lost. Providers with an overlap give the successor again, if the same token comes again soon.
    Lost(Fault),
    /// The provider, or this gateway's registration with it, is broken. Trying later does not help by itself.
    Broken(Fault),
    /// The new ID token is another person's or does not verify: the session must end, what came along is worthless
    /// (requirement TK-09). Holds the refresh token that came with it, to be revoked.
    IdentityMismatch(Option<Secret<String>>),
}

impl Provider {
    /// Spends the refresh token of `credentials` for an access token that is good for what is asked. Runs where the
    /// caller runs: call it from a task of the shared runtime that nobody breaks off, or the successor is lost.
    pub async fn refresh(
        &self,
        credentials: &Credentials,
        identity: &Identity,
        ask: &Ask<'_>,
    ) -> Result<Refreshed, RefreshError> {
        let Some(refresh_token) = &credentials.refresh_token else {
            return Err(RefreshError::ConsentRequired);
        };
        let metadata = self.metadata().await.map_err(|error| {
            let (whose, reason) = (Whose::Provider, Reason::ProviderUnavailable);
            RefreshError::Transient(Fault { whose, reason, cause: error.into() }, None)
        })?;
        let scope = self.scopes_to_ask(ask);
        let mut parameters =
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose().as_str())];
        ask.add_to(&mut parameters, &scope);
        let granted = self.ask_for_tokens(&metadata, &parameters).await.map_err(of_refresh)?;
        let renewed = self.check_renewed(&metadata, credentials, identity, &granted).await?;
        let (id_token, identity_claims) = renewed.unzip();
        Ok(Refreshed {
            authorization: granted.authorization(),
            expires: self.clock.now().plus(granted.life),
            granted: granted.scopes.clone().unwrap_or_else(|| ask.scopes.clone()),
            refresh_token: granted.refresh_token,
            id_token,
            identity_claims,
        })
    }

    /// The scopes, with those of the sign-in that ask for no API: some providers (Entra among them) renew the refresh
    /// token and the ID token only when they are asked for by their scopes. Without any scope the provider gives what
    /// the sign-in asked for (RFC 6749, section 6).
    fn scopes_to_ask(&self, ask: &Ask<'_>) -> String {
        if ask.scopes.is_empty() {
            return String::new();
        }
        let of_sign_in = self.settings.scopes.only(is_about_sign_in);
        ask.scopes.union(&of_sign_in).to_string()
    }

    /// A renewed ID token and what it says of the person, if there is one and it is the same person's (OpenID Connect
    /// Core 1.0, section 12.2).
    async fn check_renewed(
        &self,
        metadata: &Metadata,
        credentials: &Credentials,
        identity: &Identity,
        granted: &Granted,
    ) -> Result<Option<(Secret<String>, Map<String, Value>)>, RefreshError> {
        let Some(id_token) = &granted.id_token else {
            return Ok(None);
        };
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            tenants: &self.settings.tenants,
            nonce: ExpectedNonce::AbsentOr(id_token::nonce_of(&credentials.id_token)),
            access_token: granted.access_token.expose(),
            code: None,
            now: self.clock.now(),
        };
        let detail = match self.verify(metadata, id_token, &expected).await {
            Ok(claims) if is_same_person(&claims, identity) => {
                let claims = self.keep_userinfo(id_token::about_the_person(claims), identity);
                return Ok(Some((id_token.clone(), claims)));
            }
            // The refresh token is spent: to lose its successor because keys are away would end the session.
            Err(IdTokenError::Key(NoKey::Unavailable)) => return Ok(None),
            Ok(_) => "it is another person's".to_owned(),
            Err(error) => causes(&error),
        };
        tracing::warn!(
            target: "gateway::oidc",
            event = "refreshed_identity_refused",
            detail,
            "a refreshed ID token was refused",
        );
        Err(RefreshError::IdentityMismatch(granted.refresh_token.clone()))
    }
}

impl Provider {
    /// What the userinfo endpoint said at the sign-in stays: a refreshed access token is often for an API, and not good
    /// for asking again.
    fn keep_userinfo(&self, mut claims: Map<String, Value>, identity: &Identity) -> Map<String, Value> {
        if self.settings.userinfo.when != When::Never {
            for name in &self.settings.userinfo.claims {
                if let (false, Some(known)) = (claims.contains_key(name), identity.claims.get(name)) {
                    claims.insert(name.clone(), known.clone());
                }
            }
        }
        claims
    }
}

fn is_same_person(claims: &Map<String, Value>, identity: &Identity) -> bool {
    let is = |name: &str, expected: &str| claims.get(name).and_then(Value::as_str) == Some(expected);
    is("iss", &identity.issuer) && is("sub", &identity.subject)
}

fn of_refresh(error: TokenError) -> RefreshError {
    match error {
        TokenError::Denied(_, ref denial) if denial.is_invalid_grant() => RefreshError::InvalidGrant,
        TokenError::Denied(_, ref denial) if denial.needs_the_person() => RefreshError::ConsentRequired,
        error if error.is_lost() => RefreshError::Lost(error.into_fault()),
        error if error.is_transient() => {
            let pause = error.retry_after();
            RefreshError::Transient(error.into_fault(), pause)
        }
        error => RefreshError::Broken(error.into_fault()),
    }
}

#[cfg(test)]
mod tests;
