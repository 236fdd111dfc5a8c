//! What every store must do, as functions over a store. A new backend runs `holds` and is done.

use uuid::Uuid;

use super::Store;
use crate::owner::{Owner, Reach, Realm, Subject};
use crate::todo::{Description, Todo};

/// Runs the whole contract, each part on an empty store.
pub(super) async fn holds(fresh: impl AsyncFn() -> Store) {
    what_was_inserted_is_read_back(&fresh().await).await;
    only_items_in_reach_exist(&fresh().await).await;
    a_list_is_in_order_and_can_be_walked(&fresh().await).await;
    a_change_needs_the_version_that_was_seen(&fresh().await).await;
    a_removal_needs_the_version_that_was_seen(&fresh().await).await;
    an_id_is_taken_once(&fresh().await).await;
    hostile_text_is_only_text(&fresh().await).await;
    Box::pin(of_many_writers_at_once_one_wins_each_version(&fresh().await)).await;
    the_longest_of_everything_fits(&fresh().await).await;
}

pub(super) fn todo(realm: &str, subject: &str, number: u128) -> Todo {
    Todo {
        id: Uuid::from_u128(number),
        owner: Owner { realm: Realm::issuer(realm), subject: Subject::plain(subject).expect("a subject") },
        description: Description::parse(&format!("item {number}")).expect("a description"),
        done: number.is_multiple_of(2),
        created: 1_800_000_000_123,
        updated: 1_800_000_000_456,
        version: 1,
    }
}

pub(super) fn own(todo: &Todo) -> Reach {
    Reach::Own(todo.owner.clone())
}

fn all(todo: &Todo) -> Reach {
    Reach::Realm(todo.owner.realm.clone())
}

async fn what_was_inserted_is_read_back(store: &Store) {
    let item = todo("r", "alice", 7);
    store.insert(&item).await.expect("inserted");
    assert_eq!(store.get(&own(&item), item.id).await.expect("read"), Some(item.clone()));
    assert_eq!(store.get(&all(&item), item.id).await.expect("read"), Some(item.clone()));
    assert_eq!(store.get(&own(&item), Uuid::from_u128(8)).await.expect("read"), None);
    assert_eq!(store.trouble().await, None);
}

async fn only_items_in_reach_exist(store: &Store) {
    let (alice, bob, namesake) = (todo("r", "alice", 1), todo("r", "bob", 2), todo("other", "alice", 3));
    for item in [&alice, &bob, &namesake] {
        store.insert(item).await.expect("inserted");
    }
    assert_eq!(store.get(&own(&alice), bob.id).await.expect("read"), None);
    assert_eq!(store.get(&own(&alice), namesake.id).await.expect("read"), None);
    assert_eq!(store.get(&all(&alice), namesake.id).await.expect("read"), None);
    assert_eq!(store.list(&own(&alice), None, 10).await.expect("listed"), vec![alice.clone()]);
    assert_eq!(store.list(&all(&alice), None, 10).await.expect("listed"), vec![alice, bob]);
}

async fn a_list_is_in_order_and_can_be_walked(store: &Store) {
    for number in [5, 1, 4, 2, 3] {
        store.insert(&todo("r", "alice", number)).await.expect("inserted");
    }
    let reach = own(&todo("r", "alice", 0));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(&reach, after, 2).await.expect("listed");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|item| item.id.as_u128()));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

async fn a_change_needs_the_version_that_was_seen(store: &Store) {
    let item = todo("r", "alice", 1);
    store.insert(&item).await.expect("inserted");
    let changed = Todo { done: true, version: 2, updated: item.updated + 1, ..item.clone() };
    assert!(store.replace(&changed, 1).await.expect("written"));
    assert!(!store.replace(&Todo { version: 2, ..item.clone() }, 1).await.expect("not written"));
    assert_eq!(store.get(&own(&item), item.id).await.expect("read"), Some(changed));
    assert!(!store.replace(&todo("r", "alice", 9), 1).await.expect("not there"));
}

async fn a_removal_needs_the_version_that_was_seen(store: &Store) {
    let item = todo("r", "alice", 1);
    store.insert(&item).await.expect("inserted");
    assert!(!store.remove(&item, 2).await.expect("not removed"));
    assert!(store.get(&own(&item), item.id).await.expect("read").is_some());
    assert!(store.remove(&item, 1).await.expect("removed"));
    assert!(!store.remove(&item, 1).await.expect("gone already"));
    assert_eq!(store.get(&own(&item), item.id).await.expect("read"), None);
}

async fn an_id_is_taken_once(store: &Store) {
    store.insert(&todo("r", "alice", 1)).await.expect("inserted");
    assert!(store.insert(&todo("r", "bob", 1)).await.is_err());
}

async fn hostile_text_is_only_text(store: &Store) {
    let mut item = todo("r' OR '1'='1", "%", 1);
    item.description = Description::parse("'; DROP TABLE todo; --").expect("a description");
    store.insert(&item).await.expect("inserted");
    store.insert(&todo("r", "alice", 2)).await.expect("inserted");
    assert_eq!(store.list(&own(&item), None, 10).await.expect("listed"), vec![item]);
}

async fn of_many_writers_at_once_one_wins_each_version(store: &Store) {
    let item = todo("r", "alice", 1);
    store.insert(&item).await.expect("inserted");
    let write = async |number: i64| {
        let mut wins = 0;
        for version in 1..=10 {
            let changed = Todo { version: version + 1, updated: item.updated + number, ..item.clone() };
            wins += i64::from(store.replace(&changed, version).await.expect("answered"));
            while store
                .get(&own(&item), item.id)
                .await
                .expect("read")
                .is_none_or(|now| now.version <= version)
            {}
        }
        wins
    };
    let (first, second, third, fourth) = tokio::join!(write(0), write(1), write(2), write(3));
    assert_eq!(first + second + third + fourth, 10, "each of ten versions has one who made it");
    assert_eq!(store.get(&own(&item), item.id).await.expect("read").map(|now| now.version), Some(11));
}

async fn the_longest_of_everything_fits(store: &Store) {
    let (realm, subject) = (format!("https://{}", "r".repeat(500)), "🥐".repeat(255));
    let mut item = todo(&realm, &subject, u128::MAX);
    item.description = Description::parse(&"🥐".repeat(500)).expect("a description");
    (item.created, item.updated, item.version) = (i64::MIN, i64::MAX, i64::MAX);
    store.insert(&item).await.expect("inserted");
    assert_eq!(store.list(&own(&item), None, 1000).await.expect("listed"), vec![item.clone()]);
    assert!(store.remove(&item, i64::MAX).await.expect("removed"));
}
