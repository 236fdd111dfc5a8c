//! Headers towards upstreams and browsers: nobody's word for who they are is passed on (requirements section 9).

use harness::{Ask, Site, Wire};

use crate::support::*;

/// Headers by which somebody could claim to be somebody.
const CLAIMS: [&str; 24] = [
    "X-Forwarded-User",
    "x-FORWARDED-user",
    "X_Forwarded_User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "Remote-User",
    "X-Remote-User",
    "X_Remote_User",
    "Forwarded",
    "X-Real-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Original-Host",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Envoy-Internal",
    "X-Client-Cert",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Prefix",
    "X-Forwarded-Port",
];

#[tokio::test]
async fn claims_of_identity_in_any_spelling_never_reach_an_upstream() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    for path in ["/rec", "/plain", "/open", "/app"] {
        for name in CLAIMS {
            let ask = Ask::fetch("GET", path)
                .header(name, "spoofed")
                .header(name, "spoofed-again")
                .header("x-app", "kept");
            browser.send(ask).await.must_be(200);
            let seen = recorder.last();
            assert!(!seen.head.contains("spoofed"), "{path}, {name}: {}", seen.head);
            assert_eq!(seen.value("x-app"), Some("kept"));
        }
    }
}

#[tokio::test]
async fn the_upstream_is_told_the_address_of_the_socket_and_of_the_site() {
    let (site, recorder) = with_recorder().await;
    let browser = site.browser();
    let ask = Ask::fetch("GET", "/open")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-forwarded-for", "7.7.7.7")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "evil.example");
    browser.send(ask).await.must_be(200);
    let seen = recorder.last();
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.values("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.values("x-forwarded-host"), [site.host().as_str()]);
    assert_eq!(seen.values("host"), [recorder.authority().as_str()]);
    assert_eq!(seen.values("x-request-id").len(), 1);
}

#[tokio::test]
async fn trailers_reach_nobody() {
    let (site, recorder) = with_recorder().await;
    let request = format!(
        "POST /open HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Forwarded-User, X-User, Content-Length\r\n\
         TE: trailers\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\nX-Forwarded-User: spoofed\r\nX-User: spoofed\r\nContent-Length: 7\r\n\r\n",
        site.host()
    );
    assert!(site.raw(request).await.starts_with("HTTP/1.1 200"));
    let seen = recorder.last();
    assert!(!format!("{}{}", seen.head, String::from_utf8_lossy(&seen.body)).contains("spoofed"), "{seen:?}");
    assert!(seen.values("trailer").is_empty() && seen.values("te").is_empty());
    assert!(String::from_utf8_lossy(&seen.body).contains("hi"));
    // An upstream's neither.
    recorder.answer_once(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: gateway-session=evil\r\n\r\n",
    );
    let answer = site
        .raw(format!(
            "GET /open HTTP/1.1\r\nHost: {}\r\nTE: trailers\r\nConnection: close\r\n\r\n",
            site.host()
        ))
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("ok") && !answer.contains("evil"),
        "{answer}"
    );
}

#[tokio::test]
async fn no_header_of_a_stranger_opens_a_protected_path() {
    let (site, recorder) = with_recorder().await;
    let browser = site.browser();
    let tricks = [
        ("x-forwarded-uri", "/open"),
        ("x-original-url", "/open"),
        ("x-rewrite-url", "/open"),
        ("x-forwarded-prefix", "/open"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-http-method-override", "OPTIONS"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-user", "alice@example.com"),
        ("x-forwarded-proto", "https"),
        ("user-agent", "kube-probe/1.30"),
        ("user-agent", "GoogleHC/1.0"),
        ("user-agent", "ELB-HealthChecker/2.0"),
        ("referer", "http://localhost/open"),
        ("x-csrf", "1"),
        ("sec-fetch-site", "same-origin"),
        ("authorization", "Bearer x"),
        ("cookie", "gateway-session=x"),
        ("x-envoy-internal", "true"),
    ];
    for (name, value) in tricks {
        for path in ["/plain", "/rec", "/api/todolist"] {
            let reply = browser.send(Ask::bare("GET", path).header(name, value)).await;
            assert_eq!(reply.status, 401, "{name}: {value} at {path}");
        }
    }
    recorder.must_be_untouched();
}

