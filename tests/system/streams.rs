//! Bodies on their way: streamed both ways, cut off when an end goes away, and never mixed up (RL-04, TK-13, H1-11, H1-13).

use std::time::Duration;

use harness::{Ask, Plan, Recorder, Site, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

/// An upstream under the test's own hand, behind `/open`.
async fn by_hand(more: &str) -> (Site, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let routes = format!(
        "[upstreams.hand]\nservers = [\"http://{address}\"]\n{more}\n\
         [[routes]]\npath = \"/open\"\nupstream = \"hand\"\nallow = \"anyone\"\n"
    );
    (Plan::new().append(routes).start().await, listener)
}

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
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("it arrives while more is to come");
    String::from_utf8_lossy(&seen).into_owned()
}

async fn client(site: &Site) -> TcpStream {
    TcpStream::connect(("127.0.0.1", site.addresses().ports.gateway)).await.expect("it listens")
}

#[tokio::test]
async fn an_answer_arrives_piece_by_piece_and_not_only_when_it_is_whole() {
    let (site, upstream) = by_hand("").await;
    let mut client = client(&site).await;
    let ask = format!("GET /open/events HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host());
    client.write_all(ask.as_bytes()).await.expect("it reads");
    let (mut connection, _) = upstream.accept().await.expect("the gateway connects");
    read_until(&mut connection, "\r\n\r\n").await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n7\r\ndata: 1\r\n";
    connection.write_all(head).await.expect("it reads");
    // The upstream says no more until the client has this.
    read_until(&mut client, "data: 1").await;
    connection.write_all(b"7\r\ndata: 2\r\n0\r\n\r\n").await.expect("it reads");
    read_until(&mut client, "data: 2").await;
}

#[tokio::test]
async fn a_request_is_passed_on_while_its_body_still_comes() {
    let (site, upstream) = by_hand("").await;
    let mut client = client(&site).await;
    let head = format!(
        "POST /open HTTP/1.1\r\nHost: {}\r\nContent-Length: 12\r\nConnection: close\r\n\r\nfirst-",
        site.host()
    );
    client.write_all(head.as_bytes()).await.expect("it reads");
    let (mut connection, _) = upstream.accept().await.expect("the gateway connects");
    read_until(&mut connection, "first-").await;
    client.write_all(b"second").await.expect("it reads");
    read_until(&mut connection, "second").await;
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("it reads");
    read_until(&mut client, "\r\n\r\nok").await;
}

#[tokio::test]
async fn an_upstream_that_is_too_slow_is_504_and_one_that_is_not_is_waited_for() {
    let (site, upstream) = by_hand("response = \"300ms\"").await;
    let browser = site.browser();
    let asking = tokio::spawn({
        let browser = browser.clone();
        async move { browser.fetch("GET", "/open").await }
    });
    let (mut silent, _) = upstream.accept().await.expect("the gateway connects");
    read_until(&mut silent, "\r\n\r\n").await;
    asking.await.expect("answered").must_be_problem(504, "upstream_timeout");
    let asking = tokio::spawn(async move { browser.fetch("GET", "/open").await });
    let (mut prompt, _) = upstream.accept().await.expect("the gateway connects anew");
    read_until(&mut prompt, "\r\n\r\n").await;
    prompt.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("it reads");
    asking.await.expect("answered").must_be(200);
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_leaves_nothing_behind_for_the_next() {
    let (site, recorder) = with_recorder().await;
    let mut leaving = client(&site).await;
    let half = format!("POST /open HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n\r\nhalf", site.host());
    leaving.write_all(half.as_bytes()).await.expect("it reads");
    drop(leaving);
    for _ in 0..3 {
        let reply = site.browser().send(Ask::fetch("POST", "/open").body("whole")).await;
        reply.must_be(200);
        let seen = recorder.last();
        assert_eq!(seen.body, b"whole");
        assert!(seen.line().starts_with("POST /open HTTP/1.1"), "{}", seen.head);
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_go_on_only_if_it_may() {
    let (site, recorder) = with_recorder().await;
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            site.host()
        )
    };
    let mut allowed = client(&site).await;
    allowed.write_all(head("/open").as_bytes()).await.expect("it reads");
    read_until(&mut allowed, "HTTP/1.1 100").await;
    allowed.write_all(b"body").await.expect("it reads");
    read_until(&mut allowed, "HTTP/1.1 200").await;
    assert_eq!(recorder.last().body, b"body");
    assert!(recorder.last().values("expect").is_empty());
    let answer = site.raw(head("/plain")).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(recorder.count(), 1);
}

#[tokio::test]
async fn requests_sent_in_one_breath_are_judged_one_by_one() {
    let (site, recorder) = with_recorder().await;
    let host = site.host();
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    let breath = format!(
        "GET /open/1 HTTP/1.1\r\nHost: {host}\r\n\r\nGET /plain HTTP/1.1\r\nHost: {host}\r\n\r\n\
         POST /open/2 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\nhiGET /open/3 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    );
    wire.send(breath.as_bytes()).await;
    let statuses = [wire.answer().await, wire.answer().await, wire.answer().await, wire.answer().await]
        .map(|answer| answer.get(9..12).unwrap_or_default().to_owned());
    assert_eq!(statuses, ["200", "401", "200", "200"]);
    let lines: Vec<String> = recorder.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(lines, ["GET /open/1 HTTP/1.1", "POST /open/2 HTTP/1.1", "GET /open/3 HTTP/1.1"]);
}

#[tokio::test]
async fn unusual_but_right_answers_of_an_upstream_are_understood() {
    let (site, recorder) = with_recorder().await;
    let browser = site.browser();
    recorder.answer_once_and_close("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    assert_eq!(browser.fetch("GET", "/open").await.must_be(200).text(), "until the end");
    recorder.answer_once(
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    );
    assert_eq!(browser.fetch("GET", "/open").await.must_be(200).text(), "ok");
    recorder.answer_once("HTTP/1.1 204 No Content\r\n\r\n");
    assert!(browser.fetch("DELETE", "/open").await.must_be(204).body.is_empty());
    recorder.answer_once("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n");
    let head = browser.fetch("HEAD", "/open").await;
    assert_eq!((head.must_be(200).body.len(), head.header("content-length")), (0, Some("11")));
    browser.fetch("GET", "/open").await.must_be(200);
    let headers = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    recorder.answer_once_and_close(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n"));
    browser.fetch("GET", "/open").await.must_be(502);
    browser.fetch("GET", "/open").await.must_be(200);
}

#[tokio::test]
async fn eight_mebibytes_pass_whole_in_both_directions() {
    let recorder = Recorder::start().await;
    let site = Plan::new().append(recorder_routes(&recorder)).start().await;
    let body: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|number| number.to_le_bytes()[1]).collect();
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(&body);
    recorder.answer_once(answer);
    let reply = site.browser().send(Ask::fetch("POST", "/open").body(body.clone())).await;
    assert!(reply.must_be(200).body == body, "{} bytes came back", reply.body.len());
    assert!(recorder.last().body == body, "{} bytes arrived", recorder.last().body.len());
}
