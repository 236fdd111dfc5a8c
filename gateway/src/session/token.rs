//! The access tokens that routes ask for, and those that a session holds.

use std::sync::Arc;

use aws_lc_rs::digest;
use http::HeaderValue;

use crate::clock::Timestamp;
use crate::hex;
use crate::scope::ScopeSet;

/// An access token that a route asks for, by the name it has in the configuration (`[tokens.NAME]`).
#[derive(Debug, PartialEq, Eq)]
pub struct TokenSpec {
    /// `NAME`.
    pub name: String,
    /// The scopes to ask the provider for.
    pub scopes: ScopeSet,
    /// Whose token it is, and how it is got.
    pub kind: TokenKind,
    /// The services that it is for, by address (RFC 8707); mostly empty, because scopes name the service.
    pub resources: Vec<String>,
    /// The service that it is for, by the provider's name of it (RFC 8693, section 2.1; some providers take it elsewhere
    /// too).
    pub audience: Option<String>,
}

/// Whose token it is, and how it is got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// The person's, with the session's refresh token (RFC 6749, section 6).
    #[default]
    User,
    /// The gateway's own (RFC 6749, section 4.4). Nobody needs to be signed in.
    Client,
    /// The person's where somebody is signed in, else the gateway's own.
    UserOrClient,
    /// The person's, in exchange for another of theirs (RFC 8693).
    Exchange(Arc<TokenSpec>),
    /// The person's, in exchange for another of theirs, as Microsoft Entra has it (RFC 7523, section 2.1).
    OnBehalfOf(Arc<TokenSpec>),
}

impl TokenSpec {
    /// A person's token with those scopes.
    pub fn user(name: &str, scopes: ScopeSet) -> Self {
        Self { name: name.to_owned(), scopes, kind: TokenKind::User, resources: Vec::new(), audience: None }
    }

    /// Whether a session's token of this kind can be got.
    pub fn is_for_sessions(&self) -> bool {
        !matches!(self.kind, TokenKind::Client)
    }

    /// Whether a token of this kind can be got where nobody is signed in.
    pub fn is_for_anyone(&self) -> bool {
        matches!(self.kind, TokenKind::Client | TokenKind::UserOrClient)
    }

    /// Tells tokens of one name apart whose meaning the configuration has changed.
    pub fn fingerprint(&self) -> String {
        let hash = digest::digest(&digest::SHA256, format!("{self:?}").as_bytes());
        hex::encode(&hash.as_ref()[..16])
    }
}

/// An access token ready to be sent upstream: `Bearer …`, marked sensitive, so that no `Debug` prints it.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it was asked for.
    pub spec: Arc<TokenSpec>,
    /// The `Authorization` header, prebuilt.
    pub authorization: HeaderValue,
    /// When the provider says it expires.
    pub expires: Timestamp,
    /// Whether the provider granted all that was asked for; it may grant less (RFC 6749, section 3.3).
    pub suffices: bool,
}
