//! The configuration, resolved: nothing optional is left to guess, and every name, address and secret was checked.
//! Nothing imports this module but what puts the gateway together; each part owns the type of its own settings.
//!
//! A file is read by hand over its TOML tree, one submodule per section, so that all problems show at once.

mod allow;
mod check;
mod development;
mod docs;
mod duration;
mod files;
mod listen;
mod log;
mod placeholder;
mod problem;
mod provider;
mod providers;
mod raw;
mod resolve;
mod routes;
mod schema;
mod secrets;
mod session;
mod suggest;
mod tls;
mod tokens;
mod upstreams;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use crate::oidc;
use crate::origin::Origin;
use crate::routing::Route;
use crate::session::TokenSpec;
use crate::telemetry::Log;
use crate::upstream;

pub use files::FilesSettings;
pub use listen::{Listen, Timeouts};
pub use problem::{Problem, Problems};
pub use session::SessionSettings;

use secrets::Surroundings;

/// Everything a gateway needs to know to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address that people type.
    pub public_url: Origin,
    /// Where to listen.
    pub listen: Listen,
    /// The site's certificates, where the gateway ends TLS itself.
    pub tls: Option<crate::tls::Settings>,
    /// Who signs people in: at least one.
    pub providers: Vec<oidc::Settings>,
    /// How long people stay signed in, and where that is kept.
    pub session: SessionSettings,
    /// The services behind the gateway; `Target::Upstream` holds a position here.
    pub upstreams: Vec<upstream::Settings>,
    /// The folders served, one for each route to files; `Target::Files` holds a position here.
    pub files: Vec<FilesSettings>,
    /// The access tokens that routes ask for.
    pub tokens: Vec<Arc<TokenSpec>>,
    /// The routes of the file, without the gateway's own paths. No two of them overlap.
    pub routes: Vec<Arc<Route>>,
    /// What to log.
    pub log: Log,
    /// What is not wrong, but should be known; to be logged at the start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads a file. Relative paths in it start from its own folder.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| {
            Problems::of_file(
                &name,
                &format!("{name} cannot be read: {error}"),
                "name the configuration with --config FILE",
            )
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line =
                error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
            Problems::of_file(
                &name,
                &format!("{name} is not UTF-8 text (line {line})"),
                "save the file as UTF-8",
            )
        })?;
        Self::parse(&text, &name, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a text that is called `name` in messages. Relative paths in it start from `base`.
    pub fn parse(text: &str, name: &str, base: &Path) -> Result<Self, Problems> {
        let env = |name: &str| std::env::var_os(name);
        resolve::resolve(text, name, &Surroundings { base, env: &env })
    }
}

/// The reference of all keys, as Markdown: `gateway/docs/configuration.md`.
pub fn reference() -> String {
    docs::markdown()
}
