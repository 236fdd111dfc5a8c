//! Problem documents (RFC 9457): the one shape of every error answer. Knows the closed list of problems and their
//! fixed titles; refuses to know tokens, SQL or why a module was unhappy beyond a short word for the log.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Everything that can be wrong, as clients may tell it apart by `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AuthenticationRequired,
    InvalidToken,
    InvalidAuthorization,
    InsufficientScope,
    ClientNotAllowed,
    NoOwner,
    NotFound,
    MethodNotAllowed,
    MalformedRequest,
    OwnerNotSettable,
    Validation,
    PreconditionFailed,
    RequestTimeout,
    ContentTooLarge,
    UnsupportedMediaType,
    Internal,
    Unavailable,
}

impl Kind {
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::AuthenticationRequired => {
                (StatusCode::UNAUTHORIZED, "authentication-required", "An access token is needed")
            }
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid-token", "The access token was refused"),
            Self::InvalidAuthorization => {
                (StatusCode::BAD_REQUEST, "invalid-authorization", "The Authorization header is malformed")
            }
            Self::InsufficientScope => {
                (StatusCode::FORBIDDEN, "insufficient-scope", "A permission is missing")
            }
            Self::ClientNotAllowed => {
                (StatusCode::FORBIDDEN, "client-not-allowed", "This client may not call this API")
            }
            Self::NoOwner => (StatusCode::FORBIDDEN, "no-owner", "The access token names nobody"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is nothing here"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here")
            }
            Self::MalformedRequest => {
                (StatusCode::BAD_REQUEST, "malformed-request", "The request is malformed")
            }
            Self::OwnerNotSettable => {
                (StatusCode::BAD_REQUEST, "owner-not-settable", "The owner cannot be set")
            }
            Self::Validation => {
                (StatusCode::UNPROCESSABLE_ENTITY, "validation", "Some of what was sent is not valid")
            }
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "precondition-failed",
                "The item has changed in the meantime",
            ),
            Self::RequestTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "request-timeout", "The request took too long")
            }
            Self::ContentTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "content-too-large", "The body is too large")
            }
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be JSON")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available just now"),
        }
    }

    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_client_error() => Self::MalformedRequest,
            _ => Self::Internal,
        }
    }
}

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The member of the body, or the query parameter.
    pub(crate) field: String,
    /// A stable word for programs.
    #[schema(example = "too_long")]
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) detail: Cow<'static, str>,
}

impl FieldError {
    pub(crate) fn new(
        field: impl Into<String>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}

/// An error answer before it is sealed: it gets its request id, and so its body, in `seal`.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    /// A word from a closed vocabulary, for the access log only.
    reason: &'static str,
    challenge: Option<&'static str>,
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, reason: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), reason, challenge: None, retry_after: None }
    }

    /// 422 with what is wrong where.
    pub(crate) fn validation(errors: Vec<FieldError>) -> Self {
        let detail = "Correct the fields named in `errors` and send the request again.";
        Self { errors, ..Self::new(Kind::Validation, "validation", detail) }
    }

    /// The same answer for an item that never was, is gone, or is somebody else's.
    pub(crate) fn no_such_item() -> Self {
        Self::new(Kind::NotFound, "no-such-item", "No such item.")
    }

    /// What a bare error status of the framework (unknown path, wrong method) stands for.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::NOT_FOUND => "No such path.",
            StatusCode::METHOD_NOT_ALLOWED => "See the Allow header for the methods that this path knows.",
            _ => "The request could not be answered.",
        };
        Self::new(Kind::of_status(status), "framework", detail)
    }

    pub(crate) fn challenged(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    /// The document itself.
    pub(crate) fn document(&self, request_id: &str) -> Document {
        let (status, slug, title) = self.kind.facts();
        Document {
            kind: format!("urn:problem:todo-service:{slug}"),
            title,
            status: status.as_u16(),
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }
}

impl IntoResponse for Problem {
    /// Status and headers only: the body is written by `seal`, which knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.kind.facts().0.into_response();
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem document (RFC 9457), media type `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:problem:todo-service:not-found")]
    kind: String,
    /// The kind in words, always the same for one `type`.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// What happened this time.
    detail: Cow<'static, str>,
    /// Give this when asking for help: it is in the log too.
    request_id: String,
    /// What is wrong with which field (422 only).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_the_members_of_rfc_9457_and_the_request_id() {
        let problem =
            Problem::validation(vec![FieldError::new("description", "empty", "Say what is to be done.")]);
        let json = serde_json::to_value(problem.document("r-1")).expect("serialises");
        assert_eq!(json["type"], "urn:problem:todo-service:validation");
        assert_eq!(json["status"], 422);
        assert_eq!(json["request_id"], "r-1");
        assert_eq!(json["errors"][0]["field"], "description");
        assert!(json["title"].is_string() && json["detail"].is_string());
    }

    #[test]
    fn a_document_without_field_errors_does_not_mention_them() {
        let json = serde_json::to_value(Problem::no_such_item().document("r-1")).expect("serialises");
        assert!(json.get("errors").is_none());
    }
}
