//! From a request as it came to an [`Inbound`]: one host, one canonical target, bounded headers, or a refusal.
//! Everything later judges and forwards this value and nothing else (requirements PA-01, HD-07, H1-01 to H1-04).

mod http2;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use crate::body::Body;
use crate::clock::Timestamp;
use crate::handshake::Handshake;
use crate::path;
use crate::places::Place;
use crate::request_id::RequestId;
use crate::session::return_to::ReturnTo;
use crate::site::{SiteId, Sites};
use crate::stop::{Reason, Stop};
use crate::trace::Hop;

/// What kind of use the browser makes of the answer (W3C Fetch Metadata).
pub static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// From where the browser was sent (W3C Fetch Metadata).
pub static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
static SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// The longest request target, in bytes (requirement H1-16).
pub const MAX_TARGET: usize = 8 * 1024;
/// The most header bytes of one request (requirement H1-16).
pub const MAX_HEADER_BYTES: usize = 32 * 1024;
/// The most header fields of one request (requirement H1-16).
pub const MAX_HEADERS: usize = 100;

/// The other end of a connection, as seen from the socket; formatted once per connection, not per request.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The address as a header value.
    pub value: HeaderValue,
    /// What the TLS handshake showed; nothing on a connection without TLS.
    pub handshake: Option<Arc<Handshake>>,
    /// Whether it is a proxy whose word counts about whom it speaks for. Decided when the connection was made.
    pub is_proxy: bool,
    /// For a client behind such a proxy: every hop from it to here, as upstreams are told.
    pub chain: Option<HeaderValue>,
    /// Its place among the connections of its address, for as long as it is connected.
    pub place: Option<Place>,
}

impl Peer {
    /// The address as text.
    pub fn text(&self) -> &str {
        self.value.to_str().unwrap_or_default()
    }

    /// Formats the address.
    ///
    /// # Panics
    /// Never: an address is visible ASCII.
    pub fn new(address: IpAddr) -> Self {
        // An IPv4 client of a dual-stack listener is an IPv4 client.
        let address = address.to_canonical();
        Self {
            address,
            value: HeaderValue::try_from(address.to_string()).expect("an address is visible ASCII"),
            handshake: None,
            is_proxy: false,
            chain: None,
            place: None,
        }
    }
}

/// A request that has exactly one reading.
pub struct Inbound {
    /// Method and headers; the target is canonical and in origin form.
    pub parts: Parts,
    /// The body, not yet read.
    pub body: Body,
    /// The site that its `Host` names.
    pub site: SiteId,
    /// Its name in logs.
    pub request_id: RequestId,
    /// When it was admitted.
    pub now: Timestamp,
    /// What an upstream is told of the trace that it belongs to.
    pub hop: Option<Box<Hop>>,
}

impl Inbound {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The canonical path.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The query, as it came.
    pub fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    /// The headers, as they came.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Whether a browser is loading a page into a tab.
    pub fn is_navigation(&self) -> bool {
        is_navigation(&self.parts.method, &self.parts.headers)
    }

    /// Whether the browser says that another site sent it.
    pub fn comes_from_another_site(&self) -> bool {
        single(&self.parts.headers, &SEC_FETCH_SITE).is_some_and(|site| site == "cross-site")
    }

    /// Refuses what came on a connection that is for another server: its certificate is not this host's, or the client
    /// asked for a server that this certificate is not for (requirement HD-09).
    pub fn must_belong_to(&self, peer: &Peer) -> Result<(), Stop> {
        let Some(handshake) = &peer.handshake else {
            return Ok(());
        };
        let host = single(&self.parts.headers, &HOST).and_then(|host| host.to_str().ok());
        if host.is_some_and(|host| handshake.vouches_for(host)) {
            return Ok(());
        }
        Err(Stop::refused(Reason::OtherServer))
    }

