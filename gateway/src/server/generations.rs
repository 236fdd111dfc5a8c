//! One generation of the configuration after the other, while requests go on. A generation is built whole or not at all;
//! what it cannot change is refused by name, and the generation before it goes on.

mod fixed;

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Config, Problem, Problems};
use crate::live::{Live, Worker};
use crate::stop::causes;

use super::admin::{Current, Issue};
use super::standing::Standing;
use super::{Running, StartError, launch};

pub(super) use fixed::Fixed;

/// A worker looks at once; one that does not within this time is stuck, and will look when it no longer is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the configuration is what it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It could not be started with, either.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// What cannot change while the process runs.
    #[error("{} cannot change while the gateway runs: restart it", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// The same, although there is nothing wrong with the text.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There will be no further request.
    #[error("the gateway is stopping")]
    Stopping,
}

impl ReloadError {
    /// Each problem on a line of its own.
    fn problems(&self) -> Vec<String> {
        match self {
            Self::Configuration(problems) => {
                let line = |problem: &Problem| {
                    let Problem { line, key, message, help, .. } = problem;
                    let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
                    format!("{}:{line}: {key}{message} ({help})", problems.name())
                };
                problems.iter().map(line).collect()
            }
            other => vec![causes(other)],
        }
    }
}

/// The current generation, and all who follow.
pub(super) struct Generations {
    current: watch::Sender<Issue>,
    standing: Arc<Standing>,
    workers: usize,
    adopted: mpsc::Sender<()>,
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
        let standing = Standing::begin(first.live.clock.clone(), Arc::clone(&first.live.metrics));
        let (current, standing) = (watch::Sender::new(first), Arc::new(standing));
        Self { current, standing, workers, adopted, state }
    }

    /// The current generation.
    pub(super) fn current(&self) -> Issue {
        self.current.borrow().clone()
    }

    /// How it stands to its file.
    pub(super) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing)
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
    /// Answers requests that arrive from now on by another configuration, if it could be read. Those under way, and
    /// connections, sessions and WebSockets, notice nothing. Returns the number of the new generation when every worker
    /// has it. Blocks.
    ///
    /// # Errors
    /// When anything is wrong with it, nothing has changed; the log and the admin listener say what it is.
    pub fn reload(&self, read: Result<Config, Problems>) -> Result<u64, ReloadError> {
        let standing = &self.generations.standing;
        // Held through all of it: one after the other.
        let mut state = self.generations.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.replace(read, &mut state) {
            Ok(number) => {
                standing.adopted(number);
                tracing::info!(target: "gateway", event = "reloaded", generation = number, "another configuration runs");
                Ok(number)
            }
            Err(error) => {
                let problems = error.problems();
                if standing.refused(&problems) {
                    for problem in problems {
                        tracing::error!(
                            target: "gateway",
                            event = "reload_refused",
                            problem,
                            "the new configuration is not used: the gateway goes on with the one before it",
                        );
                    }
                }
                Err(error)
            }
        }
    }

    fn replace(&self, read: Result<Config, Problems>, state: &mut State) -> Result<u64, ReloadError> {
        let control = self.control.as_ref().filter(|_| self.stop.borrow().is_none());
        let control = control.ok_or(ReloadError::Stopping)?;
        let config = read?;
        let fixed = Fixed::of(&config);
        let changed = state.fixed.differences(&fixed);
        if !changed.is_empty() {
            return Err(ReloadError::NeedsRestart(changed));
        }
        let older = self.generations.current();
        let certificates = config.tls.clone();
        let prepared = launch::succeed(config, &older.live, control.handle())?;
        if let (Some(tls), Some(settings)) = (&self.tls, certificates) {
            tls.adopt(settings).map_err(StartError::Tls)?;
        }
        let issue = prepared.commit();
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
