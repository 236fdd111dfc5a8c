//! A Redis that is down, comes back, falls silent, or cannot write.

use super::*;

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test]
async fn a_redis_that_is_down_stops_nobody_from_starting() {
    let mut server = Server::start(&[]);
    server.stop();
    let gateway = Gateway::start(single(&server));
    assert!(is_unreachable(&within_a_second(gateway.redis.load(new_key())).await));
    assert!(!gateway.redis.is_live());
    assert_eq!(gateway.heard(), [], "nothing was there to be lost");
    server.restart();
    gateway.hears(News::Live).await;
    assert_eq!(load(&gateway.redis, new_key()).await, None);
}

#[tokio::test]
async fn a_restart_loses_the_news_and_no_session() {
    let mut server = Server::start(&DURABLE);
    let gateway = Gateway::at(&server).await;
    let stored = session();
    let key = created(&gateway.redis, &stored).await;
    gateway.forget();
    server.stop();
    gateway.hears(News::Lost).await;
    assert!(!gateway.redis.is_live());
    server.restart();
    gateway.hears(News::Live).await;
    assert_eq!(gateway.heard(), [News::Lost, News::Live], "each once");
    assert!(gateway.redis.is_live());
    assert_eq!(load(&gateway.redis, key).await, Some(stored.clone()));
    assert!(gateway.redis.replace(key, &next(&stored)).await.expect("scripts are sent anew"));
}

#[tokio::test]
async fn while_a_redis_is_down_every_operation_fails_soon_and_then_at_once() {
    let mut server = Server::start(&[]);
    let gateway = Gateway::at(&server).await;
    let redis = &gateway.redis;
    server.stop();
    let (key, stored) = (new_key(), session());
    assert!(is_unreachable(&within_a_second(redis.create(key, &stored)).await));
    eventually("it is known to be down", async || {
        let begun = Instant::now();
        assert!(is_unreachable(&redis.load(key).await));
        begun.elapsed() < Duration::from_millis(50)
    })
    .await;
    let begun = Instant::now();
    assert!(is_unreachable(&redis.create(key, &stored).await));
    assert!(is_unreachable(&redis.replace(key, &stored).await));
    assert!(is_unreachable(&redis.touch(&[(key, Timestamp(1))]).await));
    assert!(is_unreachable(&redis.end(&[key]).await));
    assert!(is_unreachable(&redis.of(stored.subject).await));
    assert!(is_unreachable(&redis.listed(&[key]).await));
    assert!(is_unreachable(&redis.page(None, 1).await));
    assert!(is_unreachable(&redis.expire(Timestamp(1), 1).await));
    assert!(is_unreachable(&redis.lease(key, [1; 16], Duration::from_secs(1)).await));
    assert!(is_unreachable(&redis.release(key, [1; 16]).await));
    assert!(is_unreachable(&redis.claim(&[1; 32], Duration::from_secs(1)).await));
    assert!(is_unreachable(&redis.count().await));
    assert!(begun.elapsed() < Duration::from_millis(500), "took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_question_waits_for_a_connection_that_just_broke() {
    let server = Server::start(&[]);
    let gateway = Gateway::at(&server).await;
    let stored = session();
    let key = created(&gateway.redis, &stored).await;
    for _ in 0..5 {
        gateway.forget();
        server.ask::<u64>(&["CLIENT", "KILL", "TYPE", "normal"]);
        let found = within_a_second(gateway.redis.load(key)).await;
        assert_eq!(found.expect("nobody notices"), Some(stored.clone()));
        gateway.hears(News::Live).await;
    }
}

#[tokio::test]
async fn a_lost_subscription_is_a_loss_of_news() {
    let server = Server::start(&[]);
    let gateway = Gateway::at(&server).await;
    gateway.forget();
    server.ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    gateway.hears(News::Live).await;
    assert_eq!(gateway.heard(), [News::Lost, News::Live]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_redis_that_falls_silent_is_noticed_within_a_second() {
    let server = Server::start(&[]);
    let gateway = Gateway::at(&server).await;
    let stored = session();
    let key = created(&gateway.redis, &stored).await;
    gateway.forget();
    server.freeze();
    within_a_second(gateway.hears(News::Lost)).await;
    assert!(!gateway.redis.is_live());
    assert!(is_unreachable(&within_a_second(gateway.redis.load(key)).await));
    assert!(is_unreachable(&within_a_second(gateway.redis.load(key)).await));
    server.thaw();
    gateway.hears(News::Live).await;
    assert_eq!(load(&gateway.redis, key).await, Some(stored));
}

#[tokio::test]
async fn a_redis_without_memory_is_unwritable_and_still_ends_sessions() {
    let server = Server::start(&["--maxmemory-policy", "noeviction"]);
    let (one, two) = (Gateway::at(&server).await, Gateway::at(&server).await);
    let stored = session();
    let key = created(&one.redis, &stored).await;
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(matches!(one.redis.create(new_key(), &session()).await, Err(StoreError::Unwritable(_))));
    assert!(matches!(one.redis.replace(key, &next(&stored)).await, Err(StoreError::Unwritable(_))));
    assert!(matches!(one.redis.touch(&[(key, Timestamp(1_001))]).await, Err(StoreError::Unwritable(_))));
    let lease = one.redis.lease(key, [1; 16], Duration::from_secs(1)).await;
    assert!(matches!(lease, Err(StoreError::Unwritable(_))));
    assert_eq!(load(&one.redis, key).await, Some(stored.clone()));
    assert_eq!(one.redis.of(stored.subject).await.expect("reading needs no memory"), [key]);
    assert_eq!(one.redis.end(&[key]).await.expect("nor does removing"), [key]);
    two.hears(News::Ended(key)).await;
    assert!(one.redis.is_live());
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    created(&one.redis, &stored).await;
}

#[tokio::test]
async fn a_replica_is_unwritable_until_it_is_the_master() {
    let (server, other) = (Server::start(&[]), Server::start(&[]));
    let gateway = Gateway::at(&server).await;
    let (key, stored) = (new_key(), session());
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
    let refused = within_a_second(gateway.redis.create(key, &stored)).await;
    assert!(matches!(refused, Err(StoreError::Unwritable(_))), "{refused:?}");
    server.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    eventually("it takes writes again", async || gateway.redis.create(key, &stored).await.is_ok()).await;
    assert_eq!(load(&gateway.redis, key).await, Some(stored));
}
