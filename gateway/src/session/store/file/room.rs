//! How much room the disk has left. Knows nothing of sessions.

use std::io;
use std::path::Path;

/// What is left free for whoever else uses the disk, and for ending sessions when it is nearly full.
const MARGIN: u64 = 4 * 1024 * 1024;

/// Whether `adds` more bytes fit. Asked before anything is written: a write that fails in the middle costs the database
/// a repair. Where the system does not tell, the answer is yes.
pub(super) fn check(folder: &Path, adds: u64) -> io::Result<()> {
    match free(folder) {
        // Each byte may be copied with the page around it, and pages are copied before old ones become free.
        Some(free) if free < adds.saturating_mul(4).saturating_add(MARGIN) => {
            Err(io::Error::new(io::ErrorKind::StorageFull, format!("{free} bytes are free on the disk")))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    // Some network file systems say zero of everything.
    (disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_fits_and_more_than_any_disk_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        check(folder.path(), 100).expect("there is room");
        let refused = check(folder.path(), u64::MAX).map_err(|error| error.kind());
        assert!(if cfg!(unix) { refused == Err(io::ErrorKind::StorageFull) } else { refused.is_ok() });
    }
}
