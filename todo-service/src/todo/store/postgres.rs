//! The PostgreSQL backend: statements that each stand alone, over a bounded pool. A statement whose connection broke is
//! tried once more, and a write that comes a second time recognises its own first try; so a restart of the database
//! neither loses nor doubles anything that was answered. Knows nothing of who asks.

mod address;
mod connector;
mod link;
mod schema;
mod settings;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgQueryResult};
use sqlx::query::{Query, QueryAs};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use uuid::Uuid;

pub(crate) use self::address::Address;
use self::connector::Connector;
use self::link::Link;
pub use self::settings::{PostgresLogin, PostgresSettings};
pub use self::trouble::Trouble;
use self::trouble::{has_code, is_lost, is_slow};
use super::{OpenError, StoreError};
use crate::owner::{Owner, Reach, Realm, Subject};
use crate::todo::{Description, Todo};

/// How long the start waits to see the database. After that it goes on not ready, and heals by itself.
const START_PATIENCE: Duration = Duration::from_secs(6);
/// How much longer than the server's own limit an answer is waited for: then the network is to blame.
const GRACE: Duration = Duration::from_secs(2);

const UNIQUE_VIOLATION: &str = "23505";

pub(super) struct Postgres {
    pool: PgPool,
    link: Arc<Link>,
    keeper: JoinHandle<()>,
    /// For one statement, with its answer.
    patience: Duration,
}

type Rows<'q> = QueryAs<'q, sqlx::Postgres, Row, PgArguments>;
type Statement<'q> = Query<'q, sqlx::Postgres, PgArguments>;

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    realm: String,
    subject: String,
    description: String,
    done: bool,
    created: i64,
    updated: i64,
    version: i64,
}

/// What a write did.
struct Written {
    rows: u64,
    /// It is the second try, and the first one may have been done.
    again: bool,
}

