//! What is written down: one line per event, never a secret, never a stranger's line breaks (requirements section 14).

use std::time::Duration;

use dev_idp::Endpoint;
use dev_idp::faults::{Fault, HttpFault, IdTokenFault, TokenFault};
use harness::{Ask, Site};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn a_whole_life_with_every_kind_of_trouble_leaves_no_secret_in_any_log() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/rec").await.must_be(200);
    browser.send(Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "x" }))).await.must_be(201);
    let troubles: [Fault; 10] = [
        IdTokenFault::WrongNonce.into(),
        IdTokenFault::BadSignature.into(),
        IdTokenFault::PayloadNotJson.into(),
        TokenFault::NotJson.into(),
        TokenFault::Array.into(),
        TokenFault::HostileError.into(),
        TokenFault::AccessTokenCrLf.into(),
        TokenFault::InvalidGrant.into(),
        (Endpoint::Token, HttpFault::Status500).into(),
        (Endpoint::Token, HttpFault::Close).into(),
    ];
    for trouble in troubles {
        site.faults().set(trouble);
        sign_in_must_fail(&site.browser(), &[400, 502, 503], &trouble.name()).await;
        site.heal();
    }
    recorder.answer_once_and_close("nonsense\r\n\r\n");
    browser.fetch("GET", "/rec").await.must_be(502);
    site.advance(Duration::from_secs(1_795));
    browser.session().await;
    site.faults().set(Fault::Refresh(TokenFault::InvalidGrant));
    site.advance(Duration::from_secs(1_795));
    // Behind requests that are served still.
    while browser.fetch("GET", "/rec").await.status == 200 {}
    browser.fetch("GET", "/rec").await.must_be(401);
    site.heal();
    site.signed_in(BOB).await.fetch("POST", "/auth/sign-out").await.must_be(200);
    // The search itself runs as the site goes away; here, that there was something to search.
    assert!(site.secrets().count(harness::Kind::Code) >= 5);
    let logs = site.into_logs().await;
    assert!(logs.lines().len() > 20);
    assert!(logs.events.contains("signed in"));
}

#[tokio::test]
async fn queries_of_callbacks_and_other_addresses_are_not_written() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    for target in [
        "/auth/callback?code=canary-code-value&state=canary-state-value",
        "/auth/callback?error=canary-error&error_description=canary-description",
        "/auth/signed-out?state=canary-state-value",
        "/open?token=canary-query-value",
        "/nothing-here?canary=canary-query-value",
    ] {
        browser.send(Ask::page(target).header("referer", "http://localhost/canary-referer")).await;
    }
    let body = Ask::fetch("POST", "/plain").body("canary-body-value");
    browser.send(body.header("x-custom", "canary-header-value")).await.must_be(200);
    let logs = site.into_logs().await;
    assert!(!logs.access.contains("canary"), "{}", logs.access);
    for canary in [
        "canary-code",
        "canary-state",
        "canary-query",
        "canary-body",
        "canary-header",
        "canary-referer",
        "canary-description",
    ] {
        assert!(!logs.events.contains(canary), "{canary}");
    }
    let callbacks = logs.lines().into_iter().filter(|line| line["path"] == "/auth/callback").count();
    assert_eq!(callbacks, 3, "the path itself is written");
}

#[tokio::test]
async fn nothing_a_stranger_sends_makes_a_line_of_its_own() {
    let (site, _recorder) = with_recorder().await;
    let host = site.host();
    let long = "x".repeat(7_000);
    let mut requests: Vec<Vec<u8>> = vec![
        format!("GET /%0d%0a%7b%22fake%22:1%7d HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
        format!("GET /open/\"}},{{\"fake\":1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
        format!("GET /open/{long} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
        format!("GET /open HTTP/1.1\r\nHost: {host}\r\nUser-Agent: \"}}\\x1b[31m{{\"fake\":1\r\nConnection: close\r\n\r\n").into_bytes(),
        format!("GET /auth/callback?error=%0a%1b%5b31mfake&state=%0a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
    ];
    for odd in [&b"\x1b[31m"[..], b"\xff\xfe", b"\xc3\x28", b"\x00"] {
        let mut request = b"GET /open/".to_vec();
        request.extend_from_slice(odd);
        request.extend_from_slice(format!(" HTTP/1.1\r\nHost: {host}\r\nX-Odd: ").as_bytes());
        request.extend_from_slice(odd);
        request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
        requests.push(request);
    }
    for request in &requests {
        site.raw(request).await;
    }
    // And what the provider says of people: names with escapes in them.
    site.faults().edit_id_token(|_, claims| {
        claims.insert("name".to_owned(), json!("Mallory\r\n\u{1b}[31m{\"fake\":1}\u{0}"));
    });
    site.signed_in(ALICE).await;
    let logs = site.into_logs().await;
    for line in logs.lines() {
        assert!(line.get("fake").is_none() && line["target"] == "access", "{line}");
        assert!(line["path"].as_str().is_some_and(|path| path.len() <= 1_100), "{line}");
    }
    for line in logs.access.lines() {
        assert!(!line.contains('\u{1b}') && line.bytes().all(|byte| byte >= 0x20), "{line:?}");
    }
    for line in logs.events.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event.get("fake").is_none());
    }
}

#[tokio::test]
async fn one_line_says_who_asked_what_and_how_it_ended() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    let good = browser.fetch("GET", "/plain/x?secret=1").await;
    let refused = site.browser().fetch("GET", "/plain").await;
    let names = [good, refused].map(|reply| reply.header("x-request-id").expect("a request id").to_owned());
    let logs = site.into_logs().await;
    let lines = logs.lines();
    let line = |name: &str| lines.iter().find(|line| line["request_id"] == name).expect("its line").clone();
    let (good, refused) = (line(&names[0]), line(&names[1]));
    assert_eq!(
        (&good["status"], &good["method"], &good["path"]),
        (&json!(200), &json!("GET"), &json!("/plain/x"))
    );
    assert_eq!(good["client"], "127.0.0.1");
    assert!(good["session"].as_str().is_some_and(|session| session.len() == 8));
    assert!(
        good["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')) && good["duration_us"].is_u64()
    );
    assert_eq!((&refused["status"], &refused["reason"]), (&json!(401), &json!("no_session")));
    assert!(refused.get("session").is_none());
}

#[tokio::test]
async fn sign_in_sign_out_and_refusals_are_told_in_the_audit_log() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("POST", "/auth/sign-out").await.must_be(200);
    browser.send(Ask::page("/auth/callback?code=x&state=y")).await.must_be(400);
    let logs = site.into_logs().await;
    let events: Vec<Value> = logs.events.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for event in ["signed_in", "signed_out", "callback_refused"] {
        let found = events.iter().find(|found| found["fields"]["event"] == event);
        assert_eq!(found.unwrap_or_else(|| panic!("no {event}"))["target"], "gateway::audit");
    }
}
