//! The one place where a refusal becomes an answer: caller problems and list problems, each in one exhaustive match.

use super::input::owner_invalid;
use crate::auth::{Need, Refusal};
use crate::problem::{FieldError, Kind, Problem};
use crate::todo::{StoreError, TodoError};

/// Seconds after which a client may try again when the database failed.
const STORE_RETRY_AFTER: u64 = 5;

const NOTHING_CHANGED: &str =
    "The list cannot be reached just now, and nothing was changed; try again shortly.";
const NOBODY_KNOWS: &str = "The database broke off before it answered: what you asked for may have been done or not. Look at the list before you \
     repeat it; a change that names the item's `etag` in If-Match can be repeated without looking.";

impl From<Refusal> for Problem {
    /// Statuses and challenges as in RFC 6750 section 3.1.
    fn from(refusal: Refusal) -> Self {
        let (kind, challenge) = match refusal {
            Refusal::NoToken => (Kind::AuthenticationRequired, Some("Bearer")),
            Refusal::MalformedHeader => {
                (Kind::InvalidAuthorization, Some("Bearer error=\"invalid_request\""))
            }
            Refusal::Token(_) => (Kind::InvalidToken, Some("Bearer error=\"invalid_token\"")),
            Refusal::InsufficientScope(need) => (Kind::InsufficientScope, Some(scope_challenge(need))),
            Refusal::ClientNotAllowed => (Kind::ClientNotAllowed, None),
            Refusal::NoOwner => (Kind::NoOwner, None),
            Refusal::KeysUnavailable { .. } => (Kind::Unavailable, None),
        };
        let problem = Self::new(kind, refusal.reason(), sentence(refusal));
        let problem = match challenge {
            Some(challenge) => problem.challenged(challenge),
            None => problem,
        };
        match refusal {
            Refusal::KeysUnavailable { retry_after } => problem.retry_after(retry_after),
            _ => problem,
        }
    }
}

fn scope_challenge(need: Need) -> &'static str {
    match need {
        Need::Read => "Bearer error=\"insufficient_scope\", scope=\"ToDoList.Read\"",
        Need::Write => "Bearer error=\"insufficient_scope\", scope=\"ToDoList.ReadWrite\"",
    }
}

/// The refusal's own words, as a sentence.
fn sentence(refusal: Refusal) -> String {
    let text = match refusal {
        Refusal::Token(fault) => format!("the access token was refused: {fault}"),
        other => other.to_string(),
    };
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

impl From<TodoError> for Problem {
    fn from(error: TodoError) -> Self {
        match error {
            TodoError::Missing => Self::no_such_item(),
            TodoError::Stale => {
                let detail =
                    "Fetch the item again, look at what changed, and repeat the request with its new `etag`.";
                Self::new(Kind::PreconditionFailed, "stale", detail)
            }
            TodoError::OwnerNotSettable => {
                owner_not_settable("A user's items are always their own: leave `owner` out.")
            }
            TodoError::OwnerNeeded => {
                let detail = "An app has no list of its own: name whose item it is.";
                Self::validation(vec![FieldError::new("owner", "required", detail)])
            }
            TodoError::OwnerInvalid => Self::validation(vec![owner_invalid()]),
            TodoError::Store(error) => Self::from(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let line = crate::describe(&error);
        let (reason, detail) = match error {
            StoreError::Database(_) | StoreError::Corrupt(_) => ("store", NOTHING_CHANGED),
            StoreError::Away => ("store-away", NOTHING_CHANGED),
            StoreError::Busy => ("store-busy", NOTHING_CHANGED),
            StoreError::Slow(_) => ("store-slow", NOTHING_CHANGED),
            StoreError::Lost(_) => ("store-lost", NOBODY_KNOWS),
        };
        if reason == "store-away" {
            // The log has one line for each time that the database goes and comes: not one for each request.
            tracing::debug!(target: "store", error = line, "a request found no database");
        } else {
            tracing::error!(target: "store", error = line, "the database failed");
        }
        Self::new(Kind::Unavailable, reason, detail).retry_after(STORE_RETRY_AFTER)
    }
}

/// 400 for an `owner` that has no business in the body.
pub(super) fn owner_not_settable(detail: &'static str) -> Problem {
    Problem::new(Kind::OwnerNotSettable, "owner-not-settable", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{StatusCode, header};
    use axum::response::IntoResponse;

    fn answer(refusal: Refusal) -> (StatusCode, Option<String>) {
        let response = Problem::from(refusal).into_response();
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().expect("visible").to_owned());
        (response.status(), challenge)
    }

    #[test]
    fn each_refusal_has_the_status_and_challenge_of_rfc_6750() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(answer(Refusal::NoToken), (StatusCode::UNAUTHORIZED, some("Bearer")));
        assert_eq!(
            answer(Refusal::MalformedHeader),
            (StatusCode::BAD_REQUEST, some("Bearer error=\"invalid_request\""))
        );
        assert_eq!(
            answer(Refusal::InsufficientScope(Need::Write)),
            (
                StatusCode::FORBIDDEN,
                some("Bearer error=\"insufficient_scope\", scope=\"ToDoList.ReadWrite\"")
            )
        );
        assert_eq!(answer(Refusal::ClientNotAllowed), (StatusCode::FORBIDDEN, None));
        assert_eq!(answer(Refusal::NoOwner), (StatusCode::FORBIDDEN, None));
        assert_eq!(
            answer(Refusal::KeysUnavailable { retry_after: 7 }),
            (StatusCode::SERVICE_UNAVAILABLE, None)
        );
    }

    #[test]
    fn the_challenge_names_the_scope_that_the_permit_wants() {
        for need in [Need::Read, Need::Write] {
            assert!(scope_challenge(need).ends_with(&format!("scope=\"{}\"", need.scope())));
        }
    }
}
