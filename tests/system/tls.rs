//! TLS that ends at the gateway: who is shown which certificate, what the plain port still says, how certificates are
//! replaced, and clients that show one (requirements section 13).

use harness::http2::{Frames, PREFACE};
use harness::tls::{Authority, Greeting, Identity, shown};
use harness::{Ask, Http2, Plan, Recorder, Site, Wire, eventually, raw};
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::*;

/// A request over HTTP/1.1 on a connection with TLS, and everything that comes back.
async fn over(stream: &mut TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A peer that closes without saying so has still said what it said.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

async fn protocol(site: &Site, greeting: Greeting) -> Option<Vec<u8>> {
    let stream = greeting.connect(site.port()).await.expect("a handshake");
    stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
}

#[tokio::test]
async fn a_client_chooses_between_http_2_and_http_1_1_and_without_a_choice_speaks_the_latter() {
    let site = Plan::new().https(&[]).start().await;
    let offering = |protocols: &[&str]| Greeting::to("localhost").offering(protocols);
    assert_eq!(protocol(&site, offering(&["http/1.1", "h2"])).await.as_deref(), Some(&b"h2"[..]));
    assert_eq!(protocol(&site, offering(&["http/1.1"])).await.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(protocol(&site, offering(&[])).await, None);
    assert!(offering(&["h3", "spdy/1"]).connect(site.port()).await.is_err());

    let mut plain = offering(&[]).connect(site.port()).await.expect("a handshake");
    let answer = over(&mut plain, &get(&site.host(), "/")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let http2 = Http2::connect(site.port()).await;
    let request = Request::get(site.url("/")).body(bytes::Bytes::new()).expect("a request");
    http2.send(request).await.expect("an answer").must_be(200);
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let site = Plan::new().https(&[]).start().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream =
            Greeting::to("localhost").speaking(version).connect(site.port()).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let suite = stream.get_ref().1.negotiated_cipher_suite().expect("one").suite();
        let name = format!("{suite:?}");
        let is_modern = name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_");
        assert!(is_modern && !name.contains("CBC"), "{name}");
    }
    // A greeting of TLS 1.1 and one of SSL 3, as far as the version.
    for version in [0x02, 0x00] {
        let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, version];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
        let mut wire = TcpStream::connect(("127.0.0.1", site.port())).await.expect("it listens");
        wire.write_all(&hello).await.expect("sent");
        let mut answer = Vec::new();
        let _ = wire.read_to_end(&mut answer).await;
        // An alert, fatal: protocol_version (RFC 8446, section 6.2).
        assert!(answer.is_empty() || answer.first() == Some(&21), "{answer:?}");
    }
}

#[tokio::test]
async fn http_2_is_spoken_only_where_it_was_agreed_on() {
    let site = Plan::new().https(&[]).start().await;
    // HTTP/1.1 was agreed on, and HTTP/2 is spoken.
    let mut stream =
        Greeting::to("localhost").offering(&["http/1.1"]).connect(site.port()).await.expect("a handshake");
    stream.write_all(PREFACE).await.expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 505"),
        "{answer}"
    );
    // Without TLS it is nonsense.
    let plain = Site::start().await;
    let answer = plain.raw(PREFACE).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 505"),
        "{answer}"
    );
    // And the other way round: HTTP/2 was agreed on, and HTTP/1.1 is spoken.
    let mut frames = Frames::silent(site.port()).await;
    frames.raw(get(&site.host(), "/").as_bytes()).await;
    frames.closed().await;
}

/// A site with certificates for two names, and one for all names below a third.
async fn with_names() -> (Site, [Identity; 2]) {
    let plan = Plan::new().https(&[]);
    let others = [Identity::own(&["b.example"]), Identity::own(&["*.c.example", "localhost"])];
    let written: Vec<String> = others
        .iter()
        .enumerate()
        .map(|(at, other)| other.write(plan.folder(), &format!("other-{at}")))
        .collect();
    let own = plan.folder().join("site.pem").display().to_string();
    let key = plan.folder().join("site.key").display().to_string();
    let list = format!(
        "[{{ certificate = {{ file = \"{own}\" }}, key = {{ file = \"{key}\" }} }}, {}]",
        written.join(", ")
    );
    (plan.set("tls", "certificates", list).start().await, others)
}