    /// The target to come back to after sign-in; the front page for anything but a page that was asked for.
    pub fn return_to(&self) -> ReturnTo {
        if !self.is_navigation() {
            return ReturnTo::home();
        }
        ReturnTo::or_home(self.parts.uri.path_and_query().map(PathAndQuery::as_str))
    }
}

/// The method and path; headers hold secrets.
impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.path())
    }
}

/// Admits a request, or says what is wrong with it.
pub fn admit(
    mut parts: Parts,
    body: Body,
    sites: &Sites,
    request_id: RequestId,
    now: Timestamp,
) -> Result<Inbound, Stop> {
    let seen = Seen::in_headers(&parts.headers);
    check_limits(&parts, seen.bytes).map_err(Stop::refused)?;
    if parts.version == Version::HTTP_2 {
        http2::as_http1(&mut parts).map_err(Stop::refused)?;
    }
    if seen.framing {
        check_framing(&parts.headers).map_err(Stop::refused)?;
    }
    let site = site_of(&parts, sites).map_err(Stop::refused)?;
    if let Some(uri) = canonical_target(&parts.uri).map_err(Stop::refused)? {
        parts.uri = uri;
    }
    Ok(Inbound { parts, body, site, request_id, now, hop: None })
}

/// What one look at a request's headers tells. Most have none of those whose absence need not be looked up one by one.
struct Seen {
    bytes: usize,
    /// Whether anything is said about the body.
    framing: bool,
}

impl Seen {
    fn in_headers(headers: &HeaderMap) -> Self {
        let mut seen = Self { bytes: 0, framing: false };
        for (name, value) in headers {
            seen.bytes += name.as_str().len() + value.len() + 4;
            seen.framing |= matches!(*name, TRANSFER_ENCODING | CONTENT_LENGTH | EXPECT);
        }
        seen
    }
}

fn check_limits(parts: &Parts, bytes: usize) -> Result<(), Reason> {
    if parts.uri.path().len() + parts.uri.query().map_or(0, str::len) > MAX_TARGET {
        return Err(Reason::TargetTooLong);
    }
    if bytes > MAX_HEADER_BYTES || parts.headers.len() > MAX_HEADERS {
        return Err(Reason::HeadersTooLarge);
    }
    Ok(())
}

/// RFC 9112, section 6.1, strictly: at most one framing, and of the two that everybody understands alike.
fn check_framing(headers: &HeaderMap) -> Result<(), Reason> {
    if headers.contains_key(TRANSFER_ENCODING) {
        let chunked = single(headers, &TRANSFER_ENCODING)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !chunked || headers.contains_key(CONTENT_LENGTH) {
            return Err(Reason::BadFraming);
        }
    }
    if headers.contains_key(CONTENT_LENGTH) {
        let digits = single(headers, &CONTENT_LENGTH)
            .is_some_and(|value| !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit));
        if !digits {
            return Err(Reason::BadFraming);
        }
    }
    if headers.contains_key(EXPECT) {
        let wanted = single(headers, &EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        if !wanted {
            return Err(Reason::BadExpect);
        }
    }
    Ok(())
}

/// Exactly one `Host`, one of ours; an absolute-form target must name the same (RFC 9112, section 3.2.2).
fn site_of(parts: &Parts, sites: &Sites) -> Result<SiteId, Reason> {
    let host = single(&parts.headers, &HOST).and_then(|value| value.to_str().ok()).ok_or(Reason::BadHost)?;
    if let Some(site) = sites.find(host) {
        return match parts.uri.authority() {
            Some(authority) if !site.origin.is_host(authority.as_str()) => Err(Reason::UnknownHost),
            _ => Ok(site.id),
        };
    }
    Err(if is_well_formed(host) { Reason::UnknownHost } else { Reason::BadHost })
}

/// A name or address with an optional port (RFC 9110, section 7.2); stricter than `reg-name`, which allows commas.
fn is_well_formed(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => return address.parse::<std::net::Ipv6Addr>().is_ok(),
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => host.split_once(':').map_or((host, Some("0")), |(name, port)| (name, Some(port))),
    };
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':'));
    is_name && port.is_some_and(|port| port.parse::<u16>().is_ok())
}

