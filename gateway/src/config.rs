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
mod identity;
mod limits;
mod listen;
mod log;
mod origins;
mod placeholder;
mod problem;
mod process;
mod provider;
mod providers;
mod proxies;
mod raw;
mod resolve;
mod routes;
mod schema;
mod secrets;
mod session;
mod shown;
mod size;
mod source;
mod suggest;
mod telemetry;
mod tls;
mod tokens;
mod upstreams;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use crate::endpoints;
use crate::limits::Limits;
use crate::oidc;
use crate::oidc::client::key::SigningKey;
use crate::oidc::settings::ResponseMode;
use crate::origin::Origin;
use crate::otlp;
use crate::routing::{Overlap, Route, RouteTable};
use crate::session::TokenSpec;
use crate::site::Sites;
use crate::telemetry::Log;
use crate::upstream;
use crate::vouch::Vouch;

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
    /// Further public addresses of this gateway.
    pub other_urls: Vec<Origin>,
    /// Where to listen.
    pub listen: Listen,
    /// How much one client may ask.
    pub limits: Limits,
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
    /// With what the gateway tells upstreams who asks: the first key signs, all are published.
    pub identity_keys: Arc<[SigningKey]>,
    /// What to log.
    pub log: Log,
    /// How the process learns of another configuration.
    pub reload: Reload,
    /// How it ends.
    pub shutdown: Shutdown,
    /// What is recorded as traces, and where those are sent; nothing for none.
    pub telemetry: Option<otlp::Settings>,
    /// What is not wrong, but should be known; to be logged at the start.
    pub warnings: Vec<String>,
    /// The files that all this was read from.
    pub sources: Vec<Source>,
}

impl Config {
    /// Every public address, `public_url` first.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        std::iter::once(&self.public_url).chain(&self.other_urls)
    }

    /// Every public address with its cookies.
    pub fn sites(&self) -> Sites {
        let posts = |provider: &oidc::Settings| provider.response_mode == ResponseMode::FormPost;
        let form_post = self.providers.iter().any(posts);
        Sites::new(self.public_url.clone(), self.other_urls.clone(), self.session.cookies, form_post)
    }

    /// The routes of the file and the gateway's own.
    ///
    /// # Errors
    /// Routes that overlap, which no configuration that was read has.
    pub fn route_table(&self) -> Result<RouteTable, Vec<Overlap>> {
        RouteTable::build(self.routes.iter().cloned().chain(endpoints::routes(&self.providers)).collect())
    }

    /// Who tells upstreams who asks.
    pub fn vouch(&self) -> Vouch {
        Vouch::new(self.public_url.as_str(), Arc::clone(&self.identity_keys))
    }

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
