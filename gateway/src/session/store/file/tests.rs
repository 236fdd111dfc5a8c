//! What the file promises, tried on real files in real processes.

mod contract;
#[cfg(unix)]
mod crash;
mod disk;
mod opening;
mod together;

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

/// A folder of its own with a session file in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sessions.db")
    }

    fn open(&self) -> File {
        File::open(&self.path()).expect("the file opens")
    }
}

fn key(number: u64) -> SessionKey {
    let mut bytes = [0x5a; 32];
    // Spread over the whole tree, as hashes are.
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..16].copy_from_slice(&number.to_be_bytes());
    SessionKey::from_bytes(bytes)
}

fn index(number: u8) -> IndexKey {
    IndexKey([number; 32])
}

/// Used last at 1,000, idle for 60 seconds at most, over at 2,000.
fn stored(version: u64) -> Stored {
    Stored {
        version,
        body: format!("body {version}").into_bytes(),
        summary: format!("summary {version}").into_bytes(),
        last_used: Timestamp(1_000),
        idle: Duration::from_secs(60),
        absolute_end: Timestamp(2_000),
        subject: index(1),
        provider_session: Some(index(2)),
    }
}

/// Tries until it is so.
async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
