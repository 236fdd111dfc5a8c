//! Sessions in one file on this machine (redb): they outlive the process, and only one process at a time has them.
//! What it is given is sealed already; it cannot read a session and keeps no clock.
//!
//! Everything that changes something goes through one thread, which makes many waiting changes durable together. Reads
//! go on beside it and see the last durable state. After an error of the disk the file is opened anew in place.

mod change;
mod open;
mod record;
mod room;
mod tables;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use redb::Error;
use tokio::task;

use crate::clock::Timestamp;
use crate::session::SessionKey;

use super::backend::{IndexKey, Listed, Page, StoreError, Stored};
use change::{Change, Create, End, Expire, Replace, Touch};
use tables::Snapshot;
use writer::Shared;

pub use open::OpenError;

/// No page is longer, whatever is asked for.
const LONGEST_PAGE: usize = 1_000;

/// A file of sessions, open in this process alone. Its operations can be awaited on any runtime of tokio; one that is
/// no longer awaited is done nevertheless. When the file is dropped, all that was asked for is finished first.
pub struct File {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl File {
    /// Opens the file of that path, and makes it, readable by this user alone, if there is none. Reads all of it to see
    /// that it is undamaged: about a second for each gigabyte.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let owned = path.to_owned();
        Self::over(path, move |may_create| open::open(&owned, may_create))
    }

    fn over(path: &Path, opener: impl writer::Opener) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared::new(opener(true)?));
        let (theirs, folder) = (Arc::clone(&shared), open::folder(path).to_owned());
        let writer = std::thread::Builder::new()
            .name("session-file".into())
            .spawn(move || writer::run(&theirs, &folder, &opener))
            .map_err(|source| OpenError::Io { path: path.into(), source })?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Keeps a new session. One that has this key already is overwritten, so that a try that failed can be repeated.
    pub async fn create(&self, key: SessionKey, stored: &Stored) -> Result<(), StoreError> {
        self.change(Create { key, stored: stored.clone() }).await
    }

    /// The session of that key, over or not.
    pub async fn load(&self, key: SessionKey) -> Result<Option<Stored>, StoreError> {
        self.read(move |tables| tables.load(key)).await?.transpose()
    }

    /// Keeps `stored` if the session is there in the version before; the later time of use counts.
    pub async fn replace(&self, key: SessionKey, stored: &Stored) -> Result<bool, StoreError> {
        self.change(Replace { key, stored: stored.clone() }).await
    }

    /// Notes uses of sessions that are there. A time before the one known changes nothing.
    pub async fn touch(&self, uses: &[(SessionKey, Timestamp)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        self.change(Touch { uses: uses.to_vec() }).await
    }

    /// Ends sessions. Returns those that were there.
    pub async fn end(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.change(End { keys: keys.to_vec(), ended: Vec::new() }).await
    }

    /// The sessions of that subject or of that session at the provider.
    pub async fn of(&self, index: IndexKey) -> Result<Vec<SessionKey>, StoreError> {
        self.read(move |tables| tables.of_index(index)).await
    }

    /// The lines of those sessions that are there, in the order asked for.
    pub async fn listed(&self, keys: &[SessionKey]) -> Result<Vec<Listed>, StoreError> {
        let keys = keys.to_vec();
        self.read(move |tables| lines(tables, &keys)).await
    }

    /// Part of the list of all sessions: what comes after `cursor`, or the beginning. Nothing for a cursor that no page
    /// gave. Not more than 1,000 lines. A record that no gateway wrote has no line.
    pub async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let after = cursor.map(SessionKey::from_text);
        if after == Some(None) || limit == 0 {
            return Ok(Page::default());
        }
        let limit = limit.min(LONGEST_PAGE);
        self.read(move |tables| {
            let (keys, is_more) = tables.keys_after(after.flatten(), limit)?;
            let next = keys.last().filter(|_| is_more).map(|key| key.to_text());
            Ok(Page { sessions: lines(tables, &keys)?, next })
        })
        .await
    }

    /// Removes up to `max` sessions that are over by `now`, and returns them. Other changes do not wait for it.
    pub async fn expire(&self, now: Timestamp, max: usize) -> Result<Vec<Listed>, StoreError> {
        self.change(Expire { now, max, found: Vec::new() }).await
    }

    /// How many sessions are kept, over or not.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.read(Snapshot::count).await
    }

    /// How often changes were made durable since the file was opened; many of them share one time.
    pub fn commits(&self) -> u64 {
        self.shared.commits()
    }

    async fn change<C: Change>(&self, change: C) -> Result<C::Outcome, StoreError> {
        self.shared.submit(change).await.unwrap_or_else(|_| Err(writer::gone()))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Snapshot) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        // A damaged page may make the library panic; the task keeps that from whoever asked.
        task::spawn_blocking(move || shared.read(&read))
            .await
            .unwrap_or(Err(StoreError::Foreign("a page that contradicts others")))
    }
}

fn lines(tables: &Snapshot, keys: &[SessionKey]) -> Result<Vec<Listed>, Error> {
    keys.iter().filter_map(|key| tables.listed(*key).transpose()).collect()
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[session file]")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(writer) = self.writer.take() {
            // It never panics outside of what it catches; if it did, there is nobody to tell any more.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests;
