//! What a token endpoint answers, read strictly (RFC 6749, sections 5.1 and 5.2; requirements CB-17 to CB-22). Pure.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use serde_json::{Map, Value};

use crate::oidc::callback::loggable;
use crate::oidc::json::{self, JsonError};
use crate::scope::{Scope, ScopeSet};
use crate::secret::Secret;

/// Longer tokens do not fit into a header that upstreams take.
const MAX_ACCESS_TOKEN: usize = 16 * 1024;
/// A token whose life is not told is asked for anew after this long.
const UNTOLD_LIFE: Duration = Duration::from_mins(5);
/// Whatever a provider says, no token is kept longer.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// A success.
#[derive(Debug)]
pub(in crate::oidc) struct Granted {
    pub(in crate::oidc) access_token: Secret<String>,
    pub(in crate::oidc) life: Duration,
    /// Nothing where the answer does not say: then as asked (RFC 6749, section 5.1).
    pub(in crate::oidc) scopes: Option<ScopeSet>,
    pub(in crate::oidc) refresh_token: Option<Secret<String>>,
    pub(in crate::oidc) id_token: Option<Secret<String>>,
    /// What an exchange says it gave (RFC 8693, section 2.2.1); nobody else asks.
    pub(in crate::oidc) issued_token_type: Option<Value>,
}

/// Why a success is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::oidc) enum AnswerError {
    #[error("it cannot be read")]
    Json(#[from] JsonError),
    #[error("its token type is not \"Bearer\"")]
    TokenType,
    #[error("its access token cannot be sent in a header")]
    AccessToken,
    #[error("its \"{0}\" is empty or holds characters that no token has")]
    Token(&'static str),
    #[error("its life is not a positive number")]
    Life,
    #[error("its \"scope\" is not a list of scopes")]
    Scope,
    #[error("it has no ID token")]
    NoIdToken,
    #[error("what it gives is not an access token")]
    IssuedTokenType,
}

/// Reads the body of a 200.
pub(in crate::oidc) fn read(body: &[u8]) -> Result<Granted, AnswerError> {
    let members = json::object(body)?;
    if !json::text(&members, "token_type")?.eq_ignore_ascii_case("bearer") {
        return Err(AnswerError::TokenType);
    }
    let access_token = json::text(&members, "access_token")?;
    if !is_b64token(access_token) || access_token.len() > MAX_ACCESS_TOKEN {
        return Err(AnswerError::AccessToken);
    }
    Ok(Granted {
        access_token: Secret::new(access_token.to_owned()),
        life: life(members.get("expires_in"))?,
        scopes: json::optional_text(&members, "scope")?.map(scopes).transpose()?,
        refresh_token: secret(&members, "refresh_token")?,
        id_token: secret(&members, "id_token")?,
        issued_token_type: members.get("issued_token_type").cloned(),
    })
}

impl Granted {
    /// The header that carries the access token, marked so that nothing prints it.
    pub(in crate::oidc) fn authorization(&self) -> HeaderValue {
        let text = format!("Bearer {}", self.access_token.expose());
        let mut value = HeaderValue::from_str(&text).expect("a b64token is visible ASCII");
        value.set_sensitive(true);
        value
    }
}

/// The `b64token` of RFC 6750, section 2.1: nothing that could end a header or begin another.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !body.is_empty() && body.bytes().all(plain)
}

fn secret(members: &Map<String, Value>, name: &'static str) -> Result<Option<Secret<String>>, AnswerError> {
    match json::optional_text(members, name)? {
        // `1*VSCHAR` (RFC 6749, appendices A.12 and A.17).
        Some(text) if text.is_empty() || !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) => {
            Err(AnswerError::Token(name))
        }
        text => Ok(text.map(|text| Secret::new(text.to_owned()))),
    }
}

/// Whole seconds, at most a day. Zero, negative and non-numbers are nonsense, and so is the answer that says them.
fn life(value: Option<&Value>) -> Result<Duration, AnswerError> {
    let Some(value) = value else {
        return Ok(UNTOLD_LIFE);
    };
    let seconds = value.as_f64().filter(|seconds| *seconds >= 1.0).ok_or(AnswerError::Life)?;
    let seconds = seconds.min(LONGEST_LIFE.as_secs_f64());
    Ok(Duration::from_secs(Duration::from_secs_f64(seconds).as_secs()))
}

/// Providers are not exact about the spaces; about the scopes they must be.
fn scopes(text: &str) -> Result<ScopeSet, AnswerError> {
    let names = text.split(' ').filter(|name| !name.is_empty());
    names.map(str::parse::<Scope>).collect::<Result<ScopeSet, _>>().map_err(|_| AnswerError::Scope)
}

