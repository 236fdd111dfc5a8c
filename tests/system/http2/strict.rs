//! Each rule of RFC 9113 and RFC 7541 that a client can break, frame by frame, in the order in which h2spec asks for
//! them. What is accepted although the letter of the standard would have it refused stands in [`ACCEPTED`].

use harness::http2::{END_HEADERS, END_STREAM, Frame, Frames, PREFACE, block, kind};
use harness::{Recorder, Site};

use super::{answer, ask, fields, site};

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The connection is over: GOAWAY, or closed.
    Closed,
    /// The stream is over, at least: RST_STREAM, or a refusal, or the whole connection.
    Refused,
    /// Nothing: the next request is answered.
    Fine,
}

use Then::{Closed, Fine, Refused};

struct Case {
    /// Where the rule stands, and what breaks it.
    name: &'static str,
    frames: Vec<Frame>,
    then: Then,
}

fn case(name: &'static str, then: Then, frames: impl Into<Vec<Frame>>) -> Case {
    Case { name, frames: frames.into(), then }
}

/// The stream that is broken; the request after it is on another.
const BROKEN: u32 = 1;
const NEXT: u32 = 9;

struct Words {
    get: Vec<(&'static str, String)>,
}

impl Words {
    fn of(site: &Site) -> Self {
        let host = site.host();
        let get = fields(&host, "/open").map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { get }
    }

