//! Why a caller was turned away: a closed vocabulary, one word for the log and one fixed sentence for the caller.
//! Never holds a byte of the token.

use super::jwks::KeyFault;
use super::permit::Need;

/// Why a request is not served, before anybody looked at what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("send an access token in the Authorization header, as a Bearer token")]
    NoToken,
    #[error("send exactly one Authorization header, holding `Bearer` and one token")]
    MalformedHeader,
    #[error(transparent)]
    Token(#[from] TokenFault),
    #[error("the issuer's keys cannot be had just now, so no token of it can be checked; try again shortly")]
    KeysUnavailable { retry_after: u64 },
    #[error("the client that obtained this token is not on this API's list")]
    ClientNotAllowed,
    #[error("the token is valid, but lacks the claim that would name the owner of the items")]
    NoOwner,
    #[error("the token does not hold the permission {}", .0.scope())]
    InsufficientScope(Need),
}

impl Refusal {
    /// The word for the log.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::MalformedHeader => "malformed-authorization",
            Self::Token(fault) => fault.reason(),
            Self::KeysUnavailable { .. } => "keys-unavailable",
            Self::ClientNotAllowed => "client-not-allowed",
            Self::NoOwner => "no-owner",
            Self::InsufficientScope(_) => "insufficient-scope",
        }
    }
}

impl From<KeyFault> for Refusal {
    fn from(fault: KeyFault) -> Self {
        match fault {
            KeyFault::Unknown => Self::Token(TokenFault::UnknownKey),
            KeyFault::Ambiguous => Self::Token(TokenFault::AmbiguousKey),
            KeyFault::Unavailable { retry_after } => Self::KeysUnavailable { retry_after },
        }
    }
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFault {
    #[error("it is not a signed token in compact form")]
    Form,
    #[error("its header is not acceptable JSON")]
    Header,
    #[error("its payload is not acceptable JSON")]
    Payload,
    #[error("its signature algorithm is not allowed")]
    Algorithm,
    #[error("its header asks for an extension that this API does not know")]
    Extension,
    #[error("it is not an access token")]
    Kind,
    #[error("its key id is not a text")]
    KeyId,
    #[error("the issuer has no such key")]
    UnknownKey,
    #[error("several of the issuer's keys fit it")]
    AmbiguousKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("its issuer is not trusted here")]
    Issuer,
    #[error("it is meant for another audience")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("one of its times is missing or is not a time")]
    Time,
    #[error("its subject is missing or malformed")]
    Subject,
    #[error("its tenant is not allowed here")]
    Tenant,
    #[error("its version is not the expected one")]
    Version,
    #[error("its permissions are malformed")]
    Permissions,
    #[error("it does not say clearly whether a user or an app is calling")]
    Principal,
    #[error("it does not say clearly which client obtained it")]
    Client,
}

impl TokenFault {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Form => "token-form",
            Self::Header => "token-header",
            Self::Payload => "token-payload",
            Self::Algorithm => "token-algorithm",
            Self::Extension => "token-extension",
            Self::Kind => "token-kind",
            Self::KeyId => "token-key-id",
            Self::UnknownKey => "token-key-unknown",
            Self::AmbiguousKey => "token-key-ambiguous",
            Self::Signature => "token-signature",
            Self::Issuer => "token-issuer",
            Self::Audience => "token-audience",
            Self::Expired => "token-expired",
            Self::NotYet => "token-not-yet-valid",
            Self::Time => "token-time",
            Self::Subject => "token-subject",
            Self::Tenant => "token-tenant",
            Self::Version => "token-version",
            Self::Permissions => "token-permissions",
            Self::Principal => "token-principal",
            Self::Client => "token-client",
        }
    }
}
