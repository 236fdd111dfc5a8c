//! Which sessions there are, and whose, where memory is all there is: what other places know by their indexes.
//! Touched when sessions begin and end and by operators, never by ordinary requests.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::session::SessionKey;
use crate::session::vault::Purpose;

use super::backend::IndexKey;

/// All sessions, and the way to them from what they share.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    entries: Mutex<Entries>,
}

/// Each session stands once in the first set, and in the second if its provider named the sign-in.
#[derive(Debug, Default)]
struct Entries {
    by_person: BTreeSet<(Short, SessionKey)>,
    by_provider_session: BTreeSet<(Short, SessionKey)>,
}

/// Half of an index: 128 bits of a keyed hash are nobody else's either, and there are a million of them.
type Short = [u8; 16];

fn short(index: IndexKey) -> Short {
    *index.0.first_chunk().expect("an index is longer")
}

impl Catalog {
    pub(super) fn insert(&self, key: SessionKey, person: IndexKey, provider_session: Option<IndexKey>) {
        let mut entries = self.lock();
        entries.by_person.insert((short(person), key));
        if let Some(index) = provider_session {
            entries.by_provider_session.insert((short(index), key));
        }
    }

    pub(super) fn remove(&self, key: SessionKey, person: IndexKey, provider_session: Option<IndexKey>) {
        let mut entries = self.lock();
        entries.by_person.remove(&(short(person), key));
        if let Some(index) = provider_session {
            entries.by_provider_session.remove(&(short(index), key));
        }
    }

    /// The sessions that share something.
    pub(super) fn of(&self, purpose: Purpose, index: IndexKey) -> Vec<SessionKey> {
        let entries = self.lock();
        let set = match purpose {
            Purpose::Subject => &entries.by_person,
            Purpose::ProviderSession => &entries.by_provider_session,
        };
        let [first, last] = [[0; 32], [0xff; 32]].map(|key| (short(index), SessionKey::from_bytes(key)));
        set.range(first..=last).map(|(_, key)| *key).collect()
    }

    /// At most `limit` sessions behind that one, and the last of them if there may be more.
    pub(super) fn page(&self, from: Option<Place>, limit: usize) -> (Vec<SessionKey>, Option<Place>) {
        let start = from.map_or(Bound::Unbounded, |place| Bound::Excluded((place.0, place.1)));
        let entries = self.lock();
        let page: Vec<_> = entries.by_person.range((start, Bound::Unbounded)).take(limit).copied().collect();
        let next = page.last().filter(|_| page.len() == limit).map(|(index, key)| Place(*index, *key));
        (page.into_iter().map(|(_, key)| key).collect(), next)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().by_person.len()
    }

    /// Nothing in here panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a page of the listing ended. Stays a place when that session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(Short, SessionKey);

impl Place {
    /// Opaque text for whoever asks for the next page.
    pub(super) fn to_text(self) -> String {
        format!("{}.{}", crate::hex::encode(&self.0), self.1.to_text())
    }

    /// Reads what [`Self::to_text`] wrote.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (index, key) = text.split_once('.')?;
        let index = crate::hex::decode(index)?.try_into().ok()?;
        Some(Self(index, SessionKey::from_text(key)?))
    }
}
