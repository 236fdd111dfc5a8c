//! The SQLite backend: one file, write-ahead log, statements that each stand alone. Knows nothing of who asks.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use uuid::Uuid;

use super::{OpenError, StoreError};
use crate::owner::{Owner, Reach, Realm, Subject};
use crate::todo::{Description, Todo};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// What to write instead of an address that is none.
pub(crate) const UNKNOWN: &str = "is not understood; write \"sqlite:\" and a file, for example \"sqlite:var/todo.db\", or \"postgres://HOST/NAME\"";

/// How long a writer waits for another one, and a request for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Sqlite {
    pool: SqlitePool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    realm: String,
    subject: String,
    description: String,
    done: bool,
    created: i64,
    updated: i64,
    version: i64,
}

impl Sqlite {
    /// Understands `sqlite:FILE`, `sqlite://FILE` and `sqlite::memory:` (one database per store, gone with it).
    pub(super) async fn open(database: &str) -> Result<Self, OpenError> {
        let unknown = || OpenError::Address { database: database.to_owned(), why: UNKNOWN.to_owned() };
        let file = database.strip_prefix("sqlite:").filter(|file| !file.is_empty()).ok_or_else(unknown)?;
        let file = file.strip_prefix("//").unwrap_or(file);
        let pool = if file == ":memory:" { in_memory().await } else { in_file(Path::new(file)).await? };
        let failed = |source| OpenError::File { file: file.to_owned(), source };
        let pool = pool.map_err(failed)?;
        match MIGRATIONS.run(&pool).await {
            Ok(()) => Ok(Self { pool }),
            Err(MigrateError::VersionMissing(version)) => {
                let known = MIGRATIONS.iter().map(|known| known.version).max().unwrap_or(0);
                Err(OpenError::Newer { place: file.to_owned(), version, known })
            }
            Err(MigrateError::VersionMismatch(version)) => {
                Err(OpenError::Changed { place: file.to_owned(), version })
            }
            Err(MigrateError::Execute(source)) => Err(failed(source)),
            Err(other) => Err(OpenError::Migrate(other)),
        }
    }

    pub(super) async fn list(
        &self,
        reach: &Reach,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Todo>, StoreError> {
        // The empty text sorts before every id.
        let after = after.map(key).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<Row> = match reach {
            Reach::Own(owner) => {
                sqlx::query_as(
                    "SELECT * FROM todo WHERE realm = ? AND subject = ? AND id > ? ORDER BY id LIMIT ?",
                )
                .bind(owner.realm.as_str())
                .bind(owner.subject.as_str())
                .bind(after)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?
            }
            Reach::Realm(realm) => {
                sqlx::query_as("SELECT * FROM todo WHERE realm = ? AND id > ? ORDER BY id LIMIT ?")
                    .bind(realm.as_str())
                    .bind(after)
                    .bind(limit)
                    .fetch_all(&self.pool)
                    .await?
            }
        };
        rows.into_iter().map(Todo::try_from).collect()
    }

    pub(super) async fn get(&self, reach: &Reach, id: Uuid) -> Result<Option<Todo>, StoreError> {
        let subject = reach.subject().map(Subject::as_str);
        let row: Option<Row> = sqlx::query_as(
            "SELECT * FROM todo WHERE id = ? AND realm = ? AND subject = COALESCE(?, subject)",
        )
        .bind(key(id))
        .bind(reach.realm().as_str())
        .bind(subject)
        .fetch_optional(&self.pool)
        .await?;
        row.map(Todo::try_from).transpose()
    }

    pub(super) async fn insert(&self, todo: &Todo) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO todo (id, realm, subject, description, done, created, updated, version)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(key(todo.id))
        .bind(todo.owner.realm.as_str())
        .bind(todo.owner.subject.as_str())
        .bind(todo.description.as_str())
        .bind(todo.done)
        .bind(todo.created)
        .bind(todo.updated)
        .bind(todo.version)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(super) async fn replace(&self, todo: &Todo, seen: i64) -> Result<bool, StoreError> {
        let result = sqlx::query(
            "UPDATE todo SET description = ?, done = ?, updated = ?, version = ? WHERE id = ? AND version = ?",
        )
        .bind(todo.description.as_str())
        .bind(todo.done)
        .bind(todo.updated)
        .bind(todo.version)
        .bind(key(todo.id))
        .bind(seen)
        .execute(&self.pool)
        .await?;
        Ok(result.rows_affected() == 1)
    }

    pub(super) async fn remove(&self, id: Uuid, seen: i64) -> Result<bool, StoreError> {
        let result = sqlx::query("DELETE FROM todo WHERE id = ? AND version = ?")
            .bind(key(id))
            .bind(seen)
            .execute(&self.pool)
            .await?;
        Ok(result.rows_affected() == 1)
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM todo LIMIT 1").fetch_optional(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// The canonical text of an id: it sorts like the id itself.
fn key(id: Uuid) -> String {
    id.hyphenated().to_string()
}

/// Every connection to `:memory:` is a database of its own, so there is one and it is never given up.
async fn in_memory() -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
    let pool =
        SqlitePoolOptions::new().min_connections(1).max_connections(1).idle_timeout(None).max_lifetime(None);
    pool.acquire_timeout(PATIENCE).connect_with(options).await
}

async fn in_file(file: &Path) -> Result<Result<SqlitePool, sqlx::Error>, OpenError> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |source| OpenError::Folder { folder: folder.display().to_string(), source };
        tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    }
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An answered change must survive a power cut; to-do lists are not written often enough to mind.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .foreign_keys(true);
    Ok(SqlitePoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect_with(options).await)
}

