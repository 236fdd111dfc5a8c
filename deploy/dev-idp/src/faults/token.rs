//! What can be wrong with a token response. Knows nothing of how tokens are made.

use serde_json::{Value, json};

use super::{Fault, Faults, Members, faults};

faults! {
    /// Something wrong with a token response.
    TokenFault {
        /// CB-17: not JSON.
        NotJson = "not-json",
        /// CB-17: nothing at all.
        Empty = "empty",
        /// CB-17: the right object in an array.
        Array = "array",
        /// CB-17: two access_token members.
        DuplicateAccessToken = "duplicate-access-token",
        /// CB-17: two id_token members, a wrong one last.
        DuplicateIdToken = "duplicate-id-token",
        /// CB-17: no access_token.
        MissingAccessToken = "missing-access-token",
        /// CB-17: no token_type.
        MissingTokenType = "missing-token-type",
        /// CB-17: no id_token.
        MissingIdToken = "missing-id-token",
        /// CB-17: access_token is a number.
        NumericAccessToken = "numeric-access-token",
        /// CB-17: id_token is an object.
        ObjectIdToken = "object-id-token",
        /// CB-17: id_token is empty.
        EmptyIdToken = "empty-id-token",
        /// CB-17: an HTML page.
        Html = "html",
        /// CB-16: nested 100,000 deep.
        Deep = "deep",
        /// CB-17: more bytes after the object.
        Trailing = "trailing",
        /// CB-18, valid: token_type bearer.
        TypeLowerCase = "type-lower-case",
        /// CB-18, valid: token_type BEARER.
        TypeUpperCase = "type-upper-case",
        /// CB-18: token_type mac.
        TypeMac = "type-mac",
        /// CB-18: token_type DPoP.
        TypeDpop = "type-dpop",
        /// CB-18: token_type is empty.
        TypeEmpty = "type-empty",
        /// CB-19: CR LF in the access token.
        AccessTokenCrLf = "access-token-crlf",
        /// CB-19: NUL in the access token.
        AccessTokenNul = "access-token-nul",
        /// CB-19: a space in the access token.
        AccessTokenSpace = "access-token-space",
        /// CB-19: a letter beyond ASCII in the access token.
        AccessTokenUtf8 = "access-token-utf8",
        /// CB-19: 64 KiB of access token.
        AccessTokenHuge = "access-token-huge",
        /// CB-19: an empty access token.
        AccessTokenEmpty = "access-token-empty",
        /// CB-19: CR LF in the refresh token.
        RefreshTokenCrLf = "refresh-token-crlf",
        /// CB-21: no expires_in.
        ExpiresInMissing = "expires-in-missing",
        /// CB-21: expires_in 0.
        ExpiresInZero = "expires-in-zero",
        /// CB-21: expires_in -1.
        ExpiresInNegative = "expires-in-negative",
        /// CB-21: expires_in is a string of digits.
        ExpiresInString = "expires-in-string",
        /// CB-21: expires_in is 1e30.
        ExpiresInHuge = "expires-in-huge",
        /// CB-21: expires_in is null.
        ExpiresInNull = "expires-in-null",
        /// CB-22: no API scope was granted: scope and access token name only OpenID scopes.
        ScopeNarrower = "scope-narrower",
        /// CB-22, valid: no scope member.
        ScopeMissing = "scope-missing",
        /// No refresh token, though one was due; on a refresh, the old one stays valid.
        OmitRefreshToken = "omit-refresh-token",
        /// 400 invalid_grant.
        InvalidGrant = "invalid-grant",
        /// TK-10: the person must do something: interaction_required, to Entra also basic_action.
        InteractionRequired = "interaction-required",
        /// TK-10: the person must consent: consent_required, to Entra invalid_grant with that suberror.
        ConsentRequired = "consent-required",
        /// 400 invalid_scope.
        InvalidScope = "invalid-scope",
        /// 400 invalid_target.
        InvalidTarget = "invalid-target",
        /// 400 unauthorized_client.
        UnauthorizedClient = "unauthorized-client",
        /// 401 invalid_client.
        InvalidClient = "invalid-client",
        /// 400 invalid_request.
        InvalidRequest = "invalid-request",
        /// 400 temporarily_unavailable with a description full of markup.
        HostileError = "hostile-error",
        /// 500 with a JSON error.
        ServerError = "server-error",
        /// 503 with Retry-After.
        Unavailable = "unavailable",
        /// 429 with Retry-After.
        TooMany = "too-many",
        /// The tokens are made and rotated, but the connection closes before the answer.
        LoseAnswer = "lose-answer",
        /// The tokens are made and rotated, but the connection closes in the middle of the answer.
        CutAnswer = "cut-answer",
    }
}

