//! How long a route waits: for a connection, an answer, the next byte, all together (requirement H1-14).

use harness::backend::{self, Backend};
use harness::{Plan, Wire, eventually};
use http::{HeaderValue, Response};

use crate::support::*;

fn ask(site: &harness::Site, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", site.host()).into_bytes()
}

/// What comes until the gateway breaks it off.
async fn broken_off(site: &harness::Site, path: &str) -> String {
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    wire.send(&ask(site, path)).await;
    wire.rest().await
}

#[track_caller]
fn must_be_cut(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("first"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "it must not look whole: {answer}");
}

#[tokio::test]
async fn a_route_waits_for_an_answer_as_long_as_it_says_and_others_as_ever() {
    for (backend, protocol) in [(Backend::start().await, "http1"), (Backend::h2c().await, "h2c")] {
        let routes = open_route(
            &[backend.url()],
            &format!("protocol = \"{protocol}\""),
            "timeouts = { response = \"200ms\" }",
        ) + "[[routes]]\npath = \"/patient\"\nupstream = \"back\"\nallow = \"anyone\"\n";
        let site = Plan::new().append(routes).start().await;
        backend.hold();
        site.browser().fetch("GET", "/open").await.must_be_problem(504, "upstream_timeout");
        let patient = tokio::spawn({
            let browser = site.browser();
            async move { browser.fetch("GET", "/patient").await }
        });
        site.browser().fetch("GET", "/open").await.must_be_problem(504, "upstream_timeout");
        eventually("the patient one is there", || async { backend.waiting() >= 1 }).await;
        backend.release();
        patient.await.expect("answered").must_be(200);
        site.browser().fetch("GET", "/open").await.must_be(200);
    }
}

#[tokio::test]
async fn time_in_all_includes_the_time_before_the_answer() {
    let backend = Backend::start().await;
    let site = with_open_route(&[backend.url()], "", "timeouts = { total = \"300ms\" }").await;
    backend.hold();
    site.browser().fetch("GET", "/open").await.must_be_problem(504, "upstream_timeout");
    backend.release();
    site.browser().fetch("GET", "/open").await.must_be(200);
}

#[tokio::test]
async fn an_answer_that_stands_still_or_takes_too_long_is_broken_off_and_seen_to_be() {
    for (backend, protocol) in [(Backend::start().await, "http1"), (Backend::h2c().await, "h2c")] {
        let routes = open_route(
            &[backend.url()],
            &format!("protocol = \"{protocol}\""),
            "timeouts = { idle = \"300ms\" }",
        ) + "[[routes]]\npath = \"/total\"\nupstream = \"back\"\nallow = \"anyone\"\ntimeouts = { total = \"300ms\" }\n";
        let site = Plan::new().append(routes).start().await;
        backend.answer(|_| Response::new(backend::endless("first")));
        must_be_cut(&broken_off(&site, "/open").await);
        must_be_cut(&broken_off(&site, "/total").await);
        if protocol == "http1" {
            eventually("its connection is closed too", || async { backend.open() == 0 }).await;
        }
        backend.answer(|_| backend::text("whole"));
        assert_eq!(site.browser().fetch("GET", "/open").await.must_be(200).text(), "whole");
        assert_eq!(site.browser().fetch("GET", "/total").await.must_be(200).text(), "whole");
    }
}

#[tokio::test]
async fn event_streams_stay_open_unless_the_route_means_them_too() {
    let backend = Backend::start().await;
    let routes = open_route(&[backend.url()], "", "timeouts = { idle = \"200ms\", total = \"300ms\" }")
        + "[[routes]]\npath = \"/meant\"\nupstream = \"back\"\nallow = \"anyone\"\ntimeouts = { idle = \"200ms\", streams = true }\n";
    let site = Plan::new().append(routes).start().await;
    backend.answer(|_| {
        let mut response = Response::new(backend::endless("first"));
        response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
        response
    });
    let mut open = Wire::connect(site.addresses().ports.gateway).await;
    open.send(&ask(&site, "/open")).await;
    open.until("first").await;
    // Time enough for this one to be broken off is time enough for the other.
    must_be_cut(&broken_off(&site, "/meant").await);
    must_be_cut(&broken_off(&site, "/meant").await);
    assert!(!open.is_closed(), "it is open");
}

#[tokio::test]
async fn a_websocket_stays_open_unless_the_route_means_it_too() {
    let echo = harness::SocketEcho::start().await;
    let route = |path: &str, streams: bool| {
        format!(
            "[[routes]]\npath = \"{path}\"\nupstream = \"echo\"\nallow = \"anyone\"\nwebsocket = true\n\
             timeouts = {{ idle = \"300ms\", streams = {streams} }}\n"
        )
    };
    let routes = format!(
        "[upstreams.echo]\nservers = [\"{}\"]\n{}{}",
        echo.url(),
        route("/kept", false),
        route("/closed", true)
    );
    let site = Plan::new().append(routes).start().await;
    let mut kept = site.browser().open_socket("/kept").await;
    let closed = site.browser().open_socket("/closed").await;
    eventually("the silent one is closed", || async { echo.open() == 1 }).await;
    drop(closed);
    kept.must_echo("still there").await;
}
