//! How much of the server is taken, and for how long.

use super::*;

#[tokio::test]
async fn every_connection_carries_the_limits_and_the_name() {
    let server = PostgresServer::launch();
    let settings = PostgresSettings { application_name: "todo at home".to_owned(), ..settings() };
    let store = Postgres::open(&server.database("todo"), &settings).await.expect("opens");
    healed(&store).await;
    for (setting, wanted) in [
        ("statement_timeout", "5s"),
        ("lock_timeout", "3s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("application_name", "todo at home"),
    ] {
        let read = sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&store.pool);
        let value: String = read.await.expect("read");
        assert_eq!(value, wanted, "{setting}");
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up_and_its_connection_is_kept() {
    let server = PostgresServer::launch();
    let quick = Duration::from_millis(200);
    let settings = PostgresSettings { statement_timeout: quick, lock_timeout: quick / 2, ..settings() };
    let store =
        Postgres::open(&server.database("todo"), &PostgresSettings { ..settings }).await.expect("opens");
    healed(&store).await;
    store.insert(&todo(1)).await.expect("inserted");
    let mut holder = store.pool.begin().await.expect("begins");
    sqlx::query("LOCK TABLE todo").execute(&mut *holder).await.expect("locked");
    for outcome in [
        store.insert(&todo(2)).await.err(),
        store.get(&contract::own(&todo(1)), todo(1).id).await.err(),
        store.remove(&todo(1), 1).await.err(),
    ] {
        assert!(matches!(outcome, Some(StoreError::Slow(_))), "{outcome:?}");
    }
    holder.rollback().await.expect("given back");
    assert_eq!(store.list(&contract::own(&todo(1)), None, 5).await.expect("listed"), vec![todo(1)]);
    assert_eq!(store.link.doubted(), 0, "nobody took that for the end of a connection");
}

#[tokio::test]
async fn no_more_connections_are_opened_than_allowed_and_waiting_for_one_has_an_end() {
    let server = PostgresServer::launch();
    let settings = PostgresSettings {
        max_connections: 2,
        acquire_timeout: Duration::from_millis(300),
        application_name: "counted".to_owned(),
        ..settings()
    };
    let store = Postgres::open(&server.database("todo"), &settings).await.expect("opens");
    healed(&store).await;
    let held = (store.pool.acquire().await.expect("one"), store.pool.acquire().await.expect("two"));
    let outcome = store.get(&contract::own(&todo(1)), todo(1).id).await;
    assert!(matches!(outcome, Err(StoreError::Busy)), "{outcome:?}");
    assert_eq!(store.trouble().await, None, "busy is not broken");
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'";
    assert_eq!(server.sql("postgres", count), "2");
    drop(held);
    assert_eq!(store.get(&contract::own(&todo(1)), todo(1).id).await.expect("read"), None);
}
