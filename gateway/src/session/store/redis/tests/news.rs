//! What one gateway does, the others learn within a second.

use super::*;

#[tokio::test]
async fn an_end_is_told_to_others_within_a_second() {
    let server = Server::start(&[]);
    let (one, two) = (Gateway::at(&server).await, Gateway::at(&server).await);
    let keys = [created(&one.redis, &session()).await, new_key()];
    within_a_second(async {
        one.redis.end(&keys).await.expect("reachable");
        two.hears(News::Ended(keys[0])).await;
        two.hears(News::Ended(keys[1])).await;
    })
    .await;
    assert_eq!(one.heard(), [News::Live], "nobody is told what it did itself");
}

#[tokio::test]
async fn a_hundred_ends_are_told_one_by_one() {
    let server = Server::start(&[]);
    let (one, two) = (Gateway::at(&server).await, Gateway::at(&server).await);
    let keys: Vec<_> = (0..100).map(|_| new_key()).collect();
    one.redis.end(&keys).await.expect("reachable");
    eventually("all of them", async || two.heard().len() == 101).await;
    assert!(keys.iter().all(|key| two.heard().contains(&News::Ended(*key))));
}

#[tokio::test]
async fn a_replacement_is_told_to_others_and_a_use_is_not() {
    let server = Server::start(&[]);
    let (one, two) = (Gateway::at(&server).await, Gateway::at(&server).await);
    let stored = session();
    let key = created(&one.redis, &stored).await;
    one.redis.touch(&[(key, Timestamp(1_010))]).await.expect("reachable");
    assert!(one.redis.replace(key, &next(&stored)).await.expect("reachable"));
    two.hears(News::Changed(key)).await;
    assert_eq!(two.heard(), [News::Live, News::Changed(key)]);
}

#[tokio::test]
async fn strangers_on_the_channel_are_not_listened_to() {
    let server = Server::start(&[]);
    let (one, two) = (Gateway::at(&server).await, Gateway::at(&server).await);
    let channel = String::from_utf8(one.redis.layout.channel.clone()).expect("ASCII");
    for word in ["", "hello", "EEEEEEEEEEEEEEEEEEEE"] {
        assert_eq!(server.ask::<u64>(&["PUBLISH", &channel, word]), 2);
    }
    let key = new_key();
    one.redis.end(&[key]).await.expect("reachable");
    two.hears(News::Ended(key)).await;
    assert_eq!(two.heard(), [News::Live, News::Ended(key)]);
}

#[tokio::test]
async fn a_store_that_is_dropped_leaves_nobody_connected() {
    let server = Server::start(&[]);
    let clients = || server.ask::<String>(&["CLIENT", "LIST"]).lines().count();
    let before = clients();
    let gateway = Gateway::at(&server).await;
    assert_eq!(clients(), before + 2);
    drop(gateway);
    eventually("both connections are closed", async || clients() == before).await;
}