#[tokio::test]
async fn each_name_is_shown_its_own_certificate_and_strangers_the_first() {
    let (site, [b, c]) = with_names().await;
    let shown_to =
        async |greeting: Greeting| shown(&greeting.connect(site.port()).await.expect("a handshake"));
    let first = shown_to(Greeting::to("localhost")).await;
    assert_eq!(shown_to(Greeting::to("b.example")).await, b.der());
    assert_eq!(shown_to(Greeting::to("x.c.example")).await, c.der());
    for stranger in ["x.y.c.example", "c.example", "unknown.example"] {
        assert_eq!(shown_to(Greeting::to(stranger)).await, first, "{stranger}");
    }
    assert_eq!(shown_to(Greeting::to("localhost").nameless()).await, first);
    assert_ne!(first, b.der());
}

#[tokio::test]
async fn a_request_for_a_host_that_its_connection_is_not_for_is_misdirected() {
    let (site, _) = with_names().await;
    let status = |answer: &str| answer.get(9..12).map(str::to_owned);
    let ask = async |greeting: Greeting| {
        let mut stream = greeting.offering(&["http/1.1"]).connect(site.port()).await.expect("a handshake");
        status(&over(&mut stream, &get(&site.host(), "/")).await)
    };
    // The certificate is for the host, and the client asked for it or for none.
    assert_eq!(ask(Greeting::to("localhost")).await.as_deref(), Some("200"));
    assert_eq!(ask(Greeting::to("localhost").nameless()).await.as_deref(), Some("200"));
    // Another name of the same certificate: browsers share such connections (RFC 9113, section 9.1.1).
    assert_eq!(ask(Greeting::to("x.c.example")).await.as_deref(), Some("200"));
    // Another certificate; the right certificate, but another name.
    assert_eq!(ask(Greeting::to("b.example")).await.as_deref(), Some("421"));
    assert_eq!(ask(Greeting::to("unknown.example")).await.as_deref(), Some("421"));

    let other = Greeting::to("b.example").connect(site.port()).await.expect("a handshake");
    let request = Request::get(site.url("/")).body(bytes::Bytes::new()).expect("a request");
    let reply = Http2::over(other).await.send(request).await.expect("an answer");
    reply.must_be_problem(421, "other_server");
}

