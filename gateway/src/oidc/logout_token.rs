//! A logout token: the provider says that a person's session there is over (OpenID Connect Back-Channel Logout 1.0,
//! sections 2.4 and 2.6). Checked like an ID token, by the same keys; knows nothing of the sessions that end by it.

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::stop::Cause;

use super::Provider;
use super::discovery::Metadata;
use super::id_token::{self, ClaimError, IdTokenError, Times, Unverified};
use super::json::{self, JsonError};
use super::keys::{Key, NoKey};
use super::settings::{LogoutTokenType, Settings};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// What only logout tokens have for `typ`.
const TYPE: &str = "logout+jwt";
/// Tokens that may wait for the provider's keys at a time. Those whose key is known never wait.
pub(super) const MAX_WAITING: usize = 64;

/// A logout token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// Who said so, as it stands in the sessions that are meant.
    pub issuer: String,
    /// Whose sessions end.
    pub whose: Whose,
    /// When it was issued, by the provider's clock: what began later is not meant.
    pub issued: Timestamp,
    /// Names this very token: a hash of issuer and `jti`.
    pub name: [u8; 32],
    /// From here on it would be refused anyway, so that nobody needs to remember it.
    pub over: Timestamp,
}

/// Whose sessions a logout token ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of one sign-in at the provider (`sid`); if a `sub` stands beside it, only where both fit.
    Session {
        /// The provider's name for the sign-in.
        sid: String,
        /// The person.
        subject: Option<String>,
    },
    /// All sessions of a person (`sub` alone).
    Person {
        /// The person.
        subject: String,
    },
}

