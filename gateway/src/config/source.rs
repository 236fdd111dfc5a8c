//! Which files a configuration was read from, and what was in them, so that a later look can tell whether it would be
//! another one now. Knows nothing of what the files mean.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::hash::sha256;

/// Longer files count as if they ended here; no certificate, key or secret comes near.
const LONGEST: u64 = 1024 * 1024;

/// A file as it was at one moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    /// The SHA-256 of what was in it; nothing if it could not be read.
    content: Option<[u8; 32]>,
}

impl Source {
    /// The file as it is now.
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), content: read(path).ok() }
    }

    /// The file, as it was when this was in it.
    pub(super) fn with(path: &Path, content: &[u8]) -> Self {
        let kept = content.len().min(usize::try_from(LONGEST).unwrap_or(usize::MAX));
        Self { path: path.to_owned(), content: Some(sha256(&content[..kept])) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is something else in it now.
    pub fn has_changed(&self) -> bool {
        read(&self.path).ok() != self.content
    }
}

/// No more than the name: even the hash of a short secret would say too much.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.path).finish()
    }
}

fn read(path: &Path) -> io::Result<[u8; 32]> {
    // A pipe or a device would be waited for.
    if !path.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut content = Zeroizing::new(Vec::new());
    File::open(path)?.take(LONGEST).read_to_end(&mut content)?;
    Ok(sha256(&content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_by_what_is_in_the_file_and_not_by_its_date() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.secret");
        let missing = Source::of(&path);
        assert!(!missing.has_changed());
        std::fs::write(&path, "one").expect("written");
        assert!(missing.has_changed());
        let one = Source::of(&path);
        assert_eq!(one, Source::with(&path, b"one"));
        std::fs::write(&path, "one").expect("written");
        assert!(!one.has_changed(), "the same again is no change");
        std::fs::write(&path, "two").expect("written");
        assert!(one.has_changed());
        std::fs::remove_file(&path).expect("removed");
        assert!(one.has_changed());
    }

    #[test]
    fn a_folder_is_no_file_and_the_hash_is_shown_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = Source::of(folder.path());
        assert!(!source.has_changed());
        assert_eq!(format!("{source:?}"), format!("Source({:?})", folder.path()));
    }
}