/// A refusal (RFC 6749, section 5.2), with what Entra adds to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::oidc) struct Denial {
    error: String,
    further: Option<String>,
    numbers: Vec<u64>,
}

impl Denial {
    /// Reads the body of a 4xx. One that says nothing readable is still a refusal.
    pub(in crate::oidc) fn read(body: &[u8]) -> Self {
        let Ok(members) = json::object(body) else {
            return Self::default();
        };
        let text = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let numbers = members.get("error_codes").and_then(Value::as_array);
        Self {
            error: text("error").unwrap_or_default(),
            further: text("suberror"),
            numbers: numbers.map(|list| list.iter().filter_map(Value::as_u64).collect()).unwrap_or_default(),
        }
    }

    /// Whether the person could help by signing in again, without being signed out first (requirement TK-10): because
    /// the provider asks for them, or because the sign-in did not ask for what is wanted now.
    pub(in crate::oidc) fn needs_the_person(&self) -> bool {
        self.asks_for_the_person() || matches!(&*self.error, "invalid_scope" | "invalid_target")
    }

    /// Whether the provider asks for the person.
    pub(in crate::oidc) fn asks_for_the_person(&self) -> bool {
        let said = |name: &str| self.error == name || self.further.as_deref() == Some(name);
        let errors =
            ["consent_required", "interaction_required", "login_required", "account_selection_required"];
        let others = ["insufficient_user_authentication"];
        // Entra tells some of these by `suberror` or number under the name of invalid_grant.
        let further = ["basic_action", "additional_action", "message_only", "user_password_expired"];
        let numbers = [65_001, 65_004, 50_074, 50_076, 50_079, 50_158];
        errors.into_iter().chain(others).chain(further).any(said)
            || self.numbers.iter().any(|number| numbers.contains(number))
    }

    /// Whether the grant itself is gone: expired, revoked, used twice.
    pub(in crate::oidc) fn is_invalid_grant(&self) -> bool {
        self.error == "invalid_grant" && !self.needs_the_person()
    }

    /// Whether a token that was shown is the trouble: what RFC 8693, section 2.2.2, calls an invalid request, and some
    /// providers an invalid grant or token. The rest of the request is ours, and sound.
    pub(in crate::oidc) fn is_about_the_subject(&self) -> bool {
        matches!(&*self.error, "invalid_grant" | "invalid_request" | "invalid_token")
            && !self.asks_for_the_person()
    }

    /// The error's code as it may be shown, and the numbers that Entra adds.
    pub(in crate::oidc) fn code_and_numbers(&self) -> (&str, &[u64]) {
        (loggable(&self.error), &self.numbers)
    }

