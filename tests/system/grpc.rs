//! Trailers, where a route lets them pass, and gRPC, which cannot do without (requirements HD-01, HD-11).

use bytes::Bytes;
use harness::backend::{self, Backend, BackendBody};
use harness::{FreePort, Http2, Plan, Recorder, Site, Wire, eventually};
use http::{HeaderMap, HeaderValue, Request, Response};

use crate::support::*;

const GRPC: &str = "grpc = true\ncsrf = \"origin\"";

fn call(site: &Site, path: &str, more: &str, trailers: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/grpc\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n{more}\r\n5\r\nhello\r\n0\r\n{trailers}\r\n",
        site.host()
    )
}

/// An answer in two pieces with a status, and with trailers that browsers would obey.
fn answer(status: &'static str) -> Response<BackendBody> {
    let trailers =
        [("grpc-status", status), ("grpc-message", "done"), ("set-cookie", "gateway-session=evil")];
    let mut response = Response::new(backend::pieces(&["wor", "ld"], &trailers));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

#[tokio::test]
async fn a_call_and_its_status_go_from_end_to_end() {
    let backend = Backend::h2c().await;
    backend.answer(|_| answer("0"));
    let site = with_open_route(&[backend.url()], "protocol = \"h2c\"", GRPC).await;
    let trailers = "X-Checksum: 7\r\nX-Forwarded-User: spoofed\r\nAuthorization: Bearer spoofed\r\n";
    let announced = "Trailer: X-Checksum, X-Forwarded-User, Authorization\r\n";
    let reply = site.raw(call(&site, "/open/pkg.Service/Method", announced, trailers)).await;
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("wor") && reply.contains("ld"), "{reply}");
    assert!(reply.contains("grpc-status: 0\r\n") && reply.contains("grpc-message: done\r\n"), "{reply}");
    assert!(!reply.contains("evil"), "{reply}");
    let got = backend.last();
    assert_eq!((got.uri.path(), &got.body[..]), ("/open/pkg.Service/Method", &b"hello"[..]));
    assert_eq!(got.headers["te"], "trailers");
    assert_eq!(got.headers["content-type"], "application/grpc");
    let passed = got.trailers.expect("the harmless one");
    assert_eq!(passed["x-checksum"], "7");
    assert_eq!(passed.len(), 1, "{passed:?}");
    assert!(!format!("{:?}", got.headers).contains("spoofed"));
}

#[tokio::test]
async fn trailers_pass_over_http_1_too_where_the_route_says_so_and_nowhere_else() {
    let recorder = Recorder::start().await;
    let routes = open_route(&[recorder.url()], "", "trailers = true")
        + "[[routes]]\npath = \"/closed\"\nupstream = \"back\"\nallow = \"anyone\"\n";
    let site = Plan::new().append(routes).start().await;
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: checksum, set-cookie\r\n\r\n2\r\nok\r\n0\r\n\
                  checksum: 9\r\nset-cookie: gateway-session=evil\r\n\r\n";
    recorder.answer_always(answer);
    for (path, passes) in [("/open", true), ("/closed", false)] {
        let trailers = "Checksum: 7\r\nX_User: spoofed\r\nContent-Length: 3\r\n";
        let reply =
            site.raw(call(&site, path, "Trailer: Checksum, X_User, Content-Length\r\n", trailers)).await;
        assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("ok"), "{reply}");
        assert_eq!(reply.contains("checksum: 9"), passes, "{path}: {reply}");
        assert!(!reply.contains("evil"), "{reply}");
        let seen = recorder.last();
        let body = String::from_utf8_lossy(&seen.body).to_lowercase();
        assert!(body.contains("hello"));
        assert_eq!(body.contains("checksum: 7"), passes, "{path}: {body}");
        assert_eq!(seen.value("te"), passes.then_some("trailers"));
        assert!(!body.contains("spoofed") && !body.contains("content-length"), "{body}");
    }
}

#[tokio::test]
async fn trailers_of_http_2_upstreams_reach_nobody_where_the_route_says_nothing() {
    let backend = Backend::h2c().await;
    backend.answer(|_| answer("0"));
    let site = with_open_route(&[backend.url()], "protocol = \"h2c\"", "").await;
    let reply = site.raw(call(&site, "/open", "Trailer: X-Checksum\r\n", "X-Checksum: 7\r\n")).await;
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("ld"), "{reply}");
    assert!(!reply.contains("grpc-status") && !reply.contains("evil"), "{reply}");
    assert!(backend.last().trailers.is_none() && !backend.last().headers.contains_key("te"));
}

/// The status in the head of an empty 200, which is how gRPC clients are told.
fn status_of(reply: &str) -> Option<&str> {
    let head = reply.split("\r\n\r\n").next().unwrap_or_default();
    let is_whole = reply.starts_with("HTTP/1.1 200") && reply.ends_with("\r\n\r\n");
    let status = head.lines().find_map(|line| line.strip_prefix("grpc-status: "));
    status.filter(|_| is_whole && head.contains("content-type: application/grpc"))
}

