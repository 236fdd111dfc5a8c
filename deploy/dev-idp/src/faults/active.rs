//! One type for every fault, its name, and how many uses it has left. Knows nothing of what faults do.

use super::{
    CallbackFault, HttpFault, IdTokenFault, JwksFault, LogoutFault, MetadataFault, ParFault, TokenFault,
    UserinfoFault,
};
use crate::faces::Endpoint;

/// Any fault, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// In the ID token.
    IdToken(IdTokenFault),
    /// In the ID token that comes with a refresh, and in no other.
    RefreshedIdToken(IdTokenFault),
    /// In the answer to any token request.
    Token(TokenFault),
    /// In the answer to refresh_token requests only.
    Refresh(TokenFault),
    /// In the answer to client_credentials requests only.
    App(TokenFault),
    /// In the answer to token exchange and on-behalf-of requests only.
    Exchange(TokenFault),
    /// In the discovery documents.
    Metadata(MetadataFault),
    /// In the key set.
    Jwks(JwksFault),
    /// In the userinfo answer.
    Userinfo(UserinfoFault),
    /// In the answer to the redirect URI.
    Callback(CallbackFault),
    /// In the answer to a pushed authorization request.
    Par(ParFault),
    /// In the logout tokens that are sent to apps.
    LogoutToken(LogoutFault),
    /// In how an endpoint answers at all.
    Http(Endpoint, HttpFault),
    /// In how every endpoint and page answers: the whole provider is out of order. `/dev/faults` still answers.
    Everywhere(HttpFault),
}

impl Fault {
    /// Every fault there is.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = IdTokenFault::ALL.iter().map(|fault| Self::IdToken(*fault)).collect();
        all.extend(IdTokenFault::ALL.iter().map(|fault| Self::RefreshedIdToken(*fault)));
        for place in [Self::Token, Self::Refresh, Self::App, Self::Exchange] {
            all.extend(TokenFault::ALL.iter().map(|fault| place(*fault)));
        }
        all.extend(MetadataFault::ALL.iter().map(|fault| Self::Metadata(*fault)));
        all.extend(JwksFault::ALL.iter().map(|fault| Self::Jwks(*fault)));
        all.extend(UserinfoFault::ALL.iter().map(|fault| Self::Userinfo(*fault)));
        all.extend(CallbackFault::ALL.iter().map(|fault| Self::Callback(*fault)));
        all.extend(ParFault::ALL.iter().map(|fault| Self::Par(*fault)));
        all.extend(LogoutFault::ALL.iter().map(|fault| Self::LogoutToken(*fault)));
        for endpoint in Endpoint::ALL {
            all.extend(HttpFault::ALL.iter().map(|fault| Self::Http(endpoint, *fault)));
        }
        all.extend(HttpFault::ALL.iter().map(|fault| Self::Everywhere(*fault)));
        all
    }

    /// `place/name`, as in `id-token/wrong-nonce` or `http/token/hang`.
    pub fn name(self) -> String {
        match self {
            Self::IdToken(fault) => format!("id-token/{}", fault.name()),
            Self::Token(fault) => format!("token/{}", fault.name()),
            Self::RefreshedIdToken(fault) => format!("refreshed-id-token/{}", fault.name()),
            Self::Refresh(fault) => format!("refresh/{}", fault.name()),
            Self::App(fault) => format!("app/{}", fault.name()),
            Self::Exchange(fault) => format!("exchange/{}", fault.name()),
            Self::Metadata(fault) => format!("metadata/{}", fault.name()),
            Self::Jwks(fault) => format!("jwks/{}", fault.name()),
            Self::Userinfo(fault) => format!("userinfo/{}", fault.name()),
            Self::Callback(fault) => format!("callback/{}", fault.name()),
            Self::Par(fault) => format!("par/{}", fault.name()),
            Self::LogoutToken(fault) => format!("logout-token/{}", fault.name()),
            Self::Http(endpoint, fault) => format!("http/{}/{}", endpoint.name(), fault.name()),
            Self::Everywhere(fault) => format!("http/everywhere/{}", fault.name()),
        }
    }

    /// The fault with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|fault| fault.name() == name)
    }
}

impl From<IdTokenFault> for Fault {
    fn from(fault: IdTokenFault) -> Self {
        Self::IdToken(fault)
    }
}

impl From<TokenFault> for Fault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<MetadataFault> for Fault {
    fn from(fault: MetadataFault) -> Self {
        Self::Metadata(fault)
    }
}

impl From<JwksFault> for Fault {
    fn from(fault: JwksFault) -> Self {
        Self::Jwks(fault)
    }
}

impl From<UserinfoFault> for Fault {
    fn from(fault: UserinfoFault) -> Self {
        Self::Userinfo(fault)
    }
}

impl From<CallbackFault> for Fault {
    fn from(fault: CallbackFault) -> Self {
        Self::Callback(fault)
    }
}

impl From<ParFault> for Fault {
    fn from(fault: ParFault) -> Self {
        Self::Par(fault)
    }
}

impl From<LogoutFault> for Fault {
    fn from(fault: LogoutFault) -> Self {
        Self::LogoutToken(fault)
    }
}

impl From<(Endpoint, HttpFault)> for Fault {
    fn from((endpoint, fault): (Endpoint, HttpFault)) -> Self {
        Self::Http(endpoint, fault)
    }
}

/// A fault that is set.
pub(super) struct Active {
    pub(super) fault: Fault,
    uses_left: Option<u32>,
}

impl Active {
    pub(super) fn new(fault: Fault, uses_left: Option<u32>) -> Self {
        Self { fault, uses_left }
    }

    /// Counts one use down; false when it was the last.
    pub(super) fn stays(&mut self) -> bool {
        match &mut self.uses_left {
            None => true,
            Some(left) => {
                *left = left.saturating_sub(1);
                *left > 0
            }
        }
    }
}
