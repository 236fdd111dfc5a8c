//! HTTP/2: as browsers speak it, as broken programs do, and as attackers do (requirements section 12).

mod floods; // what costs more than it brings
mod strict; // each rule of the standard, frame by frame
mod time; // silence, stalls, age and farewell

use bytes::Bytes;
use harness::http2::{END_STREAM, Frame, Frames, kind};
use harness::{Ask, Http2, Plan, Recorder, Site};
use http::{Request, StatusCode};

use crate::support::*;

/// A site that speaks HTTP/2, with `recorder_routes`.
async fn site() -> (Site, Recorder) {
    site_with(|plan| plan).await
}

async fn site_with(change: impl FnOnce(Plan) -> Plan) -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let plan = Plan::new().https(&[]).append(recorder_routes(&recorder));
    (change(plan).start().await, recorder)
}

fn get(site: &Site, path: &str) -> http::request::Builder {
    Request::get(site.url(path)).version(http::Version::HTTP_2)
}

fn bare(request: http::request::Builder) -> Request<Bytes> {
    request.body(Bytes::new()).expect("a request")
}

/// The fields that every request begins with.
fn fields<'f>(host: &'f str, path: &'f str) -> [(&'static str, &'f str); 4] {
    [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)]
}

/// A request, written as it is, and the status of its answer; or the error with which it is refused.
async fn ask(frames: &mut Frames, stream: u32, fields: &[(&str, &str)]) -> Result<u16, Option<u32>> {
    frames.write(&Frame::headers(stream, END_STREAM, fields)).await;
    answer(frames, stream).await
}

async fn answer(frames: &mut Frames, stream: u32) -> Result<u16, Option<u32>> {
    let is_answer = |frame: &Frame| {
        frame.kind == kind::GOAWAY
            || frame.stream == stream && matches!(frame.kind, kind::HEADERS | kind::RST_STREAM)
    };
    let frame = frames.until(is_answer).await.ok_or(None)?;
    frame.status().ok_or(frame.error())
}

