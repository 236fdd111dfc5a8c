//! Both directions, seen from their ends.

use super::request::{DROPPED, DROPPED_PREFIXES, is_dropped};
use super::response::KEPT_BACK;
use super::*;
use crate::origin::Origin;
use crate::request_id::RequestIds;
use crate::session::cookie::{Cookies, Style};
use http::header::{AUTHORIZATION, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHORIZATION, TE, TRAILER};

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
    Cookies::on(&origin(), Style::default(), false)
}

fn client_sees(lines: &[(&str, &str)], signed_in: bool) -> Result<HeaderMap, BadFraming> {
    let mut headers = map(lines);
    let host = HeaderValue::from_static("10.0.0.7:3001");
    towards_client(&mut headers, &cookies(), signed_in, &host, &origin(), None).map(|()| headers)
}

fn upstream_sees(lines: &[(&str, &str)], authorization: Option<&'static str>) -> HeaderMap {
    let mut headers = map(lines);
    let out = Outgoing {
        host: &HeaderValue::from_static("127.0.0.1:3001"),
        authorization: authorization.map(HeaderValue::from_static),
        chain: None,
        certificate: None,
        client: &HeaderValue::from_static("192.0.2.1"),
        forwarded: &Forwarded {
            host: HeaderValue::from_static("app.example"),
            scheme: HeaderValue::from_static("https"),
        },
        request_id: RequestIds::new().next(),
        changes: None,
        claimed: None,
        introduced: None,
        hop: None,
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

#[test]
fn an_event_stream_is_known_by_its_type_alone() {
    for kind in ["text/event-stream", "Text/Event-Stream; charset=utf-8", "text/event-stream ;x"] {
        assert!(is_event_stream(&map(&[("content-type", kind)])), "{kind}");
    }
    for kind in ["text/event-streams", "application/json; like=text/event-stream", ""] {
        assert!(!is_event_stream(&map(&[("content-type", kind)])), "{kind}");
    }
    assert!(!is_event_stream(&HeaderMap::new()));
}