#[tokio::test]
async fn the_plain_port_beside_tls_shows_page_loads_the_way_and_refuses_the_rest() {
    let free = harness::FreePort::take();
    let plain = free.number();
    let recorder = Recorder::start().await;
    let plan = Plan::new().https(&[]).append(recorder_routes(&recorder));
    let site = plan.set("listen", "http", format!("\"127.0.0.1:{plain}\"")).start().await;
    let ask = async |line: &str, headers: &str| {
        raw(plain, format!("{line} HTTP/1.1\r\n{headers}Cookie: gateway-session=x\r\n\r\n").as_bytes()).await
    };
    for host in ["localhost", "evil.example", "evil.example:80"] {
        let answer = ask(
            "GET /open/a?b=%20c",
            &format!("Host: {host}\r\nAccept: text/html\r\nX-Forwarded-Host: evil\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
        assert!(answer.contains(&format!("\r\nlocation: {}\r\n", site.url("/open/a?b=%20c"))), "{answer}");
        let lower = answer.to_ascii_lowercase();
        assert!(
            !lower.contains("evil") && !lower.contains("set-cookie") && !lower.contains("strict-transport"),
            "{answer}"
        );
    }
    for (line, headers) in [
        ("POST /open", "Host: localhost\r\nAccept: text/html\r\nContent-Length: 0\r\n"),
        ("GET /open", "Host: localhost\r\nAccept: application/json\r\n"),
        ("GET /open", "Host: localhost\r\nSec-Fetch-Mode: cors\r\nAccept: text/html\r\n"),
        ("DELETE /open", "Host: localhost\r\n"),
        ("GET /auth/session", "Host: localhost\r\n"),
    ] {
        let answer = ask(line, headers).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{line}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("set-cookie"), "{answer}");
    }
    for path in ["//evil.example", "/a/../b", "/%2e%2e/a", "/a%2fb"] {
        let answer = ask(&format!("GET {path}"), "Host: localhost\r\nAccept: text/html\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("\r\nlocation"), "{path}: {answer}");
    }
    recorder.must_be_untouched();
    let seen = site.browser().open("/open").await;
    seen.must_show("/open");
    let lines = site.into_logs().await.lines();
    assert!(lines.iter().any(|line| line["reason"] == "plain_http" && line["status"] == 403), "{lines:?}");
}

#[tokio::test]
async fn every_answer_over_tls_asks_for_tls_from_then_on() {
    let site = Plan::new().https(&[]).start().await;
    let browser = site.browser();
    for path in ["/", "/nowhere.js", "/auth/session", "/api/todolist", "//x", "/auth/callback?state=x"] {
        let reply = browser.send(Ask::bare("GET", path)).await;
        let age = reply.header("strict-transport-security").and_then(|value| value.strip_prefix("max-age="));
        let age: u64 = age.and_then(|age| age.parse().ok()).unwrap_or_else(|| panic!("{path}: {reply:?}"));
        assert!(age >= 31_536_000, "{path}");
    }
    let wire =
        |method: &str| format!("{method} / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    let mut stream = Greeting::to("localhost").offering(&[]).connect(site.port()).await.expect("a handshake");
    let answer = over(&mut stream, &wire("GET")).await;
    assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("strict-transport-security"), "{answer}");
}

#[tokio::test]
async fn a_person_signs_in_and_works_over_tls() {
    let site = Plan::new().https(&[]).start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    let cookie = format!("__Host-{SESSION}");
    assert!(browser.cookie(&cookie).is_some(), "{:?}", browser.cookie_header());
}

#[tokio::test]
async fn a_new_certificate_is_used_without_losing_a_connection_and_a_bad_one_is_not() {
    let site = Plan::new().https(&[]).start().await;
    let port = site.port();
    let served = async || shown(&Greeting::to("localhost").connect(port).await.expect("a handshake"));
    let (first, kept) = (served().await, Http2::connect(port).await);
    let get = || Request::get(site.url("/")).body(bytes::Bytes::new()).expect("a request");
    kept.send(get()).await.expect("an answer").must_be(200);

    let second = Identity::own(&["localhost"]);
    second.write(site.folder(), "site");
    eventually("the new certificate is shown", || async { served().await == second.der() }).await;
    assert_ne!(first, second.der());
    kept.send(get()).await.expect("the same connection").must_be(200);

    std::fs::write(site.folder().join("site.pem"), "garbage").expect("a file");
    eventually("the bad certificate is told of", || async {
        site.admin("/readyz").await.text().contains("hints")
    })
    .await;
    assert_eq!(served().await, second.der());
    site.admin("/readyz").await.must_be(200);
    let metrics = site.admin("/metrics").await.text();
    assert!(metrics.contains("gateway_tls_certificates_up_to_date 0"), "{metrics}");
    kept.send(get()).await.expect("the same connection").must_be(200);

    let third = Identity::own(&["localhost"]);
    third.write(site.folder(), "site");
    site.gateway().tls().expect("it ends TLS").reload();
    assert_eq!(served().await, third.der());
    assert!(!site.admin("/readyz").await.text().contains("hints"));
}

#[tokio::test]
async fn a_key_is_never_told_and_who_can_read_it_is() {
    let plan = Plan::new().https(&[]);
    let key = std::fs::read_to_string(plan.folder().join("site.key")).expect("a key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = plan.folder().join("site.key");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("permissions");
    }
    let mut site = plan.programs(1).start().await;
    let checked = site.program(0).run(&["check"]);
    let told = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert!(checked.status.success() && told.contains("chmod 600") && told.contains("site.key"), "{told}");
    let log = site.program(0).log();
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!told.contains(line) && !log.contains(line), "a line of the key was told");
    }
    assert!(log.contains("chmod 600"), "{log}");
}

