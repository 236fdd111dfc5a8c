//! Temporary.
use harness::Site;
use std::time::Instant;

#[tokio::test]
async fn smoke() {
    for _ in 0..3 {
        let t = Instant::now();
        let site = Site::start().await;
        eprintln!("start {:?}", t.elapsed());
        let t = Instant::now();
        let alice = site.signed_in("alice@example.com").await;
        eprintln!("sign in {:?}", t.elapsed());
        eprintln!("{}", alice.session().await);
        let r = alice.fetch("GET", "/api/todolist").await;
        eprintln!("{} {}", r.status, r.text());
        let t = Instant::now();
        let logs = site.into_logs().await;
        eprintln!("stop {:?}", t.elapsed());
        eprintln!("{}\n{}", logs.access, logs.events);
    }
}
