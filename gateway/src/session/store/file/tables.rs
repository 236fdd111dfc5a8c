//! The tables of the file, and what has to change in all of them together. It knows neither threads nor commits.

use redb::{
    Error, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata, StorageError, Table,
    TableDefinition, WriteTransaction,
};

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::session::store::backend::{IndexKey, Listed, StoreError, Stored};

use super::record::{self, Record};

type Key = &'static [u8; 32];
/// When the session was used last, and when to look whether it is over.
type Times = (i64, i64);

/// What the file is: `format` alone, so far.
pub(super) const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("about");
const SESSIONS: TableDefinition<Key, &[u8]> = TableDefinition::new("sessions");
const TIMES: TableDefinition<Key, Times> = TableDefinition::new("times");
/// Sessions by subject and by session at the provider.
const INDEX: TableDefinition<(Key, Key), ()> = TableDefinition::new("index");
/// Sessions by the time at which to look whether they are over. A use does not move them: who looks does.
const DUE: TableDefinition<(i64, Key), ()> = TableDefinition::new("due");

const LOWEST: [u8; 32] = [0; 32];
const HIGHEST: [u8; 32] = [0xff; 32];

/// The tables as they were at one moment.
pub(super) struct Snapshot {
    sessions: ReadOnlyTable<Key, &'static [u8]>,
    times: ReadOnlyTable<Key, Times>,
    index: ReadOnlyTable<(Key, Key), ()>,
}

impl Snapshot {
    pub(super) fn of(transaction: &ReadTransaction) -> Result<Self, Error> {
        Ok(Self {
            sessions: transaction.open_table(SESSIONS)?,
            times: transaction.open_table(TIMES)?,
            index: transaction.open_table(INDEX)?,
        })
    }

    /// The session of that key, unless no gateway wrote it.
    pub(super) fn load(&self, key: SessionKey) -> Result<Option<Result<Stored, StoreError>>, Error> {
        let Some(bytes) = self.sessions.get(key.as_bytes())? else { return Ok(None) };
        let last_used = last_used(&self.times, key)?;
        let stored =
            Record::decode(bytes.value()).zip(last_used).map(|(record, last_used)| record.stored(last_used));
        Ok(Some(stored.ok_or(StoreError::Foreign("a session's record"))))
    }

    /// The line of that session, if it is there and can be read.
    pub(super) fn listed(&self, key: SessionKey) -> Result<Option<Listed>, Error> {
        let Some(bytes) = self.sessions.get(key.as_bytes())? else { return Ok(None) };
        Ok(line(key, bytes.value(), last_used(&self.times, key)?))
    }

    pub(super) fn of_index(&self, index: IndexKey) -> Result<Vec<SessionKey>, Error> {
        let entries = self.index.range((&index.0, &LOWEST)..=(&index.0, &HIGHEST))?;
        let keys = entries.map(|entry| Ok(SessionKey::from_bytes(*entry?.0.value().1)));
        keys.collect()
    }

    /// Up to `limit` keys after that one, and whether there are more.
    pub(super) fn keys_after(
        &self,
        after: Option<SessionKey>,
        limit: usize,
    ) -> Result<(Vec<SessionKey>, bool), Error> {
        use std::ops::Bound;
        let from = after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_bytes()));
        let mut entries = self.sessions.range::<&[u8; 32]>((from, Bound::Unbounded))?;
        let mut keys = Vec::with_capacity(limit);
        for entry in entries.by_ref().take(limit) {
            keys.push(SessionKey::from_bytes(*entry?.0.value()));
        }
        Ok((keys, entries.next().transpose()?.is_some()))
    }

    pub(super) fn count(&self) -> Result<u64, Error> {
        Ok(self.sessions.len()?)
    }
}

/// The tables of one write transaction.
pub(super) struct Tables<'t> {
    sessions: Table<'t, Key, &'static [u8]>,
    times: Table<'t, Key, Times>,
    index: Table<'t, (Key, Key), ()>,
    due: Table<'t, (i64, Key), ()>,
}

