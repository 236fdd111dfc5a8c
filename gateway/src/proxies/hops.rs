//! The hops that `X-Forwarded-For` and `Forwarded` name, from the nearest on. Whatever cannot be read is a hop without an
//! address; nobody is trusted here.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

/// One element of `Forwarded`.
pub(super) struct Hop {
    pub(super) address: Option<IpAddr>,
    pub(super) is_plain: bool,
}

/// The elements of a list that several lines may make up (RFC 9110, section 5.3), the last one first.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).iter().rev();
    let of_line = |line: &'a HeaderValue| line.as_bytes().rsplit(|byte| *byte == b',');
    lines.flat_map(of_line).map(<[u8]>::trim_ascii)
}

/// The hops of `X-Forwarded-For`.
pub(super) fn of_list(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<IpAddr>> {
    elements(headers, name).map(|element| address(std::str::from_utf8(element).ok()?))
}

/// The hops of `Forwarded`. An element that holds a comma in quotes falls apart into ones that cannot be read: no address
/// is written so.
pub(super) fn of_forwarded(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    elements(headers, &FORWARDED).map(|element| {
        let element = std::str::from_utf8(element).unwrap_or_default();
        let is_plain = parameter(element, "proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        Hop { address: parameter(element, "for").and_then(address), is_plain }
    })
}

/// The one value of that name, without its quotes.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut values = element.split(';').filter_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    });
    let value = values.next().filter(|_| values.next().is_none())?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Whether there is something said, and everybody says `http`.
pub(super) fn all_say_http(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut said = elements(headers, name).peekable();
    said.peek().is_some() && said.all(|scheme| scheme.eq_ignore_ascii_case(b"http"))
}

/// An address as proxies write it, with or without its port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    // An IPv4 client of a dual-stack proxy is an IPv4 client.
    text.parse().ok().or_else(with_port).or_else(bare).map(|address: IpAddr| address.to_canonical())
}
