//! WebSockets by route, and the end of all that stays open when a session ends (H1-08, H1-09, CS-09).

use std::time::Duration;

use harness::{Ask, Browser, Kept, Plan, Recorder, RedisServer, Site, SocketEcho, Wire, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Routes that let WebSockets be opened: `/ws` with the token for reading, `/ws-open` for everybody.
fn routes(upstream: &str) -> String {
    format!(
        r#"
[upstreams.sockets]
servers = ["{upstream}"]

[[routes]]
path      = "/ws"
upstream  = "sockets"
token     = "todo-read"
websocket = true

[[routes]]
path      = "/ws-open"
upstream  = "sockets"
allow     = "anyone"
websocket = true
"#
    )
}

async fn with_echo() -> (Site, SocketEcho) {
    let echo = SocketEcho::start().await;
    (Plan::new().append(routes(&echo.url())).start().await, echo)
}

/// `routes` to an upstream that says whatever it is told to.
async fn with_odd_upstream() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    (Plan::new().append(routes(&recorder.url())).start().await, recorder)
}

/// `routes` to an upstream under the test's own hand.
async fn by_hand() -> (Site, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (Plan::new().append(routes(&format!("http://{address}"))).start().await, listener)
}

fn head(site: &Site, path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\nOrigin: http://{host}\r\n{more}\r\n",
        host = site.host()
    )
}

fn accepted() -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(KEY.as_bytes())
    )
}

async fn client(site: &Site) -> TcpStream {
    TcpStream::connect(("127.0.0.1", site.addresses().ports.gateway)).await.expect("it listens")
}

/// Reads until `wanted` is among what came.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            let mut buffer = vec![0; 4_096];
            let count = stream.read(&mut buffer).await.expect("the other side goes on");
            assert_ne!(count, 0, "closed before {wanted:?}: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("it arrives");
    String::from_utf8_lossy(&seen).into_owned()
}

/// Waits until the other side has closed, at most that long.
async fn must_close(stream: &mut TcpStream, within: Duration) {
    let mut buffer = vec![0; 4_096];
    let closing = async { while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {} };
    assert!(tokio::time::timeout(within, closing).await.is_ok(), "it is still open after {within:?}");
}

#[tokio::test]
async fn text_and_bytes_go_both_ways_with_the_routes_token_and_without_our_cookie() {
    let (site, echo) = with_echo().await;
    let alice = site.signed_in(ALICE).await;
    alice.set_cookie("app", "1");
    let mut socket = alice.open_socket("/ws/chat?room=1").await;
    socket.must_echo("hello").await;
    socket.say(Message::binary(vec![0, 159, 146, 150])).await;
    assert_eq!(socket.hear().await, Some(Message::binary(vec![0, 159, 146, 150])));
    let seen = echo.last();
    let bearer =
        seen["authorization"].to_str().expect("ASCII").strip_prefix("Bearer ").expect("a bearer token");
    assert_eq!(claims(bearer)["scp"], "ToDoList.Read");
    let cookies = seen["cookie"].to_str().expect("ASCII");
    assert!(cookies.contains("app=1") && !cookies.contains("gateway-"), "{cookies}");
    assert_eq!(seen.get_all("x-forwarded-for").iter().count(), 1);
    socket.close().await;
    eventually("the upstream's side is closed too", || async { echo.open() == 0 }).await;
}

