//! The provider as a whole: its state, its start, its paths and its stop. Refuses to listen anywhere but on loopback, or
//! in a container.
//! Knows nothing of how any one path answers.

mod dev;
mod door;
pub(crate) mod mint;
mod running;
mod server;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError, RwLock};

pub use mint::{Mint, MintError};
pub use running::Running;

use crate::authorize::journey::Journeys;
use crate::backchannel::Deliveries;
use crate::call::Call;
use crate::clock::Clock;
use crate::codes::Codes;
use crate::consent::Consents;
use crate::container::Container;
use crate::faces::{Endpoint, Face, Site};
use crate::faults::Faults;
use crate::grants::Grants;
use crate::keys::{Algorithm, Keyring};
use crate::outside::Outside;
use crate::par::Pushed;
use crate::participants::Participants;
use crate::people::People;
use crate::people::mailbox::Mailbox;
use crate::sessions::{Browser, Browsers};
use crate::tenant::Tenant;
use crate::token::SeenAssertions;

/// What the provider needs to start.
pub struct Options {
    /// A listener that is bound to a loopback address and listening already.
    pub listener: TcpListener,
    /// The tenant to be.
    pub tenant: Tenant,
    /// The time to live by.
    pub clock: Clock,
}

/// Why the provider does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener is not on loopback.
    #[error(
        "the development identity provider listens on loopback only, not on {0}: its passwords are public; \
         bind 127.0.0.1 or ::1"
    )]
    NotLoopback(SocketAddr),
    /// The listener cannot be used.
    #[error("the listener cannot be used: {0}")]
    Listener(#[from] std::io::Error),
    /// Preparing keys and accounts was interrupted.
    #[error("preparing keys and accounts was interrupted: {0}")]
    Prepare(#[from] tokio::task::JoinError),
}

/// Everything the provider knows. Shared by all requests.
pub(crate) struct Provider {
    tenant: RwLock<Arc<Tenant>>,
    pub(crate) clock: Clock,
    pub(crate) site: Site,
    pub(crate) faults: Faults,
    pub(crate) keys: Keyring,
    pub(crate) people: People,
    pub(crate) mailbox: Mailbox,
    pub(crate) browsers: Browsers,
    pub(crate) journeys: Journeys,
    pub(crate) codes: Codes,
    pub(crate) grants: Grants,
    pub(crate) consents: Consents,
    pub(crate) pushed: Pushed,
    pub(crate) assertions: SeenAssertions,
    pub(crate) participants: Participants,
    pub(crate) deliveries: Deliveries,
    pub(crate) outside: Arc<Outside>,
    /// The address that nobody has a reason to visit.
    pub(crate) canary: String,
    /// Whether `/dev/faults` exists.
    pub(crate) faults_over_http: bool,
}

impl Provider {
    fn new(tenant: Tenant, clock: Clock, (name, port): (&str, u16), faults_over_http: bool) -> Self {
        let site = Site::new(name, port, &tenant.id);
        let provider = Self {
            canary: site.url(Face::Plain, Endpoint::Canary),
            people: People::new(&tenant.id, &tenant.accounts),
            keys: Keyring::new(),
            tenant: RwLock::new(Arc::new(tenant)),
            clock,
            site,
            faults: Faults::default(),
            mailbox: Mailbox::default(),
            browsers: Browsers::new(port),
            journeys: Journeys::default(),
            codes: Codes::default(),
            grants: Grants::default(),
            consents: Consents::default(),
            pushed: Pushed::default(),
            assertions: SeenAssertions::default(),
            participants: Participants::default(),
            deliveries: Deliveries::default(),
            outside: Arc::default(),
            faults_over_http,
        };
        provider.make_keys();
        provider
    }

    /// Makes the keys that clients are registered for, so that they are published before anything is signed with them.
    fn make_keys(&self) {
        for client in &self.tenant().clients {
            self.keys.of(client.registration.id_token_alg);
            self.keys.of(client.registration.userinfo_alg.unwrap_or(Algorithm::Rs256));
        }
    }

    /// The tenant as it is now.
    pub(crate) fn tenant(&self) -> Arc<Tenant> {
        Arc::clone(&self.tenant.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn edit_tenant(&self, edit: impl FnOnce(&mut Tenant)) {
        let mut held = self.tenant.write().unwrap_or_else(PoisonError::into_inner);
        let mut tenant = Tenant::clone(&held);
        edit(&mut tenant);
        *held = Arc::new(tenant);
        drop(held);
        self.make_keys();
    }

    /// A client's `initiate_login_uri` with our issuer and more parameters.
    pub(crate) fn initiate_login_url(
        &self,
        client_id: &str,
        face: Face,
        more: &[(&str, &str)],
    ) -> Option<String> {
        let tenant = self.tenant();
        let uri = tenant.client(client_id)?.registration.initiate_login_uri.as_deref()?;
        let mut url = url::Url::parse(uri).ok()?;
        url.query_pairs_mut().append_pair("iss", &self.site.issuer(face)).extend_pairs(more);
        Some(url.into())
    }

    /// The browser that sent this request, if it has been here before.
    pub(crate) fn browser(&self, call: &Call) -> Option<Browser> {
        let lifetime = self.tenant().lifetimes.session;
        self.browsers.find(call.cookie(self.browsers.cookie()), self.clock.now(), lifetime)
    }
}

/// Starts the provider on the current tokio runtime; it answers when this returns.
pub async fn start(options: Options) -> Result<Running, StartError> {
    start_with(options, None, false).await
}

/// Like [`start`], but the listener may be on any address of a container.
pub async fn start_in_container(options: Options, container: &Container) -> Result<Running, StartError> {
    start_with(options, Some(container), false).await
}

/// Like [`start`], and `/dev/faults` lets anyone on this computer set faults. For browser tests.
pub async fn start_with_faults_over_http(options: Options) -> Result<Running, StartError> {
    start_with(options, None, true).await
}

async fn start_with(
    options: Options,
    container: Option<&Container>,
    faults_over_http: bool,
) -> Result<Running, StartError> {
    let Options { listener, tenant, clock } = options;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && container.is_none() {
        return Err(StartError::NotLoopback(address));
    }
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    // Making a key and hashing passwords would hold a runtime thread for too long.
    let name = container.map_or("localhost", Container::name).to_owned();
    let prepare = move || Provider::new(tenant, clock, (&name, address.port()), faults_over_http);
    let provider = Arc::new(tokio::task::spawn_blocking(prepare).await?);
    let (orders, received) = tokio::sync::mpsc::channel(1);
    let door = door::Door::open(listener, address);
    let server = tokio::spawn(server::serve(door, received, Arc::clone(&provider)));
    Ok(Running::new(provider, server, orders))
}