    fn block(&self, edit: impl FnOnce(&mut Vec<(&'static str, String)>)) -> Vec<u8> {
        let mut fields = self.get.clone();
        edit(&mut fields);
        block(&fields.iter().map(|(name, value)| (*name, &**value)).collect::<Vec<_>>())
    }

    /// A request with no body, with an edit done to it.
    fn request(&self, edit: impl FnOnce(&mut Vec<(&'static str, String)>)) -> Frame {
        Frame::new(kind::HEADERS, END_STREAM | END_HEADERS, BROKEN, self.block(edit))
    }

    fn with(&self, name: &'static str, value: &str) -> Frame {
        self.request(|fields| fields.push((name, value.to_owned())))
    }

    fn without(&self, name: &str) -> Frame {
        self.request(|fields| fields.retain(|(known, _)| *known != name))
    }

    /// The head of a request whose body follows.
    fn post(&self, extra: &[(&'static str, &str)]) -> Frame {
        let block = self.block(|fields| {
            "POST".clone_into(&mut fields[0].1);
            fields.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
        });
        Frame::new(kind::HEADERS, END_HEADERS, BROKEN, block)
    }

    /// A request with no body on any stream.
    fn get(&self, stream: u32) -> Frame {
        Frame { stream, ..self.request(|_| {}) }
    }
}

fn data(flags: u8, payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(kind::DATA, flags, BROKEN, payload)
}

fn settings(name: u16, value: u32) -> Frame {
    let payload = [name.to_be_bytes().to_vec(), value.to_be_bytes().to_vec()].concat();
    Frame::new(kind::SETTINGS, 0, 0, payload)
}

fn window(stream: u32, by: u32) -> Frame {
    Frame::new(kind::WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

const PADDED: u8 = 8;
const MOST: u32 = 0x7fff_ffff;

fn about_frames(words: &Words) -> Vec<Case> {
    let continued = |stream, flags, payload: &[u8]| Frame::new(kind::CONTINUATION, flags, stream, payload);
    let whole = words.block(|_| {});
    let begun = || Frame::new(kind::HEADERS, END_STREAM, BROKEN, &whole[..5]);
    let priority = |stream| Frame::new(kind::PRIORITY, 0, stream, [0, 0, 0, 0, 16]);
    let reset = |stream| Frame::new(kind::RST_STREAM, 0, stream, [0, 0, 0, 8]);
    let ping = |flags, stream, length: usize| Frame::new(kind::PING, flags, stream, vec![7; length]);
    vec![
        case("4.1: a frame of an unknown type", Fine, [Frame::new(0x77, 0xff, 0, [1, 2, 3])]),
        case("4.1: flags that a frame does not have", Fine, [ping(0x16, 0, 8)]),
        case("4.1: the reserved bit of a stream", Fine, [ping(0, 0x8000_0000, 8)]),
        case(
            "4.2: data beyond the frame size",
            Refused,
            [words.post(&[]), data(END_STREAM, vec![0; 16_385])],
        ),
        case(
            "4.2: a header block beyond the frame size",
            Closed,
            [Frame::new(kind::HEADERS, 5, BROKEN, vec![0; 16_385])],
        ),
        case("4.2: a frame of the largest size", Fine, [words.post(&[]), data(END_STREAM, vec![0; 16_384])]),
        case(
            "4.3: a header block that cannot be read",
            Closed,
            [Frame::new(kind::HEADERS, 5, BROKEN, [0xff; 5])],
        ),
        case("4.3: a priority within a header block", Closed, [begun(), priority(BROKEN)]),
        case("4.3: another stream within a header block", Closed, [begun(), words.get(3)]),
        case("5.1: data on an idle stream", Closed, [data(END_STREAM, *b"x")]),
        case("5.1: a reset of an idle stream", Closed, [reset(BROKEN)]),
        case("5.1: a window for an idle stream", Closed, [window(BROKEN, 100)]),
        case("5.1: a continuation of an idle stream", Closed, [continued(BROKEN, END_HEADERS, &whole)]),
        case("5.1: data after the end of a stream", Refused, [words.get(BROKEN), data(END_STREAM, *b"x")]),
        case("5.1: headers after the end of a stream", Refused, [words.get(BROKEN), words.get(BROKEN)]),
        case(
            "5.1: a continuation after the end of a stream",
            Closed,
            [words.get(BROKEN), continued(BROKEN, END_HEADERS, &whole)],
        ),
        case("5.1: data after a reset", Refused, [words.post(&[]), reset(BROKEN), data(END_STREAM, *b"x")]),
        case("5.1.1: a stream of the server's numbers", Closed, [words.get(2)]),
        case("5.1.1: a number below one that was used", Closed, [words.get(5), words.get(3)]),
        case(
            "5.5: an unknown frame within a header block",
            Closed,
            [begun(), Frame::new(0x77, 0, 0, [1]), continued(BROKEN, END_HEADERS, &whole[5..])],
        ),
        case("6.1: data on no stream", Closed, [Frame::new(kind::DATA, 0, 0, *b"x")]),
        case(
            "6.1: padding longer than the frame",
            Closed,
            [words.post(&[]), data(PADDED | END_STREAM, [6, 1, 2])],
        ),
        case("6.1: padded data", Fine, [words.post(&[]), data(PADDED | END_STREAM, [2, b'x', 0, 0])]),
        case("6.2: headers on no stream", Closed, [words.get(0)]),
        case(
            "6.2: padding longer than the header block",
            Closed,
            [Frame::new(kind::HEADERS, 5 | PADDED, BROKEN, [200, 1, 2])],
        ),
        case("6.3: a priority on no stream", Closed, [priority(0)]),
        case("6.3: a priority of another length", Refused, [Frame::new(kind::PRIORITY, 0, BROKEN, [0; 4])]),
        case("6.3: a priority of an idle stream", Fine, [priority(BROKEN)]),
        case("6.4: a reset on no stream", Closed, [reset(0)]),
        case(
            "6.4: a reset of another length",
            Closed,
            [words.post(&[]), Frame::new(kind::RST_STREAM, 0, BROKEN, [0; 3])],
        ),
        case(
            "6.5: an acknowledgement with settings",
            Closed,
            [Frame::new(kind::SETTINGS, END_STREAM, 0, [0; 6])],
        ),
        case(
            "6.5: settings on a stream",
            Closed,
            [Frame::new(kind::SETTINGS, 0, BROKEN, [0, 3, 0, 0, 0, 100])],
        ),
        case("6.5: settings of another length", Closed, [Frame::new(kind::SETTINGS, 0, 0, [0, 3, 0])]),
        case("6.5.2: SETTINGS_ENABLE_PUSH 2", Closed, [settings(2, 2)]),
        case("6.5.2: a window beyond the limit", Closed, [settings(4, MOST + 1)]),
        case("6.5.2: a frame size below the least", Closed, [settings(5, 16_383)]),
        case("6.5.2: a frame size beyond the limit", Closed, [settings(5, 1 << 24)]),
        case("6.5.2: an unknown setting", Fine, [settings(0xff, 1)]),
        case(
            "6.6: a promise of a client",
            Closed,
            [Frame::new(kind::PUSH_PROMISE, END_HEADERS, BROKEN, [0, 0, 0, 2])],
        ),
        case("6.7: a ping", Fine, [ping(0, 0, 8)]),
        case("6.7: an answer to no ping", Fine, [ping(END_STREAM, 0, 8)]),
        case("6.7: a ping on a stream", Closed, [ping(0, BROKEN, 8)]),
        case("6.7: a ping of another length", Closed, [ping(0, 0, 6)]),
        case("6.8: a farewell on a stream", Closed, [Frame::new(kind::GOAWAY, 0, BROKEN, [0; 8])]),
        case("6.9: a window of nothing", Closed, [window(0, 0)]),
        case("6.9: a window of nothing for a stream", Refused, [words.post(&[]), window(BROKEN, 0)]),
        case("6.9: a window of another length", Closed, [Frame::new(kind::WINDOW_UPDATE, 0, 0, [0; 3])]),
        case("6.9.1: windows beyond the limit", Closed, [window(0, MOST), window(0, MOST)]),
        case(
            "6.9.1: windows of a stream beyond the limit",
            Refused,
            [words.post(&[]), window(BROKEN, MOST), window(BROKEN, MOST)],
        ),
        case(
            "6.10: a header block in pieces",
            Fine,
            [begun(), continued(BROKEN, 0, &whole[5..20]), continued(BROKEN, END_HEADERS, &whole[20..])],
        ),
        case("6.10: a continuation on no stream", Closed, [begun(), continued(0, END_HEADERS, &whole[5..])]),
        case(
            "6.10: a continuation of a whole header block",
            Closed,
            [words.post(&[]), continued(BROKEN, END_HEADERS, &whole)],
        ),
        case(
            "6.10: a continuation after data",
            Closed,
            [words.post(&[]), data(0, *b"x"), continued(BROKEN, END_HEADERS, &whole)],
        ),
        case("6.10: data within a header block", Closed, [begun(), data(END_STREAM, *b"x")]),
    ]
}

fn about_messages(words: &Words) -> Vec<Case> {
    let trailers = |flags, fields: &[(&str, &str)]| Frame::headers(BROKEN, flags, fields);
    let early = words.request(|fields| fields.insert(0, ("x-early", "1".to_owned())));
    let empty_name = [words.block(|_| {}), vec![0, 0, 1, b'v']].concat();
    let twice =
        |name: &'static str, value: &str| words.request(|fields| fields.insert(1, (name, value.to_owned())));
    vec![
        case("8.1: headers in the middle", Refused, [words.post(&[]), trailers(0, &[("x-late", "1")])]),
        case(
            "8.1: a pseudo-header at the end",
            Fine,
            [words.post(&[]), trailers(END_STREAM, &[(":path", "/")])],
        ),
        case("8.2: a name in capitals", Refused, [words.with("X-Test", "ok")]),
        case("8.2.1: a name with a space", Refused, [words.with("x test", "ok")]),
        case("8.2.1: a name with a colon", Refused, [words.with("x:test", "ok")]),
        case("8.2.1: no name", Refused, [Frame::new(kind::HEADERS, 5, BROKEN, empty_name)]),
        case("8.2.1: a line feed in a value", Refused, [words.with("x-test", "a\nx-user: admin")]),
        case("8.2.1: a carriage return in a value", Refused, [words.with("x-test", "a\rb")]),
        case("8.2.1: a NUL in a value", Refused, [words.with("x-test", "a\0b")]),
        case(
            "8.2.1: a line feed in the path",
            Refused,
            [words.request(|fields| "/open\r\nx: y".clone_into(&mut fields[3].1))],
        ),
        case(
            "8.2.1: a line feed in the method",
            Refused,
            [words.request(|fields| "GET / HTTP/1.1\r\nx: y".clone_into(&mut fields[0].1))],
        ),
        case(
            "8.2.1: a line feed in the authority",
            Refused,
            [words.request(|fields| fields[2].1 += "\r\nx: y")],
        ),
        case("8.2.2: Connection", Refused, [words.with("connection", "keep-alive")]),
        case("8.2.2: Transfer-Encoding", Refused, [words.with("transfer-encoding", "chunked")]),
        case("8.2.2: Upgrade", Refused, [words.with("upgrade", "h2c")]),
        case("8.2.2: Proxy-Connection", Refused, [words.with("proxy-connection", "keep-alive")]),
        case("8.2.2: Keep-Alive", Refused, [words.with("keep-alive", "timeout=5")]),
        case("8.2.2: TE for more than trailers", Refused, [words.with("te", "trailers, deflate")]),
        case("8.2.2: TE for trailers", Fine, [words.with("te", "trailers")]),
        case("8.3: an unknown pseudo-header", Refused, [words.with(":test", "ok")]),
        case(
            "8.3: a pseudo-header of answers",
            Refused,
            [words.request(|fields| fields.insert(0, (":status", "200".to_owned())))],
        ),
        case("8.3: a pseudo-header after others", Refused, [early]),
        case("8.3.1: no method", Refused, [words.without(":method")]),
        case("8.3.1: no scheme", Refused, [words.without(":scheme")]),
        case("8.3.1: no path", Refused, [words.without(":path")]),
        case("8.3.1: an empty path", Refused, [words.request(|fields| fields[3].1.clear())]),
        case("8.3.1: two methods", Refused, [twice(":method", "POST")]),
        case("8.3.1: two schemes", Refused, [twice(":scheme", "http")]),
        case("8.3.1: two paths", Refused, [twice(":path", "/")]),
        case("8.3.1: two authorities", Refused, [twice(":authority", "evil.example")]),
        case(
            "8.1.1: less data than was promised",
            Refused,
            [words.post(&[("content-length", "9")]), data(END_STREAM, *b"four")],
        ),
        case(
            "8.1.1: more data than was promised",
            Refused,
            [words.post(&[("content-length", "1")]), data(END_STREAM, *b"four")],
        ),
        case(
            "8.1.1: more data in several frames",
            Refused,
            [words.post(&[("content-length", "5")]), data(0, *b"four"), data(END_STREAM, *b"four")],
        ),
        case(
            "8.1.1: two promises",
            Refused,
            [words.post(&[("content-length", "4"), ("content-length", "5")]), data(END_STREAM, *b"four")],
        ),
        case(
            "8.1.1: a promise that is no number",
            Refused,
            [words.post(&[("content-length", "+4")]), data(END_STREAM, *b"four")],
        ),
        case(
            "8.1.1: as much data as was promised",
            Fine,
            [words.post(&[("content-length", "4")]), data(END_STREAM, *b"four")],
        ),
    ]
}

fn about_compression(words: &Words) -> Vec<Case> {
    let with = |name, then, bytes: &[u8]| {
        let block = [words.block(|_| {}), bytes.to_vec()].concat();
        case(name, then, [Frame::new(kind::HEADERS, END_STREAM | END_HEADERS, BROKEN, block)])
    };
    let first = |name, then, bytes: &[u8]| {
        let block = [bytes.to_vec(), words.block(|_| {})].concat();
        case(name, then, [Frame::new(kind::HEADERS, END_STREAM | END_HEADERS, BROKEN, block)])
    };
    vec![
        with("HPACK 2.3.3: an entry that does not exist", Closed, &[0xff, 0x20]),
        with("HPACK 2.3.3: a name that does not exist", Closed, &[0x7f, 0x20, 1, b'v']),
        with("HPACK 4.2: a new table size at the end", Closed, &[0x20]),
        with("HPACK 5.1: a number without an end", Closed, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        with(
            "HPACK 5.2: padding of more than seven bits",
            Closed,
            &[0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff],
        ),
        with(
            "HPACK 5.2: padding of zeros",
            Closed,
            &[0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x83, 0x49, 0x50, 0x90],
        ),
        with(
            "HPACK 5.2: the end of strings within one",
            Closed,
            &[0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x87, 0x49, 0x51, 0xff, 0xff, 0xff, 0xfa, 0x7f],
        ),
        with("HPACK 6.1: entry zero", Closed, &[0x80]),
        first("HPACK 6.3: a table larger than was offered", Closed, &[0x3f, 0xe2, 0x1f]),
        first("HPACK 6.3: a smaller table", Fine, &[0x20]),
    ]
}

/// What is accepted against the letter, and why that harms nobody.
const ACCEPTED: [(&str, &str); 4] = [
    ("8.1: a pseudo-header in trailers", "trailers are dropped whole, so that nobody sees it"),
    ("RFC 7540, 5.3.1: a stream that depends on itself", "RFC 9113 has no priorities any more"),
    ("8.2.1: blanks around a value", "they are no part of it in HTTP/1.1, in which it goes on"),
    (
        "8.3.1: a scheme other than https",
        "nothing is decided by it; upstreams are told the scheme of public_url",
    ),
];

async fn outcome(frames: &mut Frames, site: &Site) -> Then {
    let is_telling = |frame: &Frame| match frame.kind {
        kind::GOAWAY => true,
        kind::RST_STREAM => frame.stream != NEXT,
        kind::HEADERS => frame.stream == NEXT || frame.status().is_some_and(|status| status >= 400),
        _ => false,
    };
    let host = site.host();
    frames.write(&Frame::headers(NEXT, END_STREAM, &fields(&host, "/open"))).await;
    match frames.until(is_telling).await {
        None => Closed,
        Some(frame) if frame.kind == kind::GOAWAY => Closed,
        Some(frame) if frame.stream == NEXT && frame.status() == Some(200) => Fine,
        Some(_) => Refused,
    }
}

async fn must_be_so(site: &Site, recorder: &Recorder, cases: Vec<Case>) {
    for Case { name, frames: broken, then } in cases {
        recorder.forget();
        let mut frames = Frames::open(site.port(), &[]).await;
        let is_begun = frames.until(|frame| frame.kind == kind::SETTINGS && frame.flags == END_STREAM).await;
        assert!(is_begun.is_some(), "settings are acknowledged");
        let bytes: Vec<u8> = broken.iter().flat_map(Frame::bytes).collect();
        frames.raw(&bytes).await;
        let found = outcome(&mut frames, site).await;
        let is_right = found == then || then == Refused && found == Closed;
        assert!(is_right, "{name}: {found:?}, not {then:?}");
        if then != Fine {
            let passed: Vec<_> = recorder.seen().into_iter().filter(|seen| !is_fine(&seen.head)).collect();
            assert!(passed.is_empty(), "{name}: {passed:?}");
        }
    }
}

/// The request after a broken one, or the right one before it.
fn is_fine(head: &str) -> bool {
    let line = head.starts_with("GET /open HTTP/1.1\r\n");
    line && !head.contains("x-user") && !head.contains("x-test") && !head.contains("evil")
}

#[tokio::test]
async fn frames_that_break_a_rule_end_their_stream_or_their_connection() {
    let (site, recorder) = site().await;
    must_be_so(&site, &recorder, about_frames(&Words::of(&site))).await;
}

#[tokio::test]
async fn messages_that_break_a_rule_reach_no_upstream() {
    let (site, recorder) = site().await;
    must_be_so(&site, &recorder, about_messages(&Words::of(&site))).await;
}

#[tokio::test]
async fn header_blocks_that_cannot_be_read_in_one_way_end_the_connection() {
    let (site, recorder) = site().await;
    must_be_so(&site, &recorder, about_compression(&Words::of(&site))).await;
}

#[tokio::test]
async fn deviations_are_few_and_what_is_accepted_changes_nothing_upstream() {
    let (site, recorder) = site().await;
    let words = Words::of(&site);
    for (name, why) in ACCEPTED {
        recorder.forget();
        let frame = if name.contains("trailers") {
            // Among the messages above.
            continue;
        } else if name.contains("itself") {
            let block = words.block(|_| {});
            Frame::new(kind::HEADERS, 0x25, BROKEN, [vec![0, 0, 0, 1, 16], block].concat())
        } else if name.contains("blanks") {
            words.with("x-blank", " v ")
        } else {
            words.request(|fields| fields[1].1 = "http".to_owned())
        };
        let mut frames = Frames::open(site.port(), &[]).await;
        frames.write(&frame).await;
        match answer(&mut frames, BROKEN).await {
            // Refused would be just as well.
            Err(_) | Ok(400) => recorder.must_be_untouched(),
            Ok(status) => {
                assert_eq!(status, 200, "{name}: {why}");
                let seen = recorder.last();
                assert_eq!(seen.value("x-forwarded-proto"), Some("https"), "{name}");
                assert!(seen.value("x-blank").is_none_or(|value| value == "v"), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_begin_like_http_2_is_closed() {
    let (site, recorder) = site().await;
    let ping = Frame::new(kind::PING, 0, 0, [7; 8]).bytes();
    for beginning in [
        b"INVALID CONNECTION PREFACE\r\n\r\n".to_vec(),
        [&PREFACE[..23], &b"x"[..]].concat(),
        [PREFACE, &ping].concat(),
        [PREFACE, &Words::of(&site).get(1).bytes()].concat(),
    ] {
        let mut frames = Frames::silent(site.port()).await;
        frames.raw(&beginning).await;
        frames.closed().await;
    }
    recorder.must_be_untouched();
    let mut frames = Frames::open(site.port(), &[]).await;
    assert_eq!(ask(&mut frames, 1, &fields(&site.host(), "/open")).await, Ok(200));
}

#[tokio::test]
async fn the_hundred_and_first_open_request_is_refused_and_the_others_go_on() {
    let (site, recorder) = site().await;
    let words = Words::of(&site);
    let mut frames = Frames::open(site.port(), &[]).await;
    let announced =
        frames.until(|frame| frame.kind == kind::SETTINGS && frame.flags == 0).await.expect("settings");
    assert!(announced.payload.chunks(6).any(|entry| entry == [0, 3, 0, 0, 0, 100]), "{announced:?}");
    let stream = |number: u32| 2 * number + 1;
    let bytes: Vec<u8> =
        (0..=100).flat_map(|number| Frame { stream: stream(number), ..words.post(&[]) }.bytes()).collect();
    frames.raw(&bytes).await;
    assert!(matches!(answer(&mut frames, stream(100)).await, Err(Some(1 | 7))));
    frames.write(&Frame::new(kind::DATA, END_STREAM, stream(0), *b"x")).await;
    assert_eq!(answer(&mut frames, stream(0)).await, Ok(200));
    assert_eq!(recorder.count(), 1);
}

#[tokio::test]
async fn settings_and_pings_are_answered() {
    let (site, _) = site().await;
    let mut frames = Frames::open(site.port(), &[(4, 100)]).await;
    frames
        .until(|frame| frame.kind == kind::SETTINGS && frame.flags == END_STREAM)
        .await
        .expect("acknowledged");
    frames.write(&Frame::new(kind::PING, 0, 0, *b"12345678")).await;
    let pong =
        frames.until(|frame| frame.kind == kind::PING && frame.flags == END_STREAM).await.expect("a pong");
    assert_eq!(pong.payload, b"12345678");
}
