//! The program: arguments, settings, log, signals, service manager. Knows nothing of what the service does.

mod manager;

use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use todo_service::{Clock, Config, Options, Running, healthcheck, migrate, start};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A to-do REST API that checks every access token itself.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The settings, a TOML file
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "TODO_SERVICE_CONFIG",
        default_value = "todo-service/todo-service.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Without a command the service is started.
#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the database's tables up to date, as `postgres.owner` if there is one, and end
    Migrate,
    /// Ask the running service whether it lives: exit status 0 if so, else 1 and the reason
    Healthcheck {
        /// Ask whether it can do its work: database and signing keys too
        #[arg(long)]
        ready: bool,
        /// Where it listens, if not at `listen` in the settings
        #[arg(long, value_name = "ADDRESS:PORT")]
        address: Option<SocketAddr>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => return complain(&error.to_string()),
    };
    let done = match arguments.command {
        None => manager::socket().and_then(|socket| in_runtime(serve(config, socket))),
        Some(Command::Migrate) => in_runtime(async { Ok(migrate(&config).await?) }),
        Some(Command::Healthcheck { ready, address }) => {
            healthcheck(address.unwrap_or(config.listen), ready).map_err(anyhow::Error::from)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("todo-service: {error:#}")),
    }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("threads cannot be started")?.block_on(work)
}

async fn serve(config: Config, socket: Option<TcpListener>) -> anyhow::Result<()> {
    let listener = match socket {
        Some(socket) => socket,
        None => TcpListener::bind(config.listen).with_context(|| {
            format!("cannot listen on {}; free the port, or choose another as `listen`", config.listen)
        })?,
    };
    let mut signals = Signals::new().context("cannot listen to signals")?;
    let running = start(Options { listener, config, clock: Clock::system() }).await?;
    manager::ready();
    signals.until_stopped(&running).await;
    manager::stopping();
    tokio::select! {
        () = running.stop() => Ok(()),
        () = signals.stop_asked() => anyhow::bail!("stopped at once by a second signal"),
    }
}

/// Ctrl-C and SIGTERM stop; SIGHUP has signing keys and the database's password read anew.
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
                    manager::reloading();
                    running.refresh();
                    tracing::info!("signing keys and the database's password are read anew");
                    manager::ready();
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