#[tokio::test]
async fn eight_mebibytes_in_one_message_come_back_whole() {
    let (site, _echo) = with_echo().await;
    let message: Vec<u8> = (0..8 * 1_024 * 1_024_u32).map(|number| number.to_le_bytes()[1]).collect();
    let mut socket = site.browser().open_socket("/ws-open").await;
    socket.say(Message::binary(message.clone())).await;
    assert!(socket.hear().await == Some(Message::binary(message)), "it came back otherwise");
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_the_client_and_gets_everything_when_it_does() {
    const WHOLE: usize = 64 * 1_024 * 1_024;
    let (site, listener) = by_hand().await;
    let mut client = client(&site).await;
    client.write_all(head(&site, "/ws-open", "").as_bytes()).await.expect("it reads");
    let (mut upstream, _) = listener.accept().await.expect("the gateway connects");
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(accepted().as_bytes()).await.expect("it reads");
    let answer = read_until(&mut client, "\r\n\r\n").await.to_ascii_lowercase();
    // A 101 has no length (RFC 9110, section 8.6).
    assert!(answer.contains("x-request-id") && !answer.contains("content-length"), "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
    let piece: Vec<u8> = (0..64 * 1_024_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut sent = 0;
    // Half a second without progress: everything on the way is full.
    while let Ok(count) = tokio::time::timeout(SECOND / 2, client.write(&piece[sent % piece.len()..])).await {
        sent += count.expect("it is open");
        assert!(sent < WHOLE, "nobody reads, and yet the gateway takes more and more");
    }
    let sending = async {
        while sent < WHOLE {
            let at = sent % piece.len();
            let end = piece.len().min(at + WHOLE - sent);
            sent += client.write(&piece[at..end]).await.expect("it is open");
        }
    };
    let reading = async {
        let (mut arrived, mut buffer) = (0, vec![0; 256 * 1_024]);
        while arrived < WHOLE {
            let count = upstream.read(&mut buffer).await.expect("it is open");
            assert_ne!(count, 0, "closed after {arrived} bytes");
            for byte in &buffer[..count] {
                assert_eq!(*byte, piece[arrived % piece.len()], "at {arrived}");
                arrived += 1;
            }
        }
    };
    tokio::time::timeout(MINUTE, async { tokio::join!(sending, reading) }).await.expect("all arrives");
}

#[tokio::test]
async fn only_pages_of_this_site_open_a_websocket() {
    let (site, echo) = with_echo().await;
    let alice = site.signed_in(ALICE).await;
    let other_scheme = alice.origin().replacen("http", "https", 1);
    let origins = [
        Some("https://evil.example"),
        Some("null"),
        Some(""),
        Some("http://localhost"),
        Some(&*other_scheme),
        None,
    ];
    for path in ["/ws", "/ws-open"] {
        for origin in origins {
            let ask = Ask::websocket(path).without("origin");
            let ask = origin.map_or(ask.clone(), |origin| ask.header("origin", origin));
            // The header for scripts is no substitute.
            let ask = ask.header("x-csrf", "1");
            alice.send(ask).await.must_be_problem(403, "cross_site");
        }
        let twice = Ask::websocket(path).header("origin", &alice.origin()).header("origin", &alice.origin());
        alice.send(twice).await.must_be_problem(403, "cross_site");
    }
    assert_eq!(echo.connections(), 0);
    alice.open_socket("/ws").await.must_echo("from here").await;
}

#[tokio::test]
async fn without_a_session_a_websocket_is_refused_before_anybody_is_asked() {
    let (site, echo) = with_echo().await;
    let stranger = site.browser();
    let reply = stranger.send(Ask::websocket("/ws")).await;
    reply.must_be_problem(401, "no_session");
    // Nobody can sign in inside a handshake, whatever it says it reads.
    let ask = ["sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site"].into_iter();
    let ask = ask.fold(Ask::websocket("/ws"), Ask::without).header("accept", "text/html");
    stranger.send(ask).await.must_be(401);
    stranger.set_cookie(SESSION, "nonsense");
    stranger.send(Ask::websocket("/ws")).await.must_be_problem(401, "session_over");
    assert_eq!(echo.connections(), 0);
    stranger.open_socket("/ws-open").await.must_echo("everybody").await;
    assert!(!echo.last().contains_key("authorization"));
}

#[tokio::test]
async fn a_handshake_on_a_route_without_websockets_is_an_ordinary_request() {
    let (site, recorder) = with_recorder().await;
    let alice = site.signed_in(ALICE).await;
    alice.send(Ask::websocket("/plain")).await.must_be_problem(403, "csrf_header_missing");
    recorder.must_be_untouched();
    alice.send(Ask::websocket("/plain").header("x-csrf", "1")).await.must_be(200);
    let seen = recorder.last();
    assert!(seen.values("upgrade").is_empty() && seen.values("connection").is_empty(), "{}", seen.head);
}

#[tokio::test]
async fn what_is_not_exactly_a_handshake_is_an_ordinary_request() {
    let (site, recorder) = with_odd_upstream().await;
    let alice = site.signed_in(ALICE).await;
    let odd = [
        Ask::websocket("/ws").set("upgrade", "h2c"),
        Ask::websocket("/ws").set("upgrade", "websocket, h2c"),
        Ask::websocket("/ws").header("upgrade", "websocket"),
        Ask::websocket("/ws").set("connection", "keep-alive"),
        Ask::websocket("/ws").set("sec-websocket-version", "8"),
        Ask::websocket("/ws").set("sec-websocket-key", "short"),
        Ask::websocket("/ws").without("sec-websocket-key"),
        Ask::websocket("/ws").header("sec-websocket-key", KEY),
        Ask::websocket("/ws").body("a body"),
    ];
    for ask in odd {
        alice.send(ask.clone()).await.must_be_problem(403, "csrf_header_missing");
        recorder.must_be_untouched();
        alice.send(ask.header("x-csrf", "1")).await.must_be(200);
        let seen = recorder.last();
        assert!(seen.values("upgrade").is_empty() && seen.values("connection").is_empty(), "{}", seen.head);
        recorder.forget();
    }
    alice.send(Ask::websocket("/ws")).await.must_be(200);
    assert_eq!(
        (recorder.last().value("upgrade"), recorder.last().value("connection")),
        (Some("websocket"), Some("Upgrade"))
    );
}

#[tokio::test]
async fn an_upstream_that_does_not_open_a_websocket_is_heard_as_usual() {
    let (site, recorder) = with_odd_upstream().await;
    let alice = site.signed_in(ALICE).await;
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", 200),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", 403),
        ("HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\ncontent-length: 2\r\n\r\nno", 426),
    ] {
        recorder.answer_once(answer);
        assert_eq!(alice.send(Ask::websocket("/ws")).await.must_be(status).text(), "no");
    }
    let right = accepted();
    let accept = derive_accept_key(KEY.as_bytes());
    for answer in [
        right.replace(&accept, &derive_accept_key(b"another key")),
        right.replace(&accept, ""),
        right.replace("Upgrade: websocket", "Upgrade: foo"),
        right.replace("Connection: Upgrade\r\n", ""),
    ] {
        recorder.answer_once_and_close(answer);
        alice.send(Ask::websocket("/ws")).await.must_be_problem(502, "upstream_broken");
    }
    // Nobody asked for it here, however right it looks.
    recorder.answer_once_and_close(right);
    alice.fetch("GET", "/ws").await.must_be_problem(502, "upstream_broken");
    alice.fetch("GET", "/ws").await.must_be(200);
}

#[tokio::test]
async fn bytes_sent_too_early_wait_for_the_upstreams_yes() {
    let (site, listener) = by_hand().await;
    let mut client = client(&site).await;
    let early = format!("GET /ws HTTP/1.1\r\nHost: {}\r\n\r\n", site.host());
    client.write_all(format!("{}{early}", head(&site, "/ws-open", "")).as_bytes()).await.expect("it reads");
    let (mut upstream, _) = listener.accept().await.expect("the gateway connects");
    let seen = read_until(&mut upstream, "\r\n\r\n").await;
    assert!(seen.ends_with("\r\n\r\n") && seen.matches("HTTP/1.1").count() == 1, "{seen}");
    upstream.write_all(accepted().as_bytes()).await.expect("it reads");
    assert_eq!(read_until(&mut upstream, "\r\n\r\n").await, early);
    // Nothing of the tunnel is ever a request.
    upstream.write_all(b"raw").await.expect("it reads");
    assert!(read_until(&mut client, "raw").await.ends_with("\r\n\r\nraw"));
}

#[tokio::test]
async fn after_a_no_what_follows_is_a_request_of_its_own() {
    let (site, recorder) = with_odd_upstream().await;
    recorder.answer_once("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    let second = format!("GET /ws/hidden HTTP/1.1\r\nHost: {}\r\nX-CSRF: 1\r\n\r\n", site.host());
    wire.send(format!("{}{second}", head(&site, "/ws-open", "")).as_bytes()).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 403"));
    assert!(wire.answer().await.starts_with("HTTP/1.1 401"), "judged by its own route");
    assert_eq!(recorder.count(), 1);
}

#[tokio::test]
async fn signing_out_closes_what_that_session_opened_and_nothing_else() {
    let (site, echo) = with_echo().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let (mut first, mut second) = (alice.open_socket("/ws").await, alice.open_socket("/ws-open").await);
    let (mut other, mut strangers) =
        (bob.open_socket("/ws").await, site.browser().open_socket("/ws-open").await);
    for socket in [&mut first, &mut second, &mut other, &mut strangers] {
        socket.must_echo("hello").await;
    }
    alice.fetch("POST", "/auth/sign-out").await.must_be(200);
    let (one, two) = tokio::join!(first.closed(), second.closed());
    assert!(one < SECOND && two < SECOND, "{one:?} {two:?}");
    eventually("the upstream's side is closed too", || async { echo.open() == 2 }).await;
    other.must_echo("still here").await;
    strangers.must_echo("still here").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_at_one_gateway_closes_what_is_open_at_another() {
    let (echo, redis) = (SocketEcho::start().await, RedisServer::launch().await);
    let plan = Plan::new().append(routes(&echo.url())).store(Kept::Redis(redis.url())).keys(&["one"]);
    let site = plan.gateways(2).start().await;
    let ports = site.ports();
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let mut hers = alice.at(ports[1]).open_socket("/ws").await;
    let mut his = bob.at(ports[1]).open_socket("/ws").await;
    for socket in [&mut hers, &mut his] {
        socket.must_echo("hello").await;
    }
    alice.at(ports[0]).fetch("POST", "/auth/sign-out").await.must_be(200);
    let took = hers.closed().await;
    assert!(took < SECOND, "{took:?}");
    his.must_echo("still here").await;
}

#[tokio::test]
async fn a_websocket_ends_with_the_time_of_its_session() {
    let (site, _echo) = with_echo().await;
    let alice = site.signed_in(ALICE).await;
    let mut silent = alice.open_socket("/ws").await;
    silent.must_echo("hello").await;
    site.advance(31 * MINUTE);
    let idle = silent.closed().await;
    let bob = site.signed_in(BOB).await;
    let mut busy = bob.open_socket("/ws").await;
    for _ in 0..23 {
        site.advance(20 * MINUTE);
        busy.must_echo("what is sent keeps the session in use").await;
    }
    assert_eq!(bob.fetch("GET", "/auth/session?slide=false").await.json()["signed_in"], true);
    site.advance(21 * MINUTE);
    let absolute = busy.closed().await;
    assert!(idle < SECOND && absolute < SECOND, "{idle:?} {absolute:?}");
}

#[tokio::test]
async fn a_browser_that_only_answers_pings_does_not_use_its_session() {
    let (site, listener) = by_hand().await;
    let alice = site.signed_in(ALICE).await;
    let mut client = client(&site).await;
    let cookie = format!("Cookie: {}\r\n", alice.cookie_header());
    client.write_all(head(&site, "/ws", &cookie).as_bytes()).await.expect("it reads");
    let (mut upstream, _) = listener.accept().await.expect("the gateway connects");
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(accepted().as_bytes()).await.expect("it reads");
    read_until(&mut client, "\r\n\r\n").await;
    let idle_end = async || {
        let session = alice.fetch("GET", "/auth/session?slide=false").await.json();
        session["idle_expires_at"].as_str().expect("a session").to_owned()
    };
    let before = idle_end().await;
    site.advance(10 * MINUTE);
    // A masked pong, then a masked text, both masked with nothing.
    client.write_all(b"\x8a\x84\0\0\0\0pong").await.expect("it reads");
    read_until(&mut upstream, "pong").await;
    assert_eq!(idle_end().await, before);
    client.write_all(b"\x81\x85\0\0\0\0hello").await.expect("it reads");
    read_until(&mut upstream, "hello").await;
    assert_ne!(idle_end().await, before);
}

/// Opens an event stream and gives both its ends, after one event.
async fn stream(
    site: &Site,
    browser: &Browser,
    listener: &TcpListener,
    kind: &str,
) -> (TcpStream, TcpStream) {
    let mut client = client(site).await;
    let ask = format!(
        "GET /ws/events HTTP/1.1\r\nHost: {}\r\nX-CSRF: 1\r\nCookie: {}\r\n\r\n",
        site.host(),
        browser.cookie_header()
    );
    client.write_all(ask.as_bytes()).await.expect("it reads");
    let (mut upstream, _) = listener.accept().await.expect("the gateway connects");
    read_until(&mut upstream, "\r\n\r\n").await;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n7\r\ndata: 1\r\n"
    );
    upstream.write_all(answer.as_bytes()).await.expect("it reads");
    read_until(&mut client, "data: 1").await;
    (client, upstream)
}

#[tokio::test]
async fn an_event_stream_is_cut_off_when_its_session_ends_and_anothers_goes_on() {
    let (site, listener) = by_hand().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let kind = "Text/Event-Stream; charset=utf-8";
    let (mut cut, mut from_cut) = stream(&site, &alice, &listener, kind).await;
    let (mut whole, mut from_whole) = stream(&site, &bob, &listener, kind).await;
    // What ends by itself is not touched.
    let (mut download, mut from_download) = stream(&site, &alice, &listener, "text/plain").await;
    alice.fetch("POST", "/auth/sign-out").await.must_be(200);
    let mut rest = Vec::new();
    let reading = cut.read_to_end(&mut rest);
    tokio::time::timeout(SECOND, reading).await.expect("it is closed within a second").ok();
    assert!(!String::from_utf8_lossy(&rest).ends_with("0\r\n\r\n"), "it does not look whole");
    must_close(&mut from_cut, SECOND).await;
    for (client, upstream) in [(&mut whole, &mut from_whole), (&mut download, &mut from_download)] {
        upstream.write_all(b"7\r\ndata: 2\r\n0\r\n\r\n").await.expect("it reads");
        read_until(client, "0\r\n\r\n").await;
    }
}

#[tokio::test]
async fn each_end_that_goes_away_takes_the_other_with_it() {
    let (site, echo) = with_echo().await;
    let stranger = site.browser();
    let mut told = stranger.open_socket("/ws-open").await;
    told.say("bye").await;
    assert!(matches!(told.hear().await, Some(Message::Close(_))), "the upstream's farewell arrives");
    told.closed().await;
    let mut left = stranger.open_socket("/ws-open").await;
    left.must_echo("hello").await;
    drop(left);
    eventually("the upstream's side is closed too", || async { echo.open() == 0 }).await;
}

#[tokio::test]
async fn a_gateway_that_stops_lets_websockets_finish() {
    let (site, _echo) = with_echo().await;
    let port = site.addresses().ports.gateway;
    let mut socket = site.browser().open_socket("/ws-open").await;
    socket.must_echo("hello").await;
    let stopping = tokio::spawn(site.into_logs());
    eventually("nobody is let in any more", || async {
        TcpStream::connect(("127.0.0.1", port)).await.is_err()
    })
    .await;
    socket.must_echo("one more").await;
    socket.close().await;
    let logs = stopping.await.expect("it stopped");
    assert!(
        logs.lines().iter().any(|line| line["status"] == 101 && line["path"] == "/ws-open"),
        "{}",
        logs.access
    );
    let (site, echo) = with_echo().await;
    let mut socket = site.browser().open_socket("/ws-open").await;
    socket.must_echo("hello").await;
    // Without grace.
    drop(site);
    socket.closed().await;
    eventually("the upstream's side is closed too", || async { echo.open() == 0 }).await;
}
