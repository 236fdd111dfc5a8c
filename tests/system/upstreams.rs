//! What stands behind the gateway: protocols, TLS, limits, and servers that come and go (requirements RL-03, RL-05, TL-04).

use std::sync::Arc;

use harness::backend::{self, Backend, Speaks};
use harness::{Flaw, FreePort, Plan, Site, UpstreamCa, eventually};
use http::Version;

use crate::support::*;

async fn tls_backend(ca: &UpstreamCa, name: &str, flaw: Flaw, http2: bool) -> Backend {
    let protocols: &[&str] = if http2 { &["h2"] } else { &["http/1.1"] };
    let tls = Some(ca.server(name, flaw, protocols));
    Backend::speaking(Speaks { http2, tls, ..Speaks::default() }).await
}

fn trusting(ca: &UpstreamCa) -> String {
    format!("ca = \"{}\"\n", ca.file().display())
}

#[tokio::test]
async fn no_bad_certificate_is_taken_and_the_log_says_why() {
    let ca = UpstreamCa::new();
    for http2 in [false, true] {
        let more = trusting(&ca) + if http2 { "protocol = \"h2\"" } else { "" };
        for (flaw, why) in [
            (Flaw::Expired, "Expired"),
            (Flaw::SelfSigned, "UnknownIssuer"),
            (Flaw::OtherName, "NotValidForName"),
        ] {
            let backend = tls_backend(&ca, "localhost", flaw, http2).await;
            let site = with_open_route(&[backend.url()], &more, "").await;
            site.browser().fetch("GET", "/open").await.must_be_problem(502, "upstream_unreachable");
            assert_eq!(backend.count(), 0, "{flaw:?}");
            let events = site.into_logs().await.events.to_lowercase();
            let why = why.to_lowercase();
            let told = events.contains(&why)
                || events.contains("expired") && why == "expired"
                || events.contains("not valid for name") && why == "notvalidforname";
            assert!(told, "{flaw:?}: {events}");
        }
        let backend = tls_backend(&ca, "localhost", Flaw::None, http2).await;
        let site = with_open_route(&[backend.url()], &more, "").await;
        site.browser().fetch("GET", "/open").await.must_be(200);
        let stranger =
            with_open_route(&[backend.url()], if http2 { "protocol = \"h2\"" } else { "" }, "").await;
        stranger.browser().fetch("GET", "/open").await.must_be_problem(502, "upstream_unreachable");
    }
}

