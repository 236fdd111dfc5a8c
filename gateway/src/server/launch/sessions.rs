//! From what the configuration says of sessions to the store that keeps them, and the keys that lock it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::SessionSettings;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::session::TokenSpec;
use crate::session::store::file::{File, OpenError};
use crate::session::store::redis::SetupError;
use crate::session::store::{Choice, Settings, Store};
use crate::session::vault::{KeyError, ServerKey, Vault};

/// Why sessions cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// The folder of the database.
    #[error("the folder {} for sessions cannot be made (make it, let the gateway's user write there, or change [session] store)", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The database.
    #[error("sessions cannot be kept in a file")]
    File(#[from] OpenError),
    /// The key that lies beside the database.
    #[error("the key {} that locks the sessions cannot be read or made (let the gateway's user read and write there, or set [session] keys)", .0.display())]
    KeyFile(PathBuf, #[source] io::Error),
    /// What lies there is no key.
    #[error("{} does not hold a key: restore it from a copy, or move it away to begin with a new one, which signs everybody out", .0.display())]
    Key(PathBuf, #[source] KeyError),
    /// The settings of Redis.
    #[error("sessions cannot be kept in Redis")]
    Redis(#[from] SetupError),
}

/// What the store of a generation is to know; of the keys that a gateway made for itself, the same as before.
pub(super) fn settings(
    config: &SessionSettings,
    tokens: &[Arc<TokenSpec>],
    older: Option<&Live>,
    metrics: &Arc<Metrics>,
) -> Result<Settings, SessionsError> {
    let vault = match older {
        Some(older) if config.keys.is_empty() => older.sessions.vault(),
        _ => Arc::new(vault(config)?),
    };
    Ok(Settings {
        lifetimes: config.lifetimes,
        tokens: tokens.to_vec(),
        max_per_person: config.max_per_person,
        vault,
        metrics: Arc::clone(metrics),
    })
}

/// The keys under which sessions are kept. Where nothing leaves this process, they are made for it alone.
fn vault(settings: &SessionSettings) -> Result<Vault, SessionsError> {
    match (settings.keys.split_first(), &settings.store) {
        (Some((first, older)), _) => Ok(Vault::new(first, older)),
        (None, Choice::File(database)) => Ok(Vault::new(&key_beside(database)?, &[])),
        (None, Choice::Memory | Choice::Redis(_)) => Ok(Vault::generate()),
    }
}

/// The store.
pub(super) fn store(choice: Choice, settings: Settings, runtime: &Handle) -> Result<Store, SessionsError> {
    Ok(match choice {
        Choice::Memory => Store::in_memory(settings),
        Choice::File(path) => Store::in_file(settings, File::open(&path)?),
        Choice::Redis(redis) => Store::in_redis(settings, *redis, runtime)?,
    })
}

/// The key of a database that no other gateway uses: made with it, and kept beside it.
fn key_beside(database: &Path) -> Result<ServerKey, SessionsError> {
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| SessionsError::Folder(folder.to_owned(), error))?;
    }
    let path = database.with_extension("key");
    let failed = |error| SessionsError::KeyFile(path.clone(), error);
    match fs::read_to_string(&path) {
        Ok(text) => ServerKey::parse(&text).map_err(|error| SessionsError::Key(path.clone(), error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = ServerKey::generate();
            write_new(&path, key.to_text().expose()).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("var").join("sessions.db");
        let made = key_beside(&database).expect("made");
        assert_eq!(key_beside(&database).expect("found").id(), made.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(database.with_extension("key")).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("sessions.db");
        let path = database.with_extension("key");
        fs::write(&path, "short").expect("written");
        assert!(matches!(key_beside(&database), Err(SessionsError::Key(..))));
        assert_eq!(fs::read_to_string(&path).expect("still there"), "short");
    }
}
