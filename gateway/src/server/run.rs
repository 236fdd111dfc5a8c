//! The gateway as a program: runs until it is told to stop.

use std::io;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;

use crate::clock::Clock;
use crate::config::Config;

use super::launch;

/// Runs a gateway until SIGTERM or Ctrl-C, then lets requests in flight finish. A second signal ends it at once.
pub fn run(config: Config) -> anyhow::Result<()> {
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let signals = signals.context("cannot wait for signals")?;
    // Listened for before anybody is told that the gateway runs: whoever stops it then is heard.
    let mut stop_signals =
        signals.block_on(async { StopSignals::listen() }).context("cannot wait for signals")?;

    let public_url = config.public_url.as_str().to_owned();
    let running = launch(config, Clock::system(), Arc::new(Mutex::new(io::stdout())))?;
    for address in running.https() {
        tracing::info!(target: "gateway", %address, public_url, "listening with TLS");
    }
    for address in running.http() {
        tracing::info!(target: "gateway", %address, public_url, "listening");
    }
    tracing::info!(target: "gateway", address = %running.admin(), "admin listening");

    signals.block_on(stop_signals.next());
    tracing::info!(target: "gateway", "stopping: requests in flight may finish");
    std::thread::spawn(move || {
        signals.block_on(stop_signals.next());
        std::process::exit(1);
    });
    running.stop();
    Ok(())
}

/// The signals by which a program is told to stop.
struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl StopSignals {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(windows)]
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(windows)]
    async fn next(&mut self) {
        self.interrupt.recv().await;
    }
}
