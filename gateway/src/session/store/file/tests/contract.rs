//! Each operation by itself.

use super::*;

#[tokio::test]
async fn a_session_is_found_as_it_was_kept_also_after_the_file_was_closed() {
    let place = Place::new();
    let file = place.open();
    file.create(key(1), &stored(1)).await.expect("created");
    assert_eq!(file.load(key(1)).await.expect("read"), Some(stored(1)));
    assert_eq!(file.load(key(2)).await.expect("read"), None);
    drop(file);
    let file = place.open();
    assert_eq!(file.load(key(1)).await.expect("read"), Some(stored(1)));
    assert_eq!(file.count().await.expect("read"), 1);
    assert_eq!(file.of(index(1)).await.expect("read"), [key(1)]);
}

#[tokio::test]
async fn creating_twice_leaves_the_second_and_no_entry_of_the_first() {
    let file = Place::new().open();
    file.create(key(1), &stored(1)).await.expect("created");
    let second = Stored { subject: index(3), provider_session: None, ..stored(1) };
    file.create(key(1), &second).await.expect("created");
    assert_eq!(file.load(key(1)).await.expect("read"), Some(second));
    assert_eq!(file.of(index(3)).await.expect("read"), [key(1)]);
    assert!(file.of(index(1)).await.expect("read").is_empty());
    assert!(file.of(index(2)).await.expect("read").is_empty());
}

#[tokio::test]
async fn only_the_next_version_replaces_and_the_later_use_counts() {
    let file = Place::new().open();
    file.create(key(1), &stored(1)).await.expect("created");
    file.touch(&[(key(1), Timestamp(1_030))]).await.expect("touched");
    let next = Stored { subject: index(7), ..stored(2) };
    assert!(file.replace(key(1), &next).await.expect("written"));
    let now = file.load(key(1)).await.expect("read");
    assert_eq!(now, Some(Stored { last_used: Timestamp(1_030), ..next.clone() }));
    assert_eq!(file.of(index(7)).await.expect("read"), [key(1)]);
    assert!(file.of(index(1)).await.expect("read").is_empty());
    for version in [0, 1, 2, 4, u64::MAX] {
        assert!(!file.replace(key(1), &stored(version)).await.expect("looked at"), "{version}");
    }
    let later = Stored { last_used: Timestamp(1_040), ..stored(3) };
    assert!(file.replace(key(1), &later).await.expect("written"));
    assert_eq!(file.load(key(1)).await.expect("read"), Some(later));
}

#[tokio::test]
async fn one_of_many_replacements_at_once_wins() {
    let file = Place::new().open();
    file.create(key(1), &stored(1)).await.expect("created");
    let second = stored(2);
    let tries = (0..20).map(|_| file.replace(key(1), &second));
    let won = futures_util::future::join_all(tries).await;
    assert_eq!(won.into_iter().filter(|won| *won.as_ref().expect("written")).count(), 1);
}

#[tokio::test]
async fn an_ended_session_comes_back_neither_by_a_use_nor_by_a_replacement() {
    let file = Place::new().open();
    file.create(key(1), &stored(1)).await.expect("created");
    file.create(key(2), &stored(1)).await.expect("created");
    let keys = [key(1), key(3), key(1)];
    assert_eq!(file.end(&keys).await.expect("ended"), [key(1)]);
    assert!(file.end(&keys).await.expect("looked at").is_empty());
    file.touch(&[(key(1), Timestamp(1_050))]).await.expect("looked at");
    assert!(!file.replace(key(1), &stored(2)).await.expect("looked at"));
    assert_eq!(file.load(key(1)).await.expect("read"), None);
    assert_eq!(file.of(index(1)).await.expect("read"), [key(2)]);
    assert_eq!(file.of(index(2)).await.expect("read"), [key(2)]);
    assert_eq!(file.count().await.expect("read"), 1);
}

#[tokio::test]
async fn a_use_moves_the_end_forward_only_and_leaves_the_version_alone() {
    let file = Place::new().open();
    file.create(key(1), &stored(1)).await.expect("created");
    let uses = [(key(1), Timestamp(1_050)), (key(9), Timestamp(1_050)), (key(1), Timestamp(1_020))];
    file.touch(&uses).await.expect("touched");
    let used = Stored { last_used: Timestamp(1_050), ..stored(1) };
    assert_eq!(file.load(key(1)).await.expect("read"), Some(used));
    assert!(file.replace(key(1), &stored(2)).await.expect("written"));
}

#[tokio::test]
async fn lists_hold_what_is_there_and_nothing_else() {
    let file = Place::new().open();
    for number in 0..3 {
        file.create(key(number), &stored(1)).await.expect("created");
    }
    let listed = file.listed(&[key(2), key(8), key(0)]).await.expect("read");
    assert_eq!(listed.iter().map(|line| line.key).collect::<Vec<_>>(), [key(2), key(0)]);
    assert_eq!(
        listed[0],
        Listed {
            key: key(2),
            summary: stored(1).summary,
            last_used: Timestamp(1_000),
            end: Timestamp(1_060)
        }
    );
}

