//! Answers of the admin listener: JSON, problems (RFC 9457), other text. Kept by nobody.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

/// A whole answer.
pub(super) fn of(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    of(status, HeaderValue::from_static("application/json"), body.to_string())
}

/// A problem: `reason` is a stable word, `detail` says what to do.
pub(super) fn problem(status: StatusCode, reason: &str, detail: &str) -> Response<Full<Bytes>> {
    let body = json!({
        "type": format!("urn:gateway:problem:{reason}"),
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "reason": reason,
    });
    of(status, HeaderValue::from_static("application/problem+json"), body.to_string())
}

pub(super) fn nothing_here(detail: &str) -> Response<Full<Bytes>> {
    problem(StatusCode::NOT_FOUND, "not_found", detail)
}

pub(super) fn use_method(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &format!("use {allow}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

pub(super) fn bad_request(detail: &str) -> Response<Full<Bytes>> {
    problem(StatusCode::BAD_REQUEST, "bad_request", detail)
}

/// The admin token is missing or another one.
pub(super) fn unauthorized(detail: &str) -> Response<Full<Bytes>> {
    let mut response = problem(StatusCode::UNAUTHORIZED, "admin_token", detail);
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gateway admin\""));
    response
}

/// The store cannot do what it should. What this gateway could end by itself it has ended.
pub(super) fn store_unavailable() -> Response<Full<Bytes>> {
    let detail = "the session store cannot be used at the moment; try again";
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
