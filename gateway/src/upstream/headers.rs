//! Which headers pass the gateway, in both directions (requirements section 9). Pure: one function each way.

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, HOST, LOCATION, SERVER, SET_COOKIE,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::intake;
use crate::origin::Origin;
use crate::request_id::{self, RequestId};
use crate::session::cookie::Cookies;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What upstreams are told of the address that browsers use.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// `public_url`'s host and port.
    pub host: HeaderValue,
    /// `http` or `https`.
    pub scheme: HeaderValue,
}

/// What the gateway itself says to an upstream.
pub struct Outgoing<'a> {
    /// The upstream's own name.
    pub host: &'a HeaderValue,
    /// The access token, if the route has one.
    pub authorization: Option<HeaderValue>,
    /// The other end of the client's connection.
    pub client: &'a HeaderValue,
    /// The address that the client used.
    pub forwarded: &'a Forwarded,
    /// The request's name in logs.
    pub request_id: RequestId,
}

/// Hop-by-hop headers (RFC 9110, section 7.6.1) and those whose value the gateway decides, in lower case, sorted.
const DROPPED: [&str; 33] = [
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
const DROPPED_PREFIXES: [&str; 19] = [
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
    let found = Found::by(headers, |name| name != "host" && is_dropped(name));
    if found.connection {
        drop_listed_in_connection(headers);
    }
    found.remove_unwanted(headers);
    cookies.strip_from_request(headers);
    headers.insert(HOST, out.host.clone());
    headers.insert(&X_FORWARDED_FOR, out.client.clone());
    headers.insert(&X_FORWARDED_HOST, out.forwarded.host.clone());
    headers.insert(&X_FORWARDED_PROTO, out.forwarded.scheme.clone());
    headers.insert(&request_id::HEADER, out.request_id.value());
    if let Some(authorization) = out.authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
}

/// What one pass over a message's header names found. A message has few of the many that matter.
#[derive(Default)]
struct Found {
    connection: bool,
    transfer_encoding: bool,
    content_length: bool,
    server: bool,
    set_cookie: bool,
    location: bool,
    cache_control: bool,
    unwanted: Vec<HeaderName>,
}

impl Found {
    fn by(headers: &HeaderMap, is_unwanted: impl Fn(&str) -> bool) -> Self {
        let mut found = Self::default();
        for name in headers.keys() {
            match name {
                name if name == CONNECTION => found.connection = true,
                name if name == TRANSFER_ENCODING => found.transfer_encoding = true,
                name if name == CONTENT_LENGTH => found.content_length = true,
                name if name == SERVER => found.server = true,
                name if name == SET_COOKIE => found.set_cookie = true,
                name if name == LOCATION => found.location = true,
                name if name == CACHE_CONTROL => found.cache_control = true,
                _ => {}
            }
            if is_unwanted(name.as_str()) {
                found.unwanted.push(name.clone());
            }
        }
        found
    }

    fn remove_unwanted(&self, headers: &mut HeaderMap) {
        for name in &self.unwanted {
            headers.remove(name);
        }
    }
}

fn is_dropped(name: &str) -> bool {
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

/// Removes what `Connection` names, but for headers that carry meaning end to end and are judged by their own rules.
fn drop_listed_in_connection(headers: &mut HeaderMap) {
    let names_headers = |line: &HeaderValue| !matches!(line.as_bytes(), b"keep-alive" | b"close");
    if !headers.get_all(CONNECTION).iter().any(names_headers) {
        headers.remove(CONNECTION);
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| {
            !matches!(
                name.as_str(),
                "cookie" | "content-type" | "content-encoding" | "origin" | "set-cookie" | "cache-control"
            )
        })
        .collect();
    for name in listed {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

/// What an upstream says about its connection, about itself, or to open this origin to others, in lower case, sorted:
/// `Access-Control-*` (requirement CS-05), and a challenge for the gateway's token, which is no business of the browser
/// and would open a password box (requirement TK-11).
const KEPT_BACK: [&str; 18] = [
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;
    use http::header::{COOKIE, EXPECT, FORWARDED, PROXY_AUTHORIZATION, TE, TRAILER};

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                name.parse::<HeaderName>().expect("a name"),
                HeaderValue::from_str(value).expect("a value"),
            );
        }
        headers
    }

    fn origin() -> Origin {
        Origin::parse("https://app.example").expect("valid")
    }

    fn cookies() -> Cookies {
        Cookies::on(&origin(), false)
    }

    fn client_sees(lines: &[(&str, &str)], signed_in: bool) -> Result<HeaderMap, BadFraming> {
        let mut headers = map(lines);
        let host = HeaderValue::from_static("10.0.0.7:3001");
        towards_client(&mut headers, &cookies(), signed_in, &host, &origin()).map(|()| headers)
    }

    fn upstream_sees(lines: &[(&str, &str)], authorization: Option<&'static str>) -> HeaderMap {
        let mut headers = map(lines);
        let out = Outgoing {
            host: &HeaderValue::from_static("127.0.0.1:3001"),
            authorization: authorization.map(HeaderValue::from_static),
            client: &HeaderValue::from_static("192.0.2.1"),
            forwarded: &Forwarded {
                host: HeaderValue::from_static("app.example"),
                scheme: HeaderValue::from_static("https"),
            },
            request_id: RequestIds::new().next(),
        };
        towards_upstream(&mut headers, &cookies(), out);
        headers
    }

    /// Names that must be in [`DROPPED`], spelt as the http crate knows them: a misspelling there would open a hole.
    const MUST_DROP: [HeaderName; 10] = [
        AUTHORIZATION,
        CONNECTION,
        CONTENT_LENGTH,
        EXPECT,
        FORWARDED,
        HOST,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
    ];

    #[test]
    fn the_dropped_names_are_sorted_and_spelt_right() {
        assert!(DROPPED.is_sorted() && KEPT_BACK.is_sorted());
        for name in DROPPED.into_iter().chain(DROPPED_PREFIXES) {
            assert!(is_dropped(name), "{name}: its first letter is let pass");
        }
        for name in MUST_DROP {
            assert!(is_dropped(name.as_str()), "{name}");
        }
    }

    #[test]
    fn a_clients_authorization_never_passes_and_the_routes_token_stands_alone() {
        let sent = [
            ("authorization", "Bearer mine"),
            ("authorization", "Basic mine"),
            ("proxy-authorization", "Basic mine"),
        ];
        assert!(!upstream_sees(&sent, None).contains_key(AUTHORIZATION));
        let seen = upstream_sees(&sent, Some("Bearer route"));
        assert_eq!(seen.get_all(AUTHORIZATION).iter().collect::<Vec<_>>(), ["Bearer route"]);
        assert!(!seen.contains_key("proxy-authorization"));
    }

    #[test]
    fn headers_of_trust_are_the_gateways_own_in_every_spelling() {
        let seen = upstream_sees(
            &[
                ("X-Forwarded-For", "6.6.6.6"),
                ("x-FORWARDED-for", "6.6.6.6"),
                ("X_Forwarded_For", "6.6.6.6"),
                ("X-Forwarded-User", "admin"),
                ("X_Forwarded_User", "admin"),
                ("Forwarded", "for=6.6.6.6"),
                ("X-Real-IP", "6.6.6.6"),
                ("X-Original-URL", "/admin"),
                ("X-Rewrite-URL", "/admin"),
                ("X-Original-Host", "evil"),
                ("True-Client-IP", "6.6.6.6"),
                ("CF-Connecting-IP", "6.6.6.6"),
                ("X-Envoy-Internal", "true"),
                ("X-Client-Cert", "x"),
                ("X-Client-Cert-Dn", "x"),
                ("Remote-User", "admin"),
                ("X-Remote-User", "admin"),
                ("X-Auth-Request-Email", "a@b"),
                ("X-HTTP-Method-Override", "DELETE"),
                ("X-Request-Id", "mine"),
                ("X-App", "kept"),
            ],
            None,
        );
        assert_eq!(seen.get_all("x-forwarded-for").iter().collect::<Vec<_>>(), ["192.0.2.1"]);
        assert_eq!(seen["x-forwarded-host"], "app.example");
        assert_eq!(seen["x-forwarded-proto"], "https");
        assert_eq!(seen["x-app"], "kept");
        assert_ne!(seen["x-request-id"], "mine");
        assert_eq!(seen.len(), 6, "{seen:?}");
    }

    #[test]
    fn connection_cannot_name_away_the_gateways_headers() {
        let seen = upstream_sees(
            &[
                ("connection", "close, Authorization, X-Forwarded-For, Cookie, Host, x-app"),
                ("connection", "x-other"),
                ("cookie", "a=1"),
                ("x-app", "1"),
                ("x-other", "1"),
            ],
            Some("Bearer route"),
        );
        assert_eq!(seen[AUTHORIZATION], "Bearer route");
        assert_eq!(seen["x-forwarded-for"], "192.0.2.1");
        assert_eq!(seen[COOKIE], "a=1");
        assert_eq!(seen[HOST], "127.0.0.1:3001");
        for gone in ["connection", "x-app", "x-other"] {
            assert!(!seen.contains_key(gone), "{gone}");
        }
    }

    #[test]
    fn hop_by_hop_headers_pass_neither_way() {
        let hop = [
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("upgrade", "h2c"),
            ("proxy-connection", "x"),
            ("transfer-encoding", "chunked"),
        ];
        let seen = upstream_sees(&hop, None);
        let back = client_sees(&hop, false).expect("no length");
        for (name, _) in hop {
            assert!(!seen.contains_key(name) && !back.contains_key(name), "{name}");
        }
    }

    #[test]
    fn an_upstream_cannot_open_the_origin_or_ask_for_passwords_or_set_our_cookies() {
        let headers = client_sees(
            &[
                ("access-control-allow-origin", "*"),
                ("access-control-allow-credentials", "true"),
                ("www-authenticate", "Basic"),
                ("server", "x/1.0"),
                ("x-powered-by", "x"),
                ("set-cookie", "__Host-gateway-session=evil"),
                ("set-cookie", "app=1"),
                ("content-type", "text/plain"),
            ],
            false,
        )
        .expect("no length");
        assert_eq!(headers, map(&[("set-cookie", "app=1"), ("content-type", "text/plain")]));
    }

    #[test]
    fn what_a_session_is_shown_is_not_stored_unless_the_app_says_so() {
        let cache_control = |own: &[(&str, &str)], signed_in| {
            let headers = client_sees(own, signed_in).expect("no length");
            headers.get(CACHE_CONTROL).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        assert_eq!(cache_control(&[], true).as_deref(), Some("no-store"));
        assert_eq!(
            cache_control(&[("cache-control", "private, max-age=60")], true).as_deref(),
            Some("private, max-age=60")
        );
        assert_eq!(cache_control(&[], false), None);
    }

    #[test]
    fn a_redirect_to_the_upstreams_own_name_stays_on_this_site() {
        let location = |sent: &str| {
            let seen = client_sees(&[("location", sent)], false).expect("no length");
            seen[LOCATION].to_str().expect("ASCII").to_owned()
        };
        assert_eq!(location("http://10.0.0.7:3001/next?a=b"), "https://app.example/next?a=b");
        assert_eq!(location("https://10.0.0.7:3001"), "https://app.example");
        assert_eq!(location("//10.0.0.7:3001/next"), "https://app.example/next");
        for other in [
            "/next",
            "https://elsewhere.example/",
            "http://10.0.0.7:30011/",
            "http://10.0.0.7:3001@evil.example/",
        ] {
            assert_eq!(location(other), other);
        }
    }

    #[test]
    fn an_answer_whose_length_is_in_doubt_is_refused() {
        let length = ("content-length", "5");
        assert!(client_sees(&[length], false).is_ok());
        for lines in [
            &[length, length][..],
            &[length, ("content-length", "6")],
            &[("content-length", "+5")],
            &[("content-length", "")],
        ] {
            assert_eq!(client_sees(lines, false), Err(BadFraming), "{lines:?}");
        }
        let chunked =
            client_sees(&[length, length, ("transfer-encoding", "chunked")], false).expect("chunked wins");
        assert!(!chunked.contains_key(CONTENT_LENGTH));
        for coding in ["gzip, chunked", "xchunked", "gzip", "identity"] {
            assert_eq!(client_sees(&[("transfer-encoding", coding)], false), Err(BadFraming), "{coding}");
        }
    }
}
