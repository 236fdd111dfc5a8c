//! A change on its way: what is to be done, and who waits for the outcome.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use redb::StorageError;
use tokio::sync::oneshot;

use crate::session::store::backend::StoreError;

use super::super::change::Change;
use super::super::tables::Tables;

/// Why several changes failed together.
#[derive(Clone, Debug)]
pub(super) struct Cause(Arc<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for Cause {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The form in which it is handed out: an error for each who waits, though there is but one.
#[derive(Debug)]
struct Shown(Cause);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shown {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.0.source()
    }
}

/// Any change, whatever its outcome is.
pub(super) trait Job: Send {
    /// As in [`Change::adds`].
    fn adds(&self) -> Option<u64>;

    /// Goes on. Not to be called again once it is finished.
    fn step(&mut self, tables: &mut Tables<'_>, until: Instant) -> Result<(), StorageError>;

    /// After its last step is durable: tells the outcome, or gives the job back if there is none yet.
    fn finish(self: Box<Self>) -> Option<Box<dyn Job>>;

    /// Tells that it cannot be done.
    fn fail(self: Box<Self>, cause: &Cause);
}

pub(super) struct Pending<C: Change> {
    change: C,
    outcome: Option<C::Outcome>,
    waits: oneshot::Sender<Result<C::Outcome, StoreError>>,
}

impl<C: Change> Pending<C> {
    pub(super) fn new(change: C, waits: oneshot::Sender<Result<C::Outcome, StoreError>>) -> Self {
        Self { change, outcome: None, waits }
    }
}

impl<C: Change> Job for Pending<C> {
    fn adds(&self) -> Option<u64> {
        self.change.adds()
    }

    fn step(&mut self, tables: &mut Tables<'_>, until: Instant) -> Result<(), StorageError> {
        self.outcome = self.change.step(tables, until)?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Job>> {
        let Some(outcome) = self.outcome.take() else { return Some(self) };
        // Whoever asked may have gone away; it is done all the same.
        let _ = self.waits.send(Ok(outcome));
        None
    }

    fn fail(self: Box<Self>, cause: &Cause) {
        let _ = self.waits.send(Err(StoreError::Unwritable(Box::new(Shown(cause.clone())))));
    }
}