/// Compares whole keys and not the owner by itself: so the order can come from the owner's index alone, and the planner
/// cannot be tempted to walk another one. `todo_by_owner` also proves that all rows between the two are the owner's.
const LIST_OWN: &str = "SELECT id, realm, subject, description, done, created, updated, version FROM todo
    WHERE (realm, subject, id) > ($1, $2, $3)
      AND (realm, subject, id) <= ($1, $2, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    ORDER BY realm, subject, id LIMIT $4";
const LIST_REALM: &str = "SELECT id, realm, subject, description, done, created, updated, version FROM todo
    WHERE realm = $1 AND id > $2 ORDER BY id LIMIT $3";
const GET_OWN: &str = "SELECT id, realm, subject, description, done, created, updated, version FROM todo
    WHERE realm = $1 AND subject = $2 AND id = $3";
const GET_REALM: &str = "SELECT id, realm, subject, description, done, created, updated, version FROM todo
    WHERE realm = $1 AND id = $2";
const INSERT: &str = "INSERT INTO todo (realm, subject, id, description, done, created, updated, version)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const REPLACE: &str = "UPDATE todo SET description = $4, done = $5, updated = $6, version = $7
    WHERE realm = $1 AND subject = $2 AND id = $3 AND version = $8";
const REMOVE: &str = "DELETE FROM todo WHERE realm = $1 AND subject = $2 AND id = $3 AND version = $4";

impl Postgres {
    /// An error only where waiting cannot help; a database that is away is one that will come.
    pub(super) async fn open(database: &str, settings: &PostgresSettings) -> Result<Self, OpenError> {
        let connector = Arc::new(Connector::new(database, settings)?);
        let link = Link::new();
        let doubts = Arc::clone(&link);
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            // Asking each time costs each request a round trip; `Link` knows when there is a reason to.
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| {
                let doubts = Arc::clone(&doubts);
                Box::pin(async move { Ok(doubts.is_sound(connection, metadata).await) })
            })
            .connect_lazy_with(connector.for_requests()?);
        let (tell, first) = oneshot::channel();
        let keeper = tokio::spawn(link::keep(Arc::clone(&connector), pool.clone(), Arc::clone(&link), tell));
        let store = Self { pool, link, keeper, patience: settings.statement_timeout + GRACE };
        match tokio::time::timeout(START_PATIENCE, first).await {
            Ok(Ok(Err(error))) => Err(error),
            _ => Ok(store),
        }
    }

    /// Brings the tables up to date, once, and waits for it.
    pub(super) async fn migrate(database: &str, settings: &PostgresSettings) -> Result<(), OpenError> {
        schema::migrate(&Connector::new(database, settings)?).await
    }

    pub(super) async fn list(
        &self,
        reach: &Reach,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Todo>, StoreError> {
        // No item has the nil id, and it sorts before every other.
        let after = after.unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match reach {
            Reach::Own(owner) => self.rows(|| of_owner_as(LIST_OWN, owner).bind(after).bind(limit)).await?,
            Reach::Realm(realm) => {
                self.rows(|| sqlx::query_as(LIST_REALM).bind(realm.as_str()).bind(after).bind(limit)).await?
            }
        };
        Ok(rows.into_iter().map(Todo::from).collect())
    }

    pub(super) async fn get(&self, reach: &Reach, id: Uuid) -> Result<Option<Todo>, StoreError> {
        let rows = match reach {
            Reach::Own(owner) => self.rows(|| of_owner_as(GET_OWN, owner).bind(id)).await?,
            Reach::Realm(realm) => {
                self.rows(|| sqlx::query_as(GET_REALM).bind(realm.as_str()).bind(id)).await?
            }
        };
        Ok(rows.into_iter().next().map(Todo::from))
    }

    pub(super) async fn insert(&self, todo: &Todo) -> Result<(), StoreError> {
        let statement = || {
            of_owner(INSERT, &todo.owner)
                .bind(todo.id)
                .bind(todo.description.as_str())
                .bind(todo.done)
                .bind(todo.created)
                .bind(todo.updated)
                .bind(todo.version)
        };
        match self.write(statement).await {
            Ok(_) => Ok(()),
            // Ids are made here and never twice: who else would have put it there than the first try?
            Err(Failed { error: StoreError::Database(error), again: true })
                if has_code(&error, UNIQUE_VIOLATION) =>
            {
                Ok(())
            }
            Err(failed) => Err(failed.error),
        }
    }

    pub(super) async fn replace(&self, todo: &Todo, seen: i64) -> Result<bool, StoreError> {
        let statement = || {
            of_owner(REPLACE, &todo.owner)
                .bind(todo.id)
                .bind(todo.description.as_str())
                .bind(todo.done)
                .bind(todo.updated)
                .bind(todo.version)
                .bind(seen)
        };
        match self.write(statement).await? {
            Written { rows: 0, again: true } => {
                let there = self.get(&Reach::Own(todo.owner.clone()), todo.id).await;
                Ok(there.map_err(StoreError::after_a_write)?.as_ref() == Some(todo))
            }
            Written { rows, .. } => Ok(rows == 1),
        }
    }

    pub(super) async fn remove(&self, todo: &Todo, seen: i64) -> Result<bool, StoreError> {
        match self.write(|| of_owner(REMOVE, &todo.owner).bind(todo.id).bind(seen)).await? {
            Written { rows: 0, again: true } => {
                let there = self.get(&Reach::Own(todo.owner.clone()), todo.id).await;
                Ok(there.map_err(StoreError::after_a_write)?.is_none())
            }
            Written { rows, .. } => Ok(rows == 1),
        }
    }

    /// Why it cannot be used, if it cannot.
    pub(super) async fn trouble(&self) -> Option<&'static str> {
        if let Some(trouble) = self.link.trouble() {
            return Some(trouble);
        }
        // Not the pool's connections, all of which may be busy, but that any of them can be had and answers.
        match self.rows(|| sqlx::query_as(LIST_REALM).bind("").bind(Uuid::nil()).bind(1_i64)).await {
            Ok(_) | Err(StoreError::Busy) => None,
            Err(_) => Some("the database does not answer"),
        }
    }

    /// Has the secrets read and the database looked at anew.
    pub(super) fn refresh(&self) {
        self.link.suspect();
    }

    pub(super) async fn close(&self) {
        self.keeper.abort();
        self.pool.close().await;
    }

    /// Reads. What was lost on the way is asked once more.
    async fn rows<'q>(&self, question: impl Fn() -> Rows<'q>) -> Result<Vec<Row>, StoreError> {
        let mut again = false;
        loop {
            let mut connection = self.connection().await?;
            let outcome = tokio::time::timeout(self.patience, question().fetch_all(&mut *connection)).await;
            match self.judge(outcome, connection) {
                // Nothing was changed, whatever became of the question.
                Verdict::Lost(_) if again => return Err(StoreError::Away),
                Verdict::Lost(_) => again = true,
                Verdict::Failed(error) => return Err(error),
                Verdict::Done(rows) => return Ok(rows),
            }
        }
    }

    /// Writes. What was lost on the way is tried once more, and says so.
    async fn write<'q>(&self, statement: impl Fn() -> Statement<'q>) -> Result<Written, Failed> {
        let mut again = false;
        loop {
            let mut connection = match self.connection().await {
                Ok(connection) => connection,
                Err(error) if again => return Err(Failed { error: error.after_a_write(), again }),
                Err(error) => return Err(Failed { error, again }),
            };
            let outcome = tokio::time::timeout(self.patience, statement().execute(&mut *connection)).await;
            match self.judge(outcome, connection) {
                Verdict::Lost(error) if again => {
                    return Err(Failed { error: StoreError::Lost(error), again });
                }
                Verdict::Lost(_) => again = true,
                Verdict::Failed(error) => return Err(Failed { error, again }),
                Verdict::Done(result) => {
                    return Ok(Written { rows: PgQueryResult::rows_affected(&result), again });
                }
            }
        }
    }

    /// A connection out of the pool, or a new one. While the database is known to be away, nobody waits for it.
    async fn connection(&self) -> Result<PoolConnection<sqlx::Postgres>, StoreError> {
        tokio::select! {
            biased;
            () = self.link.fallen() => Err(StoreError::Away),
            connection = self.pool.acquire() => connection.map_err(|error| {
                let is_full = self.pool.size() >= self.pool.options().get_max_connections() && self.pool.num_idle() == 0;
                if matches!(error, sqlx::Error::PoolTimedOut) && is_full {
                    return StoreError::Busy;
                }
                self.link.suspect();
                StoreError::Away
            }),
        }
    }

    /// Keeps a connection that is still good, and gives up one that is not.
    fn judge<T>(
        &self,
        outcome: Result<Result<T, sqlx::Error>, Elapsed>,
        connection: PoolConnection<sqlx::Postgres>,
    ) -> Verdict<T> {
        let error = match outcome {
            Ok(Ok(done)) => return Verdict::Done(done),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
        };
        if is_lost(&error) {
            self.link.broke();
            // Dropped without the pool: it would try to be polite to somebody who is not there.
            drop(connection.detach());
            Verdict::Lost(error)
        } else if is_slow(&error) {
            Verdict::Failed(StoreError::Slow(error))
        } else {
            Verdict::Failed(StoreError::Database(error))
        }
    }
}

enum Verdict<T> {
    Done(T),
    Lost(sqlx::Error),
    Failed(StoreError),
}

/// A write that failed, and whether an earlier try may have been done.
struct Failed {
    error: StoreError,
    again: bool,
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

fn of_owner<'q>(sql: &'static str, owner: &'q Owner) -> Statement<'q> {
    sqlx::query(sql).bind(owner.realm.as_str()).bind(owner.subject.as_str())
}

fn of_owner_as<'q>(sql: &'static str, owner: &'q Owner) -> Rows<'q> {
    sqlx::query_as(sql).bind(owner.realm.as_str()).bind(owner.subject.as_str())
}

impl From<Row> for Todo {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            owner: Owner { realm: Realm::stored(row.realm), subject: Subject::stored(row.subject) },
            description: Description::stored(row.description),
            done: row.done,
            created: row.created,
            updated: row.updated,
            version: row.version,
        }
    }
}

#[cfg(test)]
mod tests;
