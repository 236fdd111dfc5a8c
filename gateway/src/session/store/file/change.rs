//! The changes that the file can be asked for, each able to stop in the middle so that none keeps the others waiting.

use std::time::Instant;

use redb::StorageError;

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::session::store::backend::{Listed, Stored};

use super::tables::Tables;

/// How many sessions are settled between two looks at the clock.
const FEW: usize = 16;

/// Something to be changed. What a step did is durable before anybody is told its outcome.
pub(super) trait Change: Send + 'static {
    /// What whoever asked is told.
    type Outcome: Send;

    /// How many bytes it adds, if it adds any. Changes that add none are tried on a full disk, too: it is how sessions
    /// are ended there.
    fn adds(&self) -> Option<u64> {
        None
    }

    /// Goes on until it is done, which gives the outcome, or until about then. Does something each time.
    fn step(
        &mut self,
        tables: &mut Tables<'_>,
        until: Instant,
    ) -> Result<Option<Self::Outcome>, StorageError>;
}

pub(super) struct Create {
    pub(super) key: SessionKey,
    pub(super) stored: Stored,
}

impl Change for Create {
    type Outcome = ();

    fn adds(&self) -> Option<u64> {
        Some(size(&self.stored))
    }

    fn step(&mut self, tables: &mut Tables<'_>, _: Instant) -> Result<Option<()>, StorageError> {
        tables.put(self.key, &self.stored).map(Some)
    }
}

pub(super) struct Replace {
    pub(super) key: SessionKey,
    pub(super) stored: Stored,
}

impl Change for Replace {
    type Outcome = bool;

    fn adds(&self) -> Option<u64> {
        Some(size(&self.stored))
    }

    fn step(&mut self, tables: &mut Tables<'_>, _: Instant) -> Result<Option<bool>, StorageError> {
        tables.replace(self.key, &self.stored).map(Some)
    }
}

pub(super) struct Touch {
    /// Taken from the end.
    pub(super) uses: Vec<(SessionKey, Timestamp)>,
}

impl Change for Touch {
    type Outcome = ();

    fn adds(&self) -> Option<u64> {
        Some(0)
    }

    fn step(&mut self, tables: &mut Tables<'_>, until: Instant) -> Result<Option<()>, StorageError> {
        while let Some((key, used)) = self.uses.pop() {
            tables.touch(key, used)?;
            if Instant::now() >= until {
                break;
            }
        }
        Ok(self.uses.is_empty().then_some(()))
    }
}

pub(super) struct End {
    /// Taken from the end.
    pub(super) keys: Vec<SessionKey>,
    pub(super) ended: Vec<SessionKey>,
}

impl Change for End {
    type Outcome = Vec<SessionKey>;

    fn step(
        &mut self,
        tables: &mut Tables<'_>,
        until: Instant,
    ) -> Result<Option<Vec<SessionKey>>, StorageError> {
        while let Some(key) = self.keys.pop() {
            if tables.remove(key)? {
                self.ended.push(key);
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(self.keys.is_empty().then(|| std::mem::take(&mut self.ended)))
    }
}

pub(super) struct Expire {
    pub(super) now: Timestamp,
    pub(super) max: usize,
    pub(super) found: Vec<Listed>,
}

impl Change for Expire {
    type Outcome = Vec<Listed>;

    fn step(&mut self, tables: &mut Tables<'_>, until: Instant) -> Result<Option<Vec<Listed>>, StorageError> {
        loop {
            let room = self.max.saturating_sub(self.found.len());
            let due = tables.due(self.now, room.min(FEW))?;
            if due.is_empty() {
                return Ok(Some(std::mem::take(&mut self.found)));
            }
            for key in due {
                self.found.extend(tables.settle(key, self.now)?);
            }
            if Instant::now() >= until {
                return Ok(None);
            }
        }
    }
}

fn size(stored: &Stored) -> u64 {
    (stored.body.len() + stored.summary.len()) as u64
}