#[tokio::test]
async fn connection_headers_end_here_and_cannot_take_the_gateways_own_away() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    browser.set_cookie("app", "1");
    let ask = Ask::fetch("GET", "/rec")
        .header(
            "connection",
            "close, Authorization, X-Forwarded-For, X-Forwarded-Host, X-Request-Id, Cookie, Host, X-App",
        )
        .header("keep-alive", "timeout=5")
        .header("proxy-connection", "keep-alive")
        .header("te", "trailers")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAAQAAP__")
        .header("x-app", "1")
        .header("x-other", "kept");
    browser.send(ask).await.must_be(200);
    let seen = recorder.last();
    for name in ["authorization", "x-forwarded-for", "x-forwarded-host", "x-request-id", "host", "cookie"] {
        assert_eq!(seen.values(name).len(), 1, "{name}: {}", seen.head);
    }
    for name in ["keep-alive", "proxy-connection", "te", "upgrade", "http2-settings", "x-app"] {
        assert!(seen.values(name).is_empty(), "{name}: {}", seen.head);
    }
    assert_eq!(seen.value("x-other"), Some("kept"));
    recorder.answer_once(
        "HTTP/1.1 200 OK\r\nconnection: x-secret, cache-control\r\nx-secret: 1\r\nkeep-alive: timeout=5\r\nserver: upstream/1.0\r\n\
         x-powered-by: x\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
    );
    let reply = browser.fetch("GET", "/rec").await;
    for name in ["x-secret", "keep-alive", "server", "x-powered-by", "proxy-authenticate"] {
        assert!(reply.header(name).is_none(), "{name}");
    }
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn a_request_names_exactly_one_host_and_names_it_well() {
    let (site, recorder) = with_recorder().await;
    let host = site.host();
    let bad = [
        String::new(),
        format!("Host: {host}\r\nHost: {host}\r\n"),
        format!("Host: {host}\r\nHost: evil.example\r\n"),
        "Host: \r\n".to_owned(),
        format!("Host: {host}, evil.example\r\n"),
        format!("Host: user@{host}\r\n"),
        format!("Host: {host}/open\r\n"),
        format!("Host: {host}#x\r\n"),
        format!("Host: {host}:80\r\n"),
        "Host: a b\r\n".to_owned(),
        "Host: localhost:99999\r\n".to_owned(),
    ];
    for line in bad {
        let answer = site.raw(format!("GET /open HTTP/1.1\r\n{line}Connection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{line:?}: {answer}");
    }
    let foreign = site.raw("GET /open HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert!(foreign.starts_with("HTTP/1.1 421"), "{foreign}");
    let split = site
        .raw(format!("GET http://evil.example/open HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
        .await;
    assert!(split.starts_with("HTTP/1.1 421") || split.starts_with("HTTP/1.1 400"), "{split}");
    recorder.must_be_untouched();
    let good = site
        .raw(format!("GET /open HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host.to_uppercase()))
        .await;
    assert!(good.starts_with("HTTP/1.1 200"), "{good}");
    assert_eq!(recorder.last().value("host"), Some(recorder.authority().as_str()));
}

#[tokio::test]
async fn http_2_is_not_spoken_on_a_plain_port() {
    let (site, recorder) = with_recorder().await;
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;
    let answer = wire.rest().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505"),
        "{answer}"
    );
    let upgrade = format!(
        "GET /open HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        site.host()
    );
    let answer = site.raw(upgrade).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(recorder.last().values("upgrade").is_empty());
}

#[tokio::test]
async fn what_a_session_is_shown_is_stored_by_nobody_unless_the_app_says_so() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    assert_eq!(browser.fetch("GET", "/rec").await.header("cache-control"), Some("no-store"));
    assert_eq!(browser.fetch("GET", "/api/todolist").await.header("cache-control"), Some("no-store"));
    recorder
        .answer_once("HTTP/1.1 200 OK\r\ncache-control: private, max-age=60\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(browser.fetch("GET", "/rec").await.header("cache-control"), Some("private, max-age=60"));
    // The gateway itself keeps nothing: two people, two requests upstream.
    let asked = recorder.count();
    site.signed_in(BOB).await.fetch("GET", "/rec").await.must_be(200);
    browser.fetch("GET", "/rec").await.must_be(200);
    assert_eq!(recorder.count(), asked + 2);
}

#[tokio::test]
async fn a_request_id_is_made_here_and_told_to_both_sides() {
    let (site, recorder) = with_recorder().await;
    let browser = site.browser();
    let reply = browser.send(Ask::fetch("GET", "/open").header("x-request-id", "mine-and-very-long")).await;
    let id = reply.header("x-request-id").expect("a request id").to_owned();
    assert_ne!(id, "mine-and-very-long");
    assert_eq!(recorder.last().value("x-request-id"), Some(id.as_str()));
    let other = browser.fetch("GET", "/open").await;
    assert_ne!(other.header("x-request-id"), Some(id.as_str()));
    let logs = site.into_logs().await;
    assert_eq!(logs.lines().iter().filter(|line| line["request_id"] == id.as_str()).count(), 1);
}

#[tokio::test]
async fn pages_say_that_nothing_in_them_may_be_guessed_or_framed() {
    let site = Site::start().await;
    let browser = site.browser();
    for target in ["/", "/auth/signed-out", "/app.css", "/auth/session", "/nothing/here.css"] {
        let reply = browser.send(Ask::page(target)).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert!(reply.header("referrer-policy").is_some(), "{target}");
        assert!(reply.header("x-request-id").is_some(), "{target}");
    }
}
