//! Why there is no token, before anybody is answered.

use std::time::Duration;

use crate::oidc::GrantError;
use crate::session::TokenSpec;
use crate::session::ending::Ending;
use crate::session::return_to::ReturnTo;
use crate::session::store::backend::StoreError;
use crate::stop::{Cause, Fault, Reason, Refusal, Remedy, SignIn, Stop, Whose};

/// The reason, and with it how soon to try again.
#[derive(Debug)]
pub(super) enum NoToken {
    /// The session ended; just now and for that reason, if there is one.
    SessionOver(Option<Ending>),
    /// The person must sign in for this token; the session goes on.
    ConsentRequired,
    /// The provider granted less than the token needs.
    ScopeNotGranted,
    /// The provider is away, whatever it is asked for; perhaps it said for how long.
    Away(Fault, Option<Duration>),
    /// The provider's answer was lost, and with it perhaps what takes the place of a refresh token that is spent now.
    Lost(Fault),
    /// The provider gives this token to nobody. Others may still be had.
    Refused(Fault),
    /// Something else broke.
    Fault(Fault),
}

impl NoToken {
    /// A fault of the gateway's own surroundings.
    pub(super) fn fault(whose: Whose, reason: Reason, cause: impl Into<Cause>) -> Self {
        Self::Fault(Fault { whose, reason, cause: cause.into() })
    }

    /// The provider, or another gateway that asks it, takes longer than a request can wait.
    pub(super) fn too_slow() -> Self {
        Self::fault(Whose::Provider, Reason::ProviderUnavailable, TooSlow)
    }

    /// The answer to the request that needs `spec`.
    pub(super) fn into_stop(self, spec: &TokenSpec, return_to: ReturnTo) -> Stop {
        let sign_in = |reason, token| {
            let remedy = Remedy::SignIn(SignIn { return_to, token, provider: spec.provider.clone() });
            Stop::Refused(Refusal { reason, remedy })
        };
        match self {
            Self::SessionOver(_) => sign_in(Reason::SessionOver, None),
            // A token got in exchange for another needs no consent of its own at a sign-in.
            Self::ConsentRequired => sign_in(Reason::ConsentRequired, Some(spec.root().name.clone())),
            Self::ScopeNotGranted => Stop::refused(Reason::ScopeNotGranted),
            Self::Away(fault, _) | Self::Lost(fault) | Self::Refused(fault) | Self::Fault(fault) => {
                Stop::Failed(fault)
            }
        }
    }

    /// For the log: the word, and the cause if there is one.
    pub(super) fn told(&self) -> (&'static str, Option<String>) {
        match self {
            Self::SessionOver(_) => (Reason::SessionOver.as_str(), None),
            Self::ConsentRequired => (Reason::ConsentRequired.as_str(), None),
            Self::ScopeNotGranted => (Reason::ScopeNotGranted.as_str(), None),
            Self::Away(fault, _) | Self::Lost(fault) | Self::Refused(fault) | Self::Fault(fault) => {
                (fault.reason.as_str(), Some(fault.causes()))
            }
        }
    }
}

impl From<StoreError> for NoToken {
    fn from(error: StoreError) -> Self {
        Self::fault(Whose::Store, Reason::StoreUnavailable, error)
    }
}

impl From<GrantError> for NoToken {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::ConsentRequired => Self::ConsentRequired,
            GrantError::Transient(fault, pause) => Self::Away(fault, pause),
            GrantError::InvalidGrant(fault) | GrantError::Broken(fault) => Self::Refused(fault),
        }
    }
}

/// It goes on behind the answer.
#[derive(Debug, thiserror::Error)]
#[error("a token is being got, and that takes longer than a request can wait")]
struct TooSlow;
