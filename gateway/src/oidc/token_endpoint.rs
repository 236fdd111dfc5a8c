//! The token endpoint: how the gateway proves who it is, what it sends, and how strictly it reads what comes back
//! (RFC 6749, sections 2.3, 4.1.3, 5 and 6). What an answer means for a person or a session is decided elsewhere.

mod answer;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use url::{Url, form_urlencoded};

use crate::oidc::http::{CallError, HttpClient, TOTAL_LIMIT};
use crate::oidc::settings::{ClientAuthentication, Settings};
use crate::stop::{Fault, Reason, Whose};

pub(super) use answer::{AnswerError, Denial, Granted};

/// Why the token endpoint gave no tokens.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// Nothing readable came back.
    #[error("the token endpoint could not be called")]
    Call(#[from] CallError),
    /// 5xx, 429 or 408: try again later, and not before the pause it asks for.
    #[error("the token endpoint answered {0}")]
    Busy(StatusCode, Option<Duration>),
    /// It said no.
    #[error("the token endpoint answered {0}: {1}")]
    Denied(StatusCode, Denial),
    /// It said yes in a way that cannot be used.
    #[error("the token endpoint's answer is refused")]
    Answer(#[from] AnswerError),
    /// A status that this endpoint never has.
    #[error("the token endpoint answered {0}")]
    Status(StatusCode),
}

impl TokenError {
    /// Whether trying again later may help by itself.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Busy(..) => true,
            Self::Call(cause) => cause.is_transient(),
            Self::Denied(..) | Self::Answer(_) | Self::Status(_) => false,
        }
    }

    /// Whether the request may have been acted on, although nobody knows what came of it: what it spent may be spent.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Call(cause) if cause.is_lost())
    }

    /// How long the provider asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        if let Self::Busy(_, pause) = self { *pause } else { None }
    }

    /// The provider's fault: it is away, or it is broken.
    pub(super) fn into_fault(self) -> Fault {
        let reason = if self.is_transient() { Reason::ProviderUnavailable } else { Reason::ProviderBroken };
        Fault { whose: Whose::Provider, reason, cause: self.into() }
    }
}

/// Asks for tokens, once: a code or a refresh token that was sent may be spent (requirement CB-20).
pub(super) async fn ask(
    client: &HttpClient,
    settings: &Settings,
    url: &Url,
    parameters: &[(&str, &str)],
) -> Result<Granted, TokenError> {
    let (headers, form) = prepare(settings, parameters);
    let reply = client.post(url, headers, form, TOTAL_LIMIT).await?;
    match reply.status {
        StatusCode::OK => Ok(answer::read(&reply.body)?),
        status @ (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) => {
            Err(TokenError::Busy(status, reply.retry_after))
        }
        status if status.is_server_error() => Err(TokenError::Busy(status, reply.retry_after)),
        status if status.is_client_error() => Err(TokenError::Denied(status, Denial::read(&reply.body))),
        status => Err(TokenError::Status(status)),
    }
}

/// The form and the headers of an authenticated request, by the configured method and no other.
pub(super) fn prepare(settings: &Settings, parameters: &[(&str, &str)]) -> (HeaderMap, String) {
    let mut headers = HeaderMap::new();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    match &settings.authentication {
        ClientAuthentication::SecretBasic(secret) => {
            headers.insert(AUTHORIZATION, basic(&settings.client_id, secret.expose()));
        }
        ClientAuthentication::SecretPost(secret) => {
            form.append_pair("client_id", &settings.client_id).append_pair("client_secret", secret.expose());
        }
        ClientAuthentication::None => {
            form.append_pair("client_id", &settings.client_id);
        }
    }
    (headers, form.finish())
}

/// Both halves are form-encoded before they are joined, so that a colon in one cannot move the border (RFC 6749,
/// section 2.3.1; requirement CB-13).
fn basic(client_id: &str, secret: &str) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret)));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::testing;
    use crate::secret::Secret;

    fn prepared(authentication: ClientAuthentication) -> (HeaderMap, String) {
        let settings = Settings { authentication, ..testing::settings("http://localhost:3002") };
        prepare(&settings, &[("grant_type", "authorization_code"), ("code", "a b&c")])
    }

    #[test]
    fn basic_authentication_encodes_both_halves() {
        let (headers, form) = prepared(ClientAuthentication::SecretBasic(Secret::new("p%:+ é&=".to_owned())));
        let sent =
            headers[AUTHORIZATION].to_str().expect("ASCII").strip_prefix("Basic ").expect("the scheme");
        let pair = STANDARD.decode(sent).expect("base64");
        assert_eq!(pair, b"todo-web:p%25%3A%2B+%C3%A9%26%3D");
        assert_eq!(form, "grant_type=authorization_code&code=a+b%26c", "the secret is not in the body");
        assert!(headers[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn the_secret_goes_where_the_configuration_says_and_nowhere_else() {
        let (headers, form) = prepared(ClientAuthentication::SecretPost(Secret::new("p&=".to_owned())));
        assert!(headers.is_empty());
        assert!(form.ends_with("&client_id=todo-web&client_secret=p%26%3D"));
        let (headers, form) = prepared(ClientAuthentication::None);
        assert!(headers.is_empty());
        assert!(form.ends_with("&client_id=todo-web"));
    }
}
