//! Frames that cost the gateway more than they cost whoever sends them: the connection is given up, memory stays where it
//! was, and others are served (requirements H2-05, H2-06). Scaled down so that each takes seconds.

use std::time::Duration;

use harness::http2::{END_HEADERS, END_STREAM, Frame, Frames, block, kind};
use harness::{Http2, Plan, Recorder, Site};

use super::{bare, fields, get};
use crate::support::*;

const MIB: u64 = 1024 * 1024;

/// A site whose gateway is a process, so that its memory can be measured.
async fn site(more: &str) -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let plan = Plan::new().https(&[]).append(recorder_routes(&recorder)).append(more).quiet().programs(1);
    (plan.start().await, recorder)
}

/// Sends the same bytes again and again until the other side no longer takes them or has said enough; tells whether it
/// came to that within so many times. What comes back is read meanwhile, as an attacker would who wants to go on.
async fn is_stopped(site: &Site, opening: &[u8], again: &[u8], times: usize) -> bool {
    let mut frames = Frames::open(site.port(), &[]).await;
    frames.raw(opening).await;
    for _ in 0..times {
        if !frames.raw(again).await {
            return true;
        }
    }
    // It may have said farewell and be closing.
    let last = frames.write(&Frame::new(kind::PING, 0, 0, *b"lastping")).await;
    let is_pong =
        |frame: &Frame| frame.kind == kind::PING && frame.flags == END_STREAM && frame.payload == b"lastping";
    !last
        || frames
            .until(|frame| frame.kind == kind::GOAWAY || is_pong(frame))
            .await
            .is_none_or(|frame| frame.kind == kind::GOAWAY)
}

async fn must_serve_others(site: &Site) {
    let served = async {
        let http2 = Http2::connect(site.port()).await;
        http2.send(bare(get(site, "/open"))).await.expect("an answer").must_be(200);
    };
    tokio::time::timeout(Duration::from_secs(5), served).await.expect("others are served in time");
}

#[tokio::test]
async fn floods_of_frames_that_bring_nothing_end_their_connection_and_no_other() {
    let (mut site, _recorder) = site("").await;
    must_serve_others(&site).await;
    let before = site.program(0).resident();
    let host = site.host();
    let post = Frame::headers(1, 0, &{
        let mut all = fields(&host, "/open");
        all[0].1 = "POST";
        all
    });
    let begun = Frame::new(kind::HEADERS, END_STREAM, 1, block(&fields(&host, "/open")));
    let many = |frame: Frame| frame.bytes().repeat(500);
    for (name, opening, flood) in [
        ("pings", vec![], many(Frame::new(kind::PING, 0, 0, [0; 8]))),
        ("settings", vec![], many(Frame::new(kind::SETTINGS, 0, 0, []))),
        (
            "settings with content",
            vec![],
            many(Frame::new(kind::SETTINGS, 0, 0, [0, 4, 0, 1, 0, 0].repeat(20))),
        ),
        ("priorities", vec![], many(Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 1]))),
        ("unknown frames", vec![], many(Frame::new(0xaa, 0, 0, [0; 4]))),
        ("empty data", post.bytes(), many(Frame::new(kind::DATA, 0, 1, []))),
        ("empty continuations", begun.bytes(), many(Frame::new(kind::CONTINUATION, 0, 1, []))),
        ("windows", vec![], many(Frame::new(kind::WINDOW_UPDATE, 0, 0, [0, 0, 0, 1]))),
    ] {
        let attack = is_stopped(&site, &opening, &flood, 2_000);
        let (is_stopped, ()) = tokio::join!(attack, must_serve_others(&site));
        assert!(is_stopped, "{name}");
    }
    let grown = site.program(0).resident().saturating_sub(before);
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    must_serve_others(&site).await;
}

#[tokio::test]
async fn a_header_block_without_an_end_ends_the_connection() {
    let (mut site, recorder) = site("").await;
    must_serve_others(&site).await;
    recorder.forget();
    let before = site.program(0).resident();
    let begun = Frame::new(kind::HEADERS, END_STREAM, 1, block(&fields(&site.host(), "/open")));
    let more = Frame::new(kind::CONTINUATION, 0, 1, block(&[("x-more", &*"v".repeat(16_000))]));
    assert!(is_stopped(&site, &begun.bytes(), &more.bytes(), 5_000).await);
    recorder.must_be_untouched();
    let grown = site.program(0).resident().saturating_sub(before);
    assert!(grown < 16 * MIB, "{} MiB", grown / MIB);
    must_serve_others(&site).await;
}

fn request(stream: u32, host: &str) -> Frame {
    Frame::headers(stream, END_STREAM, &fields(host, "/open"))
}

fn taken_back(stream: u32) -> Frame {
    Frame::new(kind::RST_STREAM, 0, stream, [0, 0, 0, 8])
}

