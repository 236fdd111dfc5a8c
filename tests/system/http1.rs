//! HTTP/1.1 that only attackers and broken programs write: one reading or none (requirements section 11, in part).

use harness::{Ask, Recorder, Site, Wire};

use crate::support::*;

fn request(site: &Site, line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n{body}", site.host()).into_bytes()
}

fn status(answer: &str) -> u16 {
    answer
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// What a smuggler hides in a body.
const HIDDEN: &str = "GET /open/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

async fn must_be_refused_whole(site: &Site, recorder: &Recorder, headers: &str, body: &str) {
    recorder.forget();
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    wire.send(&request(site, "POST /open", headers, &format!("{body}{HIDDEN}"))).await;
    let answer = wire.rest().await;
    let refused = matches!(status(&answer), 400 | 501);
    assert!(refused, "{headers:?}: {answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers:?}: one answer, then closed: {answer}");
    recorder.must_be_untouched();
}

#[tokio::test]
async fn a_body_has_one_length_or_the_request_is_refused_and_the_connection_closed() {
    let (site, recorder) = with_recorder().await;
    let ambiguous = [
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;x=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 4_0\r\n",
        "Content-Length: 4 4\r\n",
        "Content-Length:\r\n",
        "Content-Length: ,\r\n",
        "Content-Length: 99999999999999999999999\r\n",
    ];
    for headers in ambiguous {
        must_be_refused_whole(&site, &recorder, headers, "0\r\n\r\n").await;
    }
    let http_1_0 = format!(
        "POST /open HTTP/1.0\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        site.host()
    );
    recorder.forget();
    assert_eq!(status(&site.raw(http_1_0).await), 400);
    recorder.must_be_untouched();
    for (headers, body) in [
        ("Content-Length: 4\r\nConnection: close\r\n", "body"),
        ("Transfer-Encoding: chunked\r\nConnection: close\r\n", "4\r\nbody\r\n0\r\n\r\n"),
        ("Content-Length: 0\r\nConnection: close\r\n", ""),
        ("Connection: close\r\n", ""),
    ] {
        let answer = site.raw(request(&site, "POST /open", headers, body)).await;
        assert_eq!(status(&answer), 200, "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn of_two_lengths_only_the_chunks_count_and_the_connection_ends_there() {
    let (site, recorder) = with_recorder().await;
    for headers in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\nContent-Length: 99\r\n",
    ] {
        recorder.forget();
        let mut wire = Wire::connect(site.addresses().ports.gateway).await;
        wire.send(&request(&site, "POST /open", headers, &format!("5\r\nhello\r\n0\r\n\r\n{HIDDEN}"))).await;
        let answer = wire.rest().await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers:?}: one answer, then closed: {answer}");
        let seen = recorder.seen();
        match status(&answer) {
            400 => recorder.must_be_untouched(),
            200 => {
                assert_eq!(seen.len(), 1, "{headers:?}: {seen:?}");
                let (length, chunked) =
                    (seen[0].values("content-length"), seen[0].values("transfer-encoding"));
                assert_eq!(
                    length.len() + chunked.len(),
                    1,
                    "{headers:?}: one length upstream: {}",
                    seen[0].head
                );
                assert!(String::from_utf8_lossy(&seen[0].body).contains("hello"));
            }
            other => panic!("{headers:?}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_length_that_is_written_oddly_is_refused_or_passed_on_plainly() {
    let (site, recorder) = with_recorder().await;
    for headers in ["Content-Length: 04\r\n", "Content-Length: 4\r\nContent-Length: 4\r\n"] {
        recorder.forget();
        let answer =
            site.raw(request(&site, "POST /open", &format!("{headers}Connection: close\r\n"), "body")).await;
        match status(&answer) {
            400 => recorder.must_be_untouched(),
            200 => {
                let seen = recorder.last();
                let (length, chunked) = (seen.values("content-length"), seen.values("transfer-encoding"));
                assert!(
                    (length == ["4"] && chunked.is_empty()) || (length.is_empty() && chunked == ["chunked"]),
                    "{headers:?}: {}",
                    seen.head
                );
                assert!(String::from_utf8_lossy(&seen.body).contains("body"));
            }
            other => panic!("{headers:?}: {other}: {answer}"),
        }
    }
}

#[tokio::test]
async fn bad_chunks_are_the_clients_fault_and_their_upstream_connection_is_not_used_again() {
    let (site, recorder) = with_recorder().await;
    let bad = [
        "-1\r\nx\r\n",
        "0x1\r\nx\r\n",
        "g\r\nx\r\n",
        "1\r\nxx\r\n",
        "1_0\r\nx\r\n",
        "ffffffffffffffffff\r\nx\r\n",
        " 1\r\nx\r\n",
        "+1\r\nx\r\n",
    ];
    for chunk in bad {
        let answer = site
            .raw(request(&site, "POST /open", "Transfer-Encoding: chunked\r\n", &format!("{chunk}0\r\n\r\n")))
            .await;
        if !answer.is_empty() {
            assert_eq!(status(&answer), 400, "{chunk:?}: {answer}");
        }
        // The next person gets their own answer.
        recorder.answer_once("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nown");
        assert_eq!(site.browser().fetch("GET", "/open/next").await.must_be(200).text(), "own", "{chunk:?}");
        assert!(recorder.last().line().contains("/open/next"));
    }
}

#[tokio::test]
async fn malformed_lines_are_refused() {
    let (site, recorder) = with_recorder().await;
    let bad = [
        "X Y: 1\r\n",
        "X : 1\r\n",
        ": 1\r\n",
        "NoColon\r\n",
        " Folded: 1\r\n",
        "X: 1\r\n folded\r\n",
        "X: a\0b\r\n",
        "X: a\rb\r\n",
        "X\0: 1\r\n",
        "(X): 1\r\n",
    ];
    for headers in bad {
        recorder.forget();
        let answer =
            site.raw(request(&site, "GET /open", &format!("{headers}Connection: close\r\n"), "")).await;
        assert_eq!(status(&answer), 400, "{headers:?}: {answer}");
        recorder.must_be_untouched();
    }
    for line in ["GET  /open", "GET\t/open", " GET /open", "GET /open HTTP/1.1 x", "GET"] {
        recorder.forget();
        let answer =
            site.raw(format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host())).await;
        assert!(answer.is_empty() || matches!(status(&answer), 400 | 505), "{line:?}: {answer}");
        recorder.must_be_untouched();
    }
    let answer = site.raw(request(&site, "GET /open", "X-Fine: 1\r\nConnection: close\r\n", "")).await;
    assert_eq!(status(&answer), 200);
}

#[tokio::test]
async fn limits_on_targets_and_headers_are_kept() {
    let (site, recorder) = with_recorder().await;
    let ask = |target: &str, headers: String| {
        request(&site, &format!("GET {target}"), &format!("{headers}Connection: close\r\n"), "")
    };
    let fields =
        |count: usize| (0..count).map(|number| format!("X-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    let target = |length: usize| format!("/open/{}", "x".repeat(length - 6));
    assert_eq!(status(&site.raw(ask(&target(8 * 1024 + 1), String::new())).await), 414);
    assert_eq!(status(&site.raw(ask(&target(20 * 1024), String::new())).await), 414);
    assert_eq!(status(&site.raw(ask("/open", fields(101))).await), 431);
    assert_eq!(status(&site.raw(ask("/open", fields(300))).await), 431);
    assert_eq!(status(&site.raw(ask("/open", format!("X: {}\r\n", "x".repeat(33 * 1024)))).await), 431);
    assert_eq!(status(&site.raw(ask("/open", format!("X: {}\r\n", "x".repeat(200 * 1024)))).await), 431);
    recorder.must_be_untouched();
    assert_eq!(status(&site.raw(ask(&target(8 * 1024), String::new())).await), 200);
    assert_eq!(status(&site.raw(ask("/open", fields(90))).await), 200);
    assert_eq!(status(&site.raw(ask("/open", format!("X: {}\r\n", "x".repeat(30 * 1024)))).await), 200);
}

#[tokio::test]
async fn an_upgrade_that_no_route_allows_is_an_ordinary_request() {
    let (site, recorder) = with_recorder().await;
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    for upgrade in ["foo", "websocket", "h2c"] {
        let first =
            request(&site, "GET /open", &format!("Connection: Upgrade\r\nUpgrade: {upgrade}\r\n"), "");
        wire.send(&first).await;
        assert_eq!(status(&wire.answer().await), 200, "{upgrade}");
        assert!(recorder.last().values("upgrade").is_empty(), "{}", recorder.last().head);
        // What follows is a request of its own, and judged.
        wire.send(&request(&site, "GET /plain", "", "")).await;
        assert_eq!(status(&wire.answer().await), 401, "{upgrade}");
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_out_of_turn_harms_nobody_else() {
    let (site, recorder) = with_recorder().await;
    let bad: [&str; 6] = [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: foo\r\nconnection: upgrade\r\n\r\nbytes",
        "not http at all\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nbad header: 1\r\n\r\n",
    ];
    for answer in bad {
        recorder.answer_once_and_close(answer);
        let reply = site.browser().fetch("GET", "/open").await;
        assert!(matches!(reply.status.as_u16(), 200 | 502), "{answer:?}: {}", reply.status);
        assert!(reply.status != 200 || answer.contains("xchunked"), "{answer:?}: {}", reply.text());
        assert_eq!(site.browser().fetch("GET", "/open").await.must_be(200).text(), "{\"ok\":true}");
    }
    // Both lengths at once: an answer or a 502, never silence.
    recorder.answer_once_and_close(
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let reply = site.browser().fetch("GET", "/open").await;
    assert!(reply.status == 502 || reply.text() == "abc", "{} {}", reply.status, reply.text());
    // More than was promised, and bodies where none may be: the next answer is still the right one.
    for surplus in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    ] {
        recorder.answer_once(surplus);
        let reply = site.browser().fetch("GET", "/open").await;
        assert!(!reply.text().contains("evil"), "{surplus:?}");
        assert_eq!(
            site.browser().fetch("GET", "/open").await.must_be(200).text(),
            "{\"ok\":true}",
            "{surplus:?}"
        );
    }
}

#[tokio::test]
async fn a_cut_off_answer_is_seen_to_be_cut_off() {
    let (site, recorder) = with_recorder().await;
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        recorder.answer_once_and_close(cut);
        let mut wire = Wire::connect(site.addresses().ports.gateway).await;
        wire.send(&request(&site, "GET /open", "", "")).await;
        let answer = wire.rest().await;
        let looks_whole = answer.ends_with("0\r\n\r\n");
        let promised = answer.to_ascii_lowercase().contains("content-length: 100");
        let chunked = answer.to_ascii_lowercase().contains("transfer-encoding: chunked");
        assert!(status(&answer) == 502 || ((promised || chunked) && !looks_whole), "{cut:?}: {answer}");
    }
}

#[tokio::test]
async fn an_unread_body_never_becomes_the_next_request() {
    let (site, recorder) = with_recorder().await;
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    let headers = format!("Content-Length: {}\r\n", HIDDEN.len());
    // Refused before its body is read.
    wire.send(&request(&site, "POST /plain", &headers, HIDDEN)).await;
    wire.send(&request(&site, "GET /open/second", "Connection: close\r\n", "")).await;
    let answers = wire.rest().await;
    assert_eq!(status(&answers), 401, "{answers}");
    assert!(recorder.seen().iter().all(|seen| !seen.line().contains("smuggled")), "{:?}", recorder.seen());
    let reply = site.browser().send(Ask::bare("GET", "/open").header("expect", "y 100-continue")).await;
    reply.must_be(417);
}
