//! A cluster of three masters does what one server does.

use super::super::settings::Tls;
use super::super::testing::{Authority, cluster, tls_cluster};
use super::*;

#[tokio::test]
async fn a_cluster_keeps_sessions_and_tells_the_news() {
    let nodes = cluster();
    let settings = |order: [usize; 2]| {
        let urls: Vec<_> = order.iter().map(|number| nodes[*number].url()).collect();
        Settings::cluster(&urls).expect("addresses")
    };
    let (one, two) = (Gateway::live(settings([0, 1])).await, Gateway::live(settings([2, 0])).await);
    let person = new_index();
    let mut all = Vec::new();
    for _ in 0..12 {
        let stored = Stored { subject: person, ..session() };
        let key = created(&one.redis, &stored).await;
        assert_eq!(load(&two.redis, key).await, Some(stored.clone()));
        assert!(two.redis.replace(key, &next(&stored)).await.expect("reachable"));
        all.push(key);
    }
    assert!(nodes.iter().all(|node| node.ask::<u64>(&["DBSIZE"]) > 0), "every node has some");
    one.hears(News::Changed(all[11])).await;
    let uses: Vec<_> = all.iter().map(|key| (*key, Timestamp(1_010))).collect();
    one.redis.touch(&uses).await.expect("reachable");
    assert_eq!(two.redis.of(person).await.expect("reachable").len(), 12);
    assert_eq!(two.redis.page(None, 20).await.expect("reachable").sessions.len(), 12);
    assert!(one.redis.lease(all[0], [1; 16], Duration::from_secs(5)).await.expect("reachable"));
    assert!(!two.redis.lease(all[0], [2; 16], Duration::from_secs(5)).await.expect("reachable"));
    within_a_second(async {
        assert_eq!(one.redis.end(&all[..4]).await.expect("reachable"), all[..4]);
        two.hears(News::Ended(all[3])).await;
    })
    .await;
    assert_eq!(two.redis.expire(Timestamp(1_070), 20).await.expect("reachable").len(), 8);
    assert_eq!(one.redis.count().await.expect("reachable"), 0);
}

#[tokio::test]
async fn a_cluster_that_is_down_is_noticed_and_found_again() {
    let mut nodes = cluster();
    let urls: Vec<_> = nodes.iter().map(Server::url).collect();
    let gateway = Gateway::live(Settings::cluster(&urls).expect("addresses")).await;
    gateway.forget();
    nodes.iter_mut().for_each(Server::stop);
    gateway.hears(News::Lost).await;
    assert!(is_unreachable(&within_a_second(gateway.redis.load(new_key())).await));
    nodes.iter_mut().for_each(Server::restart);
    gateway.hears(News::Live).await;
    eventually("it works again", async || gateway.redis.create(new_key(), &session()).await.is_ok()).await;
}

#[tokio::test]
async fn a_cluster_is_reached_by_tls_with_a_private_authority_alone() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = tls_cluster(&authority);
    let trusting = |pem| Settings {
        tls: Some(Tls { private_ca: Some(pem) }),
        ..Settings::cluster(&[format!("rediss://localhost:{}", server.port)]).expect("an address")
    };
    let gateway = Gateway::live(trusting(authority.pem())).await;
    let stored = session();
    let key = created(&gateway.redis, &stored).await;
    assert_eq!(load(&gateway.redis, key).await, Some(stored));
    let refused = Gateway::start(trusting(stranger.pem()));
    assert!(is_unreachable(&within_a_second(refused.redis.load(key)).await));
}
