//! The gateway as a program: runs until it is told to stop, and takes on another configuration when it is told to or
//! finds one.

mod privacy;
mod signals;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::config::{Config, Source};

use super::inherit::Inherited;
use super::lookout::Lookout;
use super::{Running, launch, manager};

pub use privacy::keep_memory_private;

use signals::{Signal, Signals};

/// Runs a gateway by the configuration that was read from `path` until SIGTERM or Ctrl-C, then lets requests in flight
/// finish. A second signal ends it at once; SIGHUP has it read `path` anew.
pub fn run(path: &Path, config: Config) -> anyhow::Result<()> {
    let inherited = Inherited::take()?;
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let signals = signals.context("cannot wait for signals")?;
    // Listened for before anybody is told that the gateway runs: whoever stops it then is heard.
    let listening = signals.block_on(async { Signals::listen() }).context("cannot wait for signals")?;
    let mut program = Program {
        path: path.to_owned(),
        signals,
        listening,
        warnings: config.warnings.clone(),
        public_url: config.public_url.as_str().to_owned(),
    };
    let sources = watched(&config);
    let sink = Arc::new(Mutex::new(io::stdout()));
    let running = launch::launch_on(config, Clock::system(), sink, inherited)?;
    program.greet(&running);
    program.serve(&running, sources)?;
    program.leave(running);
    Ok(())
}

struct Program {
    path: PathBuf,
    signals: Runtime,
    listening: Signals,
    /// Those of the configuration that runs, each of which was logged.
    warnings: Vec<String>,
    public_url: String,
}

impl Program {
    fn greet(&self, running: &Running) {
        let public_url = &self.public_url;
        for address in running.https() {
            tracing::info!(target: "gateway", %address, public_url, "listening with TLS");
        }
        for address in running.http() {
            tracing::info!(target: "gateway", %address, public_url, "listening");
        }
        tracing::info!(target: "gateway", address = %running.admin(), "admin listening");
        manager::ready("serving");
    }

    /// Returns when the gateway is to stop.
    fn serve(&mut self, running: &Running, sources: Vec<Source>) -> anyhow::Result<()> {
        let (tell, mut changed) = mpsc::unbounded_channel();
        let watch = Lookout::start(move || {
            let _ = tell.send(());
        })
        .context("cannot watch the configuration")?;
        watch.follow(sources);
        loop {
            let listening = &mut self.listening;
            let wants_reload = self.signals.block_on(async {
                tokio::select! {
                    signal = listening.next() => signal == Signal::Reload,
                    _ = changed.recv() => true,
                }
            });
            if !wants_reload {
                return Ok(());
            }
            watch.follow(self.reload(running));
        }
    }

    /// Reads the configuration anew; what to watch after that.
    fn reload(&mut self, running: &Running) -> Vec<Source> {
        manager::reloading();
        let read = Config::load(&self.path);
        let (sources, warnings) = match &read {
            Ok(config) => (watched(config), config.warnings.clone()),
            Err(problems) => {
                // Whether to look is said by the configuration that runs; what to look at, by the one that does not yet.
                let watches = running.live().watches;
                (if watches { problems.sources().to_vec() } else { Vec::new() }, self.warnings.clone())
            }
        };
        for warning in warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            tracing::warn!(target: "gateway", "{warning}");
        }
        self.warnings = warnings;
        match running.reload(read) {
            Ok(generation) => manager::ready(&format!("serving; configuration {generation}")),
            Err(_) => manager::ready("serving; the newer configuration is refused, the log says why"),
        }
        sources
    }

    /// Goes on for a while with the word that it is leaving, then stops.
    fn leave(self, running: Running) {
        let Self { signals, mut listening, .. } = self;
        manager::stopping();
        let delay = running.leave();
        if !delay.is_zero() {
            tracing::info!(target: "gateway", seconds = delay.as_secs_f64(), "leaving: not ready any more");
            let waited = signals.block_on(async { tokio::time::timeout(delay, listening.stop()).await });
            if waited.is_ok() {
                std::process::exit(1);
            }
        }
        tracing::info!(target: "gateway", "stopping: requests in flight may finish");
        std::thread::spawn(move || {
            signals.block_on(listening.stop());
            std::process::exit(1);
        });
        running.stop();
    }
}

/// The files to watch for that configuration.
fn watched(config: &Config) -> Vec<Source> {
    if config.reload.watch { config.sources.clone() } else { Vec::new() }
}