#[tokio::test]
async fn a_request_over_http_2_reaches_its_upstream_as_any_other() {
    let (site, recorder) = site().await;
    let http2 = Http2::connect(site.port()).await;
    let request = Request::post(site.url("/open/a?b=c"))
        .header("te", "trailers")
        .header("x-own", "1")
        .header("content-length", "5")
        .body(Bytes::from_static(b"hello"))
        .expect("a request");
    let reply = http2.send(request).await.expect("an answer");
    reply.must_be(200);
    assert_eq!(reply.json()["ok"], true);
    for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"] {
        assert!(!reply.headers.contains_key(name), "{name}");
    }
    let seen = recorder.last();
    assert_eq!((seen.line(), &*seen.body), ("POST /open/a?b=c HTTP/1.1", &b"hello"[..]));
    assert_eq!((seen.value("host"), seen.value("x-own")), (Some(&*recorder.authority()), Some("1")));
    assert_eq!(seen.value("content-length"), Some("5"));
    assert_eq!(seen.value("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.value("x-forwarded-host"), Some(&*site.host()));
    assert_eq!(seen.value("te"), None);
    assert!(!seen.head.contains("\r\n:"), "{}", seen.head);
    // Without a length the body goes in chunks; without a body there is none.
    let streamed = Request::post(site.url("/open")).body(Bytes::from_static(b"hello")).expect("a request");
    http2.send(streamed).await.expect("an answer").must_be(200);
    assert_eq!(recorder.last().value("transfer-encoding"), Some("chunked"));
    http2.send(bare(get(&site, "/open"))).await.expect("an answer").must_be(200);
    let seen = recorder.last();
    assert!(seen.value("transfer-encoding").is_none() && seen.body.is_empty(), "{}", seen.head);
}

#[tokio::test]
async fn a_hundred_requests_share_a_connection() {
    let (site, recorder) = site().await;
    let http2 = Http2::connect(site.port()).await;
    let requests = (0..100).map(|number| http2.send(bare(get(&site, &format!("/open/{number}")))));
    for reply in futures_util::future::join_all(requests).await {
        reply.expect("an answer").must_be(200);
    }
    assert_eq!(recorder.count(), 100);
}

#[tokio::test]
async fn the_authority_is_the_host_and_nothing_else_may_be() {
    let (site, recorder) = site().await;
    let host = site.host();
    let mut stream = 1;
    let mut frames = Frames::open(site.port(), &[]).await;
    for (authority, own, expected) in [
        (Some(&*host), None, 200),
        (Some(&*host), Some(&*host), 200),
        (Some(&*host.to_uppercase()), Some(&*host), 200),
        (None, Some(&*host), 200),
        (None, None, 400),
        (Some(&*host), Some("evil.example"), 400),
        (Some("evil.example"), Some(&*host), 400),
        (Some("evil.example"), None, 421),
        (Some("evil.example"), Some("evil.example"), 421),
        (Some(&*host), Some(""), 400),
    ] {
        recorder.forget();
        let mut all = vec![(":method", "GET"), (":scheme", "https"), (":path", "/open")];
        all.extend(authority.map(|authority| (":authority", authority)));
        all.extend(own.map(|own| ("host", own)));
        assert_eq!(ask(&mut frames, stream, &all).await, Ok(expected), "{all:?}");
        stream += 2;
        if expected == 200 {
            assert_eq!(recorder.last().value("host"), Some(&*recorder.authority()));
        } else {
            recorder.must_be_untouched();
        }
    }
}

#[tokio::test]
async fn a_name_in_front_of_the_authority_is_refused() {
    let (site, recorder) = site().await;
    for authority in [format!("user@{}", site.host()), format!("user:pass@{}", site.host()), "a,b".to_owned()]
    {
        let mut frames = Frames::open(site.port(), &[]).await;
        let refused = ask(&mut frames, 1, &fields(&authority, "/open")).await;
        assert!(matches!(refused, Ok(400) | Err(_)), "{authority}: {refused:?}");
        recorder.must_be_untouched();
    }
}

#[tokio::test]
async fn a_cookie_that_comes_in_crumbs_is_one_header_and_one_cookie() {
    let (site, recorder) = site().await;
    let browser = site.signed_in(ALICE).await;
    let name = format!("__Host-{SESSION}");
    let session = format!("{name}={}", browser.cookie(&name).expect("signed in"));
    let http2 = Http2::connect(site.port()).await;
    let ask = |crumbs: &[&str]| {
        let request = get(&site, "/plain").header("x-csrf", "1").header("sec-fetch-site", "same-origin");
        crumbs.iter().fold(request, |request, crumb| request.header("cookie", *crumb))
    };
    let reply = http2.send(bare(ask(&["a=1", &session, "b=2; c=3"]))).await.expect("an answer");
    reply.must_be(200);
    assert_eq!(recorder.last().values("cookie"), ["a=1; b=2; c=3"]);
    // Twice the same name is no session at all, however it is cut (requirement SE-07).
    for crumbs in [&[&*session, &format!("{name}=planted")][..], &[&format!("a=1; {name}=planted"), &session]]
    {
        recorder.forget();
        let reply = http2.send(bare(ask(crumbs))).await.expect("an answer");
        reply.must_be_problem(400, "ambiguous_cookie");
        recorder.must_be_untouched();
    }
    http2.send(bare(ask(&["a=1"]))).await.expect("an answer").must_be(401);
}

#[tokio::test]
async fn paths_have_one_reading_here_too() {
    let (site, recorder) = site().await;
    let host = site.host();
    for path in [
        "//evil",
        "/a/../b",
        "/%2e%2e/open",
        "/open%2fx",
        "/open\\x",
        "*",
        "open",
        "",
        "/a%00",
        "https://evil/",
    ] {
        let mut frames = Frames::open(site.port(), &[]).await;
        let refused = ask(&mut frames, 1, &fields(&host, path)).await;
        assert!(matches!(refused, Ok(400) | Err(_)), "{path}: {refused:?}");
        recorder.must_be_untouched();
    }
    let mut frames = Frames::open(site.port(), &[]).await;
    assert_eq!(ask(&mut frames, 1, &fields(&host, "/%6fpen")).await, Ok(200));
    assert_eq!(recorder.last().line(), "GET /open HTTP/1.1");
}

#[tokio::test]
async fn methods_that_are_never_forwarded_are_not_and_no_tunnel_is_opened() {
    let (site, recorder) = site().await;
    let host = site.host();
    let port = site.port();
    let with = |method: &'static str| {
        [(":method", method), (":scheme", "https"), (":authority", &host), (":path", "/open")]
            .map(|(a, b)| (a, b.to_owned()))
    };
    for method in ["TRACE", "CONNECT", "PRI", "get"] {
        let all = with(method);
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, &**value)).collect();
        let mut frames = Frames::open(port, &[]).await;
        let refused = ask(&mut frames, 1, &all).await;
        assert!(matches!(refused, Ok(400 | 405) | Err(_)), "{method}: {refused:?}");
        recorder.must_be_untouched();
    }
    let connect = [(":method", "CONNECT"), (":authority", &*host)];
    let websocket = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", &*host),
        (":path", "/open"),
    ];
    for all in [&connect[..], &websocket] {
        let mut frames = Frames::open(port, &[]).await;
        frames.write(&Frame::headers(1, 0, all)).await;
        let refused = answer(&mut frames, 1).await;
        assert!(matches!(refused, Ok(400) | Err(_)), "{all:?}: {refused:?}");
        recorder.must_be_untouched();
    }
    let mut frames = Frames::open(port, &[]).await;
    let settings =
        frames.until(|frame| frame.kind == kind::SETTINGS && frame.flags == 0).await.expect("settings");
    let enabled = settings.payload.chunks(6).any(|entry| entry[..2] == [0, 8] && entry[2..] != [0, 0, 0, 0]);
    assert!(!enabled, "SETTINGS_ENABLE_CONNECT_PROTOCOL is offered: {settings:?}");
}