#[tokio::test]
async fn pages_show_everything_once() {
    let file = Place::new().open();
    let uses: Vec<_> = (0..25).map(key).collect();
    for key in &uses {
        file.create(*key, &stored(1)).await.expect("created");
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = file.page(cursor.as_deref(), 10).await.expect("read");
        assert!(page.sessions.len() <= 10);
        seen.extend(page.sessions.into_iter().map(|line| line.key));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        // What was shown last may be gone before somebody asks for more.
        file.end(&[*seen.last().expect("a page is not empty here")]).await.expect("ended");
    }
    seen.sort_by_key(|key| *key.as_bytes());
    let mut expected = uses;
    expected.sort_by_key(|key| *key.as_bytes());
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_shows_nothing() {
    let file = Place::new().open();
    file.create(key(1), &stored(1)).await.expect("created");
    for cursor in ["", "x", "../../etc", &"A".repeat(10_000)] {
        assert_eq!(file.page(Some(cursor), 10).await.expect("read"), Page::default(), "{cursor:.20}");
    }
    assert_eq!(file.page(None, 0).await.expect("read"), Page::default());
    assert_eq!(file.page(None, usize::MAX).await.expect("read").sessions.len(), 1);
}

#[tokio::test]
async fn what_is_over_is_removed_and_what_was_used_since_is_not() {
    let file = Place::new().open();
    for number in 0..4 {
        file.create(key(number), &stored(1)).await.expect("created");
    }
    let expired = async |now| {
        let mut keys: Vec<_> = file.expire(Timestamp(now), 10).await.expect("swept");
        keys.sort_by_key(|line| *line.key.as_bytes());
        keys.into_iter().map(|line| (line.key, line.end)).collect::<Vec<_>>()
    };
    assert!(expired(1_059).await.is_empty());
    file.touch(&[(key(1), Timestamp(1_050)), (key(2), Timestamp(1_050))]).await.expect("touched");
    file.touch(&[(key(3), Timestamp(1_990))]).await.expect("touched");
    assert_eq!(expired(1_060).await, [(key(0), Timestamp(1_060))]);
    assert!(expired(1_109).await.is_empty());
    let mut both = vec![(key(1), Timestamp(1_110)), (key(2), Timestamp(1_110))];
    both.sort_by_key(|(key, _)| *key.as_bytes());
    assert_eq!(expired(1_110).await, both);
    // Used or not, a session ends when it is old enough.
    assert!(expired(1_999).await.is_empty());
    assert_eq!(expired(2_000).await, [(key(3), Timestamp(2_000))]);
    assert_eq!(file.count().await.expect("read"), 0);
    assert!(file.of(index(1)).await.expect("read").is_empty());
}

#[tokio::test]
async fn a_replacement_that_ends_earlier_is_swept_when_it_ends() {
    let file = Place::new().open();
    file.create(key(1), &stored(1)).await.expect("created");
    let sooner = Stored { idle: Duration::from_secs(5), ..stored(2) };
    assert!(file.replace(key(1), &sooner).await.expect("written"));
    assert_eq!(file.expire(Timestamp(1_005), 10).await.expect("swept").len(), 1);
}

#[tokio::test]
async fn a_sweep_takes_no_more_than_it_was_asked_for() {
    let file = Place::new().open();
    for number in 0..10 {
        file.create(key(number), &stored(1)).await.expect("created");
    }
    for (max, found, left) in [(0, 0, 10), (4, 4, 6), (100, 6, 0)] {
        assert_eq!(file.expire(Timestamp(3_000), max).await.expect("swept").len(), found);
        assert_eq!(file.count().await.expect("read"), left);
    }
}

#[tokio::test]
async fn what_was_asked_for_is_done_although_nobody_waits_for_it() {
    let place = Place::new();
    let file = place.open();
    for number in 0..50 {
        let stored = stored(1);
        // Polled once, then dropped.
        tokio::select! {
            biased;
            _ = file.create(key(number), &stored) => {}
            () = std::future::ready(()) => {}
        }
    }
    drop(file);
    assert_eq!(place.open().count().await.expect("read"), 50);
}

#[test]
fn every_runtime_can_wait_for_the_same_file() {
    let file = Place::new().open();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let file = &file;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                runtime.block_on(async {
                    file.create(key(number), &stored(1)).await.expect("created");
                    assert!(file.load(key(number)).await.expect("read").is_some());
                });
            });
        }
    });
}

#[test]
fn what_the_operations_return_may_cross_threads() {
    fn is_send<T: Send>(_: &T) {}
    let file = Place::new().open();
    let stored = stored(1);
    is_send(&file.create(key(1), &stored));
    is_send(&file.load(key(1)));
    is_send(&file.replace(key(1), &stored));
    is_send(&file.touch(&[]));
    is_send(&file.end(&[]));
    is_send(&file.of(index(1)));
    is_send(&file.listed(&[]));
    is_send(&file.page(None, 1));
    is_send(&file.expire(Timestamp(0), 1));
    is_send(&file.count());
}
