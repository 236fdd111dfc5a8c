//! Where items are kept. One type in front of a private list of backends, so that another database is a new variant
//! and nothing else changes; every backend must pass `contract`. Knows nothing of permits: it is told how far to reach.

#[cfg(test)]
mod contract;
mod sqlite;

use uuid::Uuid;

use self::sqlite::Sqlite;
use super::Todo;
use crate::owner::Reach;

/// Items, on disk.
pub(crate) struct Store(Backend);

enum Backend {
    Sqlite(Sqlite),
}

/// The database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The setting does not name a database that this service can use.
    #[error(
        "database = {0:?} is not understood; write \"sqlite:\" and a file, for example \"sqlite:var/todo.db\""
    )]
    Address(String),
    /// The folder for the database file could not be made.
    #[error("the folder {folder} for the database cannot be made")]
    Folder {
        /// The folder.
        folder: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database does not open.
    #[error("the database does not open")]
    Open(#[source] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the database cannot be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
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
}

impl Store {
    pub(crate) async fn open(database: &str) -> Result<Self, OpenError> {
        Ok(Self(Backend::Sqlite(Sqlite::open(database).await?)))
    }

    /// Items in reach, in the order of their ids, from after the given id on; at most `limit`.
    pub(crate) async fn list(
        &self,
        reach: &Reach,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Todo>, StoreError> {
        let Backend::Sqlite(sqlite) = &self.0;
        sqlite.list(reach, after, limit).await
    }

    /// The item, if it exists and is in reach.
    pub(crate) async fn get(&self, reach: &Reach, id: Uuid) -> Result<Option<Todo>, StoreError> {
        let Backend::Sqlite(sqlite) = &self.0;
        sqlite.get(reach, id).await
    }

    /// Adds an item.
    pub(crate) async fn insert(&self, todo: &Todo) -> Result<(), StoreError> {
        let Backend::Sqlite(sqlite) = &self.0;
        sqlite.insert(todo).await
    }

    /// Writes the changeable parts of an item, if it is still at the version that was `seen`; tells whether it was.
    pub(crate) async fn replace(&self, todo: &Todo, seen: i64) -> Result<bool, StoreError> {
        let Backend::Sqlite(sqlite) = &self.0;
        sqlite.replace(todo, seen).await
    }

    /// Removes an item, if it is still at the version that was `seen`; tells whether it was.
    pub(crate) async fn remove(&self, id: Uuid, seen: i64) -> Result<bool, StoreError> {
        let Backend::Sqlite(sqlite) = &self.0;
        sqlite.remove(id, seen).await
    }

    /// Asks for a sign of life.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let Backend::Sqlite(sqlite) = &self.0;
        sqlite.ping().await
    }

    /// Waits for running statements and lets go of the files.
    pub(crate) async fn close(&self) {
        let Backend::Sqlite(sqlite) = &self.0;
        sqlite.close().await;
    }
}
