//! The thread that changes the file: round by round, every change that waits goes into one transaction.
//! It knows no session; what a change does is the change's matter.

mod job;
mod shared;

pub(super) use shared::{Shared, gone};

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use redb::{Database, Error};

use super::open::OpenError;
use super::room;
use super::tables::Tables;
use job::{Cause, Job};
use shared::Woken;

/// Opens the database; makes it if it is told so and there is none.
pub(super) trait Opener: Fn(bool) -> Result<Database, OpenError> + Send + 'static {}
impl<F: Fn(bool) -> Result<Database, OpenError> + Send + 'static> Opener for F {}

/// How long a transaction takes up changes, so that those that wait for the next one do not wait long.
const ROUND: Duration = Duration::from_millis(5);
/// How long a long change goes on in one round.
const SLICE: Duration = Duration::from_millis(1);
/// How long nothing is written after a failure, at least: each may cost a repair, during which nobody can read.
const PAUSE: Duration = Duration::from_secs(1);
/// And how many times as long as that repair took.
const PAUSE_PER_REPAIR: u32 = 5;

/// Works until the file is closed and nothing waits any more.
pub(super) fn run(shared: &Shared, folder: &Path, opener: &impl Opener) {
    let mut writer = Writer { shared, folder, opener, waiting: VecDeque::new(), pause: None };
    loop {
        let patience = writer.pause.as_ref().filter(|_| shared.is_lost()).map(|_| PAUSE);
        match shared.wait(&mut writer.waiting, patience) {
            Woken::Work => writer.round(),
            Woken::Doubt => writer.reopen(&doubt()),
            Woken::Timeout => writer.retry(),
            Woken::Close => return shared.put_away(),
        }
    }
}

struct Writer<'a, O> {
    shared: &'a Shared,
    folder: &'a Path,
    opener: &'a O,
    waiting: VecDeque<Box<dyn Job>>,
    pause: Option<Pause>,
}

/// Nothing is written until then, because of that.
struct Pause {
    until: Instant,
    cause: Cause,
}

impl<O: Opener> Writer<'_, O> {
    fn round(&mut self) {
        self.retry();
        if let Some(pause) = &self.pause {
            for job in self.waiting.drain(..) {
                job.fail(&pause.cause);
            }
            return;
        }
        self.refuse_what_does_not_fit();
        if self.waiting.is_empty() {
            return;
        }
        let mut begun = Vec::new();
        match attempt(|| self.transaction(&mut begun)) {
            Ok(()) => {
                for job in begun {
                    // What is not finished goes behind those that came in the meantime.
                    if let Some(unfinished) = job.finish() {
                        self.waiting.push_back(unfinished);
                    }
                }
            }
            Err(cause) => {
                // First the readers, who cannot read either; whoever is told now finds the file open again.
                self.reopen(&cause);
                for job in begun {
                    job.fail(&cause);
                }
            }
        }
    }

    fn transaction(&mut self, begun: &mut Vec<Box<dyn Job>>) -> Result<(), Error> {
        let until = Instant::now() + ROUND;
        self.shared.with_database(|database| {
            let transaction = database.begin_write()?;
            let mut tables = Tables::of(&transaction)?;
            while let Some(job) = self.waiting.pop_front() {
                // Before its step, so that it is told when that fails.
                begun.push(job);
                let job = begun.last_mut().expect("just pushed");
                job.step(&mut tables, until.min(Instant::now() + SLICE))?;
                if Instant::now() >= until {
                    break;
                }
            }
            drop(tables);
            transaction.commit()?;
            self.shared.count_commit();
            Ok(())
        })
    }

    fn refuse_what_does_not_fit(&mut self) {
        let adds = self.waiting.iter().filter_map(|job| job.adds()).sum();
        let Err(full) = room::check(self.folder, adds) else { return };
        let cause = Cause::from(full);
        for job in std::mem::take(&mut self.waiting) {
            match job.adds() {
                Some(_) => job.fail(&cause),
                None => self.waiting.push_back(job),
            }
        }
    }

    /// After a failure, once its pause is over: writes again, if the file is open or can be opened.
    fn retry(&mut self) {
        if let Some(pause) = self.pause.take_if(|pause| pause.until <= Instant::now())
            && self.shared.is_lost()
        {
            self.reopen(&pause.cause);
        }
    }

    /// Closes the database, which is of no use after an error, and opens it anew. Readers wait meanwhile.
    fn reopen(&mut self, cause: &Cause) {
        let begun = Instant::now();
        tracing::warn!(error = %cause, "the session file failed and is opened anew");
        let opened = self.shared.replace_database(|| (self.opener)(false));
        let cause = match opened {
            Ok(()) => cause.clone(),
            Err(error) => {
                tracing::error!(%error, "the session file cannot be opened any more; trying again");
                Cause::from(error)
            }
        };
        self.pause =
            Some(Pause { until: Instant::now() + PAUSE.max(begun.elapsed() * PAUSE_PER_REPAIR), cause });
    }
}

/// What went wrong, a panic of the library included: a page that was damaged after it was verified can cause one.
fn attempt(work: impl FnOnce() -> Result<(), Error>) -> Result<(), Cause> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(Cause::from),
        Err(_) => Err(Cause::from(io::Error::other("the file's pages contradict each other"))),
    }
}

fn doubt() -> Cause {
    Cause::from(io::Error::other("a read failed"))
}
