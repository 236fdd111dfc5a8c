//! Several servers of one upstream: who gets which request.

use harness::backend::Backend;
use harness::eventually;

use crate::support::*;

async fn three() -> [Backend; 3] {
    [Backend::start().await, Backend::start().await, Backend::start().await]
}

#[tokio::test]
async fn requests_that_stay_are_spread_evenly_over_all_servers() {
    let backends = three().await;
    let site = with_open_route(&backends.each_ref().map(Backend::url), "", "").await;
    backends.iter().for_each(Backend::hold);
    let asking = all_at_once(&site, 60, "/open");
    let releasing = async {
        eventually("all are there", || async { backends.iter().map(Backend::waiting).sum::<usize>() == 60 })
            .await;
        let spread = backends.each_ref().map(Backend::waiting);
        backends.iter().for_each(Backend::release);
        spread
    };
    let (replies, spread) = tokio::join!(asking, releasing);
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(spread.iter().all(|count| (15..=25).contains(count)), "{spread:?}");
}

#[tokio::test]
async fn a_server_that_is_slow_gets_less() {
    let backends = three().await;
    let site = with_open_route(&backends.each_ref().map(Backend::url), "", "").await;
    backends[0].hold();
    // Whoever lands there stays there; nobody lands there twice as often as chance alone would have it.
    let asking = all_at_once(&site, 40, "/open");
    let releasing = async {
        eventually("the others are done", || async {
            backends[1].count() + backends[2].count() + backends[0].waiting() == 40
        })
        .await;
        let stuck = backends[0].waiting();
        for _ in 0..30 {
            site.browser().fetch("GET", "/open").await.must_be(200);
        }
        assert_eq!(backends[0].waiting(), stuck, "while it has more to do than the others, it gets nothing");
        backends[0].release();
        stuck
    };
    let (replies, stuck) = tokio::join!(asking, releasing);
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(stuck >= 1, "it had its share at first");
}

#[tokio::test]
async fn a_server_of_more_weight_gets_more() {
    let [heavy, light, _] = three().await;
    let routes = open_route(&[], "", "").replace(
        "servers = []",
        &format!("servers = [{{ url = \"{}\", weight = 4 }}, \"{}\"]", heavy.url(), light.url()),
    );
    let site = harness::Plan::new().set("listen", "workers", "1").append(routes).start().await;
    for _ in 0..200 {
        site.browser().fetch("GET", "/open").await.must_be(200);
    }
    let (heavy, light) = (heavy.count(), light.count());
    assert_eq!(heavy + light, 200);
    assert!((130..=190).contains(&heavy), "{heavy} and {light}");
}
