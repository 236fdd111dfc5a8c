//! How much one client may ask: of the gateway's own paths, of a route, and in one body (requirements RL-01, RL-02, BL-11,
//! H1-16).

use std::time::Duration;

use harness::{Ask, Plan, Recorder, Site, Wire};

use crate::support::*;

/// The tests come from loopback, which speaks for clients here.
fn plan(recorder: &Recorder, more: &str) -> Plan {
    let routes = recorder_routes(recorder);
    Plan::new().set("listen", "trusted_proxies", "[\"127.0.0.1\"]").append(format!("{routes}\n{more}"))
}

fn from(client: &str, ask: Ask) -> Ask {
    ask.header("x-forwarded-for", client)
}

#[tokio::test]
async fn a_client_that_asks_too_much_of_auth_waits_and_others_do_not() {
    let recorder = Recorder::start().await;
    let limits = "[limits]\nauth_per_client = { requests = 5, per = \"1m\" }";
    let site = plan(&recorder, limits).start().await;
    let browser = site.browser();
    let ask = |client: &str| from(client, Ask::fetch("GET", "/auth/session"));
    for _ in 0..5 {
        browser.send(ask("203.0.113.9")).await.must_be(200);
    }
    let refused = browser.send(ask("203.0.113.9")).await;
    refused.must_be_problem(429, "too_many_requests");
    let wait: u64 = refused.header("retry-after").expect("when to come back").parse().expect("seconds");
    assert!((1..=12).contains(&wait), "{wait}");
    // Sign-ins that begin by themselves count as well; a person reads a page.
    let page = browser.send(from("203.0.113.9", Ask::page("/app"))).await;
    page.must_be(429);
    assert!(page.text().contains("Too many requests"), "{}", page.text());
    browser.send(ask("203.0.113.10")).await.must_be(200);
    // Of IPv6 a household counts as one.
    for number in 0..5 {
        browser.send(ask(&format!("2001:db8:1:2::{number}"))).await.must_be(200);
    }
    browser.send(ask("2001:db8:1:2:ffff::9")).await.must_be(429);
    browser.send(ask("2001:db8:1:3::9")).await.must_be(200);
    // A reload forgets nobody; time does.
    site.reload(|text| format!("{text}\n")).expect("the same again");
    browser.send(ask("203.0.113.9")).await.must_be(429);
    site.advance(Duration::from_mins(1));
    browser.send(ask("203.0.113.9")).await.must_be(200);
    let logs = site.into_logs().await;
    let told =
        logs.events.lines().filter(|line| line.contains("rate_limited") && line.contains("203.0.113.9"));
    assert_eq!(told.count(), 1, "once a minute");
}

#[tokio::test]
async fn a_signed_in_person_is_counted_by_session_and_not_by_address() {
    let recorder = Recorder::start().await;
    let limits = "[limits]\nauth_per_client = { requests = 20, per = \"1h\" }";
    let site = plan(&recorder, limits).start().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let ask = || from("203.0.113.9", Ask::fetch("GET", "/auth/session"));
    for _ in 0..20 {
        alice.send(ask()).await.must_be(200);
    }
    alice.send(ask()).await.must_be(429);
    bob.send(ask()).await.must_be(200);
    site.browser().send(ask()).await.must_be(200);
}

#[tokio::test]
async fn a_route_with_a_rate_takes_so_many_and_other_routes_as_before() {
    let recorder = Recorder::start().await;
    let routes = "[[routes]]\npath = \"/few\"\nupstream = \"recorder\"\nallow = \"anyone\"\nrate_limit = { requests = 3, per = \"1m\" }\n\
                  [[routes]]\npath = \"/each\"\nupstream = \"recorder\"\nrate_limit = { requests = 3, per = \"1m\", by = \"session\" }\n";
    let site = plan(&recorder, routes).start().await;
    let browser = site.browser();
    for _ in 0..3 {
        browser.send(from("203.0.113.9", Ask::fetch("GET", "/few"))).await.must_be(200);
    }
    recorder.forget();
    browser
        .send(from("203.0.113.9", Ask::fetch("GET", "/few")))
        .await
        .must_be_problem(429, "too_many_requests");
    recorder.must_be_untouched();
    browser.send(from("203.0.113.9", Ask::fetch("GET", "/open"))).await.must_be(200);
    browser.send(from("203.0.113.8", Ask::fetch("GET", "/few"))).await.must_be(200);
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    for _ in 0..3 {
        alice.fetch("GET", "/each").await.must_be(200);
    }
    alice.fetch("GET", "/each").await.must_be(429);
    bob.fetch("GET", "/each").await.must_be(200);
}

#[tokio::test]
async fn bad_logout_tokens_wear_out_and_good_ones_never_do() {
    let recorder = Recorder::start().await;
    let limits = "[limits]\nauth_per_client = { requests = 5, per = \"1h\" }";
    let site = plan(&recorder, limits).start().await;
    let browser = site.browser();
    let bad = |client| {
        from(client, Ask::bare("POST", "/auth/backchannel-logout"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("logout_token=a.b.c")
    };
    for _ in 0..5 {
        browser.send(bad("203.0.113.9")).await.must_be(400);
    }
    browser.send(bad("203.0.113.9")).await.must_be(429);
    browser.send(bad("203.0.113.10")).await.must_be(400);
}

fn post(site: &Site, path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n{body}", site.host()).into_bytes()
}

#[tokio::test]
async fn a_body_has_the_size_that_its_route_takes() {
    let recorder = Recorder::start().await;
    let routes =
        "[[routes]]\npath = \"/small\"\nupstream = \"recorder\"\nallow = \"anyone\"\nmax_body = \"1KiB\"\n";
    let site = plan(&recorder, routes).start().await;
    let browser = site.browser();
    let send = |path: &str, size: usize| browser.send(Ask::fetch("POST", path).body("x".repeat(size)));
    send("/small", 1_024).await.must_be(200);
    send("/open", 1_025).await.must_be(200);
    recorder.forget();
    let refused = send("/small", 1_025).await;
    refused.must_be_problem(413, "body_too_large");
    recorder.must_be_untouched();
    // What is announced is refused before it comes, and nothing behind it is answered.
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    wire.send(&post(&site, "/small", "Content-Length: 99999999\r\nExpect: 100-continue\r\n", "")).await;
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    // What is not announced is refused as soon as it is too much.
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    wire.send(&post(&site, "/small", "Transfer-Encoding: chunked\r\n", &chunk.repeat(3))).await;
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let whole = format!("{}0\r\n\r\n", chunk.repeat(2));
    let headers = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    assert!(site.raw(post(&site, "/small", headers, &whole)).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up_and_others_are_not_held_up() {
    let recorder = Recorder::start().await;
    let routes = "[[routes]]\npath = \"/soon\"\nupstream = \"recorder\"\nallow = \"anyone\"\ntimeouts = { response = \"1s\" }\n";
    let site = plan(&recorder, routes).start().await;
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    wire.send(&post(&site, "/soon", "Content-Length: 10\r\n", "12345")).await;
    site.browser().fetch("GET", "/open").await.must_be(200);
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    let whole = post(&site, "/soon", "Content-Length: 10\r\nConnection: close\r\n", "1234567890");
    assert!(site.raw(whole).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn clients_that_only_connect_hold_up_nobody() {
    let recorder = Recorder::start().await;
    let site = plan(&recorder, "").start().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(Wire::connect(site.addresses().ports.gateway).await);
    }
    site.browser().fetch("GET", "/open").await.must_be(200);
    site.admin("/healthz").await.must_be(200);
    drop(silent);
    site.browser().fetch("GET", "/open").await.must_be(200);
}
