//! A to-do list over HTTP that checks every access token itself. It is safe with no gateway in front of it: the only
//! thing it ever believes about a caller is a token signed by a configured issuer.
//!
//! The map, in the order of the layers; a module uses only those above it:
//!
//! - [`Clock`], `json`, `owner`, `problem`, `request_id`, `secret`: vocabulary.
//! - `auth`: request headers to caller to permit. `auth::jwks` keeps the issuers' keys.
//! - `todo`: the list and its rules; `todo::store` keeps it in a database.
//! - `api`: routes, bodies, answers; `seal` goes around all of them.
//! - `config`, `server`, `healthcheck`, and [`start`], which puts everything together.

mod api;
mod auth;
mod clock;
mod config;
mod healthcheck;
mod json;
mod owner;
mod problem;
mod request_id;
mod seal;
mod secret;
mod server;
mod todo;

use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use crate::auth::{Algorithm, Issuer, OwnerClaim, ScopeClaim, TlsSetup};
pub use crate::clock::Clock;
pub use crate::config::{Config, ConfigError, ConfigProblem};
pub use crate::healthcheck::{HealthcheckError, healthcheck};
pub use crate::secret::{SecretError, SecretSource};
pub use crate::todo::{OpenError, PostgresLogin, PostgresSettings, Trouble};

use crate::api::App;
use crate::auth::Authenticator;
use crate::todo::Todos;

/// What the service is started with.
#[derive(Debug)]
pub struct Options {
    /// Bound and listening; used instead of `config.listen`.
    pub listener: TcpListener,
    /// The settings.
    pub config: Config,
    /// What time it is.
    pub clock: Clock,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings make no sense.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Database(#[from] OpenError),
    /// The listener cannot be used.
    #[error("the listener cannot be used")]
    Listener(#[from] std::io::Error),
    /// The issuers could not be called.
    #[error(transparent)]
    Tls(#[from] TlsSetup),
}

/// A running service. Stops when dropped; `stop` does it gently.
#[derive(Debug)]
pub struct Running {
    base_url: String,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<()>>,
    keys: KeyRing,
    list: List,
}

/// A hold on the cached keys of all issuers.
#[derive(Clone)]
struct KeyRing(Arc<Authenticator>);

/// A hold on the list, for news from outside.
struct List(Arc<Todos>);

/// Starts the service, inside a tokio runtime. Needs no issuer to be reachable: until keys can be had, protected
/// calls get 503.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let Options { listener, config, clock } = options;
    // Somebody else in this process may have installed the same provider already.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    config.check()?;

    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let client = auth::http_client()?;
    let auth = Arc::new(Authenticator::new(&config.issuers, &client, config.provider_timeout, &clock));
    let todos = Arc::new(Todos::open(&config.database, &config.postgres, clock).await?);
    let router = seal::around(api::router(App { auth: Arc::clone(&auth), todos: Arc::clone(&todos) }));

    let list = List(Arc::clone(&todos));
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(async move {
        server::serve(listener, router, stopped).await;
        todos.close().await;
    });
    tracing::info!(url = base_url, issuers = config.issuers.len(), "to-do service listening");
    Ok(Running { base_url, stop, serving: Some(serving), keys: KeyRing(auth), list })
}

/// Brings the database up to date, and does nothing else: for whoever owns its tables.
pub async fn migrate(config: &Config) -> Result<(), StartError> {
    config.check()?;
    Ok(todo::migrate(&config.database, &config.postgres).await?)
}

impl Running {
    /// Where it is, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Accepts nothing more, lets running requests finish within a short grace, closes the database.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(serving) = self.serving.take() {
            // A panic in there has been reported by the panic hook; there is nothing left to stop.
            let _ = serving.await;
        }
    }

    /// Drops all cached signing keys and fetches them anew when next needed: for the moment when an issuer has
    /// withdrawn a key and waiting for the cache is too long.
    pub fn forget_keys(&self) {
        self.keys.0.forget_keys();
    }

    /// Whatever was read from outside is read anew: signing keys when next needed, the database's password at once.
    pub fn refresh(&self) {
        self.forget_keys();
        self.list.0.refresh();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("List")
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeyRing({} issuers)", self.0.issuer_count())
    }
}

/// An error with its causes, in one line for the log.
fn describe(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(line, ": {cause}");
        source = cause.source();
    }
    line
}
