//! The gateway as a program: runs until it is told to stop.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;

use crate::clock::Clock;
use crate::config::Config;

use super::launch;

/// Runs a gateway until SIGTERM or Ctrl-C, then lets requests in flight finish. A second signal ends it at once.
pub fn run(config: Config) -> anyhow::Result<()> {
    let public_url = config.public_url.as_str().to_owned();
    let running = launch(config, Clock::system(), Arc::new(Mutex::new(std::io::stdout())))?;
    for address in running.http() {
        tracing::info!(target: "gateway", %address, public_url, "listening");
    }
    tracing::info!(target: "gateway", address = %running.admin(), "admin listening");
    let signals = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for signals")?;
    signals.block_on(stop_asked())?;
    tracing::info!(target: "gateway", "stopping: requests in flight may finish");
    std::thread::spawn(move || {
        if signals.block_on(stop_asked()).is_ok() {
            std::process::exit(1);
        }
    });
    running.stop();
    Ok(())
}

async fn stop_asked() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
