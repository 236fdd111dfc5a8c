//! A trusted proxy in front says whom it speaks for, and nobody else does (requirements HD-03, HD-04).

use harness::{Ask, Plan, Recorder, Site};

use crate::support::*;

/// The tests come from loopback, which is the proxy here.
const TRUSTED: &str = "[\"127.0.0.1\", \"10.0.0.0/8\"]";

async fn behind_proxy() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let plan = Plan::new().append(recorder_routes(&recorder)).set("listen", "trusted_proxies", TRUSTED);
    (plan.start().await, recorder)
}

#[tokio::test]
async fn a_trusted_proxys_client_is_who_upstreams_and_the_log_are_told_of() {
    let (site, recorder) = behind_proxy().await;
    let ask = Ask::fetch("GET", "/open")
        .header("x-forwarded-for", "6.6.6.6, 203.0.113.9")
        .header("x-forwarded-for", "10.0.0.7")
        .header("x-real-ip", "6.6.6.6")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-user", "alice")
        .header("x-request-id", "a3bb189e-8bf9-3888-9912-ace4e6543002");
    let reply = site.browser().send(ask).await;
    reply.must_be(200);
    assert_eq!(reply.header("x-request-id"), Some("a3bb189e-8bf9-3888-9912-ace4e6543002"));
    let seen = recorder.last();
    assert_eq!(seen.values("x-forwarded-for"), ["203.0.113.9, 10.0.0.7, 127.0.0.1"]);
    assert_eq!(seen.values("x-real-ip"), ["203.0.113.9"]);
    assert_eq!(seen.values("x-forwarded-host"), [site.host().as_str()]);
    assert_eq!(seen.values("x-request-id"), ["a3bb189e-8bf9-3888-9912-ace4e6543002"]);
    assert!(!seen.head.contains("alice") && !seen.head.contains("6.6.6.6"), "{}", seen.head);
    let logs = site.into_logs().await;
    let lines = logs.lines();
    let line = lines.iter().find(|line| line["path"] == "/open").expect("an access line");
    assert_eq!(line["client"], "203.0.113.9");
    assert_eq!(line["request_id"], "a3bb189e-8bf9-3888-9912-ace4e6543002");
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_the_client_itself() {
    let (site, recorder) = behind_proxy().await;
    site.browser()
        .send(Ask::fetch("GET", "/open").header("x-request-id", "<script>x</script>"))
        .await
        .must_be(200);
    let seen = recorder.last();
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert!(seen.values("x-real-ip").is_empty());
    assert!(!seen.head.contains("script"), "{}", seen.head);
}

#[tokio::test]
async fn a_stranger_is_not_heard_whatever_proxies_there_are() {
    let recorder = Recorder::start().await;
    let plan = Plan::new().append(recorder_routes(&recorder));
    let site = plan.set("listen", "trusted_proxies", "[\"10.0.0.0/8\"]").start().await;
    let ask = Ask::fetch("GET", "/open")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "http")
        .header("x-request-id", "a3bb189e-8bf9-3888-9912-ace4e6543002");
    let reply = site.browser().send(ask).await;
    reply.must_be(200);
    assert_ne!(reply.header("x-request-id"), Some("a3bb189e-8bf9-3888-9912-ace4e6543002"));
    let seen = recorder.last();
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert!(!seen.head.contains("203.0.113.9"), "{}", seen.head);
}
