//! Which headers pass the gateway, in both directions (requirements section 9). Pure: one function each way.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION,
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SERVER, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::request_id::RequestId;
use crate::session::cookie::Cookies;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the gateway itself says to an upstream.
pub struct Outgoing<'a> {
    /// The upstream's own name.
    pub host: &'a HeaderValue,
    /// The access token, if the route has one.
    pub authorization: Option<HeaderValue>,
    /// The other end of the client's connection.
    pub client: &'a HeaderValue,
    /// `public_url`'s host, as the client sees it.
    pub public_host: &'a HeaderValue,
    /// `http` or `https`, as the client sees it.
    pub public_scheme: &'a HeaderValue,
    /// The request's name in logs.
    pub request_id: &'a RequestId,
}

/// Hop-by-hop headers (RFC 9110, section 7.6.1) and those whose value the gateway decides, in lower case, sorted.
const DROPPED: [&str; 31] = [
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
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
];

/// Families of headers by which proxies tell upstreams whom to trust. A client's word is never passed on.
const DROPPED_PREFIXES: [&str; 8] = [
    "cf-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-client-cert",
    "x-envoy-",
    "x-forwarded-",
    "x-pomerium-",
    "x-remote-",
];

/// Rewrites a client's headers into those the upstream gets.
///
/// Names listed in `Connection` are dropped too, before the gateway adds its own: a client cannot name the gateway's
/// headers there to have them removed (requirement HD-06). A name with an underscore is dropped, because many servers
/// read it as the one with a hyphen (requirement HD-01).
pub fn towards_upstream(headers: &mut HeaderMap, cookies: &Cookies, out: &Outgoing<'_>) {
    drop_listed_in_connection(headers);
    let unwanted: Vec<HeaderName> =
        headers.keys().filter(|name| is_dropped(name.as_str())).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
    cookies.strip_from_request(headers);
    headers.insert(HOST, out.host.clone());
    headers.insert(&X_FORWARDED_FOR, out.client.clone());
    headers.insert(&X_FORWARDED_HOST, out.public_host.clone());
    headers.insert(&X_FORWARDED_PROTO, out.public_scheme.clone());
    headers.insert(&X_REQUEST_ID, out.request_id.value().clone());
    if let Some(authorization) = &out.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
}

fn is_dropped(name: &str) -> bool {
    // Identity headers begin with few letters; most names are done after one comparison.
    name.contains('_')
        || DROPPED.binary_search(&name).is_ok()
        || (matches!(name.as_bytes().first(), Some(b'x' | b'c'))
            && DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// Removes what `Connection` names, but for headers that carry meaning end to end and are judged by their own rules.
fn drop_listed_in_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
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
}

/// Rewrites an upstream's headers into those the client gets.
pub fn towards_client(headers: &mut HeaderMap, cookies: &Cookies, signed_in: bool) {
    drop_listed_in_connection(headers);
    // Chunked wins over a length beside it (RFC 9112, section 6.3); both passed on would end the client's connection.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in [
        &CONNECTION,
        &TRANSFER_ENCODING,
        &TE,
        &TRAILER,
        &UPGRADE,
        &PROXY_AUTHENTICATE,
        &PROXY_AUTHORIZATION,
        &SERVER,
        // A challenge for the gateway's token is no business of the browser, and would open a password box.
        &WWW_AUTHENTICATE,
        // The upstream cannot open this origin to others (requirement CS-05).
        &ACCESS_CONTROL_ALLOW_ORIGIN,
        &ACCESS_CONTROL_ALLOW_CREDENTIALS,
        &ACCESS_CONTROL_ALLOW_HEADERS,
        &ACCESS_CONTROL_ALLOW_METHODS,
        &ACCESS_CONTROL_EXPOSE_HEADERS,
        &ACCESS_CONTROL_MAX_AGE,
    ] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "x-powered-by", "x-request-id"] {
        headers.remove(name);
    }
    cookies.strip_from_response(headers);
    // What one person was shown is no other's to see, unless the app says so itself (requirement HD-14).
    if signed_in && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;
    use crate::request_id::RequestIds;
    use http::header::{COOKIE, EXPECT, FORWARDED};

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

    fn cookies() -> Cookies {
        Cookies::on(&Origin::parse("https://app.example").expect("valid"), false)
    }

    fn upstream_sees(lines: &[(&str, &str)], authorization: Option<&'static str>) -> HeaderMap {
        let mut headers = map(lines);
        let out = Outgoing {
            host: &HeaderValue::from_static("127.0.0.1:3001"),
            authorization: authorization.map(HeaderValue::from_static),
            client: &HeaderValue::from_static("192.0.2.1"),
            public_host: &HeaderValue::from_static("app.example"),
            public_scheme: &HeaderValue::from_static("https"),
            request_id: &RequestIds::new().next(),
        };
        towards_upstream(&mut headers, &cookies(), &out);
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
        assert!(DROPPED.is_sorted());
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
        let mut back = map(&hop);
        towards_client(&mut back, &cookies(), false);
        for (name, _) in hop {
            assert!(!seen.contains_key(name) && !back.contains_key(name), "{name}");
        }
    }

    #[test]
    fn an_upstream_cannot_open_the_origin_or_ask_for_passwords_or_set_our_cookies() {
        let mut headers = map(&[
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("www-authenticate", "Basic"),
            ("server", "x/1.0"),
            ("x-powered-by", "x"),
            ("set-cookie", "__Host-gateway-session=evil"),
            ("set-cookie", "app=1"),
            ("content-type", "text/plain"),
        ]);
        towards_client(&mut headers, &cookies(), false);
        assert_eq!(headers, map(&[("set-cookie", "app=1"), ("content-type", "text/plain")]));
    }

    #[test]
    fn what_a_session_is_shown_is_not_stored_unless_the_app_says_so() {
        let cache_control = |own: &[(&str, &str)], signed_in| {
            let mut headers = map(own);
            towards_client(&mut headers, &cookies(), signed_in);
            headers.get(CACHE_CONTROL).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        assert_eq!(cache_control(&[], true).as_deref(), Some("no-store"));
        assert_eq!(
            cache_control(&[("cache-control", "private, max-age=60")], true).as_deref(),
            Some("private, max-age=60")
        );
        assert_eq!(cache_control(&[], false), None);
    }
}
