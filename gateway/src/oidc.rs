//! The identity provider: signs people in, refreshes, exchanges and revokes their tokens, gives the gateway tokens of its
//! own, signs people out. The only folder that names openidconnect types, and the only one that talks to the provider.
//!
//! The metadata and keys are fetched in the background and kept while the provider is away, so that the gateway starts
//! without it and heals by itself (requirement EP-04). Every call runs on the shared runtime, whoever asks.

mod ask;
pub mod callback;
pub mod client;
mod discovery;
pub mod doctor;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod grants;
mod http;
mod id_token;
mod json;
mod keeper;
mod keys;
pub mod logout_token;
mod refresh;
pub mod settings;
mod sign_in;
mod sign_out;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), expect(dead_code, reason = "fuzzing signs tokens and calls nobody"))]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod token_endpoint;
mod userinfo;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use url::Url;

use crate::clock::Clock;
use crate::stop::{Reason, Stop, Whose};

pub use ask::Ask;
pub use callback::Answer;
pub use grants::{AccessToken, GrantError, SubjectKind, bearer_of};
pub use id_token::about_the_person;
pub use refresh::{RefreshError, Refreshed};
pub use settings::Settings;
pub use sign_in::{Begun, Purpose, SignedIn, Want};
pub use sign_out::Carriage;

/// One provider, and what the gateway knows of it by now.
pub struct Provider {
    settings: Settings,
    clock: Clock,
    runtime: Handle,
    client: http::HttpClient,
    known: Arc<keeper::Known>,
    keeper: OnceLock<AbortHandle>,
    /// Places for logout tokens that wait for keys.
    waiting: Semaphore,
}

/// Why there can be no provider by these settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] http::TlsError),
    /// Not an absolute address.
    #[error("the issuer is not an address")]
    Issuer,
    /// Everybody in the world could sign in.
    #[error("the issuer holds {{tenantid}}, but no tenant is allowed to sign in")]
    NoTenants,
    /// An address that must not be called.
    #[error("the metadata address must be https, or http on this machine")]
    MetadataUrl,
    /// Nothing could ever be verified.
    #[error("no signature algorithm is accepted")]
    NoAlgorithms,
}

/// Why nobody can sign in yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady(String);

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotReady {}

impl Provider {
    /// A provider that knows nothing yet. Calls nobody.
    pub fn new(settings: Settings, clock: Clock, runtime: Handle) -> Result<Arc<Self>, SetupError> {
        let known = Arc::new(keeper::Known::new(clock.clone()));
        Self::knowing(known, settings, clock, runtime)
    }

    /// This provider by other settings. What is known of it is known on, if it is still the same provider.
    pub fn succeed(&self, settings: Settings) -> Result<Arc<Self>, SetupError> {
        let (clock, runtime) = (self.clock.clone(), self.runtime.clone());
        if discovery::reads_alike(&self.settings, &settings) {
            Self::knowing(Arc::clone(&self.known), settings, clock, runtime)
        } else {
            Self::new(settings, clock, runtime)
        }
    }

    fn knowing(
        known: Arc<keeper::Known>,
        settings: Settings,
        clock: Clock,
        runtime: Handle,
    ) -> Result<Arc<Self>, SetupError> {
        if Url::parse(&settings.issuer).is_err() {
            return Err(SetupError::Issuer);
        }
        if id_token::lacks_tenants(&settings) {
            return Err(SetupError::NoTenants);
        }
        if settings.algorithms.is_empty() {
            return Err(SetupError::NoAlgorithms);
        }
        if !http::is_acceptable(&settings.metadata_url) {
            return Err(SetupError::MetadataUrl);
        }
        let certificate = match &settings.authentication {
            settings::ClientAuthentication::TlsClient(certificate) => Some(certificate),
            _ => None,
        };
        let client = http::HttpClient::new(certificate, settings.localhost)?;
        let waiting = Semaphore::new(logout_token::MAX_WAITING);
        Ok(Arc::new(Self { settings, clock, runtime, client, known, keeper: OnceLock::new(), waiting }))
    }

    /// What is configured of it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins to fetch metadata and keys, and keeps them fresh until the provider is dropped. Once is enough.
    pub fn start(self: &Arc<Self>) {
        self.keeper.get_or_init(|| {
            let keeper = self.runtime.spawn(keeper::keep(Arc::downgrade(self), self.clock.clone()));
            keeper.abort_handle()
        });
    }

    /// Whether people can sign in, or why not.
    pub fn readiness(&self) -> Result<(), NotReady> {
        self.known.readiness()
    }

    /// Runs `work` on the shared runtime: workers have no timers and sockets to spare for the provider, and work that
    /// spends a code or a refresh token must not end because a browser closed its connection.
    async fn on_runtime<T, F>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.runtime.spawn(work(Arc::clone(self))).await.ok()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

/// What is left when a task of ours panicked or the runtime is going down.
#[derive(Debug, thiserror::Error)]
#[error("the work was broken off")]
struct BrokenOff;

fn broken_off() -> Stop {
    Stop::failed(Whose::Gateway, Reason::Internal, BrokenOff)
}
