//! The command line: reads the configuration, says everything that is wrong with it, or starts the gateway.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gateway::config::{self, Config, Problems};
use gateway::telemetry;
use mimalloc::MiMalloc;

/// A request costs a dozen small allocations, all freed on the thread that made them: what this allocator is built for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// An auth gateway: signs people in with any OpenID Connect provider and keeps every token on the server
#[derive(Parser)]
#[command(name = "gateway", version)]
struct Arguments {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", env = "GATEWAY_CONFIG", default_value = "gateway.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Report every problem of the configuration and exit with 1 if there is one
    Check,
    /// Print the reference of the configuration as Markdown
    #[command(hide = true)]
    Docs,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => run(&arguments.config),
        Some(Command::Check) => check(&arguments.config),
        Some(Command::Docs) => io::stdout().write_all(config::reference().as_bytes()).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    telemetry::init(&config.log)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    gateway::run(config)
}

fn check(path: &Path) -> anyhow::Result<()> {
    let Config { routes, upstreams, tokens, warnings, .. } = Config::load(path)?;
    let mut out = io::stdout().lock();
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let (routes, upstreams, tokens) = (routes.len(), upstreams.len(), tokens.len());
    writeln!(
        out,
        "{}: no problems (routes: {routes}, upstreams: {upstreams}, tokens: {tokens})",
        path.display()
    )?;
    Ok(())
}

/// Says on standard error why there is no gateway. Nobody is left to tell if that fails.
fn explain(error: &anyhow::Error) {
    let mut err = io::stderr().lock();
    let color = err.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let _ = match error.downcast_ref::<Problems>() {
        Some(problems) => writeln!(err, "{}", problems.render(color)),
        None => writeln!(err, "error: {error:#}"),
    };
}
