//! `cargo demo`: starts everything, says where it is, and ends it all on Ctrl-C. Knows the flags and the words on the
//! terminal; how the parts are started is the library's matter.

mod arguments;
mod report;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use clap::Parser;
use demo::{Options, Part, Ports, Stack, Taken};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use arguments::Arguments;

/// What the log says unless RUST_LOG says otherwise: passcodes, and whatever goes wrong.
const LOGGED: &str = "warn,dev_idp=info";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("cannot listen to signals")?;
    let stack = tokio::select! {
        started = start(arguments) => started?,
        () = signals.stop_asked() => return Ok(()),
    };
    report::ready(stack.addresses(), arguments.json)?;
    signals.stop_asked().await;
    report::progress("stopping; once more Ctrl-C stops at once");
    tokio::select! {
        () = stack.stop() => Ok(()),
        () = signals.stop_asked() => anyhow::bail!("stopped at once by a second signal"),
    }
}

async fn start(arguments: &Arguments) -> anyhow::Result<Stack> {
    let root = demo::root()?;
    let mut options = Options::new(&root);
    options.ports = Ports {
        gateway: arguments.gateway_port,
        admin: arguments.admin_port,
        todo: arguments.todo_port,
        provider: arguments.idp_port,
    };
    if let Some(folder) = &arguments.data {
        options.data = Some(folder.clone());
    }
    options.entra = arguments.entra;
    options.faults = arguments.faults;
    options.progress = report::progress;
    // A page is two dozen requests: on the terminal their lines would push the address and the accounts out of sight.
    let folder = options.data.clone().unwrap_or_else(|| root.join("var"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let log = folder.join(report::ACCESS_LOG);
    let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    options.access = Arc::new(Mutex::new(file));
    if let Some(idle) = arguments.session_idle.clone() {
        options.edits.gateway(move |text, _| demo::session_idle(&text, &idle));
    }
    Stack::start(options).await
}

/// A taken port is said in one line of its own; anything else with all its causes.
fn say_error(error: &anyhow::Error) {
    let taken = error.chain().find_map(|cause| cause.downcast_ref::<Taken>());
    let text = match taken {
        Some(taken) => taken.to_string(),
        None => format!("{error:#}"),
    };
    // If even the error output is closed, the exit status still tells.
    let _ = writeln!(std::io::stderr(), "demo: {text}");
}

/// Everything that is logged goes to the error output: standard output is for the address.
fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn stop_asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The default of a port's flag.
fn usual(part: Part) -> u16 {
    part.usual_port()
}
