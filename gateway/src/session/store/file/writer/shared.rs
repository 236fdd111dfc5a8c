//! What the writing thread shares with those who ask: the queue of changes, and the open database.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use redb::{Database, Error, ReadableDatabase};
use tokio::sync::oneshot;

use crate::session::store::backend::StoreError;

use super::super::change::Change;
use super::super::open::OpenError;
use super::super::tables::Snapshot;
use super::job::{Job, Pending};

/// How long a read waits for a file that is being opened anew.
const READ_PATIENCE: Duration = Duration::from_secs(5);

pub(in super::super) struct Shared {
    queue: Mutex<Queue>,
    /// There is something to do.
    work: Condvar,
    /// The database was opened anew, or could not be.
    reopened: Condvar,
    /// Nothing while it cannot be opened. Only the writing thread writes here.
    database: RwLock<Option<Database>>,
    commits: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Box<dyn Job>>,
    closed: bool,
    /// How often the database was opened anew.
    generation: u64,
    /// A reader found that generation of no use.
    doubted: Option<u64>,
}

/// Why the writing thread goes on.
pub(super) enum Woken {
    /// Changes wait.
    Work,
    /// A reader found the database of no use.
    Doubt,
    /// Nothing came for as long as it would wait.
    Timeout,
    /// Nothing waits and nothing will come.
    Close,
}

impl Shared {
    pub(in super::super) fn new(database: Database) -> Self {
        Self {
            queue: Mutex::default(),
            work: Condvar::new(),
            reopened: Condvar::new(),
            database: RwLock::new(Some(database)),
            commits: AtomicU64::new(0),
        }
    }

    /// Queues a change. Its outcome comes when it is durable.
    pub(in super::super) fn submit<C: Change>(
        &self,
        change: C,
    ) -> oneshot::Receiver<Result<C::Outcome, StoreError>> {
        let (waits, outcome) = oneshot::channel();
        self.queue().jobs.push(Box::new(Pending::new(change, waits)));
        self.work.notify_one();
        outcome
    }

    /// Reads the last durable state. Blocks; a database that an error made useless is opened anew first, once.
    pub(in super::super) fn read<T>(
        &self,
        read: &impl Fn(&Snapshot) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let generation = self.queue().generation;
        match self.with_database(|database| read(&Snapshot::of(&database.begin_read()?)?)) {
            Ok(found) => return Ok(found),
            Err(Error::Corrupted(_)) => return Err(StoreError::Foreign("a damaged page")),
            // It could not be opened anew. The writing thread tries again from time to time.
            Err(error @ Error::DatabaseClosed) => return Err(StoreError::Unreachable(Box::new(error))),
            Err(_) => self.wait_for_another(generation),
        }
        self.with_database(|database| read(&Snapshot::of(&database.begin_read()?)?))
            .map_err(|error| StoreError::Unreachable(Box::new(error)))
    }

    pub(super) fn with_database<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let database: RwLockReadGuard<'_, _> = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*database {
            Some(database) => work(database),
            None => Err(Error::DatabaseClosed),
        }
    }

    fn wait_for_another(&self, generation: u64) {
        let mut queue = self.queue();
        if queue.generation == generation {
            queue.doubted = Some(generation);
            self.work.notify_one();
        }
        let is_same = |queue: &mut Queue| queue.generation == generation && !queue.closed;
        drop(self.reopened.wait_timeout_while(queue, READ_PATIENCE, is_same));
    }

    /// Waits for something to do, for as long as `patience` lasts, and takes up what was queued.
    pub(super) fn wait(&self, waiting: &mut VecDeque<Box<dyn Job>>, patience: Option<Duration>) -> Woken {
        let mut queue = self.queue();
        loop {
            waiting.extend(queue.jobs.drain(..));
            if queue.doubted.take() == Some(queue.generation) {
                return Woken::Doubt;
            }
            match (waiting.is_empty(), queue.closed, patience) {
                (false, _, _) => return Woken::Work,
                (true, true, _) => return Woken::Close,
                (true, false, None) => {
                    queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                (true, false, Some(patience)) => {
                    let woken = self.work.wait_timeout(queue, patience);
                    let (now, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
                    queue = now;
                    if timeout.timed_out() {
                        return Woken::Timeout;
                    }
                }
            }
        }
    }

    /// Puts another database in the place of this one, which is closed before the other is opened.
    pub(super) fn replace_database(
        &self,
        open: impl FnOnce() -> Result<Database, OpenError>,
    ) -> Result<(), OpenError> {
        let mut database = self.database_mut();
        *database = None;
        let opened = open().map(|opened| *database = Some(opened));
        drop(database);
        self.queue().generation += 1;
        self.reopened.notify_all();
        opened
    }

    /// Whether the database could not be opened anew.
    pub(super) fn is_lost(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Closes the database for good.
    pub(super) fn put_away(&self) {
        *self.database_mut() = None;
    }

    /// No more changes will come.
    pub(in super::super) fn close(&self) {
        self.queue().closed = true;
        self.work.notify_one();
        self.reopened.notify_all();
    }

    pub(super) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(in super::super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn database_mut(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What whoever still waits is told when the thread is gone.
pub(in super::super) fn gone() -> StoreError {
    StoreError::Unwritable(Box::new(io::Error::other("the session file is closed")))
}
