//! Headers of files: which of the request's count, and what an answer carries beyond what the file library says.

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE, VARY,
};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{Settings, names};
use crate::intake;

const CONDITIONS: [HeaderName; 5] =
    [ACCEPT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE];

/// The headers on which a file's answer depends. `Range` counts only on GET and only in bytes
/// (RFC 9110, section 14.2); everything else, cookies first, stays behind.
pub(super) fn passed_on(method: &Method, headers: &HeaderMap) -> HeaderMap {
    let mut wanted = HeaderMap::new();
    for name in CONDITIONS {
        for value in headers.get_all(&name) {
            wanted.append(&name, value.clone());
        }
    }
    let range = intake::single(headers, &RANGE).filter(|range| range.as_bytes().starts_with(b"bytes="));
    if let Some(range) = range.filter(|_| method == Method::GET) {
        wanted.insert(RANGE, range.clone());
    }
    wanted
}

/// Completes the answer about the file of that name.
pub(super) fn complete(answer: &mut Parts, name: &str, settings: &Settings) {
    let headers = &mut answer.headers;
    if !matches!(answer.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) {
        // A failed condition or range: true for this request only.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return;
    }
    if let Some(with_charset) = headers.get(CONTENT_TYPE).and_then(with_charset) {
        headers.insert(CONTENT_TYPE, with_charset);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(freshness(name, settings.public)));
    // A 304 repeats what the 200 said (RFC 9110, section 15.4.5).
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if names::is_page(name) {
        headers.insert(CONTENT_SECURITY_POLICY, settings.content_security_policy.clone());
    }
}

/// Text is UTF-8, scripts under their older names too; other types say it themselves or have no charset.
fn with_charset(kind: &HeaderValue) -> Option<HeaderValue> {
    let kind = kind.to_str().ok().filter(|kind| !kind.contains(';'))?;
    let text = kind.starts_with("text/") || kind == "application/javascript";
    text.then(|| HeaderValue::try_from(format!("{kind}; charset=utf-8")).ok()).flatten()
}

/// Content behind a hashed name never changes; everything else is asked about each time, which its `ETag` makes cheap.
/// What not everybody may read stays out of shared caches.
fn freshness(name: &str, public: bool) -> &'static str {
    match (names::is_hashed(name) && !names::is_page(name), public) {
        (true, true) => "public, max-age=31536000, immutable",
        (true, false) => "private, max-age=31536000, immutable",
        (false, true) => "no-cache",
        (false, false) => "private, no-cache",
    }
}