/// The target in normal form, when it differs from what came.
fn canonical_target(uri: &Uri) -> Result<Option<Uri>, Reason> {
    let path = match path::canonical(uri.path()).map_err(|_| Reason::BadPath)? {
        Cow::Borrowed(_) if uri.authority().is_none() => return Ok(None),
        path => path,
    };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    target.parse().map(Some).map_err(|_| Reason::BadPath)
}

/// The value of a header that must stand alone.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a browser is loading a page into a tab: the only kind of request that is ever sent to the provider
/// (requirements SI-11, SI-12). Frames, prefetches, scripts and everything else get a 401 they can understand.
pub fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    // What opens a WebSocket shows no page.
    let opens_socket =
        || headers.get(UPGRADE).is_some_and(|other| other.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if method != Method::GET || headers.contains_key(&SEC_PURPOSE) || opens_socket() {
        return false;
    }
    let (mode, destination) = (headers.get(&SEC_FETCH_MODE), headers.get(&SEC_FETCH_DEST));
    match (mode, destination) {
        (None, None) => accepts_html(headers),
        (mode, destination) => {
            mode.is_some_and(|mode| mode == "navigate") && destination.is_none_or(|place| place == "document")
        }
    }
}

/// Whether a sign-in may begin with this request: a navigation, or a program that says nothing of fetch metadata.
pub fn may_begin_sign_in(method: &Method, headers: &HeaderMap) -> bool {
    let silent =
        [&SEC_FETCH_MODE, &SEC_FETCH_DEST, &SEC_PURPOSE].iter().all(|name| !headers.contains_key(*name));
    method == Method::GET && (silent || is_navigation(method, headers))
}

/// Whether the other side reads HTML: decides between a page and problem+json.
pub fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(is_html)
}

