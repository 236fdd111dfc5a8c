//! The configuration, resolved: nothing optional is left to guess, and every name, address and secret was checked.
//! Nothing imports this module but what puts the gateway together; each part owns the type of its own settings.
//!
//! A file is read by hand over its TOML tree, one submodule per section, so that all problems show at once.

mod admin;
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
mod process;
mod provider;
mod providers;
mod raw;
mod resolve;
mod routes;
mod schema;
mod secrets;
mod session;
mod shown;
mod source;
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

pub use admin::admin_address;
pub use files::FilesSettings;
pub use listen::{Listen, Timeouts};
pub use problem::{Problem, Problems};
pub use process::{Reload, Shutdown};
pub use session::SessionSettings;
pub use source::Source;

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
    /// How the process learns of another configuration.
    pub reload: Reload,
    /// How it ends.
    pub shutdown: Shutdown,
    /// What is not wrong, but should be known; to be logged at the start.
    pub warnings: Vec<String>,
    /// The files that all this was read from.
    pub sources: Vec<Source>,
}

impl Config {
    /// Reads a file. Relative paths in it start from its own folder.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let mut own = Source::of(path);
        let loaded = Self::load_file(path, &mut own);
        match loaded {
            Ok(mut config) => {
                config.sources.push(own);
                Ok(config)
            }
            Err(mut problems) => {
                problems.sources.push(own);
                Err(problems)
            }
        }
    }

    fn load_file(path: &Path, own: &mut Source) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| {
            Problems::of_file(
                &name,
                &format!("{name} cannot be read: {error}"),
                "name the configuration with --config FILE",
            )
        })?;
        *own = Source::with(path, &bytes);
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
        resolve::resolve(text, name, &Surroundings::new(base, &env))
    }
}

/// The file as the gateway understands it, without secrets: what is written, and what holds where nothing is.
///
/// # Errors
/// What is wrong with it.
pub fn show(path: &Path) -> Result<String, Problems> {
    Config::load(path)?;
    let text = std::fs::read_to_string(path).map_err(|error| {
        let name = path.display().to_string();
        Problems::of_file(&name, &format!("{name} cannot be read: {error}"), "try again")
    })?;
    Ok(shown::show(&text))
}

/// The reference of all keys, as Markdown: `gateway/docs/configuration.md`.
pub fn reference() -> String {
    docs::markdown()
}
