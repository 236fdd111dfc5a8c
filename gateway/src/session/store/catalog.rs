//! Which sessions there are, and whose, where memory is all there is: what other places know by their indexes.
//! Touched when sessions begin and end and by operators, never by ordinary requests.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::session::SessionKey;

use super::backend::IndexKey;

/// All sessions, and the way to them from what they share.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    all: BTreeSet<SessionKey>,
    by_index: HashMap<IndexKey, Vec<SessionKey>>,
}

impl Catalog {
    pub(super) fn insert(&self, key: SessionKey, indexes: &[IndexKey]) {
        let mut entries = self.lock();
        entries.all.insert(key);
        for index in indexes {
            entries.by_index.entry(*index).or_default().push(key);
        }
    }

    pub(super) fn remove(&self, key: SessionKey, indexes: &[IndexKey]) {
        let mut entries = self.lock();
        entries.all.remove(&key);
        for index in indexes {
            if let Some(keys) = entries.by_index.get_mut(index) {
                keys.retain(|known| *known != key);
                if keys.is_empty() {
                    entries.by_index.remove(index);
                }
            }
        }
    }

    /// The sessions that share something.
    pub(super) fn of(&self, index: IndexKey) -> Vec<SessionKey> {
        self.lock().by_index.get(&index).cloned().unwrap_or_default()
    }

    /// At most `limit` sessions behind `from`, in the order of their keys.
    pub(super) fn page(&self, from: Option<SessionKey>, limit: usize) -> Vec<SessionKey> {
        let start = from.map_or(Bound::Unbounded, Bound::Excluded);
        self.lock().all.range((start, Bound::Unbounded)).take(limit).copied().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().all.len()
    }

    /// Nothing in here panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