/// Why a logout token ends nothing. Never quotes what came.
#[derive(Debug, thiserror::Error)]
pub enum LogoutTokenError {
    /// It cannot be read, is of another kind, or does not verify.
    #[error("it is refused")]
    Refused(#[source] Cause),
    /// Whether it holds cannot be known now: the provider's keys could not be had.
    #[error("the provider's keys could not be had")]
    NoKeys,
    /// Too many tokens wait for the provider's keys.
    #[error("too many tokens wait for the provider's keys")]
    Busy,
}

/// What is wrong with the token itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// What an ID token would be refused for, too.
    #[error(transparent)]
    Jwt(#[from] IdTokenError),
    /// It has a `nonce`: an ID token, not a logout token.
    #[error("it has a \"nonce\", so it is another kind of token")]
    Nonce,
    /// `events` does not say that a session ended.
    #[error("its \"events\" is not a back-channel logout")]
    Events,
    /// Neither `sub` nor `sid`.
    #[error("it names neither a person nor a session")]
    Nobody,
    /// An empty `sid` or `jti`.
    #[error("its \"{0}\" is empty")]
    Empty(&'static str),
}

impl From<TokenError> for LogoutTokenError {
    fn from(error: TokenError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<ClaimError> for TokenError {
    fn from(error: ClaimError) -> Self {
        IdTokenError::from(error).into()
    }
}

impl From<JsonError> for TokenError {
    fn from(error: JsonError) -> Self {
        ClaimError::from(error).into()
    }
}

/// Which issuer a token says that it is from. Nothing is proved: good for choosing by whose keys to verify it.
pub fn claimed_issuer(text: &Secret<String>) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(text.expose().split('.').nth(1)?).ok()?;
    let claims = json::object(&payload).ok()?;
    json::text(&claims, "iss").ok().map(str::to_owned)
}

impl Provider {
    /// Whether this is the provider of that issuer.
    pub fn has_issuer(&self, issuer: &str) -> bool {
        id_token::is_issuer(&self.settings, issuer)
    }

    /// Verifies a logout token. A key that is not known is asked for as for ID tokens: one fetch, however many such
    /// tokens come (requirements JW-01, BL-11). The metadata are never fetched for one.
    pub async fn verify_logout_token(
        self: &Arc<Self>,
        text: Secret<String>,
    ) -> Result<LogoutToken, LogoutTokenError> {
        let metadata = self.known.metadata().ok_or(LogoutTokenError::NoKeys)?;
        let wanted = self.settings.logout_token_type;
        let token = Unverified::parse_kind(&text, &metadata.algorithms, |kind| is_wanted(kind, wanted));
        let token = token.map_err(TokenError::from)?;
        let said = read(&token.claims, &self.settings, self.clock.now())?;
        let key = self.key_of(&token, &metadata).await?;
        token.verify_signature(&key).map_err(TokenError::from)?;
        Ok(said)
    }

    /// The key that a token names. Nobody waits whose key is known; only so many may wait for others.
    async fn key_of(
        self: &Arc<Self>,
        token: &Unverified<'_>,
        metadata: &Metadata,
    ) -> Result<Key, LogoutTokenError> {
        let (id, algorithm) = (token.header.key_id.clone(), token.header.algorithm);
        if let Some(key) = self.known.keys.at_hand(id.as_deref(), algorithm) {
            return Ok(key);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| LogoutTokenError::Busy)?;
        let url = metadata.jwks_uri.clone();
        let found = self.on_runtime(|provider| async move {
            provider.known.keys.find(&provider.client, &url, id.as_deref(), algorithm).await
        });
        match found.await {
            Some(Ok(key)) => Ok(key),
            Some(Err(NoKey::Unavailable)) | None => Err(LogoutTokenError::NoKeys),
            Some(Err(error)) => Err(TokenError::from(IdTokenError::from(error)).into()),
        }
    }
}

/// By default also what says nothing of its kind, as most providers' tokens do: `events` tells them apart all the same.
pub(super) fn is_wanted(kind: Option<&str>, wanted: LogoutTokenType) -> bool {
    match (wanted, kind.map(id_token::media_type).as_deref()) {
        (_, Some(TYPE)) | (LogoutTokenType::Lenient, None | Some("jwt")) => true,
        (LogoutTokenType::Lenient | LogoutTokenType::Strict, _) => false,
    }
}

/// The checks of section 2.6, but for the signature. Nothing is proved by this alone.
pub(super) fn read(
    claims: &Map<String, Value>,
    settings: &Settings,
    now: Timestamp,
) -> Result<LogoutToken, TokenError> {
    let issuer = json::text(claims, "iss")?;
    if !id_token::is_issuer(settings, issuer) {
        return Err(ClaimError::Issuer.into());
    }
    id_token::check_audience(claims, &settings.client_id)?;
    let times = Times::check(claims, now)?;
    // Whatever its value: ID tokens have one, and must not pass for this (section 2.4).
    if claims.contains_key("nonce") {
        return Err(TokenError::Nonce);
    }
    let event = claims.get("events").and_then(|events| events.as_object()?.get(EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(TokenError::Events);
    }
    let subject = json::optional_text(claims, "sub")?.map(str::to_owned);
    subject.as_deref().map_or(Ok(()), id_token::check_subject)?;
    let whose = match (json::optional_text(claims, "sid")?, subject) {
        (Some(""), _) => return Err(TokenError::Empty("sid")),
        (Some(sid), subject) => Whose::Session { sid: sid.to_owned(), subject },
        (None, Some(subject)) => Whose::Person { subject },
        (None, None) => return Err(TokenError::Nobody),
    };
    let id = json::text(claims, "jti")?;
    if id.is_empty() {
        return Err(TokenError::Empty("jti"));
    }
    let name = name(issuer, id);
    Ok(LogoutToken { issuer: issuer.to_owned(), whose, issued: times.issued, name, over: times.over })
}

/// No two pairs of texts share one: what comes first says how long it is.
fn name(issuer: &str, id: &str) -> [u8; 32] {
    let text = format!("logout token {} {issuer}{id}", issuer.len());
    let mut name = [0; 32];
    name.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    name
}

#[cfg(test)]
mod tests;