impl TryFrom<Row> for Todo {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: Uuid::try_parse(&row.id).map_err(StoreError::Corrupt)?,
            owner: Owner { realm: Realm::stored(row.realm), subject: Subject::stored(row.subject) },
            description: Description::stored(row.description),
            done: row.done,
            created: row.created,
            updated: row.updated,
            version: row.version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PostgresSettings, Store, contract};
    use super::*;
    use sqlx::Row as _;

    async fn open(database: &str) -> Result<Store, OpenError> {
        Store::open(database, &PostgresSettings::default()).await
    }

    fn address(folder: &tempfile::TempDir) -> String {
        format!("sqlite:{}", folder.path().join("new/folder/todo.db").display())
    }

    #[tokio::test]
    async fn sqlite_in_memory_keeps_the_contract() {
        contract::holds(async || open("sqlite::memory:").await.expect("opens")).await;
    }

    #[tokio::test]
    async fn sqlite_in_a_file_keeps_the_contract() {
        let folder = tempfile::tempdir().expect("a folder");
        let fresh = async || {
            let file = folder.path().join(format!("{}.db", Uuid::new_v4()));
            open(&format!("sqlite:{}", file.display())).await.expect("opens")
        };
        contract::holds(fresh).await;
    }

    #[tokio::test]
    async fn items_survive_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let todo = contract::todo("realm", "alice", 1);
        let first = open(&address(&folder)).await.expect("opens");
        first.insert(&todo).await.expect("inserted");
        first.close().await;
        let second = open(&address(&folder)).await.expect("opens again");
        assert_eq!(second.get(&contract::own(&todo), todo.id).await.expect("read"), Some(todo));
    }

    #[tokio::test]
    async fn a_file_is_opened_with_the_settings_that_keep_data_safe() {
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = Sqlite::open(&address(&folder)).await.expect("opens");
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&sqlite.pool).await.expect("read");
        let keys: i64 =
            sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&sqlite.pool).await.expect("read");
        let busy: i64 =
            sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&sqlite.pool).await.expect("read");
        assert_eq!((mode.as_str(), keys, busy), ("wal", 1, 5000));
    }

    #[tokio::test]
    async fn a_list_is_read_through_an_index() {
        let sqlite = Sqlite::open("sqlite::memory:").await.expect("opens");
        for (query, index) in [
            (
                "EXPLAIN QUERY PLAN SELECT * FROM todo WHERE realm = 'r' AND subject = 's' AND id > '' ORDER BY id LIMIT 5",
                "todo_by_owner",
            ),
            (
                "EXPLAIN QUERY PLAN SELECT * FROM todo WHERE realm = 'r' AND id > '' ORDER BY id LIMIT 5",
                "todo_by_realm",
            ),
        ] {
            let plan: Vec<String> = sqlx::query(query)
                .fetch_all(&sqlite.pool)
                .await
                .expect("explained")
                .iter()
                .map(|row| row.get("detail"))
                .collect();
            assert!(plan.len() == 1 && plan[0].contains(index), "{plan:?}");
        }
    }

    #[tokio::test]
    async fn addresses_of_other_databases_are_refused() {
        for bad in ["", "sqlite:", "postgres://localhost/todo", "var/todo.db"] {
            assert!(matches!(Sqlite::open(bad).await, Err(OpenError::Address { .. })), "{bad:?}");
        }
    }
}
