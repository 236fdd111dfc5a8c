//! Many operations at once: none waits long for another, and many share one write to the disk.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[tokio::test]
async fn a_thousand_creations_at_once_share_few_commits() {
    let file = Place::new().open();
    let all: Vec<_> = (0..1_000).map(|number| (key(number), stored(1))).collect();
    let before = file.commits();
    let done =
        futures_util::future::join_all(all.iter().map(|(key, stored)| file.create(*key, stored))).await;
    assert!(done.iter().all(Result::is_ok));
    assert_eq!(file.count().await.expect("read"), 1_000);
    let commits = file.commits() - before;
    assert!((1..=250).contains(&commits), "{commits} commits");
}

/// A sweep, a mass of uses and a mass ending go on in slices: what is asked for beside them is done between two of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_work_lets_everything_else_through() {
    const MANY: u64 = 4_000;
    let file = Place::new().open();
    let all: Vec<_> = (0..MANY).map(|number| (key(number), stored(1))).collect();
    futures_util::future::join_all(all.iter().map(|(key, stored)| file.create(*key, stored))).await;
    let (file, swept) = (Arc::new(file), Arc::new(AtomicBool::new(false)));
    let sweep = tokio::spawn({
        let (file, swept) = (Arc::clone(&file), Arc::clone(&swept));
        async move {
            let uses: Vec<_> = (0..MANY).map(|number| (key(number), Timestamp(1_010))).collect();
            file.touch(&uses).await.expect("touched");
            let keys: Vec<_> = (0..MANY / 4).map(key).collect();
            assert_eq!(file.end(&keys).await.expect("ended").len() as u64, MANY / 4);
            let found = file.expire(Timestamp(3_000), usize::MAX).await.expect("swept").len();
            swept.store(true, Ordering::Release);
            found
        }
    });
    let (mut beside, mut number) = (0, MANY);
    while !swept.load(Ordering::Acquire) {
        let fresh = Stored { last_used: Timestamp(9_000), absolute_end: Timestamp(90_000), ..stored(1) };
        file.create(key(number), &fresh).await.expect("created");
        assert!(file.load(key(number)).await.expect("read").is_some());
        beside += u64::from(!swept.load(Ordering::Acquire));
        number += 1;
    }
    assert_eq!(sweep.await.expect("no panic") as u64, MANY - MANY / 4);
    assert!(beside >= 10, "{beside} operations were let through");
    assert_eq!(file.count().await.expect("read"), number - MANY);
}