#[tokio::test]
async fn a_certificate_is_shown_to_servers_that_ask_for_one() {
    let ca = UpstreamCa::new();
    let tls = Some(ca.server_for_clients("localhost"));
    let backend = Backend::speaking(Speaks { tls, ..Speaks::default() }).await;
    let (certificate, key) = ca.client_files();
    let with = format!(
        "{}client_certificate = {{ file = \"{}\" }}\nclient_key = {{ file = \"{}\" }}\n",
        trusting(&ca),
        certificate.display(),
        key.display()
    );
    let site = with_open_route(&[backend.url()], &with, "").await;
    site.browser().fetch("GET", "/open").await.must_be(200);
    let without = with_open_route(&[backend.url()], &trusting(&ca), "").await;
    without.browser().fetch("GET", "/open").await.must_be(502);
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_server_may_have_another_name_in_its_certificate_if_that_is_said() {
    let ca = UpstreamCa::new();
    let backend = tls_backend(&ca, "api.internal", Flaw::None, false).await;
    let named = trusting(&ca) + "server_name = \"api.internal\"";
    let site = with_open_route(&[backend.url()], &named, "").await;
    site.browser().fetch("GET", "/open").await.must_be(200);
    let unnamed = with_open_route(&[backend.url()], &trusting(&ca), "").await;
    unnamed.browser().fetch("GET", "/open").await.must_be(502);
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_configured_and_many_requests_share_a_connection() {
    let ca = UpstreamCa::new();
    let over_tls = tls_backend(&ca, "localhost", Flaw::None, true).await;
    let plain = Backend::h2c().await;
    for (backend, more) in
        [(over_tls, trusting(&ca) + "protocol = \"h2\""), (plain, "protocol = \"h2c\"".into())]
    {
        let site = with_open_route(&[backend.url()], &more, "").await;
        backend.hold();
        let asking = all_at_once(&site, 20, "/open/x?y=1");
        let releasing = async {
            eventually("all are there at once", || async { backend.waiting() == 20 }).await;
            backend.release();
        };
        let (replies, ()) = tokio::join!(asking, releasing);
        assert!(replies.iter().all(|reply| reply.status == 200 && reply.text() == "ok"), "{replies:?}");
        assert_eq!(backend.connections(), 1);
        let got = backend.last();
        assert_eq!((got.version, got.uri.path(), got.uri.query()), (Version::HTTP_2, "/open/x", Some("y=1")));
        let authority = got.uri.authority().expect("HTTP/2 names it").to_string();
        assert!(backend.url().ends_with(&authority), "{authority}");
        assert!(!got.headers.contains_key("host") && got.headers.contains_key("x-request-id"));
        assert!(!got.headers.contains_key("connection") && !got.headers.contains_key("te"));
        let reply = site.browser().send(harness::Ask::fetch("POST", "/open").body("a body")).await;
        reply.must_be(200);
        assert_eq!(&backend.last().body[..], b"a body");
    }
}

#[tokio::test]
async fn a_server_that_does_not_agree_to_http_2_gets_no_request() {
    let ca = UpstreamCa::new();
    let backend = tls_backend(&ca, "localhost", Flaw::None, false).await;
    let site = with_open_route(&[backend.url()], &(trusting(&ca) + "protocol = \"h2\""), "").await;
    site.browser().fetch("GET", "/open").await.must_be_problem(502, "upstream_unreachable");
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn no_connection_carries_more_streams_than_its_server_allows() {
    let backend = Backend::speaking(Speaks { http2: true, most_streams: Some(2), tls: None }).await;
    let site = with_open_route(&[backend.url()], "protocol = \"h2c\"", "").await;
    // Before the first answer nobody knows what the server allows.
    site.browser().fetch("GET", "/open").await.must_be(200);
    backend.hold();
    let asking = all_at_once(&site, 6, "/open");
    let releasing = async {
        eventually("all are there at once", || async { backend.waiting() == 6 }).await;
        assert_eq!(backend.connections(), 3);
        backend.release();
    };
    let (replies, ()) = tokio::join!(asking, releasing);
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
}

#[tokio::test]
async fn a_connection_that_says_goodbye_is_replaced_and_no_request_is_lost() {
    let backend = Backend::h2c().await;
    let site = Arc::new(with_open_route(&[backend.url()], "protocol = \"h2c\"", "").await);
    for round in 1..=5 {
        backend.hold();
        let slow = tokio::spawn({
            let browser = site.browser();
            async move { browser.fetch("GET", "/open/slow").await }
        });
        eventually("it is there", || async { backend.waiting() == 1 }).await;
        backend.go_away();
        backend.release();
        slow.await.expect("answered").must_be(200);
        let replies = all_at_once(&site, 10, "/open").await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{round}: {replies:?}");
        let post = site.browser().send(harness::Ask::fetch("POST", "/open").body("whole")).await;
        post.must_be(200);
        assert_eq!(&backend.last().body[..], b"whole");
    }
    assert!(backend.connections() > 1);
}

#[tokio::test]
async fn connections_are_limited_and_who_cannot_wait_is_told_to_come_back() {
    for protocol in ["http1", "h2c"] {
        let speaks = Speaks { http2: protocol == "h2c", most_streams: Some(1), tls: None };
        let backend = Backend::speaking(speaks).await;
        let more = format!(
            "protocol = \"{protocol}\"\nmax_connections = 2\nqueue = {{ length = 3, wait = \"30s\" }}"
        );
        let site = with_open_route(&[backend.url()], &more, "").await;
        site.browser().fetch("GET", "/open").await.must_be(200);
        backend.hold();
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let browser = site.browser();
            asking.spawn(async move { browser.fetch("GET", "/open").await });
        }
        let mut replies = Vec::new();
        // Five are neither at work nor may they wait.
        while replies.len() < 5 {
            replies.push(asking.join_next().await.expect("one is refused").expect("answered"));
        }
        for reply in &replies {
            reply.must_be_problem(503, "upstream_busy");
            assert!(reply.header("retry-after").is_some());
        }
        // What else the gateway serves does not wait.
        site.browser().fetch("GET", "/").await.must_be(200);
        backend.release();
        for reply in asking.join_all().await {
            reply.must_be(200);
        }
        assert!(backend.open() <= 2 && backend.most_waiting() <= 2, "{protocol}: {}", backend.most_waiting());
    }
}

#[tokio::test]
async fn who_waits_for_too_long_is_told_to_come_back() {
    let backend = Backend::start().await;
    let more = "max_connections = 1\nqueue = { length = 10, wait = \"200ms\" }";
    let site = with_open_route(&[backend.url()], more, "").await;
    backend.hold();
    let first = tokio::spawn({
        let browser = site.browser();
        async move { browser.fetch("GET", "/open").await }
    });
    eventually("it is there", || async { backend.waiting() == 1 }).await;
    site.browser().fetch("GET", "/open").await.must_be_problem(503, "upstream_busy");
    backend.release();
    first.await.expect("answered").must_be(200);
    site.browser().fetch("GET", "/open").await.must_be(200);
}

#[tokio::test]
async fn a_worker_without_a_connection_gets_one_from_a_worker_that_has_them_all() {
    let backend = Backend::start().await;
    let routes = open_route(&[backend.url()], "max_connections = 1\nidle = \"1h\"", "");
    let site = Plan::new().set("listen", "workers", "2").append(routes).start().await;
    // Whichever worker takes a connection of a client: all of them are served.
    for _ in 0..20 {
        site.browser().fetch("GET", "/open").await.must_be(200);
    }
    assert!(backend.open() <= 1);
}

#[tokio::test]
async fn connections_that_nobody_uses_are_closed_by_the_gateway() {
    for (backend, protocol) in [(Backend::start().await, "http1"), (Backend::h2c().await, "h2c")] {
        let more = format!("protocol = \"{protocol}\"\nidle = \"300ms\"");
        let site = with_open_route(&[backend.url()], &more, "").await;
        site.browser().fetch("GET", "/open").await.must_be(200);
        eventually("the gateway closes it", || async { backend.open() == 0 }).await;
        site.browser().fetch("GET", "/open").await.must_be(200);
        assert_eq!(backend.connections(), 2, "{protocol}");
    }
}

#[tokio::test]
async fn checks_find_a_server_unwell_and_well_again() {
    for http2 in [false, true] {
        let speaks = || Speaks { http2, ..Speaks::default() };
        let (one, other) = (Backend::speaking(speaks()).await, Backend::speaking(speaks()).await);
        let protocol = if http2 { "h2c" } else { "http1" };
        let more = format!(
            "protocol = \"{protocol}\"\nhealth = {{ path = \"/healthz\", interval = \"100ms\", healthy = 1, unhealthy = 2 }}"
        );
        let site = with_open_route(&[one.url(), other.url()], &more, "").await;
        let asked = |backend: &Backend| backend.got().iter().filter(|got| got.uri.path() == "/open").count();
        one.answer(|got| {
            let mut response = backend::text("ok");
            if got.uri.path() == "/healthz" {
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            }
            response
        });
        let goes_to_other_alone = || async {
            let before = asked(&one);
            for _ in 0..20 {
                site.browser().fetch("GET", "/open").await.must_be(200);
            }
            asked(&one) == before
        };
        eventually("it gets no requests", goes_to_other_alone).await;
        one.answer(|_| backend::text("ok"));
        eventually("it gets requests again", || async { !goes_to_other_alone().await }).await;
        // When all are unwell, all are asked: better an attempt than none.
        for backend in [&one, &other] {
            backend.answer(|got| {
                let mut response = backend::text("ok");
                if got.uri.path() == "/healthz" {
                    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                }
                response
            });
        }
        let before = asked(&one);
        eventually("both are asked", || async {
            site.browser().fetch("GET", "/open").await.must_be(200);
            asked(&one) > before
        })
        .await;
    }
}

/// A server that takes connections into the kernel's queue until that is full, and then no more: whoever connects hangs.
fn black_hole() -> (socket2::Socket, u16, Vec<socket2::Socket>) {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a socket");
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    socket.listen(0).expect("it listens");
    let address = socket.local_addr().expect("bound");
    let mut filling = Vec::new();
    for _ in 0..4 {
        let client = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a socket");
        client.set_nonblocking(true).expect("it does not block");
        let _ = client.connect(&address);
        filling.push(client);
    }
    (socket, address.as_socket().expect("an address").port(), filling)
}

#[tokio::test]
async fn an_upstream_that_hangs_hurts_no_other() {
    let (_hole, port, _filling) = black_hole();
    let well = Backend::start().await;
    let routes = open_route(&[well.url()], "", "")
        + &format!(
            "[upstreams.hole]\nservers = [\"http://127.0.0.1:{port}\"]\nconnect = \"300ms\"\neject = {{ failures = 2, time = \"1h\", longest = \"1h\" }}\n\n\
             [[routes]]\npath = \"/hole\"\nupstream = \"hole\"\nallow = \"anyone\"\n"
        );
    let site = Arc::new(Plan::new().set("listen", "workers", "1").append(routes).start().await);
    for _ in 0..2 {
        site.browser().fetch("GET", "/hole").await.must_be_problem(504, "upstream_timeout");
    }
    // It is known to hang by now: few try it at a time, and the others are refused at once.
    let crowd = tokio::spawn({
        let site = Arc::clone(&site);
        async move { all_at_once(&site, 100, "/hole").await }
    });
    for _ in 0..50 {
        let asked = std::time::Instant::now();
        site.browser().fetch("GET", "/open").await.must_be(200);
        assert!(asked.elapsed() < std::time::Duration::from_secs(5));
    }
    let replies = crowd.await.expect("answered");
    let count = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!(count(503) + count(504), 100, "{replies:?}");
    assert!(count(503) >= 50 && count(504) >= 1, "{} refused, {} tried", count(503), count(504));
}

#[tokio::test]
async fn a_server_that_is_gone_costs_no_request_and_is_left_out() {
    let (gone, well) = (FreePort::take(), Backend::start().await);
    let servers = [format!("http://127.0.0.1:{}", gone.number()), well.url()];
    let more = "eject = { failures = 3, time = \"1h\", longest = \"1h\" }";
    let site: Site = with_open_route(&servers, more, "").await;
    for number in 0..60 {
        let ask = harness::Ask::fetch(if number % 2 == 0 { "GET" } else { "POST" }, "/open").body("x");
        site.browser().send(ask).await.must_be(200);
    }
    let logs = site.into_logs().await;
    let retried = logs.lines().iter().filter(|line| line["retries"].as_u64().is_some()).count();
    assert_eq!(retried, 3, "each failure was one request's, and then it was left out");
    assert!(logs.events.contains("left out for a while"), "{}", logs.events);
}
