//! How long clients may be silent, stand still and stay; and how they are sent away (requirements H2-06, H2-08, EP-05).

use std::time::{Duration, Instant};

use harness::http2::{END_STREAM, Frame, Frames, kind};
use harness::{Http2, Plan, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{answer, ask, bare, fields, get, site_with};

fn with_timeouts(lines: &'static str) -> impl FnOnce(Plan) -> Plan {
    move |plan| plan.append(format!("[listen.timeouts]\n{lines}\n"))
}

/// A site with an upstream under the test's own hand, behind `/hand`.
async fn by_hand(plan: Plan) -> (Site, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let routes = format!(
        "[upstreams.hand]\nservers = [\"http://{address}\"]\n\
         [[routes]]\npath = \"/hand\"\nupstream = \"hand\"\nallow = \"anyone\"\n"
    );
    (plan.append(routes).start().await, listener)
}

/// The next request that the upstream gets.
async fn taken(upstream: &TcpListener) -> TcpStream {
    let (mut stream, _) = upstream.accept().await.expect("the gateway connects");
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.expect("a request"), 1);
        seen.extend(byte);
    }
    stream
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone";

#[tokio::test]
async fn an_idle_connection_is_asked_to_go_and_a_busy_one_is_not() {
    let plan = with_timeouts("idle = \"1s\"")(Plan::new().https(&[]));
    let (site, upstream) = by_hand(plan).await;
    let mut idle = Frames::open(site.port(), &[]).await;
    let busy = Http2::connect(site.port()).await;
    let request = busy.send(bare(get(&site, "/hand")));
    let rest = async {
        let mut upstream = taken(&upstream).await;
        // Told with NO_ERROR, and then closed.
        assert_eq!(idle.closed().await, Some(0));
        upstream.write_all(OK).await.expect("it reads");
    };
    let (reply, ()) = tokio::join!(request, rest);
    assert_eq!(reply.expect("an answer").must_be(200).text(), "done");
}

#[tokio::test]
async fn an_old_connection_is_left_for_a_new_one_and_its_requests_are_answered() {
    let plan = with_timeouts("age = \"1s\"")(Plan::new().https(&[]));
    let (site, upstream) = by_hand(plan).await;
    let mut frames = Frames::open(site.port(), &[]).await;
    frames.write(&Frame::headers(1, END_STREAM, &fields(&site.host(), "/hand"))).await;
    let mut upstream = taken(&upstream).await;
    let farewell = frames.until(|frame| frame.kind == kind::GOAWAY).await.expect("it is old");
    assert_eq!(farewell.error(), Some(0));
    upstream.write_all(OK).await.expect("it reads");
    assert_eq!(answer(&mut frames, 1).await, Ok(200));
    frames.until(|frame| frame.stream == 1 && frame.flags & END_STREAM != 0).await.expect("the whole body");
    frames.closed().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up_and_the_connection_goes_on() {
    let (site, recorder) = site_with(with_timeouts("stalled = \"1s\"")).await;
    recorder.answer_always(
        [b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n".to_vec(), vec![b'x'; 50_000]].concat(),
    );
    // No room at all, and room for a single byte.
    for room in [0, 1] {
        let mut frames = Frames::open(site.port(), &[(4, room)]).await;
        assert_eq!(ask(&mut frames, 1, &fields(&site.host(), "/open")).await, Ok(200));
        let reset = frames.until(|frame| frame.kind == kind::RST_STREAM).await.expect("it is given up");
        assert_eq!(reset.stream, 1, "room for {room}");
        frames.write(&Frame::new(kind::PING, 0, 0, [1; 8])).await;
        frames.until(|frame| frame.kind == kind::PING).await.expect("the connection goes on");
    }
}

#[tokio::test]
async fn a_client_that_takes_little_but_goes_on_taking_gets_everything() {
    let (site, recorder) = site_with(with_timeouts("stalled = \"1s\"")).await;
    let length = 60_000;
    recorder.answer_once(
        [format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes(), vec![b'x'; length]]
            .concat(),
    );
    let mut frames = Frames::open(site.port(), &[(4, 0)]).await;
    assert_eq!(ask(&mut frames, 1, &fields(&site.host(), "/open")).await, Ok(200));
    let (begun, mut taken) = (Instant::now(), 0);
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    while taken < length {
        ticks.tick().await;
        frames.write(&Frame::new(kind::WINDOW_UPDATE, 0, 1, 6_000_u32.to_be_bytes())).await;
        let data = frames.until(|frame| frame.stream == 1).await.expect("more");
        assert_eq!(data.kind, kind::DATA, "after {taken}: {:?}", data.error());
        taken += data.payload.len();
    }
    assert!(begun.elapsed() > Duration::from_millis(1_500), "longer than anybody may stand still");
}

#[tokio::test]
async fn a_silent_connection_does_not_hold_up_the_end_and_open_requests_are_answered() {
    let (mut site, upstream) = by_hand(Plan::new().https(&[]).programs(1)).await;
    let port = site.port();
    let mut silent = Frames::open(port, &[]).await;
    let _between = Frames::silent(port).await;
    let busy = Http2::connect(port).await;
    let request = bare(get(&site, "/hand"));
    let end = async {
        let mut upstream = taken(&upstream).await;
        let begun = Instant::now();
        let answered = async {
            // It was told to stop when it says farewell, and only then the open request gets its answer.
            let farewell = silent.until(|frame| frame.kind == kind::GOAWAY).await.expect("a farewell");
            assert_eq!(farewell.error(), Some(0));
            upstream.write_all(OK).await.expect("it reads");
        };
        tokio::join!(site.program(0).terminate(), answered);
        begun.elapsed()
    };
    let (reply, took) = tokio::join!(busy.send(request), end);
    assert_eq!(reply.expect("an answer").must_be(200).text(), "done");
    assert!(took < Duration::from_secs(8), "it waits for those who say nothing: {took:?}");
}
