//! One session: kept, read, replaced, used, ended; leases and claims.

use super::*;

#[tokio::test]
async fn a_session_is_read_as_it_was_written() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    for stored in [session(), Stored { provider_session: None, body: Vec::new(), ..session() }] {
        let key = created(&redis, &stored).await;
        assert_eq!(load(&redis, key).await, Some(stored));
    }
    assert_eq!(load(&redis, new_key()).await, None);
}

#[tokio::test]
async fn operations_work_on_any_runtime() {
    let server = Server::start(&[]);
    let gateway = Gateway::at(&server).await;
    let redis = Arc::new(gateway.redis);
    let there = Arc::clone(&redis);
    let (key, stored) = (new_key(), session());
    let written = stored.clone();
    let worker = std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime =
            runtime.enable_all().build_local(tokio::runtime::LocalOptions::default()).expect("a runtime");
        runtime.block_on(async move { there.create(key, &written).await })
    });
    let joined = tokio::task::spawn_blocking(move || worker.join()).await.expect("a thread");
    joined.expect("no panic").expect("it can be written");
    assert_eq!(load(&redis, key).await, Some(stored));
}

#[tokio::test]
async fn of_two_replacements_of_one_version_one_counts() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let first = session();
    let key = created(&redis, &first).await;
    let (second, rival) = (next(&first), next(&first));
    assert!(redis.replace(key, &second).await.expect("reachable"));
    assert!(
        !redis.replace(key, &rival).await.expect("reachable"),
        "the version before it is not there any more"
    );
    assert_eq!(load(&redis, key).await, Some(second.clone()));
    assert!(redis.replace(key, &second).await.expect("reachable"), "the same once more: the answer was lost");
    assert!(redis.replace(key, &next(&second)).await.expect("reachable"));
    assert!(!redis.replace(key, &next(&first)).await.expect("reachable"), "too old");
}

#[tokio::test]
async fn a_replacement_keeps_the_later_last_use_and_forgets_what_it_lacks() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let first = session();
    let key = created(&redis, &first).await;
    redis.touch(&[(key, Timestamp(1_030))]).await.expect("reachable");
    let second = Stored { last_used: Timestamp(1_010), provider_session: None, ..next(&first) };
    assert!(redis.replace(key, &second).await.expect("reachable"));
    assert_eq!(load(&redis, key).await, Some(Stored { last_used: Timestamp(1_030), ..second.clone() }));
    let third = Stored { last_used: Timestamp(1_040), ..next(&second) };
    assert!(redis.replace(key, &third).await.expect("reachable"));
    assert_eq!(load(&redis, key).await, Some(third));
}

#[tokio::test]
async fn a_use_moves_the_end_and_never_back() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let stored = session();
    let (key, other) = (created(&redis, &stored).await, created(&redis, &stored).await);
    redis.touch(&[(key, Timestamp(1_050)), (other, Timestamp(1_020))]).await.expect("reachable");
    redis.touch(&[(key, Timestamp(1_040)), (key, Timestamp(1_030))]).await.expect("reachable");
    let used = load(&redis, key).await.expect("there");
    assert_eq!((used.version, used.last_used), (1, Timestamp(1_050)));
    assert_eq!(load(&redis, other).await.expect("there").last_used, Timestamp(1_020));
    assert_eq!(redis.expire(Timestamp(1_085), 10).await.expect("reachable").len(), 1, "the other one alone");
    assert_eq!(load(&redis, other).await, None);
    assert_eq!(load(&redis, key).await, Some(used));
}

#[tokio::test]
async fn thousands_of_uses_are_noted_at_once() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let stored = session();
    let mut uses = Vec::new();
    for _ in 0..20 {
        uses.push((created(&redis, &stored).await, Timestamp(1_001)));
    }
    uses.extend((0..2_000).map(|_| (new_key(), Timestamp(1_001))));
    redis.touch(&uses).await.expect("reachable");
    for (key, used) in &uses[..20] {
        assert_eq!(load(&redis, *key).await.expect("there").last_used, *used);
    }
    assert_eq!(redis.count().await.expect("reachable"), 20, "those that are not there are not made");
}

#[tokio::test]
async fn nothing_brings_back_a_session_that_ended() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let stored = session();
    let key = created(&redis, &stored).await;
    assert_eq!(redis.end(&[key]).await.expect("reachable"), [key]);
    assert!(!redis.replace(key, &next(&stored)).await.expect("reachable"));
    redis.touch(&[(key, Timestamp(1_010))]).await.expect("reachable");
    assert_eq!(load(&redis, key).await, None);
    assert_eq!(redis.count().await.expect("reachable"), 0);
    assert_eq!(redis.of(stored.subject).await.expect("reachable"), []);
    let keys: Vec<String> = server.ask(&["KEYS", "*"]);
    assert!(keys.is_empty(), "the failed replacement left {keys:?}");
}

#[tokio::test]
async fn ending_says_which_sessions_there_were() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let keys = [created(&redis, &session()).await, new_key(), created(&redis, &session()).await];
    assert_eq!(redis.end(&keys).await.expect("reachable"), [keys[0], keys[2]]);
    assert_eq!(redis.end(&keys).await.expect("reachable"), []);
    assert_eq!(redis.end(&[]).await.expect("reachable"), []);
}

