//! Sign-ins that nobody finishes: they cost the browser a few cookies and the gateway nothing (requirements SI-06, SI-07).

use harness::{Ask, Echo, Plan, Site};
use tokio::task::JoinSet;

use crate::support::*;

const STARTS: usize = 100_000;
/// How many strangers press at the same time.
const STRANGERS: usize = 32;
const MOST_GROWTH: u64 = 64 << 20;

/// Strangers begin sign-ins, each on one connection, and never come back.
async fn begin_sign_ins(site: &Site, count: usize) {
    let (port, host) = (site.ports()[0], site.host());
    let mut strangers = JoinSet::new();
    for _ in 0..STRANGERS {
        let host = host.clone();
        strangers.spawn(async move {
            let mut wire = harness::Wire::connect(port).await;
            for number in 0..count / STRANGERS {
                let path = format!("/auth/sign-in?return_to=%2F{number}");
                let page = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none";
                wire.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{page}\r\n\r\n").as_bytes()).await;
                let answer = wire.answer().await;
                assert!(answer.starts_with("HTTP/1.1 303") && answer.contains(LOGIN), "{answer}");
            }
        });
    }
    strangers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_sign_ins_that_nobody_finishes_cost_no_memory() {
    let mut site = Plan::new().quiet().append("[limits]\nauth = \"unlimited\"").programs(1).start().await;
    // Enough for the allocator to have what it will keep: growth is not warming up.
    begin_sign_ins(&site, 2_000).await;
    let before = site.program(0).resident();
    begin_sign_ins(&site, STARTS).await;
    let after = site.program(0).resident();
    let grown = after.saturating_sub(before);
    assert!(grown <= MOST_GROWTH, "{STARTS} sign-ins that nobody finished cost {} KiB", grown / 1024);
    // And none of them is in anybody's way.
    site.signed_in(ALICE).await;
}

#[tokio::test]
async fn login_cookies_stay_few_whichever_gateway_sets_them() {
    let echo = Echo::start().await;
    let site = Plan::new().echo(&echo).gateways(2).start().await;
    let browser = site.browser();
    for number in 0..200 {
        let tab = browser.at(site.ports()[number % 2]);
        tab.send(Ask::page(&format!("/page/{number}"))).await.must_redirect();
        assert!(browser.cookies_like(LOGIN).len() <= 10, "{number}");
        assert!(browser.cookie_header().len() <= 8 * 1024, "{number}");
    }
}
