//! Opens the database, or says what is wrong with it and what to do. Never deletes or overwrites anything.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, Error, ReadableDatabase, StorageBackend, TableError};

use super::tables::{ABOUT, Tables};

/// The tables as this gateway knows them. A gateway that needs other tables counts one up.
const FORMAT: u64 = 1;

/// Memory for pages of the file. Sessions in use are kept warm elsewhere.
const CACHE: usize = 32 * 1024 * 1024;

/// Why the file cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nowhere to make the file.
    #[error(
        "the session database {} cannot be made: there is no folder {}; create it or name another",
        path.display(), folder.display()
    )]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// What is missing.
        folder: PathBuf,
    },
    /// A folder or a device.
    #[error("the session database {} is not a file; name a file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// The system does not let this user.
    #[error(
        "the session database {} may not be read and written by the gateway's user; let it own the file and write to \
         the folder",
        path.display()
    )]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// Nobody may write there.
    #[error("the session database {} is on a read-only volume; name a file on a writable one", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Nothing can be added.
    #[error("the session database {} cannot be written: the disk is full; make room", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it.
    #[error(
        "the session database {} is in use by another gateway; stop that one, or give each its own file (gateways that \
         share sessions need Redis)",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{} is not a session database; name another file, which the gateway will make", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// This gateway is too old for it.
    #[error(
        "the session database {} has format {found} and this gateway knows {FORMAT}; run the newer gateway, or name \
         another file",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It was changed by something else than a gateway, or the disk is failing.
    #[error(
        "the session database {} is damaged ({what}); check the disk, then restore the file from a backup, or move it \
         away: the gateway makes a new one and everybody signs in again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was noticed.
        what: String,
    },
    /// Anything else that the system reports.
    #[error("the session database {} cannot be opened: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Opens the database of that path; makes the file if `may_create`, for this user only.
pub(super) fn open(path: &Path, may_create: bool) -> Result<Database, OpenError> {
    let backend = backend(path, may_create).map_err(|error| of_io(path, error))?;
    database(path, backend)
}

/// The folder that the file is in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file, locked by nobody yet.
pub(super) fn backend(path: &Path, may_create: bool) -> io::Result<FileBackend> {
    let is_new = may_create && !path.exists();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(may_create);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::IsADirectory.into());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A file that an operator made beforehand may be open to others. What is in it is sealed; this is a second wall.
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        if is_new {
            // The name of a new file survives a power cut only with its folder.
            fs::File::open(folder(path))?.sync_all()?;
        }
    }
    #[cfg(not(unix))]
    let _ = is_new;
    if may_create {
        forget_unfinished(&file)?;
    } else if file.metadata()?.len() == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    FileBackend::new(file).map_err(io::Error::other)
}

/// Makes a file empty again whose making was cut off before anything was ever stored in it: it is small, its head
/// lacks the mark that is written last, and there is nothing but zeros behind the head.
fn forget_unfinished(mut file: &fs::File) -> io::Result<()> {
    const LARGEST: u64 = 1024 * 1024;
    const SMALLEST: u64 = 4096;
    const MARK: usize = 9;
    const HEAD: usize = 512;
    if !(SMALLEST..=LARGEST).contains(&file.metadata()?.len()) || file.try_lock().is_err() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    let is_unfinished =
        |bytes: &[u8]| bytes.iter().take(MARK).chain(bytes.iter().skip(HEAD)).all(|byte| *byte == 0);
    let done = match read {
        Ok(_) if is_unfinished(&bytes) => file.set_len(0),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    file.unlock()?;
    done
}

/// The database in those bytes, every page of it verified.
pub(super) fn database(path: &Path, backend: impl StorageBackend) -> Result<Database, OpenError> {
    // A file that was changed by something else may make the library panic instead of complain.
    let opened = catch_unwind(AssertUnwindSafe(|| -> Result<_, Error> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
        let database = builder.create_with_backend(backend)?;
        let found = format(&database)?;
        Ok((database, found))
    }));
    match opened {
        Ok(Ok((database, Some(FORMAT)))) => Ok(database),
        Ok(Ok((_, Some(found)))) => Err(OpenError::Newer { path: path.into(), found }),
        Ok(Ok((_, None))) => Err(OpenError::Foreign { path: path.into() }),
        Ok(Err(error)) => Err(of_database(path, error)),
        Err(_) => {
            Err(OpenError::Damaged { path: path.into(), what: "its pages contradict each other".into() })
        }
    }
}

/// The format that the file says it has; writes ours and makes the tables where there are none at all.
fn format(database: &Database) -> Result<Option<u64>, Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(ABOUT) {
        Ok(about) => return Ok(about.get("format")?.map(|format| format.value())),
        Err(TableError::TableDoesNotExist(_)) => {}
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    }
    if transaction.list_tables()?.next().is_some() || transaction.list_multimap_tables()?.next().is_some() {
        return Ok(None);
    }
    drop(transaction);
    let transaction = database.begin_write()?;
    transaction.open_table(ABOUT)?.insert("format", FORMAT)?;
    Tables::of(&transaction)?;
    transaction.commit()?;
    Ok(Some(FORMAT))
}

pub(super) fn of_io(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound => OpenError::NoFolder { folder: folder(&path).to_owned(), path },
        ErrorKind::IsADirectory => OpenError::NotAFile { path },
        ErrorKind::PermissionDenied => OpenError::Denied { path },
        ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            OpenError::Full { path }
        }
        // What the library says of a file that does not begin as its own do.
        ErrorKind::InvalidData => OpenError::Foreign { path },
        // The file is shorter than it says of itself.
        ErrorKind::UnexpectedEof => OpenError::Damaged { path, what: "it ends too early".into() },
        _ => OpenError::Io { path, source },
    }
}

fn of_database(path: &Path, error: Error) -> OpenError {
    let path = path.to_owned();
    match error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => OpenError::InUse { path },
        Error::Io(error) => of_io(&path, error),
        Error::UpgradeRequired(_) => OpenError::Foreign { path },
        error => OpenError::Damaged { path, what: error.to_string() },
    }
}