impl<'t> Tables<'t> {
    /// Opens the tables; makes those that are missing.
    pub(super) fn of(transaction: &'t WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            sessions: transaction.open_table(SESSIONS)?,
            times: transaction.open_table(TIMES)?,
            index: transaction.open_table(INDEX)?,
            due: transaction.open_table(DUE)?,
        })
    }

    /// Keeps the session, in the place of whatever had its key.
    pub(super) fn put(&mut self, key: SessionKey, stored: &Stored) -> Result<(), StorageError> {
        self.remove(key)?;
        self.write(key, stored, stored.last_used)
    }

    /// Keeps `stored` if it is the next version of what is there.
    pub(super) fn replace(&mut self, key: SessionKey, stored: &Stored) -> Result<bool, StorageError> {
        let found = self.sessions.get(key.as_bytes())?;
        let is_next = found
            .and_then(|bytes| Record::decode(bytes.value()).map(|record| record.version))
            .is_some_and(|version| version.checked_add(1) == Some(stored.version));
        if !is_next {
            return Ok(false);
        }
        let before = last_used(&self.times, key)?.unwrap_or(stored.last_used);
        self.remove(key)?;
        self.write(key, stored, before.max(stored.last_used))?;
        Ok(true)
    }

    /// Notes a use of a session that is there. Only the small table changes.
    pub(super) fn touch(&mut self, key: SessionKey, used: Timestamp) -> Result<(), StorageError> {
        let times = self.times.get(key.as_bytes())?.map(|times| times.value());
        if let Some((before, due)) = times
            && before < used.0
        {
            self.times.insert(key.as_bytes(), (used.0, due))?;
        }
        Ok(())
    }

    /// Removes a session from every table. Returns whether it was there.
    pub(super) fn remove(&mut self, key: SessionKey) -> Result<bool, StorageError> {
        let times = self.times.remove(key.as_bytes())?.map(|times| times.value());
        if let Some((_, due)) = times {
            self.due.remove((due, key.as_bytes()))?;
        }
        let Some(bytes) = self.sessions.remove(key.as_bytes())? else { return Ok(false) };
        // What no gateway wrote has no entries that could be known.
        for index in Record::decode(bytes.value()).iter().flat_map(Record::indexes) {
            self.index.remove((&index.0, key.as_bytes()))?;
        }
        Ok(true)
    }

    /// Up to `limit` sessions to look at by `now`, those that have waited longest first.
    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionKey>, StorageError> {
        let entries = self.due.range(..=(now.0, &HIGHEST))?.take(limit);
        entries.map(|entry| Ok(SessionKey::from_bytes(*entry?.0.value().1))).collect()
    }

    /// Removes a session that is over by `now` and returns its line; puts one that is not where it is due.
    pub(super) fn settle(&mut self, key: SessionKey, now: Timestamp) -> Result<Option<Listed>, StorageError> {
        let last_used = last_used(&self.times, key)?;
        let line = match self.sessions.get(key.as_bytes())? {
            Some(bytes) => line(key, bytes.value(), last_used),
            None => None,
        };
        match line {
            Some(line) if line.end > now => {
                self.schedule(key, line.last_used, line.end)?;
                Ok(None)
            }
            // One that nobody can read is over as well.
            line => {
                self.remove(key)?;
                Ok(line)
            }
        }
    }

    fn write(&mut self, key: SessionKey, stored: &Stored, last_used: Timestamp) -> Result<(), StorageError> {
        let bytes = record::encode(stored);
        self.sessions.insert(key.as_bytes(), bytes.as_slice())?;
        for index in [Some(stored.subject), stored.provider_session].iter().flatten() {
            self.index.insert((&index.0, key.as_bytes()), ())?;
        }
        self.schedule(key, last_used, last_used.plus(stored.idle).min(stored.absolute_end))
    }

    fn schedule(
        &mut self,
        key: SessionKey,
        last_used: Timestamp,
        due: Timestamp,
    ) -> Result<(), StorageError> {
        let before = self.times.insert(key.as_bytes(), (last_used.0, due.0))?.map(|times| times.value());
        if let Some((_, before)) = before {
            self.due.remove((before, key.as_bytes()))?;
        }
        self.due.insert((due.0, key.as_bytes()), ())?;
        Ok(())
    }
}

fn last_used(
    times: &impl ReadableTable<Key, Times>,
    key: SessionKey,
) -> Result<Option<Timestamp>, StorageError> {
    Ok(times.get(key.as_bytes())?.map(|times| Timestamp(times.value().0)))
}

fn line(key: SessionKey, bytes: &[u8], last_used: Option<Timestamp>) -> Option<Listed> {
    let (record, last_used) = Record::decode(bytes).zip(last_used)?;
    Some(Listed { key, summary: record.summary.to_vec(), last_used, end: record.end(last_used) })
}