#[tokio::test]
async fn limits_of_heads_hold_and_the_connection_goes_on() {
    let (site, recorder) = site().await;
    let http2 = Http2::connect(site.port()).await;
    let many =
        (0..101).fold(get(&site, "/open"), |request, number| request.header(format!("x-{number}"), "v"));
    http2.send(bare(many)).await.expect("an answer").must_be(431);
    let large = get(&site, "/open").header("x", "v".repeat(33 * 1024));
    // Over what was announced: the library answers by itself, before anybody looks at the request.
    let refused = http2.send(bare(large)).await;
    assert!(
        refused.is_err()
            || refused.is_ok_and(|reply| reply.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
    let long = get(&site, &format!("/open/{}", "a".repeat(8 * 1024)));
    http2.send(bare(long)).await.expect("an answer").must_be(414);
    recorder.must_be_untouched();
    http2.send(bare(get(&site, "/open"))).await.expect("an answer").must_be(200);
}

#[tokio::test]
async fn what_an_upstream_says_of_its_connection_ends_at_the_gateway() {
    let (site, recorder) = site().await;
    let http2 = Http2::connect(site.port()).await;
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-late\r\n\r\n2\r\nok\r\n0\r\nx-late: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nupgrade: h2c\r\nproxy-connection: x\r\ncontent-length: 2\r\n\r\nok",
    ] {
        recorder.answer_once(answer);
        let reply = http2.send(bare(get(&site, "/open"))).await.expect("an answer");
        assert_eq!(reply.must_be(200).text(), "ok");
        for name in [
            "connection",
            "keep-alive",
            "x-hop",
            "transfer-encoding",
            "upgrade",
            "proxy-connection",
            "trailer",
        ] {
            assert!(!reply.headers.contains_key(name), "{answer:?}: {name}");
        }
    }
    recorder
        .answer_once("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    http2.send(bare(get(&site, "/open"))).await.expect("an answer").must_be(502);
    // A body that breaks off is not a body that ends (requirement H1-14).
    recorder.answer_once_and_close("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf");
    let broken = http2.send(bare(get(&site, "/open"))).await;
    assert!(broken.is_err(), "{broken:?}");
    http2.send(bare(get(&site, "/open"))).await.expect("the same connection").must_be(200);
}

#[tokio::test]
async fn trailers_of_a_client_reach_nobody() {
    let (site, recorder) = site().await;
    let mut frames = Frames::open(site.port(), &[]).await;
    let host = site.host();
    let mut head = fields(&host, "/open").to_vec();
    head[0].1 = "POST";
    head.push(("trailer", "x-user"));
    frames.write(&Frame::headers(1, 0, &head)).await;
    frames.write(&Frame::new(kind::DATA, 0, 1, *b"body")).await;
    frames.write(&Frame::headers(1, END_STREAM, &[("x-user", "admin"), ("authorization", "Bearer x")])).await;
    assert_eq!(answer(&mut frames, 1).await, Ok(200));
    let seen = recorder.last();
    let all = format!("{}{}", seen.head, String::from_utf8_lossy(&seen.body));
    assert!(all.contains("body") && !all.contains("admin") && !all.contains("Bearer x"), "{all}");
}

#[tokio::test]
async fn a_websocket_is_opened_over_http_1_1_alone() {
    let (site, recorder) = site().await;
    // As a browser would over HTTP/1.1: in HTTP/2 these are no headers at all.
    let mut frames = Frames::open(site.port(), &[]).await;
    let host = site.host();
    let mut all = fields(&host, "/open").to_vec();
    all.extend([("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13")]);
    let refused = ask(&mut frames, 1, &all).await;
    assert!(matches!(refused, Ok(400) | Err(_)), "{refused:?}");
    recorder.must_be_untouched();
    site.browser().send(Ask::bare("GET", "/open")).await.must_be(200);
}