#[tokio::test]
async fn what_the_gateway_answers_itself_is_in_grpcs_form() {
    let gone = FreePort::take();
    let url = format!("http://127.0.0.1:{}", gone.number());
    let backend = Backend::h2c().await;
    let slow = format!("{GRPC}\ntimeouts = {{ response = \"200ms\" }}");
    let routes = open_route(&[url], "protocol = \"h2c\"", GRPC)
        + &format!(
            "[upstreams.slow]\nservers = [\"{}\"]\nprotocol = \"h2c\"\n\
             [[routes]]\npath = \"/slow\"\nupstream = \"slow\"\nallow = \"anyone\"\n{slow}\n\
             [[routes]]\npath = \"/mine\"\nupstream = \"slow\"\n{GRPC}\n",
            backend.url()
        );
    let site = Plan::new().append(routes).start().await;
    let reply = site.raw(call(&site, "/open", "", "")).await;
    assert_eq!(status_of(&reply), Some("14"), "unavailable: {reply}");
    assert!(!reply.contains(&gone.number().to_string()), "{reply}");
    backend.hold();
    let reply = site.raw(call(&site, "/slow", "", "")).await;
    assert_eq!(status_of(&reply), Some("4"), "deadline exceeded: {reply}");
    backend.release();
    let origin = format!("Origin: http://{}\r\n", site.host());
    let reply = site.raw(call(&site, "/mine", &origin, "")).await;
    assert_eq!(status_of(&reply), Some("16"), "unauthenticated: {reply}");
    // With only the defect repaired it is the upstream's own answer.
    let reply = site.raw(call(&site, "/slow", "", "")).await;
    assert!(
        reply.starts_with("HTTP/1.1 200") && reply.contains("ok") && status_of(&reply).is_none(),
        "{reply}"
    );
}

#[tokio::test]
async fn messages_of_a_stream_arrive_one_by_one_in_both_directions() {
    let backend = Backend::h2c().await;
    backend.answer(|_| {
        let mut response = Response::new(backend::endless("first"));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        response
    });
    let site = with_open_route(&[backend.url()], "protocol = \"h2c\"", GRPC).await;
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    wire.send(call(&site, "/open", "", "").replace("Connection: close\r\n", "").as_bytes()).await;
    wire.until("first").await;
    assert_eq!(backend.open(), 1);
    // The client goes away: the stream ends, and its connection serves others.
    drop(wire);
    backend.answer(|_| answer("0"));
    eventually("others are served on it", || async {
        let reply = site.raw(call(&site, "/open", "", "")).await;
        reply.contains("grpc-status: 0")
    })
    .await;
    assert_eq!(backend.connections(), 1);
}

/// A call as gRPC's clients make it, over HTTP/2 and TLS; the head of the answer, its body and its trailers.
async fn call_over_http_2(site: &Site, path: &str) -> (http::response::Parts, Bytes, Option<HeaderMap>) {
    let http2 = Http2::connect(site.port()).await;
    let request = Request::post(site.url(path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request");
    let mut sender = http2.sender.clone().ready().await.expect("ready");
    let (response, mut up) = sender.send_request(request, false).expect("sent");
    up.send_data(Bytes::from_static(b"hel"), false).expect("sent");
    up.send_data(Bytes::from_static(b"lo"), false).expect("sent");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("7"));
    trailers.insert("x-forwarded-user", HeaderValue::from_static("spoofed"));
    up.send_trailers(trailers).expect("sent");
    let (head, mut down) = response.await.expect("an answer").into_parts();
    let mut body = Vec::new();
    while let Some(data) = down.data().await {
        let data = data.expect("whole");
        down.flow_control().release_capacity(data.len()).expect("capacity");
        body.extend_from_slice(&data);
    }
    let trailers = down.trailers().await.expect("whole");
    (head, body.into(), trailers)
}

#[tokio::test]
async fn over_http_2_on_both_sides_a_call_is_what_it_was() {
    let backend = Backend::h2c().await;
    backend.answer(|_| answer("0"));
    let gone = FreePort::take();
    let routes = open_route(&[backend.url()], "protocol = \"h2c\"", GRPC)
        + &format!(
            "[upstreams.gone]\nservers = [\"http://127.0.0.1:{}\"]\nprotocol = \"h2c\"\n\
             [[routes]]\npath = \"/gone\"\nupstream = \"gone\"\nallow = \"anyone\"\n{GRPC}\n",
            gone.number()
        );
    let site = Plan::new().https(&[]).append(routes).start().await;
    let (head, body, trailers) = call_over_http_2(&site, "/open/pkg.Service/Method").await;
    assert_eq!((head.status.as_u16(), &body[..]), (200, &b"world"[..]));
    assert_eq!(head.headers["content-type"], "application/grpc");
    let trailers = trailers.expect("the status");
    assert_eq!([&trailers["grpc-status"], &trailers["grpc-message"]], ["0", "done"]);
    assert_eq!(trailers.len(), 2, "{trailers:?}");
    let got = backend.last();
    assert_eq!(&got.body[..], b"hello");
    assert_eq!(got.headers["te"], "trailers");
    let passed = got.trailers.expect("the harmless one");
    assert!(passed["x-checksum"] == "7" && passed.len() == 1, "{passed:?}");
    // What the gateway answers itself, clients of gRPC understand too.
    let (head, body, trailers) = call_over_http_2(&site, "/gone").await;
    assert_eq!((head.status.as_u16(), body.len(), trailers), (200, 0, None));
    assert_eq!(head.headers["grpc-status"], "14");
}