/// An error answer that a fault asks for.
pub(crate) struct Denial {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
    pub(crate) aadsts: u32,
    pub(crate) suberror: Option<&'static str>,
}

impl Denial {
    fn new(status: u16, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description, aadsts: 90_000, suberror: None }
    }
}

/// How much of an answer is lost on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    All,
    Half,
}

/// The faults of one token response.
pub(crate) struct TokenEdit {
    faults: Vec<TokenFault>,
    edit: Option<super::BytesEdit>,
}

impl Faults {
    pub(crate) fn on_token(&self, grant_type: &str) -> TokenEdit {
        let exchanges = grant_type.starts_with("urn:");
        let pick = |fault| match fault {
            Fault::Token(fault) => Some(fault),
            Fault::Refresh(fault) if grant_type == "refresh_token" => Some(fault),
            Fault::App(fault) if grant_type == "client_credentials" => Some(fault),
            Fault::Exchange(fault) if exchanges => Some(fault),
            _ => None,
        };
        TokenEdit { faults: self.take(pick), edit: self.edits().token_response }
    }
}

impl TokenEdit {
    pub(crate) fn has(&self, fault: TokenFault) -> bool {
        self.faults.contains(&fault)
    }

    /// The error to answer instead of looking at the request.
    pub(crate) fn error(&self) -> Option<Denial> {
        self.faults.iter().find_map(|fault| {
            Some(match fault {
                TokenFault::InvalidGrant => {
                    Denial::new(400, "invalid_grant", "This grant is not valid any more.")
                }
                TokenFault::InteractionRequired => Denial {
                    aadsts: 50_076,
                    suberror: Some("basic_action"),
                    ..Denial::new(400, "interaction_required", "The person must prove more.")
                },
                TokenFault::InvalidScope => Denial::new(400, "invalid_scope", "That scope is not known."),
                TokenFault::InvalidTarget => {
                    Denial::new(400, "invalid_target", "No token is given for that API.")
                }
                TokenFault::UnauthorizedClient => {
                    Denial::new(400, "unauthorized_client", "The client may not use this grant.")
                }
                TokenFault::InvalidClient => Denial::new(401, "invalid_client", "The client is not known."),
                TokenFault::InvalidRequest => {
                    Denial::new(400, "invalid_request", "The request is not right.")
                }
                TokenFault::HostileError => Denial::new(
                    400,
                    "temporarily_unavailable",
                    "<script>alert(1)</script>\r\nSet-Cookie: x=1\u{1b}[31m",
                ),
                TokenFault::ServerError => Denial::new(500, "server_error", "Something broke."),
                TokenFault::Unavailable => Denial::new(503, "temporarily_unavailable", "Come back later."),
                TokenFault::TooMany => Denial::new(429, "temporarily_unavailable", "Too many requests."),
                _ => return None,
            })
        })
    }

    /// What is lost of the answer on its way.
    pub(crate) fn loss(&self) -> Option<Loss> {
        if self.has(TokenFault::LoseAnswer) {
            return Some(Loss::All);
        }
        self.has(TokenFault::CutAnswer).then_some(Loss::Half)
    }

    /// Whether the response claims to be HTML.
    pub(crate) fn is_html(&self) -> bool {
        self.has(TokenFault::Html)
    }

    /// The response's bytes.
    pub(crate) fn finish(&self, mut response: Members) -> Vec<u8> {
        for fault in &self.faults {
            change_members(*fault, &mut response);
        }
        let mut text = Value::Object(response).to_string();
        for fault in &self.faults {
            change_text(*fault, &mut text);
        }
        let mut bytes = text.into_bytes();
        if let Some(edit) = &self.edit {
            edit(&mut bytes);
        }
        bytes
    }
}

