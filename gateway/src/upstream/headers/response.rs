//! From an upstream's headers to those the client gets: nothing about the connection, nothing that opens this origin to
//! others, no cookie of ours, no length in doubt (requirements HD-06, HD-13, HD-14, CS-05, TK-11, TK-12, H1-10).

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, SERVER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};

use crate::intake;
use crate::origin::Origin;
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
/// a redirect to this site (requirement TK-12).
pub fn towards_client(
    headers: &mut HeaderMap,
    cookies: &Cookies,
    signed_in: bool,
    host: &HeaderValue,
    origin: &Origin,
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
    if found.location
        && let Some(here) = headers.get(LOCATION).and_then(|location| on_this_site(location, host, origin))
    {
        headers.insert(LOCATION, here);
    }
    // What one person was shown is no other's to see, unless the app says so itself (requirement HD-14).
    if signed_in && !found.cache_control {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(())
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

/// The same place on this site, for a redirect to the upstream's own name, which browsers cannot or should not reach.
fn on_this_site(location: &HeaderValue, host: &HeaderValue, origin: &Origin) -> Option<HeaderValue> {
    let (location, host) = (location.to_str().ok()?, host.to_str().ok()?);
    let rest = ["http://", "https://", "//"].iter().find_map(|start| location.strip_prefix(start))?;
    let path = rest.get(host.len()..).filter(|_| rest[..host.len()].eq_ignore_ascii_case(host))?;
    let is_whole_host = path.is_empty() || path.starts_with(['/', '?', '#']);
    is_whole_host.then(|| HeaderValue::from_str(&origin.url(path)).ok()).flatten()
}
