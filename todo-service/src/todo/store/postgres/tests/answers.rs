//! Answers that never come: the connection breaks when the database has done what it was asked and before it could say
//! so. Nothing may be lost, nothing done twice, and nobody told otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Stands between, and when armed swallows the next answer together with its connection.
struct Between {
    url: String,
    armed: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

impl Between {
    async fn start(server: &PostgresServer) -> Self {
        let to = server.url("todo").trim_start_matches("postgres://").trim_end_matches("/todo").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("postgres://{}/todo", listener.local_addr().expect("bound"));
        let (armed, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let between = Self { url, armed: Arc::clone(&armed), connections: Arc::clone(&connections) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(&to).await.expect("the server is there");
                tokio::spawn(pass(client, server, Arc::clone(&armed)));
            }
        });
        between
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(1..) => server.write_all(&asked[..read.expect("matched")]).await.expect("written"),
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(1..) if !armed.swap(false, Ordering::SeqCst) => {
                    if client.write_all(&answered[..read.expect("matched")]).await.is_err() { return }
                }
                _ => return,
            },
        }
    }
}

async fn through(server: &PostgresServer) -> (Postgres, Between) {
    server.database_of("todo", "somebody", "pw");
    let between = Between::start(server).await;
    let settings = PostgresSettings {
        login: Some(login("somebody", Some(password(server, "pw", "pw")))),
        ..PostgresSettings::default()
    };
    let store = Postgres::open(&between.url, &settings).await.expect("opens");
    healed(&store).await;
    (store, between)
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_recognised_when_it_comes_again() {
    let server = PostgresServer::launch();
    let (store, between) = through(&server).await;
    // Each kind once before: then the statement is known to the connection and its next answer is the only one.
    let warm = todo(100);
    store.insert(&warm).await.expect("inserted");
    assert!(store.replace(&Todo { version: 2, ..warm.clone() }, 1).await.expect("replaced"));
    assert!(store.remove(&warm, 2).await.expect("removed"));

    let item = todo(1);
    between.armed.store(true, Ordering::SeqCst);
    store.insert(&item).await.expect("inserted, once");
    assert!(!between.armed.load(Ordering::SeqCst), "the answer was swallowed");
    assert_eq!(server.sql("todo", "SELECT count(*) FROM todo"), "1");

    let changed = Todo { version: 2, done: true, ..item.clone() };
    assert!(!store.replace(&changed, 7).await.expect("answered"), "warm again, on the new connection");
    between.armed.store(true, Ordering::SeqCst);
    assert!(store.replace(&changed, 1).await.expect("replaced, once"));
    assert!(!between.armed.load(Ordering::SeqCst));
    assert_eq!(server.sql("todo", "SELECT version, done FROM todo"), "2|t");

    assert!(!store.remove(&item, 7).await.expect("answered"));
    between.armed.store(true, Ordering::SeqCst);
    assert!(store.remove(&item, 2).await.expect("removed, once"));
    assert!(!between.armed.load(Ordering::SeqCst));
    assert_eq!(server.sql("todo", "SELECT count(*) FROM todo"), "0");
}

#[tokio::test]
async fn a_change_that_lost_its_answer_and_its_race_is_not_taken_for_done() {
    let server = PostgresServer::launch();
    let (store, between) = through(&server).await;
    let item = todo(1);
    store.insert(&item).await.expect("inserted");
    let mine = Todo { version: 2, done: !item.done, ..item.clone() };
    assert!(!store.replace(&mine, 7).await.expect("warm"));
    // Somebody else was first: my change does nothing, and its answer is lost.
    server.sql("todo", "UPDATE todo SET version = 2, description = 'theirs'");
    between.armed.store(true, Ordering::SeqCst);
    assert!(!store.replace(&mine, 1).await.expect("answered"));
    assert!(!between.armed.load(Ordering::SeqCst));
    assert_eq!(server.sql("todo", "SELECT description FROM todo"), "theirs");
}

#[tokio::test]
async fn a_read_whose_answer_was_lost_is_asked_again() {
    let server = PostgresServer::launch();
    let (store, between) = through(&server).await;
    store.insert(&todo(1)).await.expect("inserted");
    let reach = contract::own(&todo(1));
    assert_eq!(store.list(&reach, None, 5).await.expect("listed").len(), 1);
    between.armed.store(true, Ordering::SeqCst);
    assert_eq!(store.list(&reach, None, 5).await.expect("listed").len(), 1);
    assert!(!between.armed.load(Ordering::SeqCst));
}

#[tokio::test]
async fn connections_that_died_while_they_were_idle_are_never_served() {
    let mut server = PostgresServer::launch();
    let store = open(&server, "todo").await;
    healed(&store).await;
    store.insert(&todo(1)).await.expect("inserted");
    let reach = contract::own(&todo(1));
    let all = tokio::join!(store.pool.acquire(), store.pool.acquire(), store.pool.acquire());
    drop(all);
    for _ in 0..2 {
        server.stop();
        server.start();
        // Every idle connection is dead, and nobody noticed: the very first request finds one that is not.
        assert_eq!(store.list(&reach, None, 5).await.expect("the first request"), vec![todo(1)]);
        assert!(store.replace(&todo(1), 1).await.expect("a write"));
    }
}

#[tokio::test]
async fn while_nothing_breaks_no_connection_is_asked_for_a_sign_of_life_or_opened_anew() {
    let server = PostgresServer::launch();
    let (store, between) = through(&server).await;
    store.insert(&todo(1)).await.expect("inserted");
    let reach = contract::own(&todo(1));
    for _ in 0..200 {
        store.get(&reach, todo(1).id).await.expect("read");
    }
    // One for looking, those of the pool, and the one that migrated.
    assert!(between.connections.load(Ordering::SeqCst) <= 13);
    assert_eq!(store.link.doubted(), 0);
}
