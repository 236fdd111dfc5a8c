//! Building responses with the headers that every answer of its kind must have. Knows nothing of what they say.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;

/// What every handler gives back.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Any answer: a status, a type and bytes.
pub(crate) fn bytes(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()).boxed_unsync());
    *answer.status_mut() = status;
    set(&mut answer, header::CONTENT_TYPE, content_type);
    set(&mut answer, header::CACHE_CONTROL, "no-store");
    set(&mut answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(&mut answer, header::REFERRER_POLICY, "no-referrer");
    answer
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
    bytes(status, "application/json", body.to_string())
}

/// A page. `form_targets` are the origins that its forms may end at, besides this provider: Chromium holds a form's
/// whole redirect chain against `form-action`, and ours ends at the app.
pub(crate) fn page(status: StatusCode, html: String, form_targets: &[String]) -> Answer {
    let mut answer = bytes(status, "text/html; charset=utf-8", html);
    let targets = form_targets.iter().map(|origin| format!(" {origin}")).collect::<Vec<_>>().concat();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self'{targets}"
    );
    set(&mut answer, header::CONTENT_SECURITY_POLICY, &policy);
    set(&mut answer, header::X_FRAME_OPTIONS, "DENY");
    answer
}

/// A page that shows pages of these origins in frames.
pub(crate) fn page_with_frames(html: String, framed: &[String]) -> Answer {
    let mut answer = page(StatusCode::OK, html, &[]);
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'none'; frame-src {}",
        framed.join(" ")
    );
    set(&mut answer, header::CONTENT_SECURITY_POLICY, &policy);
    answer
}

/// A redirect that a POST and a GET both follow with a GET.
pub(crate) fn redirect(to: &str) -> Answer {
    let mut answer = bytes(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    set(&mut answer, header::LOCATION, to);
    answer
}

/// Sets a header whose value we made; a value that is no header text is left out rather than mangled.
pub(crate) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

pub(crate) fn with_cookie(mut answer: Answer, cookie: Option<&str>) -> Answer {
    if let Some(value) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
    answer
}
