//! The program: arguments, settings, log, signals. Knows nothing of what the service does.

use std::io::{IsTerminal, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use todo_service::{Clock, Config, Options, Running, start};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A to-do REST API that checks every access token itself.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The settings, a TOML file
    #[arg(long, value_name = "FILE", default_value = "todo-service/todo-service.toml")]
    config: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => return complain(&error.to_string()),
    };
    start_log();
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("todo-service: {error:#}")),
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("cannot listen on {}; is the port taken?", config.listen))?;
    let mut signals = Signals::new().context("cannot listen to signals")?;
    let running = start(Options { listener, config, clock: Clock::system() }).await?;
    signals.until_stopped(&running).await;
    tokio::select! {
        () = running.stop() => Ok(()),
        () = signals.stop_asked() => anyhow::bail!("stopped at once by a second signal"),
    }
}

/// Ctrl-C and SIGTERM stop; SIGHUP forgets the cached signing keys.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn until_stopped(&mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => {
                    running.forget_keys();
                    tracing::info!("cached signing keys forgotten");
                }
            }
        }
    }

    async fn stop_asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Readable text on a terminal, one JSON object per line elsewhere. RUST_LOG chooses what is logged.
fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    if std::io::stdout().is_terminal() {
        log.init();
    } else {
        log.json().init();
    }
}

fn complain(text: &str) -> ExitCode {
    // If even the error output is closed, the exit status still tells.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}
