//! From a client's headers to those an upstream gets: what only the gateway may say is dropped in every spelling, then
//! said by the gateway (requirements HD-01 to HD-08).

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::intake;
use crate::origin::Origin;
use crate::request_id::{self, RequestId};
use crate::routing::{Changes, Claimed, Rewrite};
use crate::session::cookie::Cookies;
use crate::session::introduction::Introduced;
use crate::trace::Hop;

use super::{Found, drop_listed_in_connection};

static CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What upstreams are told of the address that browsers use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// `public_url`'s host and port.
    pub host: HeaderValue,
    /// `http` or `https`.
    pub scheme: HeaderValue,
}

impl Forwarded {
    /// What they are told of that site.
    pub fn of(origin: &Origin) -> Self {
        Self { host: origin.authority_value(), scheme: origin.scheme_value() }
    }
}

/// What the gateway itself says to an upstream.
pub struct Outgoing<'a> {
    /// The upstream's own name.
    pub host: &'a HeaderValue,
    /// The access token, if the route has one.
    pub authorization: Option<HeaderValue>,
    /// The client's address.
    pub client: &'a HeaderValue,
    /// The proxies between it and here, where there are any: the client first, then each hop.
    pub chain: Option<&'a HeaderValue>,
    /// The client's certificate, if the route says so (RFC 9440).
    pub certificate: Option<&'a HeaderValue>,
    /// The address that the client used.
    pub forwarded: &'a Forwarded,
    /// The request's name in logs.
    pub request_id: RequestId,
    /// What the route changes.
    pub changes: Option<&'a Changes>,
    /// The names that no client's word passes under.
    pub claimed: Option<&'a Claimed>,
    /// What the upstream is told of who asks.
    pub introduced: Option<&'a Introduced>,
    /// Its place in a trace.
    pub hop: Option<Box<Hop>>,
}

/// Hop-by-hop headers (RFC 9110, section 7.6.1) and those whose value the gateway decides, in lower case, sorted.
pub(super) const DROPPED: [&str; 35] = [
    "authorization",
    "client-cert",
    "client-cert-chain",
    "connection",
    "content-length",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "remote-user",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
    "x-scheme",
    "x-user",
];

/// Families of headers by which proxies tell upstreams whom to trust. A client's word is never passed on.
pub(super) const DROPPED_PREFIXES: [&str; 19] = [
    "cf-",
    "oidc-",
    "ssl-client-",
    "tailscale-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-authenticated-",
    "x-client-cert",
    "x-envoy-",
    "x-forwarded-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-ms-token-",
    "x-original-",
    "x-pomerium-",
    "x-remote-",
    "x-ssl-",
    "x-webauth-",
];

/// Rewrites a client's headers into those the upstream gets.
///
/// Names listed in `Connection` are dropped too, before the gateway adds its own: a client cannot name the gateway's
/// headers there to have them removed (requirement HD-06). A name with an underscore is dropped, because many servers
/// read it as the one with a hyphen (requirement HD-01).
pub fn towards_upstream(headers: &mut HeaderMap, cookies: &Cookies, out: Outgoing<'_>) {
    // `Host` is in every request and overwritten below: left out here, so that most requests need no list.
    let passed = out.changes.filter(|changes| changes.passes_authorization);
    let passed = passed.and_then(|_| intake::single(headers, &AUTHORIZATION).cloned());
    let found = Found::by(headers, |name| name != "host" && is_dropped(name));
    if found.connection {
        drop_listed_in_connection(headers);
    }
    found.remove_unwanted(headers);
    if let Some(claimed) = out.claimed {
        claimed.remove_from(headers);
    }
    cookies.strip_from_request(headers);
    headers.insert(HOST, out.host.clone());
    headers.insert(&X_FORWARDED_FOR, out.chain.unwrap_or(out.client).clone());
    if out.chain.is_some() {
        headers.insert(&X_REAL_IP, out.client.clone());
    }
    headers.insert(&X_FORWARDED_HOST, out.forwarded.host.clone());
    headers.insert(&X_FORWARDED_PROTO, out.forwarded.scheme.clone());
    headers.insert(&request_id::HEADER, out.request_id.value());
    if let Some(certificate) = out.certificate {
        headers.insert(&CLIENT_CERT, certificate.clone());
    }
    if let Some(authorization) = out.authorization.or(passed) {
        headers.insert(AUTHORIZATION, authorization);
    }
    if let Some(changes) = out.changes {
        let prefix = changes.rewrite.as_ref().and_then(Rewrite::told);
        headers.extend(prefix.map(|prefix| (X_FORWARDED_PREFIX.clone(), prefix.clone())));
        changes.request.apply(headers);
    }
    if let Some(introduced) = out.introduced {
        for (name, value) in introduced.lines() {
            headers.insert(name, value.clone());
        }
    }
    if let Some(hop) = out.hop {
        hop.write(headers);
    }
}

/// Headers that make a request what it is, or that have a key of their own in the configuration: no route edits them.
/// In lower case, sorted.
const GOVERNED: [&str; 31] = [
    "authorization",
    "client-cert",
    "client-cert-chain",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-http-method-override",
    "x-request-id",
];

/// Whether a route may not say what stands in that header of a request.
pub fn is_governed(name: &HeaderName) -> bool {
    let name = name.as_str();
    GOVERNED.binary_search(&name).is_ok() || name.starts_with("sec-websocket-")
}

pub(super) fn is_dropped(name: &str) -> bool {
    // No dropped name begins with another letter; most names are done here.
    let may_be = matches!(
        name.as_bytes().first(),
        Some(b'a' | b'c' | b'e' | b'f' | b'h' | b'k' | b'o'..=b'p' | b'r'..=b'u' | b'x')
    );
    let is_listed = || {
        DROPPED.binary_search(&name).is_ok() || DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    name.contains('_') || (may_be && is_listed())
}
