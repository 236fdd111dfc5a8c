//! What is sent once more, and what never is (requirement TK-13).

use harness::backend::{self, Backend};
use harness::{Ask, FreePort, Recorder};

use crate::support::*;

/// Reads a request and closes without an answer.
const NOTHING: &str = "";

#[tokio::test]
async fn a_request_that_may_be_repeated_is_where_the_route_says_so_and_under_the_same_name() {
    let recorder = Recorder::start().await;
    let site = with_open_route(&[recorder.url()], "", "retries = { attempts = 3, on = [\"reset\"] }").await;
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        recorder.forget();
        recorder.answer_once_and_close(NOTHING);
        recorder.answer_once_and_close(NOTHING);
        site.browser().send(Ask::fetch(method, "/open").without("content-length")).await.must_be(200);
        let seen = recorder.seen();
        assert_eq!(seen.len(), 3, "{method}");
        let names: Vec<_> = seen.iter().map(|seen| seen.value("x-request-id").map(str::to_owned)).collect();
        assert!(names[0].is_some() && names.iter().all(|name| *name == names[0]), "{names:?}");
        assert!(seen.iter().all(|other| other.line() == seen[0].line()));
    }
    let logs = site.into_logs().await;
    let retries: Vec<_> = logs.lines().iter().map(|line| line["retries"].as_u64()).collect();
    assert_eq!(retries, [Some(2); 5]);
}

#[tokio::test]
async fn what_changes_something_or_has_a_body_is_sent_once() {
    let recorder = Recorder::start().await;
    let all =
        "retries = { attempts = 5, on = [\"connect\", \"reset\", \"timeout\", \"502\", \"503\", \"504\"] }";
    let site = with_open_route(&[recorder.url()], "", all).await;
    for (method, body) in
        [("POST", ""), ("POST", "x"), ("PATCH", ""), ("PUT", "x"), ("DELETE", "x"), ("GET", "x")]
    {
        for answer in [NOTHING, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"] {
            recorder.forget();
            recorder.answer_once_and_close(answer);
            let reply = site.browser().send(Ask::fetch(method, "/open").body(body)).await;
            reply.must_be(if answer.is_empty() { 502 } else { 503 });
            assert_eq!(recorder.count(), 1, "{method} {body:?}");
        }
    }
}

#[tokio::test]
async fn nothing_that_may_have_arrived_is_sent_again_where_the_route_says_nothing() {
    let recorder = Recorder::start().await;
    let site = with_open_route(&[recorder.url()], "", "").await;
    recorder.answer_once_and_close(NOTHING);
    site.browser().fetch("GET", "/open").await.must_be(502);
    assert_eq!(recorder.count(), 1);
    site.browser().fetch("GET", "/open").await.must_be(200);
}

#[tokio::test]
async fn a_status_that_is_not_wanted_is_another_servers_chance() {
    let (bad, good) = (Backend::start().await, Backend::start().await);
    bad.answer_status(503);
    let route = "retries = { on = [\"503\"] }";
    let site = with_open_route(&[bad.url(), good.url()], "", route).await;
    for _ in 0..20 {
        site.browser().fetch("GET", "/open").await.must_be(200);
    }
    assert!(bad.count() > 0 && good.count() == 20);
    // When all say so, it is the answer.
    good.answer_status(503);
    site.browser().fetch("GET", "/open").await.must_be(503);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_for_another() {
    let (slow, quick) = (Backend::start().await, Backend::start().await);
    slow.hold();
    let route = "retries = { on = [\"timeout\"] }\ntimeouts = { response = \"200ms\" }";
    let site = with_open_route(&[slow.url(), quick.url()], "eject = false", route).await;
    for _ in 0..6 {
        site.browser().fetch("GET", "/open").await.must_be(200);
    }
    assert_eq!((slow.count(), quick.count()), (0, 6));
}

#[tokio::test]
async fn there_is_no_storm_when_everything_fails() {
    let recorder = Recorder::start().await;
    recorder.answer_always("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    let route = "retries = { attempts = 5, on = [\"503\"] }";
    let site = with_open_route(&[recorder.url()], "", route).await;
    for _ in 0..100 {
        site.browser().fetch("GET", "/open").await.must_be(503);
    }
    // A fifth more, and the ten that may be made before requests have paid for them.
    assert!((110..=130).contains(&recorder.count()), "{}", recorder.count());
}

#[tokio::test]
async fn what_was_never_sent_goes_to_another_server_whatever_it_is() {
    let (gone, well) = (FreePort::take(), Backend::start().await);
    let servers = [format!("http://127.0.0.1:{}", gone.number()), well.url()];
    let site = with_open_route(&servers, "eject = false", "").await;
    for _ in 0..20 {
        site.browser().send(Ask::fetch("POST", "/open").body("once")).await.must_be(200);
    }
    let got = well.got();
    assert!(got.len() == 20 && got.iter().all(|got| &got.body[..] == b"once"));
    // Each server is called by its own name.
    assert!(got.iter().all(|got| got.headers["host"] == well.url().trim_start_matches("http://")));
    well.answer(|_| backend::text("still here"));
    assert_eq!(site.browser().fetch("GET", "/open").await.text(), "still here");
}
