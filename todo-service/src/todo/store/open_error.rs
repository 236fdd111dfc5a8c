//! Why a database cannot be used, each in one line that names it and the fix. Knows nothing of how that was found out.

use super::postgres::Trouble;
use crate::secret::SecretError;

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The setting does not name a database that this service can use.
    #[error("database = {database:?} {why}")]
    Address {
        /// The setting.
        database: String,
        /// What is wrong with it, and what to write.
        why: String,
    },
    /// A setting makes no sense.
    #[error("postgres.{key} {why}")]
    Setting {
        /// The key in the table `[postgres]`.
        key: &'static str,
        /// What is wrong with it, and what to write.
        why: &'static str,
    },
    /// A secret cannot be had.
    #[error("{key}: {source}")]
    Secret {
        /// The key in full.
        key: &'static str,
        /// What is missing.
        source: SecretError,
    },
    /// The folder for the database file could not be made.
    #[error(
        "the folder {folder} for the database cannot be made; make it, or name another file as `database`"
    )]
    Folder {
        /// The folder.
        folder: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database file does not open.
    #[error(
        "the database file {file} does not open; its folder must be writable and the file an SQLite database"
    )]
    File {
        /// The file.
        file: String,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// The server, or what it has, cannot be used just now.
    #[error("PostgreSQL at {place} {trouble}")]
    Away {
        /// Server and database.
        place: String,
        /// What is wrong, and what to do about it.
        trouble: Trouble,
        /// What was heard from it.
        source: sqlx::Error,
    },
    /// The tables are older than the program, and it was told not to migrate.
    #[error(
        "PostgreSQL at {place} lacks {missing} migration(s); run `todo-service migrate` as the owner of the tables"
    )]
    NotMigrated {
        /// Server and database.
        place: String,
        /// How many migrations are to be made.
        missing: usize,
    },
    /// The tables are newer than the program.
    #[error(
        "the database {place} is newer than this program: it has migration {version}, the program knows them up to {known}; \
         use the program that made it, or a newer one"
    )]
    Newer {
        /// Server and database, or the file.
        place: String,
        /// The migration that is not known.
        version: i64,
        /// The last one that is.
        known: i64,
    },
    /// A migration was made that is not quite the one that the program knows.
    #[error(
        "the database {place} was made by another program: its migration {version} is not this program's; use the right database"
    )]
    Changed {
        /// Server and database, or the file.
        place: String,
        /// The migration.
        version: i64,
    },
    /// The tables could not be brought up to date.
    #[error("the database cannot be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

impl OpenError {
    /// Whether it can get better without a change of program or settings.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::NotMigrated { .. } | Self::Migrate(_))
    }

    /// For answers that everybody may read.
    pub(super) fn in_public(&self) -> &'static str {
        match self {
            Self::Away { trouble: Trouble::Unreachable, .. } => "the database cannot be reached",
            Self::Away { trouble: Trouble::Starting, .. } => "the database is starting or stopping",
            Self::NotMigrated { .. } => "the database is not migrated yet",
            Self::Newer { .. } | Self::Changed { .. } => "the database is another program's",
            _ => "the database cannot be used; the log says why",
        }
    }
}
