//! The contract, the tables, their limits and their plans on a real PostgreSQL. What becomes of requests while it is away
//! is in `tests/api/postgres.rs`.

mod answers;
mod limits;
mod migrations;
mod plans;
#[path = "../../../../../tests/harness/postgres.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the other tests, which use other parts of it")]
mod server;
mod tls;

use self::server::PostgresServer;
use super::super::{Store, contract};
use super::*;
use crate::secret::SecretSource;

/// As the superuser, on the Unix socket.
fn settings() -> PostgresSettings {
    PostgresSettings { login: Some(login("postgres", None)), ..PostgresSettings::default() }
}

fn login(user: &str, password: Option<SecretSource>) -> PostgresLogin {
    PostgresLogin { user: user.to_owned(), password }
}

/// A password in a file of its own.
fn password(server: &PostgresServer, name: &str, text: &str) -> SecretSource {
    let file = server.folder().join(name);
    std::fs::write(&file, text).expect("written");
    SecretSource::File(file)
}

async fn open(server: &PostgresServer, database: &str) -> Postgres {
    Postgres::open(&server.database(database), &settings()).await.expect("opens")
}

/// Waits until the database can be used.
async fn healed(store: &Postgres) {
    let waiting = async {
        while store.trouble().await.is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it heals");
}

fn todo(number: u128) -> Todo {
    contract::todo("r", "alice", number)
}

#[tokio::test]
async fn postgresql_keeps_the_contract() {
    let server = PostgresServer::launch();
    contract::holds(async || {
        let name = format!("todo_{}", Uuid::new_v4().simple());
        Store::open(&server.database(&name), &settings()).await.expect("opens")
    })
    .await;
}
