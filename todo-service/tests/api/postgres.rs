//! The service on PostgreSQL, while the database comes, goes and comes back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use todo_service::{PostgresLogin, SecretSource};

use crate::support::{PostgresServer, Service, TestIssuer, logs};

const PASSWORD: &str = "s3cret-of-the-app";

/// A server with an empty database and a role with a password.
fn server() -> PostgresServer {
    let server = PostgresServer::prepared("");
    std::fs::write(password_file(&server), PASSWORD).expect("written");
    server
}

fn password_file(server: &PostgresServer) -> std::path::PathBuf {
    server.folder().join("password")
}

fn running() -> PostgresServer {
    let mut server = server();
    server.start();
    server.database_of("todo", "todo_app", PASSWORD);
    server
}

async fn service(server: &PostgresServer) -> Service {
    let (url, file) = (server.url("todo"), password_file(server));
    Service::configured(TestIssuer::start().await, |config| {
        config.database = url;
        config.postgres.login = Some(login("todo_app", &file));
        config.postgres.acquire_timeout = Duration::from_secs(1);
    })
    .await
}

fn login(user: &str, file: &Path) -> PostgresLogin {
    PostgresLogin { user: user.to_owned(), password: Some(SecretSource::File(file.to_owned())) }
}

async fn until<F: Future<Output = bool>>(what: &str, looks_well: impl Fn() -> F) {
    let waiting = async {
        while !looks_well().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn is_ready(service: &Service) -> bool {
    service.call(Method::GET, "/readyz").status().await == 200
}

/// What the log says of this server's coming and going.
fn turns(server: &PostgresServer) -> Vec<String> {
    let place = server.url("todo").trim_start_matches("postgres://").to_owned();
    logs::lines_with(&place)
        .into_iter()
        .filter(|line| line.contains("\"target\":\"store\""))
        .map(|line| {
            serde_json::from_str::<Value>(&line).expect("JSON")["fields"]["message"]
                .as_str()
                .expect("text")
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn the_whole_api_works_on_postgresql() {
    let server = running();
    let service = service(&server).await;
    let (alice, bob) = (service.alice(), service.bob());
    let item = service.add(&alice, "Buy milk").await;
    service.add(&bob, "Somebody else's").await;
    assert_eq!(service.seen_by(&alice).await, ["Buy milk"]);
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    let token = alice.signed();
    let changed =
        service.call(Method::PATCH, &path).json(&json!({ "done": true })).token(&token).send().await;
    assert_eq!((changed.status.as_u16(), &changed.json()["etag"]), (200, &json!("\"2\"")));
    let stale = service.call(Method::DELETE, &path).header("if-match", "\"1\"").token(&token).status().await;
    assert_eq!(stale, 412);
    assert_eq!(service.call(Method::GET, &path).token(&bob.signed()).status().await, 404);
    assert_eq!(
        service.call(Method::DELETE, &path).header("if-match", "\"2\"").token(&token).status().await,
        204
    );
    assert_eq!(service.seen_by(&alice).await, Vec::<String>::new());
    assert_eq!(service.seen_by(&service.app()).await, ["Somebody else's"]);
}

#[tokio::test]
async fn while_the_database_is_away_it_says_503_at_once_and_heals_by_itself() {
    let mut server = running();
    let service = service(&server).await;
    let token = service.alice().signed();
    service.add(&service.alice(), "kept").await;
    assert!(is_ready(&service).await);

    server.stop();
    for call in [service.list(), service.post(&json!({ "description": "not now" }))] {
        let answer = call.token(&token).send().await;
        let problem = answer.problem(503);
        assert_eq!(problem["type"], "urn:problem:todo-service:unavailable");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    until("it is known", || async { !is_ready(&service).await }).await;
    let unready = service.call(Method::GET, "/readyz").send().await;
    assert_eq!(
        (unready.status.as_u16(), unready.json()["reasons"].clone()),
        (503, json!(["the database cannot be reached"]))
    );
    assert_eq!(service.call(Method::GET, "/healthz").status().await, 200, "the process is well");
    // Known to be away: nobody waits for it.
    let began = std::time::Instant::now();
    for _ in 0..20 {
        let refused = service.post(&json!({ "description": "not now" })).token(&token).send().await;
        assert!(
            refused.problem(503)["detail"].as_str().is_some_and(|text| text.contains("nothing was changed"))
        );
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

    server.start();
    until("it is back", || is_ready(&service)).await;
    assert_eq!(service.seen_by(&service.alice()).await, ["kept"]);
    service.add(&service.alice(), "and more").await;
    let turns = turns(&server);
    assert_eq!(turns.len(), 3, "one line for each turn: {turns:#?}");
    assert!(turns[1].contains("cannot be reached; start it, or correct `database`"), "{}", turns[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_restarts_and_crashes_nothing_that_was_answered_is_lost_or_doubled() {
    let mut server = running();
    let service = Arc::new(service(&server).await);
    assert!(is_ready(&service).await);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (0..6).map(|writer| tokio::spawn(write(Arc::clone(&service), writer, Arc::clone(&stop)))).collect();
    for turn in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        if turn % 2 == 0 {
            server.stop()
        } else {
            server.crash()
        }
        server.start();
        until("it is back", || is_ready(&service)).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut sent = BTreeMap::new();
    for writer in writers {
        sent.extend(writer.await.expect("no panic"));
    }
    until("it is back", || is_ready(&service)).await;
    let stored = server.sql("todo", "SELECT description, count(*) FROM todo GROUP BY 1");
    let stored: BTreeMap<&str, usize> = stored
        .lines()
        .map(|line| line.rsplit_once('|').expect("two columns"))
        .map(|(description, count)| (description, count.parse().expect("a number")))
        .collect();
    let answered = sent.values().filter(|outcome| **outcome == Outcome::Done).count();
    assert!(answered > 50, "only {answered} writes were answered");
    for (description, outcome) in &sent {
        let count = stored.get(description.as_str()).copied().unwrap_or(0);
        let fits = match outcome {
            Outcome::Done => count == 1,
            Outcome::NotDone => count == 0,
            Outcome::Unknown => count <= 1,
        };
        assert!(fits, "{description}: {outcome:?}, and {count} times there");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    NotDone,
    Unknown,
}

/// Adds items one after the other, and remembers what it was told of each.
async fn write(service: Arc<Service>, writer: usize, stop: Arc<AtomicBool>) -> BTreeMap<String, Outcome> {
    let (token, mut sent) = (service.alice().signed(), BTreeMap::new());
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let description = format!("{writer}-{number}");
        let answer = service.post(&json!({ "description": description })).token(&token).send().await;
        let outcome = match answer.status.as_u16() {
            201 => Outcome::Done,
            503 => {
                let problem = answer.problem(503);
                assert_eq!(answer.header("retry-after"), Some("5"));
                let detail = problem["detail"].as_str().expect("text");
                if detail.contains("nothing was changed") { Outcome::NotDone } else { Outcome::Unknown }
            }
            other => panic!("{other}: {}", answer.text),
        };
        sent.insert(description, outcome);
    }
    sent
}

#[tokio::test]
async fn a_database_that_comes_later_is_waited_for() {
    let mut server = server();
    let service = service(&server).await;
    assert!(!is_ready(&service).await);
    assert_eq!(service.list().token(&service.alice().signed()).status().await, 503);
    let first = turns(&server);
    assert_eq!(first.len(), 1, "{first:#?}");
    assert!(
        first[0].contains("127.0.0.1") && first[0].contains("cannot be reached; start it"),
        "{}",
        first[0]
    );

    server.start();
    until("the login is refused", || async {
        turns(&server).last().is_some_and(|line| line.contains("refuses the login"))
    })
    .await;
    server.sql("postgres", &format!("CREATE ROLE todo_app LOGIN PASSWORD '{PASSWORD}'"));
    until("the database is missed", || async {
        turns(&server).last().is_some_and(|line| line.contains("has no such database"))
    })
    .await;
    assert!(!is_ready(&service).await);
    server.sql("postgres", "CREATE DATABASE todo OWNER todo_app");
    until("it is ready", || is_ready(&service)).await;
    service.add(&service.alice(), "at last").await;
    assert!(logs::lines_with(PASSWORD).is_empty(), "the password is in no log");
}

#[tokio::test]
async fn a_new_password_is_read_from_its_file_without_a_restart() {
    let mut server = running();
    let service = service(&server).await;
    assert!(is_ready(&service).await);
    server.sql("postgres", "ALTER ROLE todo_app PASSWORD 'another'");
    server.stop();
    server.start();
    until("the old one is refused", || async {
        let _ = is_ready(&service).await;
        turns(&server).last().is_some_and(|line| line.contains("refuses the login"))
    })
    .await;
    std::fs::write(password_file(&server), "another\n").expect("written");
    until("it is ready", || is_ready(&service)).await;
    assert_eq!(service.seen_by(&service.alice()).await, Vec::<String>::new());
}
