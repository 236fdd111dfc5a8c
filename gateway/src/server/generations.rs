//! One generation of the configuration after the other, while requests go on. A generation is built whole or not at all;
//! what it cannot change is refused by name, and the generation before it goes on.

mod fixed;

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Config;
use crate::live::{Live, Worker};

use super::admin::{Current, Issue};
use super::{Running, StartError, launch};

pub(super) use fixed::Fixed;

/// A worker looks at once; one that does not within this time is stuck, and will look when it no longer is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the configuration is what it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// What cannot change while the process runs.
    #[error("{} cannot change while the gateway runs: restart it", .0.join(" and "))]
    NeedsRestart(Vec<&'static str>),
    /// The new configuration could not be started with, either.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There will be no further request.
    #[error("the gateway is stopping")]
    Stopping,
}

/// The current generation, and all who follow.
pub(super) struct Generations {
    current: watch::Sender<Issue>,
    workers: usize,
    adopted: mpsc::Sender<()>,
    /// Held through a whole reload: one after the other.
    state: Mutex<State>,
}

struct State {
    fixed: Fixed,
    adoptions: mpsc::Receiver<()>,
}

impl Generations {
    /// Begins with that one.
    pub(super) fn begin(first: Issue, fixed: Fixed, workers: usize) -> Self {
        let (adopted, adoptions) = mpsc::channel();
        let state = Mutex::new(State { fixed, adoptions });
        Self { current: watch::Sender::new(first), workers, adopted, state }
    }

    /// The current generation.
    pub(super) fn current(&self) -> Issue {
        self.current.borrow().clone()
    }

    /// For those who look when they need to.
    pub(super) fn watch(&self) -> Current {
        self.current.subscribe()
    }

    /// For a worker.
    pub(super) fn subscribe(&self) -> Subscription {
        Subscription { current: self.current.subscribe(), adopted: self.adopted.clone() }
    }
}

/// A worker's way to learn of the next generation.
pub(super) struct Subscription {
    current: Current,
    adopted: mpsc::Sender<()>,
}

impl Subscription {
    /// The snapshot to begin with.
    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.current.borrow().live)
    }

    /// Has the worker adopt every generation from now on.
    pub(super) async fn follow(mut self, worker: Rc<Worker>) {
        while self.current.changed().await.is_ok() {
            let live = Arc::clone(&self.current.borrow_and_update().live);
            worker.adopt(live);
            let _ = self.adopted.send(());
        }
    }
}

impl Running {
    /// Answers requests that arrive from now on by another configuration. Those under way, and connections, sessions and
    /// WebSockets, notice nothing. Returns the number of the new generation when every worker has it. Blocks.
    ///
    /// # Errors
    /// When anything is wrong with it, nothing has changed.
    pub fn reload(&self, config: Config) -> Result<u64, ReloadError> {
        let control = self.control.as_ref().ok_or(ReloadError::Stopping)?;
        let mut state = self.generations.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stop.borrow().is_some() {
            return Err(ReloadError::Stopping);
        }
        let fixed = Fixed::of(&config);
        let changed = state.fixed.differences(&fixed);
        if !changed.is_empty() {
            return Err(ReloadError::NeedsRestart(changed));
        }
        let older = self.generations.current();
        let issue = launch::succeed(config, &older.live, control.handle())?;
        let number = issue.live.number;
        // Keys may have been added, which must stay from now on.
        state.fixed = fixed;
        issue.live.providers.start();
        while state.adoptions.try_recv().is_ok() {}
        self.generations.current.send_replace(issue);
        for _ in 0..self.generations.workers {
            if state.adoptions.recv_timeout(PATIENCE).is_err() {
                tracing::warn!(target: "gateway", "a worker is busy and goes on with the configuration before this one");
                break;
            }
        }
        Ok(number)
    }
}
