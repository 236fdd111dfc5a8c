//! Whether the tables are those that this program knows, and bringing them there. One program at a time: sqlx takes an
//! advisory lock of the database for it, and a program that comes second finds the work done.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection};

use super::connector::{Connector, PATIENCE};
use super::trouble::has_code;
use crate::todo::store::OpenError;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const UNDEFINED_TABLE: &str = "42P01";

/// How the tables stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    /// This many migrations are still to be made.
    Behind(usize),
}

/// Looks, and changes nothing. Tables that are newer than the program are an error: it would not know what it spoils.
pub(super) async fn look(
    connector: &Connector,
    connection: &mut PgConnection,
) -> Result<Standing, OpenError> {
    let read =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version");
    let applied: Vec<(i64, Vec<u8>)> = match read.fetch_all(connection).await {
        Ok(applied) => applied,
        Err(error) if has_code(&error, UNDEFINED_TABLE) => Vec::new(),
        Err(error) => return Err(connector.away(error)),
    };
    for (version, checksum) in &applied {
        match MIGRATIONS.iter().find(|known| known.version == *version) {
            None => return Err(newer(connector, *version)),
            Some(known) if known.checksum[..] != checksum[..] => {
                return Err(OpenError::Changed { place: connector.address.to_string(), version: *version });
            }
            Some(_) => {}
        }
    }
    let missing = MIGRATIONS.iter().count() - applied.len();
    Ok(if missing == 0 { Standing::Current } else { Standing::Behind(missing) })
}

/// Brings the tables up to date and lets the service's own role use them.
pub(super) async fn migrate(connector: &Connector) -> Result<(), OpenError> {
    let options = connector.for_migrations()?;
    // First by hand, because that tells at once what is wrong.
    let _ = connector.connect(&options).await?.close().await;
    // A pool of one, because only through a pool may sqlx migrate in a task of its own.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
    let pool = pool.connect_lazy_with(options);
    let migrated = MIGRATIONS.run(&pool).await;
    let done = match migrated {
        Ok(()) => grant(connector, &pool).await.map_err(|error| connector.away(error)),
        Err(MigrateError::VersionMissing(version)) => Err(newer(connector, version)),
        Err(MigrateError::VersionMismatch(version)) => {
            Err(OpenError::Changed { place: connector.address.to_string(), version })
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(connector.away(error))
        }
        Err(other) => Err(OpenError::Migrate(other)),
    };
    // The lock is the connection's: whatever happened, it ends here.
    pool.close().await;
    done
}

/// What the service needs, and no more: it can neither change nor drop a table, nor pretend that a migration was made.
async fn grant(connector: &Connector, pool: &PgPool) -> Result<(), sqlx::Error> {
    let user = connector.user();
    if connector.settings.owner.as_ref().is_none_or(|owner| owner.user == user) {
        return Ok(());
    }
    // Names cannot be parameters; the server itself puts them into quotes.
    let text: String = sqlx::query_scalar(
        "SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON todo TO %1$I; GRANT SELECT ON _sqlx_migrations TO %1$I', $1::text)",
    )
    .bind(user)
    .fetch_one(pool)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(text)).execute(pool).await?;
    Ok(())
}

fn newer(connector: &Connector, version: i64) -> OpenError {
    let known = MIGRATIONS.iter().map(|known| known.version).max().unwrap_or(0);
    OpenError::Newer { place: connector.address.to_string(), version, known }
}
