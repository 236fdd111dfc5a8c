//! Bodies that fit into nobody's memory: they flow, at the pace of whoever reads, and stand in nobody's way (requirement
//! RL-04). The gateway is a process of its own here, so that its memory can be weighed.

use std::time::Duration;

use harness::backend::{Backend, Plenty};
use harness::{Plan, Site, Wire, eventually};
use http::Response;

use crate::support::*;

const MEBIBYTE: u64 = 1 << 20;
/// What crowds and long bodies may cost.
const MOST_GROWTH: u64 = 64 * MEBIBYTE;
/// Readers that do not read.
const SLOW: usize = 200;
/// A body.
const LONG: u64 = 200 * MEBIBYTE;

async fn site(backend: &Backend, protocol: &str) -> Site {
    let routes = open_route(
        &[backend.url()],
        &format!("protocol = \"{protocol}\""),
        "csrf = \"origin\"\nmax_body = \"unlimited\"",
    );
    Plan::new().quiet().programs(1).append(routes).start().await
}

fn head(site: &Site, method: &str, more: &str) -> Vec<u8> {
    format!("{method} /open HTTP/1.1\r\nHost: {}\r\n{more}Connection: close\r\n\r\n", site.host())
        .into_bytes()
}

async fn backend(protocol: &str) -> Backend {
    if protocol == "h2c" { Backend::h2c().await } else { Backend::start().await }
}

/// How much the gateway grows while something is done, after it has grown to its usual size.
async fn growth<T>(site: &mut Site, work: impl AsyncFnOnce(&Site) -> T) -> u64 {
    for _ in 0..50 {
        site.browser().fetch("HEAD", "/open").await;
    }
    let before = site.program(0).resident();
    let kept = work(site).await;
    let after = site.program(0).resident();
    drop(kept);
    after.saturating_sub(before)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_do_not_read_cost_little_memory_and_hold_up_nobody() {
    for protocol in ["http1", "h2c"] {
        let backend = backend(protocol).await;
        backend.answer(|got| {
            let size = if got.method == http::Method::GET { 1024 * MEBIBYTE } else { 2 };
            Response::new(Plenty::of(size))
        });
        let mut site = site(&backend, protocol).await;
        let grown = growth(&mut site, async |site| {
            let mut readers = Vec::new();
            for _ in 0..SLOW {
                let mut wire = Wire::connect(site.ports()[0]).await;
                wire.send(&head(site, "GET", "")).await;
                readers.push(wire);
            }
            for wire in &mut readers {
                wire.until("\r\n\r\n").await;
            }
            eventually("all have their answers", || async { backend.count() >= SLOW }).await;
            // Nobody waits behind them, over whatever connections their answers come.
            for _ in 0..20 {
                let asked = std::time::Instant::now();
                let reply = site.browser().send(harness::Ask::fetch("POST", "/open").body("x")).await;
                assert_eq!(reply.must_be(200).text(), "xx");
                assert!(asked.elapsed() < Duration::from_secs(10));
            }
            // Memory is weighed while all still wait.
            readers
        })
        .await;
        assert!(grown <= MOST_GROWTH, "{protocol}: {SLOW} slow readers cost {} KiB", grown / 1024);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_bodies_pass_whole_in_both_directions_and_are_never_held_whole() {
    for protocol in ["http1", "h2c"] {
        let backend = backend(protocol).await;
        backend.forget_bodies();
        backend.answer(|got| {
            let size = if got.method == http::Method::GET { LONG } else { 2 };
            Response::new(Plenty::of(size))
        });
        let mut site = site(&backend, protocol).await;
        let grown = growth(&mut site, async |site| {
            let mut down = Wire::connect(site.ports()[0]).await;
            down.send(&head(site, "GET", "")).await;
            let count = down.drain().await;
            assert!((LONG..LONG + 4_096).contains(&count), "{count} bytes came down");
            let mut up = Wire::connect(site.ports()[0]).await;
            up.send(&head(site, "POST", &format!("Content-Length: {LONG}\r\n"))).await;
            let piece = vec![b'y'; 1 << 20];
            for _ in 0..LONG / MEBIBYTE {
                up.send(&piece).await;
            }
            assert!(up.rest().await.starts_with("HTTP/1.1 200"));
            assert_eq!(backend.last().length, LONG);
        })
        .await;
        assert!(grown <= MOST_GROWTH, "{protocol}: {LONG} bytes each way cost {} KiB", grown / 1024);
    }
}