fn change_members(fault: TokenFault, response: &mut Members) {
    let access = response.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, value): (&str, Option<Value>) = match fault {
        TokenFault::MissingAccessToken => ("access_token", None),
        TokenFault::MissingTokenType => ("token_type", None),
        TokenFault::MissingIdToken => ("id_token", None),
        TokenFault::NumericAccessToken => ("access_token", Some(4711.into())),
        TokenFault::ObjectIdToken => ("id_token", Some(json!({"sub": "x"}))),
        TokenFault::EmptyIdToken => ("id_token", Some("".into())),
        TokenFault::TypeLowerCase => ("token_type", Some("bearer".into())),
        TokenFault::TypeUpperCase => ("token_type", Some("BEARER".into())),
        TokenFault::TypeMac => ("token_type", Some("mac".into())),
        TokenFault::TypeDpop => ("token_type", Some("DPoP".into())),
        TokenFault::TypeEmpty => ("token_type", Some("".into())),
        TokenFault::AccessTokenCrLf => ("access_token", Some(format!("{access}\r\nX-Injected: 1").into())),
        TokenFault::AccessTokenNul => ("access_token", Some(format!("{access}\u{0}").into())),
        TokenFault::AccessTokenSpace => ("access_token", Some(format!("{access} x").into())),
        TokenFault::AccessTokenUtf8 => ("access_token", Some(format!("{access}\u{e9}").into())),
        TokenFault::AccessTokenHuge => ("access_token", Some("a".repeat(64 * 1024).into())),
        TokenFault::AccessTokenEmpty => ("access_token", Some("".into())),
        TokenFault::RefreshTokenCrLf => ("refresh_token", Some("r\r\nX-Injected: 1".into())),
        TokenFault::ExpiresInMissing => ("expires_in", None),
        TokenFault::ExpiresInZero => ("expires_in", Some(0.into())),
        TokenFault::ExpiresInNegative => ("expires_in", Some((-1).into())),
        TokenFault::ExpiresInString => ("expires_in", Some("3600".into())),
        TokenFault::ExpiresInHuge => ("expires_in", Some(1e30.into())),
        TokenFault::ExpiresInNull => ("expires_in", Some(Value::Null)),
        TokenFault::ScopeMissing => ("scope", None),
        _ => return,
    };
    match value {
        Some(value) => response.insert(name.to_owned(), value),
        None => response.remove(name),
    };
}

fn change_text(fault: TokenFault, text: &mut String) {
    match fault {
        TokenFault::NotJson => text.truncate(text.len() / 2),
        TokenFault::Empty => text.clear(),
        TokenFault::Array => *text = format!("[{text}]"),
        TokenFault::DuplicateAccessToken => text.insert_str(1, r#""access_token":"first","#),
        TokenFault::DuplicateIdToken => text.insert_str(text.len() - 1, r#","id_token":"last""#),
        TokenFault::Html => "<!doctype html><title>Sorry</title><h1>Sorry</h1>".clone_into(text),
        TokenFault::Deep => {
            let deep = format!(r#","deep":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
            text.insert_str(text.len() - 1, &deep);
        }
        TokenFault::Trailing => text.push_str("{}"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> Members {
        let value = json!({"access_token": "a", "token_type": "Bearer", "id_token": "i", "expires_in": 3600,
            "refresh_token": "r", "scope": "openid"});
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn every_fault_changes_the_answer_or_is_done_elsewhere() {
        let right = TokenEdit { faults: Vec::new(), edit: None }.finish(response());
        for fault in TokenFault::ALL {
            let edit = TokenEdit { faults: vec![*fault], edit: None };
            let elsewhere = matches!(
                fault,
                TokenFault::OmitRefreshToken | TokenFault::ScopeNarrower | TokenFault::ConsentRequired
            );
            let is_lost = edit.loss().is_some();
            assert!(
                edit.finish(response()) != right || edit.error().is_some() || is_lost || elsewhere,
                "{}",
                fault.name()
            );
        }
    }

    #[test]
    fn a_fault_of_one_grant_leaves_the_others_alone() {
        const GRANTS: [&str; 4] = [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ];
        let failing = |fault: Fault| {
            let faults = Faults::default();
            faults.set(fault);
            GRANTS.map(|grant| faults.on_token(grant).error().is_some())
        };
        assert_eq!(failing(Fault::Token(TokenFault::InvalidGrant)), [true; 4]);
        assert_eq!(failing(Fault::Refresh(TokenFault::InvalidGrant)), [false, true, false, false]);
        assert_eq!(failing(Fault::App(TokenFault::InvalidGrant)), [false, false, true, false]);
        assert_eq!(failing(Fault::Exchange(TokenFault::InvalidGrant)), [false, false, false, true]);
    }
}
