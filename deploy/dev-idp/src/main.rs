//! The command `dev-idp`: arguments, log, start, and Ctrl-C. Everything else is the library's.

mod healthcheck;

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use dev_idp::{Clock, Container, Options, Tenant};
use tokio::signal::unix::{SignalKind, signal};

/// A development identity provider on loopback that behaves like an Entra External ID tenant.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The tenant file.
    #[arg(long, env = "DEV_IDP_TENANT", default_value = "deploy/dev-idp/tenant.toml")]
    tenant: PathBuf,
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 3002, global = true)]
    port: u16,
    /// Let anyone on this computer set faults at /dev/faults. For browser tests.
    #[arg(long)]
    faults: bool,
    /// In a container only: listen on all of its addresses, under this name (localhost or below). Publish the port on
    /// the host's 127.0.0.1 only: whoever reaches it signs in as anybody.
    #[arg(long, value_name = "NAME", conflicts_with = "faults")]
    in_container: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the provider that runs on this port whether it answers; the exit status says it. For container engines.
    Healthcheck,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Healthcheck) => healthcheck::ask(arguments.port),
        None => serve(&arguments).await,
    }
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_ansi(std::io::stdout().is_terminal())
        .init();
    let mut terminate = signal(SignalKind::terminate())?;
    let container = arguments.in_container.as_deref().map(Container::find).transpose()?;
    let tenant = Tenant::load(&arguments.tenant)?;
    let address: IpAddr =
        if container.is_some() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv4Addr::LOCALHOST.into() };
    let listener = TcpListener::bind((address, arguments.port))
        .with_context(|| format!("port {} is taken; choose another with --port", arguments.port))?;
    let options = Options { listener, tenant, clock: Clock::system() };
    let running = match &container {
        Some(container) => {
            tracing::warn!(
                "listening on every address of this container: publish the port on 127.0.0.1 only, \
                 whoever reaches it signs in as anybody"
            );
            dev_idp::start_in_container(options, container).await?
        }
        None if arguments.faults => dev_idp::start_with_faults_over_http(options).await?,
        None => dev_idp::start(options).await?,
    };
    tracing::info!(
        issuer = running.issuer(),
        metadata = running.entra_metadata_url(),
        "for development only"
    );
    tracing::info!("mailbox: {}/mailbox   stop with Ctrl-C", running.base_url());
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.context("waiting for Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(())
}
