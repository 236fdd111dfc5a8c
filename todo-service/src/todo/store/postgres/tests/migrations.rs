//! Who makes the tables, when, and with which rights.

use sqlx::Connection;
use sqlx::migrate::Migrate;
use sqlx::postgres::PgConnection;
use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn many_instances_that_start_at_once_migrate_once_and_all_work() {
    let server = PostgresServer::launch();
    let url = server.database("todo");
    let mut starts = JoinSet::new();
    for number in 1..=6 {
        let url = url.clone();
        starts.spawn(async move {
            let store = Postgres::open(&url, &settings()).await.expect("opens");
            healed(&store).await;
            store.insert(&todo(number)).await.expect("inserted");
        });
    }
    while let Some(start) = starts.join_next().await {
        start.expect("no panic");
    }
    assert_eq!(server.sql("todo", "SELECT count(*) FROM todo"), "6");
    assert_eq!(server.sql("todo", "SELECT count(*) FROM _sqlx_migrations WHERE success"), "1");
}

#[tokio::test]
async fn who_comes_second_waits_for_the_lock_and_finds_the_work_done() {
    let server = PostgresServer::launch();
    let url = server.database("todo");
    let options = Connector::new(&url, &settings()).expect("sound").for_migrations().expect("no secret");
    let mut holder = PgConnection::connect_with(&options).await.expect("connects");
    holder.lock().await.expect("locked");
    let waiting = tokio::spawn(async move { Postgres::migrate(&url, &settings()).await });
    while server.sql("todo", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        != "1"
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        server.sql("todo", "SELECT to_regclass('todo') IS NULL"),
        "t",
        "nothing is done without the lock"
    );
    holder.unlock().await.expect("unlocked");
    waiting.await.expect("no panic").expect("migrates");
    assert_eq!(server.sql("todo", "SELECT to_regclass('todo') IS NULL"), "f");
}

#[tokio::test]
async fn tables_that_are_newer_or_other_than_the_program_knows_are_refused() {
    let server = PostgresServer::launch();
    let store = open(&server, "todo").await;
    store.insert(&todo(1)).await.expect("inserted");
    drop(store);
    let url = server.socket_url("todo");
    let complaint = async || Postgres::open(&url, &settings()).await.err().map(|error| error.to_string());

    server.sql("todo", "INSERT INTO _sqlx_migrations VALUES (999, 'later', now(), true, '\\x00', 0)");
    let newer = complaint().await.expect("refused");
    assert!(
        newer.contains("is newer than this program: it has migration 999, the program knows them up to 1"),
        "{newer}"
    );
    let migrating = Postgres::migrate(&url, &settings()).await.expect_err("refused");
    assert!(matches!(migrating, OpenError::Newer { version: 999, .. }), "{migrating}");
    server.sql("todo", "DELETE FROM _sqlx_migrations WHERE version = 999");
    assert_eq!(complaint().await, None);

    server.sql("todo", "UPDATE _sqlx_migrations SET checksum = '\\x00'");
    assert!(complaint().await.expect("refused").contains("made by another program"));
    assert_eq!(server.sql("todo", "SELECT count(*) FROM todo"), "1", "nothing was touched");
}

/// As `postgres-roles.sql` makes them, over TCP.
fn roles(server: &PostgresServer) -> PostgresSettings {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/postgres-roles.sql");
    let made =
        server.psql("postgres", &["-v", "owner_password=o'wn", "-v", "app_password=a\\pp", "-f", file]);
    made.expect("the roles are made");
    PostgresSettings {
        login: Some(login("todo_app", Some(password(server, "app", "a\\pp\n")))),
        owner: Some(login("todo_owner", Some(password(server, "owner", "o'wn\n")))),
        ..PostgresSettings::default()
    }
}

#[tokio::test]
async fn the_owner_migrates_and_the_service_can_only_read_and_write_items() {
    let server = PostgresServer::launch();
    let settings = roles(&server);
    let store = Postgres::open(&server.url("todo"), &settings).await.expect("opens");
    healed(&store).await;
    store.insert(&todo(1)).await.expect("inserted");
    let reach = contract::own(&todo(1));
    assert!(store.replace(&Todo { version: 2, ..todo(1) }, 1).await.expect("replaced"));
    assert_eq!(store.list(&reach, None, 5).await.expect("listed").len(), 1);
    assert!(store.remove(&todo(1), 2).await.expect("removed"));
    assert_eq!(server.sql("todo", "SELECT tableowner FROM pg_tables WHERE tablename = 'todo'"), "todo_owner");
    for forbidden in [
        "DROP TABLE todo",
        "TRUNCATE todo",
        "ALTER TABLE todo ADD x integer",
        "CREATE TABLE mine (x integer)",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine (x integer)",
        "DELETE FROM _sqlx_migrations",
        "UPDATE _sqlx_migrations SET success = false",
        "SET ROLE todo_owner",
    ] {
        let outcome = sqlx::query(forbidden).execute(&store.pool).await.expect_err(forbidden);
        assert!(has_code(&outcome, "42501"), "{forbidden}: {outcome}");
    }
}

#[tokio::test]
async fn a_service_that_may_not_migrate_waits_until_the_owner_has() {
    let server = PostgresServer::launch();
    let both = roles(&server);
    let alone = PostgresSettings { owner: None, migrate: false, ..both.clone() };
    let store = Postgres::open(&server.url("todo"), &alone).await.expect("starts");
    assert_eq!(store.trouble().await, Some("the database is not migrated yet"));
    assert!(matches!(store.insert(&todo(1)).await, Err(StoreError::Away)));
    Postgres::migrate(&server.url("todo"), &both).await.expect("the owner migrates");
    healed(&store).await;
    store.insert(&todo(1)).await.expect("inserted");

    let overconfident = PostgresSettings { owner: None, migrate: true, ..both.clone() };
    server.sql("todo", "DROP TABLE todo, _sqlx_migrations");
    let error = Postgres::migrate(&server.url("todo"), &overconfident).await.expect_err("has no right");
    assert!(
        error.to_string().contains("does not permit it; run `todo-service migrate` as the owner"),
        "{error}"
    );
}