#[tokio::test]
async fn who_is_silent_in_a_handshake_is_left_and_holds_nobody_up() {
    let plan = Plan::new().https(&[]).append("[listen.timeouts]\nhandshake = \"1s\"\n");
    let site = plan.start().await;
    let mut silent = Wire::connect(site.port()).await;
    let mut halfway = Wire::connect(site.port()).await;
    halfway.send(&[22, 3, 1, 2, 0, 1]).await;
    let mut greeted = Frames::silent(site.port()).await;
    site.browser().open("/").await.must_show("/");
    assert_eq!(silent.rest().await, "");
    halfway.rest().await;
    // TLS alone is not yet HTTP/2.
    greeted.closed().await;
    let mut prefaced = Frames::silent(site.port()).await;
    prefaced.raw(PREFACE).await;
    prefaced.closed().await;
}

/// A site that trusts an authority, with a route for whoever shows a certificate, one for `billing`, and one that tells
/// the upstream.
async fn with_clients() -> (Site, Recorder, Authority) {
    let authority = Authority::new("clients");
    let recorder = Recorder::start().await;
    let plan = Plan::new().https(&[]);
    let ca = plan.folder().join("clients.pem");
    std::fs::write(&ca, authority.pem()).expect("a file");
    let route = |path: &str, wanted: &str| {
        format!(
            "[[routes]]\npath = \"{path}\"\nupstream = \"recorder\"\nallow = \"anyone\"\nclient_certificate = {wanted}\n"
        )
    };
    let routes = [
        route("/any", "\"required\""),
        route("/billing", "{ san = [\"spiffe://example/billing\", \"billing.example\"] }"),
        route("/subject", "{ subject = [\"CN=billing\"] }"),
        route("/told", "{ forward = true }"),
    ];
    let plan = plan
        .set("tls", "client_ca", format!("\"{}\"", ca.display()))
        .append(recorder_routes(&recorder))
        .append(routes.concat());
    (plan.start().await, recorder, authority)
}

#[tokio::test]
async fn a_route_takes_clients_with_the_certificates_that_it_names() {
    let (site, recorder, authority) = with_clients().await;
    let (billing, other) =
        (authority.issue("billing", &["billing.example"]), authority.issue("other", &["other.example"]));
    let ask = async |identity: Option<&Identity>, path: &str| {
        let mut greeting = Greeting::to("localhost");
        if let Some(identity) = identity {
            greeting = greeting.showing(identity);
        }
        let http2 = Http2::over(greeting.connect(site.port()).await.expect("a handshake")).await;
        let request = Request::get(site.url(path)).header("client-cert", ":ZmFrZQ==:");
        http2.send(request.body(bytes::Bytes::new()).expect("a request")).await.expect("an answer")
    };
    for path in ["/any", "/billing", "/subject", "/told"] {
        recorder.forget();
        ask(None, path).await.must_be_problem(403, "client_certificate");
        recorder.must_be_untouched();
        ask(Some(&billing), path).await.must_be(200);
        let told = recorder.last().values("client-cert").join(",");
        if path == "/told" {
            use base64::Engine as _;
            let expected = base64::engine::general_purpose::STANDARD.encode(billing.der());
            assert_eq!(told, format!(":{expected}:"));
        } else {
            assert_eq!(told, "", "{path}");
        }
    }
    ask(Some(&other), "/any").await.must_be(200);
    for path in ["/billing", "/subject"] {
        ask(Some(&other), path).await.must_be_problem(403, "client_certificate");
    }
    ask(None, "/open").await.must_be(200);
    // What an authority that nobody trusts has signed ends the handshake, on a page for everybody too.
    let foreign = Authority::new("foreign").issue("billing", &["billing.example"]);
    let stream =
        Greeting::to("localhost").offering(&["http/1.1"]).showing(&foreign).connect(site.port()).await;
    if let Ok(mut stream) = stream {
        assert_eq!(over(&mut stream, &get(&site.host(), "/open")).await, "");
    }
}