#[tokio::test]
async fn everything_is_forgotten_by_itself_but_not_before_it_is_over() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let stored = session();
    let key = created(&redis, &stored).await;
    let short = Stored { absolute_end: Timestamp(1_010), subject: stored.subject, ..session() };
    created(&redis, &short).await;
    redis.touch(&[(key, Timestamp(1_005))]).await.expect("reachable");
    assert!(redis.replace(key, &next(&stored)).await.expect("reachable"));
    redis.lease(key, [1; 16], Duration::from_secs(4)).await.expect("reachable");
    redis.claim(&[1; 32], Duration::from_secs(600)).await.expect("reachable");
    let keys: Vec<String> = server.ask(&["KEYS", "*"]);
    assert_eq!(keys.len(), 8, "two sessions, three indices, their ends, a lease and a claim: {keys:?}");
    for name in keys {
        let left: i64 = server.ask(&["TTL", &name]);
        let least = match name.split(':').nth(1) {
            Some("session") => 24 * 3_600,
            Some("index" | "ends") => 48 * 3_600,
            Some("lease") => 3,
            _ => 599,
        };
        assert!(name.starts_with("gateway:") && left >= least, "{name} is forgotten after {left} s");
    }
    let index: i64 = server.ask(&["TTL", &name_of(&redis, stored.subject)]);
    assert!(index > 48 * 3_600 + 990, "a session that ends earlier does not shorten it: {index}");
}

fn name_of(redis: &Redis, index: IndexKey) -> String {
    String::from_utf8(redis.layout.index(index)).expect("ASCII")
}

#[tokio::test]
async fn a_session_without_end_is_kept_for_long() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let for_ever = Duration::from_secs(u64::MAX >> 2);
    let stored = Stored { idle: for_ever, absolute_end: Timestamp(i64::MAX), ..session() };
    let key = created(&redis, &stored).await;
    assert_eq!(load(&redis, key).await, Some(stored.clone()));
    redis.touch(&[(key, Timestamp(1_001))]).await.expect("reachable");
    assert!(redis.replace(key, &next(&stored)).await.expect("reachable"));
    assert_eq!(redis.page(None, 5).await.expect("reachable").sessions.len(), 1);
    assert!(redis.expire(Timestamp(1 << 40), 5).await.expect("reachable").is_empty());
}

#[tokio::test]
async fn a_lease_has_one_holder_at_a_time() {
    let server = Server::start(&[]);
    let (one, two) = (Gateway::at(&server).await.redis, Gateway::at(&server).await.redis);
    let (key, long) = (new_key(), Duration::from_secs(60));
    assert!(one.lease(key, [1; 16], Duration::from_secs(5)).await.expect("reachable"));
    assert!(!two.lease(key, [2; 16], long).await.expect("reachable"));
    assert!(one.lease(key, [1; 16], long).await.expect("reachable"), "its holder may extend it");
    let left: i64 = server.ask(&["PTTL", &String::from_utf8(one.layout.lease(key)).expect("ASCII")]);
    assert!(left > 50_000, "{left}");
    two.release(key, [2; 16]).await.expect("reachable");
    assert!(!two.lease(key, [2; 16], long).await.expect("reachable"), "nobody gives back another's");
    assert!(two.lease(new_key(), [2; 16], long).await.expect("reachable"), "another session's is free");
    one.release(key, [1; 16]).await.expect("reachable");
    assert!(two.lease(key, [2; 16], Duration::from_millis(1)).await.expect("reachable"));
    eventually("a lease whose holder went away is free", async || {
        one.lease(key, [1; 16], long).await.expect("reachable")
    })
    .await;
}

#[tokio::test]
async fn a_name_is_claimed_once() {
    let server = Server::start(&[]);
    let (one, two) = (Gateway::at(&server).await.redis, Gateway::at(&server).await.redis);
    let long = Duration::from_secs(60);
    assert!(one.claim(&[1; 32], long).await.expect("reachable"));
    assert!(!two.claim(&[1; 32], long).await.expect("reachable"));
    assert!(!one.claim(&[1; 32], long).await.expect("reachable"));
    assert!(two.claim(&[2; 32], long).await.expect("reachable"));
}

#[tokio::test]
async fn what_no_gateway_wrote_is_refused() {
    let server = Server::start(&[]);
    let Gateway { redis, .. } = Gateway::at(&server).await;
    let name = |key| String::from_utf8(redis.layout.session(key)).expect("ASCII");
    let (text, half, odd) = (new_key(), new_key(), created(&redis, &session()).await);
    server.ask::<()>(&["SET", &name(text), "hello"]);
    server.ask::<i64>(&["HSET", &name(half), "v", "1"]);
    server.ask::<i64>(&["HSET", &name(odd), "i", "soon"]);
    for key in [text, half, odd] {
        assert!(matches!(redis.load(key).await, Err(StoreError::Foreign(_))));
    }
    assert!(redis.expire(Timestamp(3_000), 5).await.expect("the rest goes on").is_empty());
    assert_eq!(load(&redis, odd).await, None, "what is no session is removed when it would be over");
}

#[tokio::test]
async fn two_prefixes_and_two_databases_do_not_see_each_other() {
    let server = Server::start(&[]);
    let here = Gateway::at(&server).await;
    let prefixed = Gateway::live(Settings { prefix: "other:".to_owned(), ..single(&server) }).await;
    let numbered = Gateway::live(Settings { database: 3, ..single(&server) }).await;
    let stored = session();
    let key = created(&here.redis, &stored).await;
    for other in [&prefixed, &numbered] {
        assert_eq!(load(&other.redis, key).await, None);
        assert_eq!(other.redis.of(stored.subject).await.expect("reachable"), []);
        assert_eq!(other.redis.count().await.expect("reachable"), 0);
    }
    here.redis.end(&[key]).await.expect("reachable");
    let twin = Gateway::at(&server).await;
    here.redis.end(&[key]).await.expect("reachable");
    twin.hears(News::Ended(key)).await;
    for other in [&prefixed, &numbered] {
        assert_eq!(other.heard(), [News::Live]);
    }
}
