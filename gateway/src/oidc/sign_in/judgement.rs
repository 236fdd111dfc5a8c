//! Whether an answer belongs to an attempt, and whose fault it is if not. Pure.

use super::{reject, reject_because};
use crate::clock::Timestamp;
use crate::oidc::callback::Answer;
use crate::oidc::discovery::Metadata;
use crate::oidc::id_token::{self, ClaimError, IdTokenError};
use crate::oidc::keys::NoKey;
use crate::oidc::settings::Settings;
use crate::oidc::token_endpoint::TokenError;
use crate::oidc::userinfo::UserinfoError;
use crate::secret::Secret;
use crate::session::attempt::LoginAttempt;
use crate::stop::causes;
use crate::stop::{Reason, Stop, Whose};

/// The code, if the answer is one to this attempt, in time, from the issuer that was asked, and not a no.
pub(super) fn code<'a>(
    settings: &Settings,
    metadata: &Metadata,
    attempt: &LoginAttempt,
    answer: &'a Answer,
    now: Timestamp,
) -> Result<&'a Secret<String>, Reason> {
    if !answer.state().is_some_and(|state| attempt.state.matches(state)) {
        return Err(Reason::BadState);
    }
    if attempt.has_expired(now) {
        return Err(Reason::AttemptExpired);
    }
    // The attempt of another configuration's provider, or an answer of another provider (RFC 9207, section 2.4).
    let is_sent_by_provider = match answer.issuer.as_deref() {
        Some(issuer) => id_token::is_issuer(settings, issuer),
        None => !metadata.sends_issuer,
    };
    if attempt.issuer != *settings.issuer || !is_sent_by_provider {
        return Err(Reason::WrongIssuer);
    }
    match (answer.error.as_deref(), &answer.code) {
        (Some(error), _) if attempt.silent && asks_for_a_page(error) => Err(Reason::NobodySignedIn),
        (Some("access_denied"), _) => Err(Reason::AccessDenied),
        (Some(_), _) => Err(Reason::ProviderRefused),
        (None, Some(code)) if !code.expose().is_empty() => Ok(code),
        (None, _) => Err(Reason::BadCallback),
    }
}

/// What providers answer to `prompt=none` when they would have to show something (OpenID Connect Core 1.0, section
/// 3.1.2.6).
fn asks_for_a_page(error: &str) -> bool {
    matches!(
        error,
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required"
    )
}

/// What a failed code exchange means.
pub(super) fn of_exchange(error: TokenError, attempt: &LoginAttempt) -> Stop {
    match error {
        TokenError::Denied(_, ref denial) => {
            if denial.is_about_the_client() {
                tracing::error!(
                    target: "gateway::oidc",
                    event = "client_refused",
                    error = %denial,
                    "the provider does not accept this gateway's client_id or secret",
                );
            }
            reject_because(Reason::CodeRefused, &error, attempt)
        }
        TokenError::Busy(..) | TokenError::Call(_) | TokenError::Answer(_) | TokenError::Status(_) => {
            Stop::Failed(error.into_fault())
        }
    }
}

/// What a refused ID token means.
pub(super) fn of_id_token(error: IdTokenError, attempt: &LoginAttempt) -> Stop {
    match error {
        IdTokenError::Key(NoKey::Unavailable) => {
            Stop::failed(Whose::Provider, Reason::ProviderUnavailable, error)
        }
        IdTokenError::Claims(ClaimError::Tenant) => {
            reject(Reason::TenantNotAllowed, &causes(&error), attempt)
        }
        _ => reject(Reason::BadIdToken, &causes(&error), attempt),
    }
}

/// What claims mean that the userinfo endpoint did not give.
pub(super) fn of_userinfo(error: UserinfoError, attempt: &LoginAttempt) -> Stop {
    if error.is_false() { reject_because(Reason::BadUserinfo, &error, attempt) } else { error.into() }
}
