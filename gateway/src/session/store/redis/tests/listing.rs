//! Finding sessions without their key, and removing those that are over.

use std::collections::BTreeSet;

use super::*;
use crate::session::store::backend::{Listed, Page};

fn listed(key: SessionKey, stored: &Stored) -> Listed {
    Listed { key, summary: stored.summary.clone(), last_used: stored.last_used, end: stored.end() }
}

fn sorted(keys: impl IntoIterator<Item = SessionKey>) -> BTreeSet<[u8; 32]> {
    keys.into_iter().map(|key| *key.as_bytes()).collect()
}

#[tokio::test]
async fn a_persons_sessions_are_found_and_nobody_elses() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let first = session();
    let second = Stored { subject: first.subject, ..session() };
    let keys = [created(&redis, &first).await, created(&redis, &second).await];
    created(&redis, &session()).await;
    let found = redis.of(first.subject).await.expect("reachable");
    assert_eq!(sorted(found), sorted(keys));
    let provider_session = first.provider_session.expect("it has one");
    assert_eq!(redis.of(provider_session).await.expect("reachable"), [keys[0]]);
    redis.end(&keys[..1]).await.expect("reachable");
    assert_eq!(redis.of(first.subject).await.expect("reachable"), [keys[1]]);
    assert_eq!(redis.of(provider_session).await.expect("reachable"), []);
    assert_eq!(redis.of(new_index()).await.expect("reachable"), []);
}

#[tokio::test]
async fn a_session_is_found_by_the_sign_in_it_has_now() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let first = session();
    let key = created(&redis, &first).await;
    let second = Stored { provider_session: Some(new_index()), ..next(&first) };
    assert!(redis.replace(key, &second).await.expect("reachable"));
    let find = async |index: Option<IndexKey>| redis.of(index.expect("one")).await.expect("reachable");
    assert_eq!(find(second.provider_session).await, [key]);
    assert_eq!(find(first.provider_session).await, []);
    assert_eq!(find(Some(first.subject)).await, [key]);
}

#[tokio::test]
async fn left_overs_in_an_index_are_removed() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let stored = session();
    let (dead, alive) = (created(&redis, &stored).await, created(&redis, &stored).await);
    server.ask::<i64>(&["DEL", &String::from_utf8(redis.layout.session(dead)).expect("ASCII")]);
    let index = String::from_utf8(redis.layout.index(stored.subject)).expect("ASCII");
    assert_eq!(server.ask::<u64>(&["SCARD", &index]), 2);
    assert_eq!(redis.of(stored.subject).await.expect("reachable"), [alive]);
    assert_eq!(server.ask::<u64>(&["SCARD", &index]), 1);
}

#[tokio::test]
async fn a_session_can_be_revoked_however_it_and_a_search_meet() {
    let server = Server::start(&[]);
    let (here, there) = (Gateway::at(&server).await.redis, Gateway::at(&server).await.redis);
    for _ in 0..60 {
        let stored = session();
        let key = new_key();
        let (one, two) = tokio::join!(here.create(key, &stored), async {
            for _ in 0..4 {
                there.of(stored.subject).await?;
            }
            Ok::<_, StoreError>(())
        });
        one.and(two).expect("reachable");
        assert_eq!(there.of(stored.subject).await.expect("reachable"), [key]);
    }
}

#[tokio::test]
async fn a_list_shows_those_that_there_are() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let stored = session();
    let key = created(&redis, &stored).await;
    assert_eq!(redis.listed(&[new_key(), key]).await.expect("reachable"), [listed(key, &stored)]);
}

