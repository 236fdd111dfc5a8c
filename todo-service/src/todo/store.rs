//! Where items are kept. One type in front of a private list of backends, so that another database is a new variant
//! and nothing else changes; every backend must pass `contract`. Knows nothing of permits: it is told how far to reach.

#[cfg(test)]
mod contract;
mod open_error;
mod postgres;
mod sqlite;

use uuid::Uuid;

pub use self::open_error::OpenError;
pub(crate) use self::postgres::Address as PostgresAddress;
use self::postgres::Postgres;
pub use self::postgres::{PostgresLogin, PostgresSettings, Trouble};
use self::sqlite::Sqlite;
pub(crate) use self::sqlite::UNKNOWN as UNKNOWN_DATABASE;
use super::Todo;
use crate::owner::Reach;

/// Items, in a database.
pub(crate) struct Store(Backend);

enum Backend {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

/// The database did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A statement failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds something that this service never writes.
    #[error("the database holds a malformed item")]
    Corrupt(#[source] uuid::Error),
    /// It cannot be reached just now. Nothing was changed.
    #[error("the database is away")]
    Away,
    /// All connections are in use. Nothing was changed.
    #[error("all connections to the database are busy")]
    Busy,
    /// A time limit was over. Nothing was changed.
    #[error("the database took too long")]
    Slow(#[source] sqlx::Error),
    /// The answer was lost: what was asked may or may not have been done.
    #[error("the database broke off")]
    Lost(#[source] sqlx::Error),
}

impl StoreError {
    /// The same, when a write came before of which nobody knows whether it was done.
    fn after_a_write(self) -> Self {
        match self {
            Self::Away | Self::Busy => Self::Lost(sqlx::Error::PoolTimedOut),
            Self::Slow(error) | Self::Database(error) => Self::Lost(error),
            other => other,
        }
    }
}

impl Store {
    /// Opens the database that the address means. Creates or migrates tables as needed and permitted.
    pub(crate) async fn open(database: &str, postgres: &PostgresSettings) -> Result<Self, OpenError> {
        if PostgresAddress::is_meant_by(database) {
            return Ok(Self(Backend::Postgres(Box::new(Postgres::open(database, postgres).await?))));
        }
        Ok(Self(Backend::Sqlite(Sqlite::open(database).await?)))
    }

    /// Creates or migrates the tables, and nothing else.
    pub(crate) async fn migrate(database: &str, postgres: &PostgresSettings) -> Result<(), OpenError> {
        if PostgresAddress::is_meant_by(database) {
            return Postgres::migrate(database, postgres).await;
        }
        Sqlite::open(database).await?.close().await;
        Ok(())
    }

    /// Items in reach, in the order of their ids, from after the given id on; at most `limit`.
    pub(crate) async fn list(
        &self,
        reach: &Reach,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Todo>, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.list(reach, after, limit).await,
            Backend::Postgres(postgres) => postgres.list(reach, after, limit).await,
        }
    }

    /// The item, if it exists and is in reach.
    pub(crate) async fn get(&self, reach: &Reach, id: Uuid) -> Result<Option<Todo>, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.get(reach, id).await,
            Backend::Postgres(postgres) => postgres.get(reach, id).await,
        }
    }

    /// Adds an item.
    pub(crate) async fn insert(&self, todo: &Todo) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.insert(todo).await,
            Backend::Postgres(postgres) => postgres.insert(todo).await,
        }
    }

    /// Writes the changeable parts of an item, if it is still at the version that was `seen`; tells whether it was.
    pub(crate) async fn replace(&self, todo: &Todo, seen: i64) -> Result<bool, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.replace(todo, seen).await,
            Backend::Postgres(postgres) => postgres.replace(todo, seen).await,
        }
    }

    /// Removes an item, if it is still at the version that was `seen`; tells whether it was.
    pub(crate) async fn remove(&self, todo: &Todo, seen: i64) -> Result<bool, StoreError> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.remove(todo.id, seen).await,
            Backend::Postgres(postgres) => postgres.remove(todo, seen).await,
        }
    }

    /// Asks for a sign of life: why the database cannot be used, in words for everybody, if it cannot.
    pub(crate) async fn trouble(&self) -> Option<&'static str> {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.ping().await.err().map(|_| "the database does not answer"),
            Backend::Postgres(postgres) => postgres.trouble().await,
        }
    }

    /// Has whatever was read at the start, such as a password, read anew.
    pub(crate) fn refresh(&self) {
        match &self.0 {
            Backend::Sqlite(_) => {}
            Backend::Postgres(postgres) => postgres.refresh(),
        }
    }

    /// Waits for running statements and lets go of files and connections.
    pub(crate) async fn close(&self) {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }
}