/// Whether one value of `Accept` names HTML.
pub fn is_html(accept: &HeaderValue) -> bool {
    const HTML: &[u8] = b"text/html";
    accept.as_bytes().windows(HTML.len()).any(|word| word == HTML)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn try_admit(request: http::request::Builder) -> Result<Inbound, Reason> {
        let sites = crate::site::tests::sites(&["http://app.example"]);
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let id = crate::request_id::RequestIds::new().next();
        admit(parts, Body::Empty, &sites, id, Timestamp(0)).map_err(|stop| stop.reason())
    }

    fn get(target: &str) -> http::request::Builder {
        Request::get(target).header("host", "app.example")
    }

    #[test]
    fn an_ordinary_request_is_admitted_as_it_came() {
        let inbound = try_admit(get("/a/b?x=//&y=%2f")).expect("admitted");
        assert_eq!((inbound.path(), inbound.query()), ("/a/b", Some("x=//&y=%2f")));
    }

    #[test]
    fn the_target_is_judged_and_forwarded_in_normal_form() {
        let inbound = try_admit(get("/%61dmin?q=%61")).expect("admitted");
        assert_eq!(inbound.parts.uri.to_string(), "/admin?q=%61");
        let inbound = try_admit(get("http://app.example/x")).expect("admitted");
        assert_eq!(inbound.parts.uri.to_string(), "/x");
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for target in ["//evil", "/a/../b", "/a%2fb", "/%2e%2e/a", "/a//b", "/a%00", "*"] {
            assert_eq!(try_admit(get(target)).err(), Some(Reason::BadPath), "{target}");
        }
    }

    #[test]
    fn there_is_exactly_one_host_and_it_is_ours() {
        assert_eq!(try_admit(Request::get("/")).err(), Some(Reason::BadHost));
        assert_eq!(try_admit(get("/").header("host", "app.example")).err(), Some(Reason::BadHost));
        for bad in ["", "a b", "app.example,evil", "u@app.example", "app.example/x", "[::1"] {
            assert_eq!(
                try_admit(Request::get("/").header("host", bad)).err(),
                Some(Reason::BadHost),
                "{bad:?}"
            );
        }
        assert_eq!(
            try_admit(Request::get("/").header("host", "evil.example")).err(),
            Some(Reason::UnknownHost)
        );
        assert_eq!(try_admit(get("http://evil.example/")).err(), Some(Reason::UnknownHost));
        assert!(try_admit(Request::get("/").header("host", "APP.example:80")).is_ok());
    }

    #[test]
    fn only_framing_that_everybody_reads_alike_is_admitted() {
        let with = |headers: &[(&str, &str)]| {
            try_admit(headers.iter().fold(get("/"), |request, (name, value)| request.header(*name, *value)))
                .err()
        };
        let te = "transfer-encoding";
        for headers in [
            &[(te, "gzip, chunked")][..],
            &[(te, ",chunked")],
            &[(te, "identity")],
            &[(te, "chunked"), (te, "chunked")],
            &[(te, "chunked"), ("content-length", "1")],
            &[("content-length", "1"), ("content-length", "1")],
            &[("content-length", "+1")],
            &[("content-length", "1, 1")],
            &[("content-length", "")],
        ] {
            assert_eq!(with(headers), Some(Reason::BadFraming), "{headers:?}");
        }
        assert_eq!(with(&[(te, "Chunked")]), None);
        assert_eq!(with(&[("content-length", "12")]), None);
        assert_eq!(with(&[("expect", "y 100-continue")]), Some(Reason::BadExpect));
        assert_eq!(with(&[("expect", "100-continue")]), None);
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let target = format!("/{}", "a".repeat(MAX_TARGET - 1));
        assert!(try_admit(get(&target)).is_ok());
        assert_eq!(try_admit(get(&format!("{target}a"))).err(), Some(Reason::TargetTooLong));
        // "host: app.example" and "x: …" with four bytes of punctuation each.
        let room = MAX_HEADER_BYTES - (4 + 11 + 4) - (1 + 4);
        assert!(try_admit(get("/").header("x", "v".repeat(room))).is_ok());
        assert_eq!(
            try_admit(get("/").header("x", "v".repeat(room + 1))).err(),
            Some(Reason::HeadersTooLarge)
        );
        let many =
            |count: usize| (1..count).fold(get("/"), |request, n| request.header(format!("x-{n}"), "v"));
        assert!(try_admit(many(MAX_HEADERS)).is_ok());
        assert_eq!(try_admit(many(MAX_HEADERS + 1)).err(), Some(Reason::HeadersTooLarge));
    }

    #[test]
    fn only_a_page_loaded_into_a_tab_is_a_navigation() {
        let navigation = |method: Method, headers: &[(&str, &str)]| {
            let map = headers.iter().map(|(name, value)| {
                (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
            });
            is_navigation(&method, &map.collect())
        };
        let (mode, dest, html) = ("sec-fetch-mode", "sec-fetch-dest", ("accept", "text/html,*/*"));
        assert!(navigation(Method::GET, &[(mode, "navigate"), (dest, "document"), html]));
        assert!(navigation(Method::GET, &[html]));
        assert!(!navigation(Method::GET, &[("accept", "application/json")]));
        assert!(!navigation(Method::GET, &[]));
        assert!(!navigation(Method::POST, &[(mode, "navigate"), html]));
        assert!(!navigation(Method::HEAD, &[html]));
        assert!(!navigation(Method::GET, &[(mode, "navigate"), (dest, "iframe"), html]));
        assert!(!navigation(Method::GET, &[(mode, "no-cors"), (dest, "image"), html]));
        assert!(!navigation(Method::GET, &[(mode, "cors"), html]));
        assert!(!navigation(Method::GET, &[("upgrade", "websocket"), html]));
        assert!(!navigation(
            Method::GET,
            &[("sec-purpose", "prefetch"), (mode, "navigate"), (dest, "document")]
        ));
    }
}
