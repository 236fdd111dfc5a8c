//! The command `dev-idp`: arguments, log, start, and Ctrl-C. Everything else is the library's.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use dev_idp::{Clock, Options, Tenant};

/// A development identity provider on loopback that behaves like an Entra External ID tenant.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The tenant file.
    #[arg(long, default_value = "deploy/dev-idp/tenant.toml")]
    tenant: PathBuf,
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 3002)]
    port: u16,
    /// Let anyone on this computer set faults at /dev/faults. For browser tests.
    #[arg(long)]
    faults: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    let arguments = Arguments::parse();
    let tenant = Tenant::load(&arguments.tenant)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .with_context(|| format!("port {} is taken; choose another with --port", arguments.port))?;
    let options = Options { listener, tenant, clock: Clock::system() };
    let running = if arguments.faults {
        dev_idp::start_with_faults_over_http(options).await?
    } else {
        dev_idp::start(options).await?
    };
    tracing::info!(
        issuer = running.issuer(),
        metadata = running.entra_metadata_url(),
        "for development only"
    );
    tracing::info!("mailbox: {}/mailbox   stop with Ctrl-C", running.base_url());
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
    running.stop().await;
    Ok(())
}
