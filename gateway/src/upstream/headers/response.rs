//! From an upstream's headers to those the client gets: nothing about the connection, nothing that opens this origin to
//! others, no cookie of ours, no length in doubt (requirements HD-06, HD-13, HD-14, CS-05, TK-11, TK-12, H1-10).

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, SERVER, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::intake;
use crate::origin::Origin;
use crate::routing::{Changes, Rewrite};
use crate::session::cookie::Cookies;

use super::{Found, drop_listed_in_connection};

/// What an upstream says about its connection, about itself, or to open this origin to others, in lower case, sorted:
/// `Access-Control-*` (requirement CS-05), and a challenge for the gateway's token, which is no business of the browser
/// and would open a password box (requirement TK-11).
pub(super) const KEPT_BACK: [&str; 18] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "www-authenticate",
    "x-powered-by",
    "x-request-id",
];

/// An answer's headers that leave its length or coding open to doubt (RFC 9112, section 6).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than one Content-Length, one that is not a number, or a Transfer-Encoding other than chunked")]
pub struct BadFraming;

/// Rewrites an upstream's headers into those the client gets. `host` is the upstream's own name: a redirect to it means
/// a redirect to this site (requirement TK-12), and paths of the upstream's are those that the route makes of them.
pub fn towards_client(
    headers: &mut HeaderMap,
    cookies: &Cookies,
    signed_in: bool,
    host: &HeaderValue,
    origin: &Origin,
    changes: Option<&Changes>,
) -> Result<(), BadFraming> {
    let found = Found::by(headers, |name| {
        matches!(name.as_bytes().first(), Some(b'a' | b'k' | b'p' | b't' | b'u' | b'w' | b'x'))
            && KEPT_BACK.binary_search(&name).is_ok()
    });
    if found.connection {
        drop_listed_in_connection(headers);
    }
    if found.transfer_encoding {
        check_coding(headers)?;
        headers.remove(TRANSFER_ENCODING);
        // Chunked wins over a length beside it; both passed on would end the client's connection.
        headers.remove(CONTENT_LENGTH);
    } else if found.content_length {
        check_length(headers)?;
    }
    if found.server {
        headers.remove(SERVER);
    }
    found.remove_unwanted(headers);
    if found.set_cookie {
        cookies.strip_from_response(headers);
    }
    let rewrite = changes.and_then(|changes| changes.rewrite.as_ref());
    if found.location
        && let Some(here) =
            headers.get(LOCATION).and_then(|location| on_this_site(location, host, origin, rewrite))
    {
        headers.insert(LOCATION, here);
    }
    if let Some(changes) = changes {
        if let Some(rewrite) = rewrite.filter(|_| found.set_cookie) {
            map_cookies(headers, rewrite);
        }
        changes.response.apply(headers);
    }
    // What one person was shown is no other's to see, unless the app says so itself (requirement HD-14).
    let says_so = if changes.is_some() { headers.contains_key(CACHE_CONTROL) } else { found.cache_control };
    if signed_in && !says_so {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(())
}

/// Binds the upstream's cookies to the paths that the client knows.
fn map_cookies(headers: &mut HeaderMap, rewrite: &Rewrite) {
    let lines: Vec<_> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for line in lines {
        headers.append(SET_COOKIE, rewrite.cookie(&line).unwrap_or(line));
    }
}

/// Headers of an answer that no route edits: its framing, the connection's, and those that decide who may read it.
/// In lower case, sorted.
const GOVERNED: [&str; 18] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-request-id",
];

/// Whether a route may not say what stands in that header of an answer.
pub fn is_governed(name: &HeaderName) -> bool {
    let name = name.as_str();
    GOVERNED.binary_search(&name).is_ok()
        || ["access-control-", "sec-websocket-"].iter().any(|family| name.starts_with(family))
}

/// Whether the body is a stream of server-sent events, which ends when somebody ends it (HTML, section 9.2).
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let essence = |kind: &HeaderValue| {
        let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
    };
    headers.get(CONTENT_TYPE).is_some_and(essence)
}

/// Only `chunked` was taken off; under any other coding the bytes would go out unlabelled.
fn check_coding(headers: &HeaderMap) -> Result<(), BadFraming> {
    let coding = intake::single(headers, &TRANSFER_ENCODING);
    let is_chunked = coding.is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if is_chunked { Ok(()) } else { Err(BadFraming) }
}

fn check_length(headers: &HeaderMap) -> Result<(), BadFraming> {
    let length = intake::single(headers, &CONTENT_LENGTH).map(HeaderValue::as_bytes);
    let is_number = length.is_some_and(|length| !length.is_empty() && length.iter().all(u8::is_ascii_digit));
    if is_number { Ok(()) } else { Err(BadFraming) }
}

/// The same place on this site, for a redirect to the upstream's own name, which browsers cannot or should not reach, or
/// to a path that has another name there. A redirect to this site's own address was written by an app that knows it.
fn on_this_site(
    location: &HeaderValue,
    host: &HeaderValue,
    origin: &Origin,
    rewrite: Option<&Rewrite>,
) -> Option<HeaderValue> {
    let (location, host) = (location.to_str().ok()?, host.to_str().ok()?);
    if let Some(there) = rewrite.and_then(|rewrite| rewrite.outward(location)) {
        return HeaderValue::from_str(&there).ok();
    }
    let rest = ["http://", "https://", "//"].iter().find_map(|start| location.strip_prefix(start))?;
    let path = rest.get(host.len()..).filter(|_| rest[..host.len()].eq_ignore_ascii_case(host))?;
    let is_whole_host = path.is_empty() || path.starts_with(['/', '?', '#']);
    let rooted = || if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let there = rewrite.and_then(|rewrite| rewrite.outward(&rooted()));
    let there = origin.url(there.as_deref().unwrap_or(path));
    is_whole_host.then(|| HeaderValue::from_str(&there).ok()).flatten()
}