    /// Whether the gateway itself was not accepted: a wrong secret, a wrong registration.
    pub(in crate::oidc) fn is_about_the_client(&self) -> bool {
        matches!(&*self.error, "invalid_client" | "unauthorized_client" | "unsupported_grant_type")
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(loggable(&self.error))?;
        if let Some(further) = &self.further {
            write!(f, "/{}", loggable(further))?;
        }
        self.numbers.iter().take(4).try_for_each(|number| write!(f, " {number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Value {
        json!({
            "access_token": "aaa.bbb-_~+/==", "token_type": "Bearer", "expires_in": 3_599,
            "scope": "openid api://todo-service/ToDoList.Read", "refresh_token": "r", "id_token": "i",
        })
    }

    fn read_value(answer: &Value) -> Result<Granted, AnswerError> {
        read(answer.to_string().as_bytes())
    }

    fn with(name: &str, value: Value) -> Result<Granted, AnswerError> {
        let mut answer = answer();
        answer[name] = value;
        read_value(&answer)
    }

    fn without(name: &str) -> Result<Granted, AnswerError> {
        let mut answer = answer();
        answer.as_object_mut().expect("an object").remove(name);
        read_value(&answer)
    }

    #[test]
    fn a_sound_answer_is_read() {
        let granted = read_value(&answer()).expect("sound");
        assert_eq!(granted.life, Duration::from_secs(3_599));
        assert_eq!(granted.authorization(), "Bearer aaa.bbb-_~+/==");
        assert!(granted.authorization().is_sensitive());
        assert!(granted.scopes.is_some_and(|scopes| scopes.contains("api://todo-service/ToDoList.Read")));
        assert!(!format!("{:?}", read_value(&answer())).contains("aaa"));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "[]",
            "",
            "null",
            "<html>",
            "access_token=a&token_type=bearer",
            r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#,
        ] {
            assert!(matches!(read(bad.as_bytes()), Err(AnswerError::Json(_))), "{bad}");
        }
        for name in ["access_token", "token_type"] {
            assert!(matches!(without(name), Err(AnswerError::Json(JsonError::Missing(_)))), "{name}");
        }
        for name in ["access_token", "token_type", "scope", "refresh_token", "id_token"] {
            for value in [json!(1), json!(null), json!(["a"]), json!({})] {
                assert!(
                    matches!(with(name, value), Err(AnswerError::Json(JsonError::WrongType(_)))),
                    "{name}"
                );
            }
        }
        for name in ["refresh_token", "id_token"] {
            for bad in ["", "r\r\nX-Injected: 1", "r\0", "\u{e9}"] {
                assert_eq!(with(name, json!(bad)).expect_err("refused"), AnswerError::Token(name), "{bad:?}");
            }
        }
    }

    #[test]
    fn the_token_type_is_bearer_in_any_case() {
        for good in ["bearer", "BEARER", "Bearer"] {
            assert!(with("token_type", json!(good)).is_ok(), "{good}");
        }
        for bad in ["mac", "DPoP", "", "bearer "] {
            assert_eq!(with("token_type", json!(bad)).expect_err("refused"), AnswerError::TokenType, "{bad}");
        }
    }

    #[test]
    fn tokens_that_could_break_a_header_are_refused() {
        for bad in ["", "a\r\nX: 1", "a\0", "a b", "é", "a,b", "a=b", "===", "a\""] {
            assert_eq!(
                with("access_token", json!(bad)).expect_err("refused"),
                AnswerError::AccessToken,
                "{bad:?}"
            );
        }
        assert!(with("access_token", json!("a".repeat(MAX_ACCESS_TOKEN))).is_ok());
        assert!(with("access_token", json!("a".repeat(MAX_ACCESS_TOKEN + 1))).is_err());
    }

    #[test]
    fn odd_lives_are_bounded_or_refused() {
        assert_eq!(without("expires_in").expect("sound").life, UNTOLD_LIFE);
        assert_eq!(with("expires_in", json!(1e30)).expect("bounded").life, LONGEST_LIFE);
        assert_eq!(with("expires_in", json!(60.9)).expect("whole").life, Duration::from_mins(1));
        for bad in [json!(0), json!(-1), json!("3600"), json!(null), json!(0.5), json!(-1e300)] {
            assert!(with("expires_in", bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_as_granted() {
        assert!(without("scope").expect("sound").scopes.is_none());
        assert!(with("scope", json!("")).expect("sound").scopes.is_some_and(|scopes| scopes.is_empty()));
        assert!(
            with("scope", json!(" a  b "))
                .expect("sound")
                .scopes
                .is_some_and(|scopes| scopes.to_string() == "a b")
        );
        assert_eq!(with("scope", json!("a\"b")).expect_err("refused"), AnswerError::Scope);
    }

    #[test]
    fn refusals_are_told_apart() {
        let read = |value: Value| Denial::read(value.to_string().as_bytes());
        let gone = read(json!({"error": "invalid_grant"}));
        assert!(gone.is_invalid_grant() && !gone.needs_the_person());
        for value in [
            json!({"error": "consent_required"}),
            json!({"error": "interaction_required"}),
            json!({"error": "invalid_scope"}),
            json!({"error": "insufficient_user_authentication"}),
            json!({"error": "invalid_grant", "suberror": "consent_required"}),
            json!({"error": "invalid_grant", "error_codes": [65_001]}),
        ] {
            let denial = read(value.clone());
            assert!(denial.needs_the_person() && !denial.is_invalid_grant(), "{value}");
            assert_eq!(denial.asks_for_the_person(), value["error"] != "invalid_scope", "{value}");
            assert!(!denial.is_about_the_subject(), "{value}");
        }
        for error in ["invalid_grant", "invalid_request", "invalid_token"] {
            assert!(read(json!({"error": error})).is_about_the_subject(), "{error}");
        }
        assert!(!read(json!({"error": "invalid_client"})).is_about_the_subject());
        assert!(read(json!({"error": "invalid_grant", "suberror": "bad_token"})).is_invalid_grant());
        assert!(read(json!({"error": "invalid_client"})).is_about_the_client());
        assert_eq!(Denial::read(b"<html>"), Denial::default());
        assert_eq!(read(json!({"error": "a\nb", "suberror": "x"})).to_string(), "(not a code)/x");
    }
}
