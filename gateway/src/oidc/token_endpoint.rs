//! The token endpoint: what the gateway sends there, and how strictly it reads what comes back (RFC 6749, sections
//! 4.1.3, 5 and 6). What an answer means for a person or a session is decided elsewhere.

pub(super) mod answer;

use std::time::Duration;

use http::StatusCode;

use crate::oidc::Provider;
use crate::oidc::discovery::Metadata;
use crate::oidc::http::{CallError, TOTAL_LIMIT};
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

impl Provider {
    /// Asks for tokens, once: a code or a refresh token that was sent may be spent (requirement CB-20).
    pub(super) async fn ask_for_tokens(
        &self,
        metadata: &Metadata,
        parameters: &[(&str, &str)],
    ) -> Result<Granted, TokenError> {
        let reply = self.post_as_client(metadata, &metadata.token_endpoint, parameters, TOTAL_LIMIT).await?;
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
}
