//! The folder of an ACME account: its key, the certificate and its key, and the lock that lets one gateway at a time order.
//! Everything in it is for its owner alone, and is replaced whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::hash;
use crate::hex;
use crate::secret::Secret;
use crate::tls::Source;

use super::Settings;

pub(super) struct Files {
    folder: PathBuf,
    account: PathBuf,
}

/// Held while a certificate is ordered.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Nothing if somebody else holds it.
    pub(super) fn take(files: &Files) -> io::Result<Option<Self>> {
        let file = private().truncate(false).open(files.folder.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Files {
    /// An account belongs to one authority: another directory has another account.
    pub(super) fn new(settings: &Settings) -> Self {
        let authority = hex::encode(&hash::sha256(settings.directory.as_bytes())[..8]);
        Self {
            account: settings.account.join(format!("account-{authority}.json")),
            folder: settings.account.clone(),
        }
    }

    /// Makes the folder, if need be.
    pub(super) fn prepare(&self) -> io::Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder.create(&self.folder)
    }

    /// What is known of the account.
    pub(super) fn account(&self) -> io::Result<Option<Secret<Vec<u8>>>> {
        match fs::read(&self.account) {
            Ok(bytes) => Ok(Some(Secret::new(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn keep_account(&self, opened: &Secret<String>) -> io::Result<()> {
        write(&self.account, opened.expose())
    }

    /// The key first: whoever reads between the two finds that they do not fit, and looks again.
    pub(super) fn keep(source: &Source, chain: &str, key: &Secret<String>) -> io::Result<()> {
        write(&source.key, key.expose())?;
        write(&source.certificate, chain)
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    // What was left by a process that was killed may be anybody's to read.
    let _ = fs::remove_file(&new);
    let mut file = private().truncate(true).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::acme::Challenge;

    fn files() -> (tempfile::TempDir, Files, Source) {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            directory: "https://ca.example/directory".into(),
            contact: Vec::new(),
            account: folder.path().join("acme"),
            challenge: Challenge::Http01,
            domains: Vec::new(),
            ca: None,
        };
        let files = Files::new(&settings);
        files.prepare().expect("a folder");
        (folder, files, settings.source())
    }

    #[cfg(unix)]
    #[test]
    fn what_is_kept_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, files, source) = files();
        assert!(files.account().expect("readable").is_none());
        files.keep_account(&Secret::new("{}".to_owned())).expect("kept");
        Files::keep(&source, "chain", &Secret::new("key".to_owned())).expect("kept");
        Files::keep(&source, "chain 2", &Secret::new("key 2".to_owned())).expect("kept");
        for path in [&files.account, &source.certificate, &source.key] {
            assert_eq!(fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600, "{path:?}");
        }
        assert_eq!(fs::read_to_string(&source.certificate).expect("a file"), "chain 2");
        assert!(files.account().expect("readable").is_some());
    }

    #[test]
    fn one_at_a_time_holds_the_lock() {
        let (_folder, files, _) = files();
        let first = Lock::take(&files).expect("a lock");
        assert!(first.is_some() && Lock::take(&files).expect("a file").is_none());
        drop(first);
        assert!(Lock::take(&files).expect("a lock").is_some());
    }
}
