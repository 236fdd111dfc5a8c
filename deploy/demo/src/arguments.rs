//! The flags of `cargo demo`.

use std::path::PathBuf;

use clap::Parser;
use demo::Part;

use crate::usual;

/// Starts gateway, to-do service and identity provider on this computer.
#[derive(Debug, Parser)]
#[command(name = "demo", bin_name = "cargo demo", version)]
pub(crate) struct Arguments {
    /// Where the site is: http://localhost:PORT
    #[arg(long, value_name = "PORT", default_value_t = usual(Part::Gateway))]
    pub(crate) gateway_port: u16,

    /// Where the gateway tells operators about its health
    #[arg(long, value_name = "PORT", default_value_t = usual(Part::Admin))]
    pub(crate) admin_port: u16,

    /// Where the to-do service is
    #[arg(long, value_name = "PORT", default_value_t = usual(Part::Todo))]
    pub(crate) todo_port: u16,

    /// Where the identity provider is
    #[arg(long, value_name = "PORT", default_value_t = usual(Part::Provider))]
    pub(crate) idp_port: u16,

    /// Where data is kept [default: var in the checkout]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Let anyone on this computer ask the identity provider for misbehaviour, at /dev/faults
    #[arg(long)]
    pub(crate) faults: bool,

    /// Sign in at the face of the identity provider that looks like an Entra External ID tenant
    #[arg(long)]
    pub(crate) entra: bool,

    /// End sessions that nobody used for this long, such as 2m or 1h [default: as gateway.toml says]
    #[arg(long, value_name = "DURATION")]
    pub(crate) session_idle: Option<String>,

    /// For programs: one line `ready {"gateway":"…",…}` on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}
