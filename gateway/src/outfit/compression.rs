//! Compressing an answer as the client accepts it (RFC 9110, section 12.5.3): brotli, zstd or gzip, and only what gets
//! smaller by it.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tower::{Service, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::Predicate;

use crate::body::Body;

/// Shorter answers are not worth it.
const LEAST: u64 = 1_024;

/// What one client accepts.
pub(super) struct Wish {
    accepted: HeaderMap,
    is_head: bool,
}

impl Wish {
    pub(super) fn of(headers: &HeaderMap, is_head: bool) -> Self {
        let mut accepted = HeaderMap::new();
        for value in headers.get_all(ACCEPT_ENCODING) {
            accepted.append(ACCEPT_ENCODING, value.clone());
        }
        Self { accepted, is_head }
    }

    /// The answer in a coding that the client accepts, or as it is.
    pub(super) fn fulfil(&self, response: Response<Body>) -> Response<Body> {
        if !is_worth_it(&response) {
            return response;
        }
        let status = response.status();
        if self.accepted.is_empty() {
            // Others who ask for the same get it in another coding.
            return with_vary(response);
        }
        let mut answer = Some(response);
        let inner = service_fn(move |_: Request<()>| {
            let answer = answer.take().expect("called once");
            async { Ok::<_, Infallible>(answer) }
        });
        // What is compressed while somebody waits is compressed quickly.
        let mut service = Compression::new(inner).compress_when(Always).quality(CompressionLevel::Precise(4));
        let mut asked = Request::new(());
        asked.headers_mut().clone_from(&self.accepted);
        let compressed = service.call(asked).now_or_never().expect("nothing is waited for");
        let Ok(compressed) = compressed;
        let (mut parts, body) = compressed.into_parts();
        // The library answers 406 to clients that accept nothing at all; ours get what there is.
        parts.status = status;
        if parts.headers.contains_key(CONTENT_ENCODING) {
            weaken(&mut parts.headers);
        }
        let body = if self.is_head { Body::Empty } else { Body::Upstream(Box::pin(body)) };
        Response::from_parts(parts, body)
    }
}

/// This module has judged already.
#[derive(Clone, Copy)]
struct Always;

impl Predicate for Always {
    fn should_compress<B: http_body::Body>(&self, _: &Response<B>) -> bool {
        true
    }
}

fn with_vary(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// The same representation in another coding is not the same byte for byte (RFC 9110, section 8.8.3.3).
fn weaken(headers: &mut HeaderMap) {
    let weak = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
    let weak = weak.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok());
    if let Some(weak) = weak {
        headers.insert(ETAG, weak);
    }
}

fn is_worth_it(response: &Response<Body>) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let is_whole = status != StatusCode::PARTIAL_CONTENT && !matches!(response.body(), Body::Tunnel(_));
    let has_body = !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT);
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    is_whole
        && has_body
        && length.is_none_or(|length| length >= LEAST)
        && !headers.contains_key(CONTENT_ENCODING)
        && !may_not_be_changed(headers)
        && headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(gets_smaller)
}

fn may_not_be_changed(headers: &HeaderMap) -> bool {
    let directives =
        headers.get_all(CACHE_CONTROL).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    directives.map(<[u8]>::trim_ascii).any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// Text, and what is written as text. Event streams and other streams would wait in the compressor.
fn gets_smaller(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_text = essence.starts_with("text/") && essence != "text/event-stream";
    is_text
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            &*essence,
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/x-javascript"
                | "font/otf"
                | "font/ttf"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn answer(headers: &[(&'static str, &'static str)]) -> Response<Body> {
        let text = "The same words again and again. ".repeat(200);
        let mut answer = Response::builder().header("content-type", "text/html; charset=utf-8");
        answer = answer.header("content-length", text.len()).header("etag", "\"1\"");
        let mut answer = answer.body(Body::Full(text.into())).expect("an answer");
        for (name, value) in headers {
            answer.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        answer
    }

    fn fulfilled(accepted: Option<&'static str>, is_head: bool, answer: Response<Body>) -> Response<Body> {
        let mut headers = HeaderMap::new();
        headers.extend(accepted.map(|value| (ACCEPT_ENCODING, HeaderValue::from_static(value))));
        Wish::of(&headers, is_head).fulfil(answer)
    }

    fn coding(response: &Response<Body>) -> Option<&str> {
        response.headers().get(CONTENT_ENCODING).map(|coding| coding.to_str().expect("ASCII"))
    }

    #[tokio::test]
    async fn a_client_gets_the_best_coding_that_it_accepts() {
        for (accepted, wanted) in [
            (Some("gzip, deflate, br, zstd"), Some("zstd")),
            (Some("gzip, br"), Some("br")),
            (Some("gzip, zstd"), Some("zstd")),
            (Some("gzip"), Some("gzip")),
            (Some("br;q=0, gzip"), Some("gzip")),
            (Some("br;q=0.1, gzip;q=0.9"), Some("gzip")),
            (Some("deflate"), None),
            (Some("identity"), None),
            (Some("*;q=0"), None),
            (Some(""), None),
            (None, None),
        ] {
            let response = fulfilled(accepted, false, answer(&[]));
            assert_eq!((response.status(), coding(&response)), (StatusCode::OK, wanted), "{accepted:?}");
            assert_eq!(response.headers()[VARY], "accept-encoding", "{accepted:?}");
            let is_changed = wanted.is_some();
            assert_eq!(response.headers()[ETAG], if is_changed { "W/\"1\"" } else { "\"1\"" });
            assert_eq!(response.headers().contains_key(CONTENT_LENGTH), !is_changed);
            let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
            assert_eq!(bytes.len() < 1_000, is_changed, "{accepted:?}: {}", bytes.len());
        }
    }

    #[test]
    fn what_would_not_get_smaller_or_must_stay_as_it_is_stays() {
        for header in [
            ("content-type", "image/png"),
            ("content-type", "text/event-stream"),
            ("content-type", "application/grpc"),
            ("content-encoding", "br"),
            ("cache-control", "public, No-Transform"),
            ("content-length", "1023"),
        ] {
            let response = fulfilled(Some("gzip"), false, answer(&[header]));
            let wanted = (header.0 == "content-encoding").then_some("br");
            assert_eq!(
                (coding(&response), response.headers().contains_key(VARY)),
                (wanted, false),
                "{header:?}"
            );
        }
        for status in [204, 206, 304] {
            let mut answer = answer(&[]);
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            assert_eq!(coding(&fulfilled(Some("gzip"), false, answer)), None, "{status}");
        }
    }

    #[test]
    fn a_head_request_is_told_what_a_get_would_be() {
        let response = fulfilled(Some("gzip"), true, answer(&[]));
        assert_eq!(coding(&response), Some("gzip"));
        assert!(!response.headers().contains_key(CONTENT_LENGTH));
        assert!(matches!(response.body(), Body::Empty));
    }
}
