//! Many requests that all need a new token at the same moment, against a provider that ends everything when a refresh
//! token comes twice (requirement TK-05): each rotation is one refresh, whoever asks and wherever.

use std::collections::BTreeSet;
use std::time::Duration;

use dev_idp::Endpoint;
use harness::{Browser, Echo, Kept, Plan, RedisServer, Site, eventually};
use tokio::task::JoinSet;

use crate::support::*;

const PATHS: [&str; 2] = ["/echo", "/reports"];
const AT_ONCE: usize = 50;

/// Refresh tokens that the provider was sent, in order.
fn spent(site: &Site) -> Vec<String> {
    let seen = site.faults().seen(Endpoint::Token);
    seen.iter().filter_map(|seen| seen.map().get("refresh_token").cloned()).collect()
}

/// Fifty requests at every gateway for each API, all at once; each must be answered with this person's claims.
async fn press(site: &Site, browser: &Browser, oid: &str) {
    let mut asking = JoinSet::new();
    for number in 0..AT_ONCE {
        for port in site.ports() {
            for path in PATHS {
                let tab = browser.at(port);
                asking.spawn(async move { (number, port, tab.fetch("GET", path).await) });
            }
        }
    }
    for (number, port, reply) in asking.join_all().await {
        let claims = reply.must_be(200).json();
        assert_eq!(claims["oid"], oid, "request {number} at {port}");
    }
}

/// Each refresh token came once, and there were so many refreshes in all: as the gateways asked, and as the provider
/// counts.
#[track_caller]
fn must_have_spent(site: &Site, count: usize, when: &str) {
    let spent = spent(site);
    assert_eq!(spent.iter().collect::<BTreeSet<_>>().len(), spent.len(), "{when}: one came twice");
    assert_eq!(spent.len(), count, "{when}");
    let families = site.provider().refresh_families();
    let [family] = families.as_slice() else { panic!("{when}: one sign-in, but {families:?}") };
    assert_eq!(family.refreshes as usize, count, "{when}: {family:?}");
    assert!(family.reuses + family.repeats + family.refused == 0 && !family.revoked, "{when}: {family:?}");
}

async fn race(plan: Plan) {
    // Time is moved by hours here, and idle time is written down by the second.
    let echo = Echo::start().await;
    let site = plan.echo(&echo).set("session", "idle", "\"8h\"").start().await;
    let browser = site.signed_in(ALICE).await;
    let oid = site.provider().oid(ALICE).expect("she exists");
    press(&site, &browser, &oid).await;
    must_have_spent(&site, 2, "no token was held");
    for hour in 1..=3 {
        site.advance(Duration::from_secs(3_700));
        press(&site, &browser, &oid).await;
        must_have_spent(&site, 2 + 2 * hour, "every token had expired");
    }
    // Still good, but about to expire: nobody waits, and each is renewed once.
    site.advance(Duration::from_secs(3_600 - 20));
    press(&site, &browser, &oid).await;
    eventually("both are renewed", || async {
        for path in PATHS {
            browser.fetch("GET", path).await.must_be(200);
        }
        spent(&site).len() >= 10
    })
    .await;
    press(&site, &browser, &oid).await;
    must_have_spent(&site, 10, "every token was about to expire");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_and_two_hundred_requests_at_once_spend_each_refresh_token_once() {
    let redis = RedisServer::launch().await;
    race(Plan::new().store(Kept::Redis(redis.url())).keys(&["one"]).gateways(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_one_gateway_spend_each_refresh_token_once() {
    race(Plan::new().set("listen", "workers", "4")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_on_a_file_spend_each_refresh_token_once() {
    race(Plan::new().store(Kept::File).set("listen", "workers", "4")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_that_one_gateway_got_serves_the_other() {
    let (redis, echo) = (RedisServer::launch().await, Echo::start().await);
    let plan = Plan::new().store(Kept::Redis(redis.url())).keys(&["one"]).gateways(2).echo(&echo);
    let site = plan.start().await;
    let browser = site.signed_in(ALICE).await;
    let mut tokens = BTreeSet::new();
    for port in site.ports() {
        let claims = browser.at(port).fetch("GET", "/echo").await.must_be(200).json();
        tokens.insert(claims["uti"].to_string());
    }
    assert_eq!(tokens.len(), 1, "one token was enough");
    must_have_spent(&site, 1, "one API");
}