#[tokio::test]
async fn a_client_that_takes_back_its_requests_as_fast_as_it_makes_them_is_given_up() {
    let (mut site, _recorder) = site("").await;
    must_serve_others(&site).await;
    let (before, host) = (site.program(0).resident(), site.host());
    let attack = async {
        let mut frames = Frames::open(site.port(), &[]).await;
        for number in 0..20_000 {
            let stream = 2 * number + 1;
            let pair = [request(stream, &host).bytes(), taken_back(stream).bytes()].concat();
            if !frames.raw(&pair).await {
                return;
            }
        }
        assert!(
            frames
                .until(|frame| frame.kind == kind::GOAWAY)
                .await
                .is_none_or(|frame| frame.error() != Some(0))
        );
    };
    tokio::join!(attack, must_serve_others(&site));
    let grown = site.program(0).resident().saturating_sub(before);
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    must_serve_others(&site).await;
}

#[tokio::test]
async fn taking_back_requests_one_after_the_other_is_no_way_round_that() {
    let recorder = Recorder::start().await;
    // An upstream that never answers: every request is under way when it is taken back.
    recorder.answer_always("");
    let site = Plan::new().https(&[]).append(recorder_routes(&recorder)).start().await;
    let (mut frames, host) = (Frames::open(site.port(), &[]).await, site.host());
    let mut made = 0;
    for number in 0..1_000 {
        let stream = 2 * number + 1;
        frames.write(&request(stream, &host)).await;
        // The answer to the ping says that the request was looked at.
        frames.write(&Frame::new(kind::PING, 0, 0, u64::from(stream).to_be_bytes())).await;
        let pong =
            |frame: &Frame| frame.kind == kind::PING && frame.payload == u64::from(stream).to_be_bytes();
        if frames
            .until(|frame| pong(frame) || frame.kind == kind::GOAWAY)
            .await
            .is_none_or(|frame| frame.kind == kind::GOAWAY)
        {
            break;
        }
        if !frames.write(&taken_back(stream)).await {
            break;
        }
        made = number;
    }
    assert!((100..900).contains(&made), "after {made} requests");
    recorder.answer_always("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    must_serve_others(&site).await;
}

#[tokio::test]
async fn a_client_that_makes_the_gateway_take_back_its_requests_is_given_up_too() {
    let (site, _recorder) = site("").await;
    let (mut frames, host) = (Frames::open(site.port(), &[]).await, site.host());
    let mut is_open = true;
    for number in 0..5_000 {
        let stream = 2 * number + 1;
        // Whoever opens a window by nothing is reset (RFC 9113, section 6.9), and the request goes on inside.
        let nothing = Frame::new(kind::WINDOW_UPDATE, 0, stream, [0; 4]);
        is_open = frames.raw(&[request(stream, &host).bytes(), nothing.bytes()].concat()).await;
        if !is_open {
            break;
        }
    }
    let told = if is_open { frames.closed().await } else { None };
    assert!(!is_open || told != Some(0), "{told:?}");
    must_serve_others(&site).await;
}

#[tokio::test]
async fn header_fields_that_cost_one_byte_each_do_not_fill_the_memory() {
    const CONNECTIONS: usize = 30;
    let (mut site, recorder) = site("[listen.timeouts]\nstalled = \"2s\"\n").await;
    recorder.answer_always(
        [b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n".to_vec(), vec![b'x'; 9_000]].concat(),
    );
    must_serve_others(&site).await;
    // More fields than are taken: a thousand such connections must stay below 512 MiB. As many as are taken: each waits
    // with an answer and with the connection to the upstream that it came on, as over HTTP/1.1.
    for (fields, most) in [(400, 512 * MIB / 1_000), (90, 8 * MIB)] {
        let before = site.program(0).resident();
        let mut connections = Vec::new();
        for number in 0..CONNECTIONS {
            let mut frames = Frames::open(site.port(), &[(4, 0)]).await;
            frames.raw(&bombs(&site.host(), fields)).await;
            // Once one is answered, what can be held is held.
            let answered = frames.until(|frame| matches!(frame.kind, kind::HEADERS | kind::GOAWAY)).await;
            assert_eq!(answered.map(|frame| frame.kind), Some(kind::HEADERS), "connection {number}");
            connections.push(frames);
        }
        must_serve_others(&site).await;
        let grown = site.program(0).resident().saturating_sub(before);
        assert!(grown < most * CONNECTIONS as u64 + 16 * MIB, "{fields} fields: {} MiB", grown / MIB);
        // Whoever takes nothing is given up, so that even that does not stay.
        for frames in &mut connections {
            let reset =
                frames.until(|frame| frame.kind == kind::RST_STREAM && frame.error() == Some(8)).await;
            assert!(reset.is_some(), "streams that stand still are reset");
        }
    }
}

/// A hundred requests, each with one field that was put into the table, named again and again by one byte each.
fn bombs(host: &str, count: usize) -> Vec<u8> {
    let mut block = block(&fields(host, "/open"));
    block.extend([0x40, 1, b'a', 1, b'b']);
    block.extend(vec![0xbe; count]);
    let bomb = |number: u32| {
        Frame::new(kind::HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, block.clone()).bytes()
    };
    (0..100).flat_map(bomb).collect()
}