#[tokio::test]
async fn pages_show_every_session_once_and_end() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let mut all = Vec::new();
    for number in 0..23 {
        // Many end in the same second.
        let stored = Stored { last_used: Timestamp(1_000 + number / 8), ..session() };
        all.push(created(&redis, &stored).await);
    }
    for limit in [1, 4, 23, 100] {
        let (mut seen, mut from) = (Vec::new(), None::<String>);
        loop {
            let page = redis.page(from.as_deref(), limit).await.expect("reachable");
            assert!(page.sessions.len() <= limit);
            seen.extend(page.sessions.into_iter().map(|listed| listed.key));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), all.len(), "{limit} at once");
        assert_eq!(sorted(seen), sorted(all.clone()));
    }
    assert_eq!(redis.count().await.expect("reachable"), 23);
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_ended_though_its_sessions_are_gone() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(created(&redis, &session()).await);
    }
    let first = redis.page(None, 4).await.expect("reachable");
    let seen: Vec<_> = first.sessions.iter().map(|listed| listed.key).collect();
    redis.end(&seen).await.expect("reachable");
    let rest = redis.page(first.next.as_deref(), 10).await.expect("reachable");
    let both = seen.into_iter().chain(rest.sessions.into_iter().map(|listed| listed.key));
    assert_eq!(sorted(both), sorted(all));
    assert_eq!(rest.next, None);
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_leads_nowhere() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    created(&redis, &session()).await;
    for cursor in ["", "1", "1.x", "x.y", "1000.AAAA", "99999999999999999999.AAAA"] {
        assert_eq!(redis.page(Some(cursor), 5).await.expect("reachable"), Page::default(), "{cursor}");
    }
    assert_eq!(redis.page(None, 5).await.expect("reachable").sessions.len(), 1);
}

#[tokio::test]
async fn each_session_that_is_over_is_removed_by_one_gateway() {
    let server = Server::start(&[]);
    let (one, two) = (Gateway::at(&server).await, Gateway::at(&server).await);
    let mut all = Vec::new();
    for _ in 0..40 {
        all.push(created(&one.redis, &session()).await);
    }
    let stays = created(&one.redis, &Stored { last_used: Timestamp(1_001), ..session() }).await;
    assert!(one.redis.expire(Timestamp(1_059), 100).await.expect("reachable").is_empty());
    let mut removed = Vec::new();
    for _ in 0..3 {
        let (here, there) =
            tokio::join!(one.redis.expire(Timestamp(1_060), 20), two.redis.expire(Timestamp(1_060), 20));
        removed.extend(here.expect("reachable"));
        removed.extend(there.expect("reachable"));
    }
    assert_eq!(removed.len(), 40);
    assert_eq!(sorted(removed.iter().map(|listed| listed.key)), sorted(all.clone()));
    assert!(removed.iter().all(|listed| listed.end == Timestamp(1_060)));
    assert_eq!(one.redis.count().await.expect("reachable"), 1);
    assert!(load(&one.redis, stays).await.is_some());
    let last = removed.iter().find(|listed| listed.key == all[0]).expect("it was removed");
    assert_eq!(load(&one.redis, last.key).await, None);
    eventually("others are told", async || {
        let told = one.heard().into_iter().chain(two.heard());
        told.filter(|news| matches!(news, News::Ended(_))).count() == 40
    })
    .await;
}

#[tokio::test]
async fn a_session_that_was_used_late_is_not_over() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let stored = session();
    let key = created(&redis, &stored).await;
    // A gateway died between noting the use and moving the end.
    server.ask::<i64>(&["HSET", &String::from_utf8(redis.layout.session(key)).expect("ASCII"), "u", "1050"]);
    assert!(redis.expire(Timestamp(1_060), 5).await.expect("reachable").is_empty());
    assert_eq!(load(&redis, key).await.expect("there").end(), Timestamp(1_110));
    assert!(redis.expire(Timestamp(1_109), 5).await.expect("reachable").is_empty());
    let removed = redis.expire(Timestamp(1_110), 5).await.expect("reachable");
    assert_eq!(
        removed,
        [Listed { last_used: Timestamp(1_050), end: Timestamp(1_110), ..listed(key, &stored) }]
    );
    let keys: Vec<String> = server.ask(&["KEYS", "*"]);
    assert!(keys.is_empty(), "{keys:?}");
}
