//! Which trailers pass where a route lets trailers pass at all: none that would change what was judged by the headers
//! (RFC 9110, section 6.5.1; requirements HD-01, HD-11).

use http::header::{CONNECTION, TE, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::request::is_dropped;
use super::response::KEPT_BACK;

/// What says how a message is framed, routed, cached, read or who sent it, in lower case, sorted: a trailer that says so
/// comes too late to be judged.
const TOO_LATE: [&str; 41] = [
    "accept",
    "accept-encoding",
    "age",
    "alt-svc",
    "authorization",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "cross-origin-resource-policy",
    "date",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "referrer-policy",
    "refresh",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
    "x-content-type-options",
    "x-csrf",
];

/// What gRPC's answers end with.
static OF_GRPC: HeaderValue = HeaderValue::from_static("grpc-status, grpc-message, grpc-status-details-bin");

fn is_too_late(name: &str) -> bool {
    TOO_LATE.binary_search(&name).is_ok() || name.starts_with("sec-")
}

fn may_go_up(name: &HeaderName) -> bool {
    !is_too_late(name.as_str()) && !is_dropped(name.as_str())
}

fn may_come_down(name: &HeaderName) -> bool {
    let name = name.as_str();
    !is_too_late(name) && KEPT_BACK.binary_search(&name).is_err() && name != "server" && !name.contains('_')
}

fn keep(trailers: &mut HeaderMap, may_pass: impl Fn(&HeaderName) -> bool) {
    let dropped: Vec<HeaderName> = trailers.keys().filter(|name| !may_pass(name)).cloned().collect();
    for name in dropped {
        trailers.remove(name);
    }
}

/// Says to the upstream that trailers pass, both ways: without that many servers keep theirs (RFC 9110, section 6.5.1),
/// and gRPC's refuse to answer.
pub fn say(headers: &mut HeaderMap, announced: Option<HeaderValue>, is_multiplexed: bool) {
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if !is_multiplexed {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(announced) = announced {
        headers.insert(TRAILER, announced);
    }
}

/// Removes from a client's trailers what must not reach an upstream on any route.
pub fn filter_towards_upstream(trailers: &mut HeaderMap) {
    keep(trailers, may_go_up);
}

/// Removes from an upstream's trailers what must not reach a client.
pub fn filter_towards_client(trailers: &mut HeaderMap) {
    keep(trailers, may_come_down);
}

/// The trailers that a client announces and may send, as the upstream is told of them.
pub fn announced_by_client(headers: &HeaderMap) -> Option<HeaderValue> {
    announced(headers, may_go_up)
}

/// The trailers that an upstream announces and may send, as the client is told of them; for gRPC also those that every
/// answer has.
pub fn announced_by_upstream(headers: &HeaderMap, grpc: bool) -> Option<HeaderValue> {
    announced(headers, may_come_down).or_else(|| grpc.then(|| OF_GRPC.clone()))
}

fn announced(headers: &HeaderMap, may_pass: impl Fn(&HeaderName) -> bool) -> Option<HeaderValue> {
    let names: Vec<HeaderName> = headers
        .get_all(TRAILER)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(may_pass)
        .collect();
    if names.is_empty() {
        return None;
    }
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1"))).collect()
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(TOO_LATE.is_sorted());
    }

    #[test]
    fn nothing_that_headers_are_judged_by_goes_up_as_a_trailer() {
        let mut trailers = map(&[
            "authorization",
            "cookie",
            "x-forwarded-user",
            "x_forwarded_user",
            "content-length",
            "x-request-id",
            "sec-fetch-site",
            "host",
            "checksum",
        ]);
        filter_towards_upstream(&mut trailers);
        assert_eq!(trailers, map(&["checksum"]));
    }

    #[test]
    fn nothing_that_browsers_obey_comes_down_as_a_trailer() {
        let mut trailers = map(&[
            "set-cookie",
            "location",
            "access-control-allow-origin",
            "content-security-policy",
            "www-authenticate",
            "grpc-status",
            "grpc-message",
        ]);
        filter_towards_client(&mut trailers);
        assert_eq!(trailers, map(&["grpc-status", "grpc-message"]));
    }

    #[test]
    fn only_what_may_pass_is_announced() {
        let mut headers = HeaderMap::new();
        headers.insert(TRAILER, HeaderValue::from_static("Checksum, Set-Cookie,  X-Forwarded-User ,b d"));
        assert_eq!(announced_by_client(&headers), Some(HeaderValue::from_static("checksum")));
        let down = announced_by_upstream(&headers, false).expect("some pass");
        assert_eq!(down, "checksum, x-forwarded-user");
        assert_eq!(announced_by_upstream(&HeaderMap::new(), true).as_ref(), Some(&OF_GRPC));
        assert_eq!(announced_by_upstream(&HeaderMap::new(), false), None);
    }
}
