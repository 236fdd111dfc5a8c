//! The gateway's own side of TLS: which certificate is shown to whom, and how certificates are replaced while
//! connections last. Knows files, names and keys; accepting connections is the server's matter, and what is asked on
//! them everybody else's.

pub mod acme;
mod challenge;
pub mod pair;
mod reload;
mod resolver;
mod set;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ProtocolVersion;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{ProducesTickets, ServerConfig, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};

use crate::handshake::Handshake;
use crate::metrics::Metrics;

pub use challenge::{Challenges, PROTOCOL as CHALLENGE_PROTOCOL};
pub use pair::{Pair, PairError};
pub use reload::CHECK_EVERY;
pub use set::Set;
pub use trust::{Trust, TrustError};

use resolver::Resolver;

/// A resolved `[tls]` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the certificates are, as the file says; the first is for clients that name no server.
    pub certificates: Vec<Source>,
    /// The authorities whose client certificates are asked for.
    pub client_ca: Option<PathBuf>,
    /// The certificate that the gateway gets for itself.
    pub acme: Option<acme::Settings>,
}

/// Where one certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The certificate, followed by its chain, in PEM form.
    pub certificate: PathBuf,
    /// The private key in PEM form.
    pub key: PathBuf,
}

/// What is offered in the handshake, best first (RFC 7301). Clients that offer neither speak HTTP/1.1.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why TLS cannot be set up, or a new certificate not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate and its key.
    #[error("{}", .0.display())]
    Pair(PathBuf, #[source] PairError),
    /// The authorities of clients.
    #[error("{}", .0.display())]
    Trust(PathBuf, #[source] TrustError),
    /// The library refuses.
    #[error("TLS cannot be set up")]
    Library(#[from] rustls::Error),
}

/// Everything that handshakes are made with. Shared by all workers; replaced in parts, never changed.
pub struct Tls {
    resolver: Arc<Resolver>,
    config: ArcSwap<ServerConfig>,
    files: reload::Files,
    metrics: Arc<Metrics>,
}

impl Tls {
    /// Reads what the settings name.
    pub fn new(settings: Settings, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        let set = load(&settings)?;
        let trust = trust(&settings)?;
        let resolver = Arc::new(Resolver::new(set));
        let config = ArcSwap::from(config(&settings, &resolver, trust.as_ref())?);
        let tls = Self { resolver, config, files: reload::Files::new(settings), metrics };
        tls.report();
        Ok(tls)
    }

    /// What the next handshake is made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// What a finished handshake showed.
    pub fn shown(&self, connection: &rustls::ServerConnection) -> Handshake {
        let name = connection.server_name();
        let client = connection.peer_certificates().and_then(|chain| trust::client(chain.first()?));
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => Some("1.2"),
            Some(ProtocolVersion::TLSv1_3) => Some("1.3"),
            _ => None,
        };
        Handshake::new(self.resolver.set().names_for(name), name, client).with_version(version)
    }

    /// What is answered to certificate authorities.
    pub fn challenges(&self) -> &Challenges {
        self.resolver.challenges()
    }

    /// Whether the certificates in use are those in the files; if not, the log says why.
    pub fn is_up_to_date(&self) -> bool {
        self.files.is_good()
    }

    /// The certificates in use.
    pub fn certificates(&self) -> Arc<Set> {
        self.resolver.set()
    }
}

fn load(settings: &Settings) -> Result<Set, TlsError> {
    let read = |source: &Source| {
        Pair::read(source).map_err(|error| TlsError::Pair(source.certificate.clone(), error))
    };
    let mut pairs = settings.certificates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // One that was not got yet, or cannot be read, is ordered anew; until then there is none.
    pairs.extend(settings.acme.as_ref().and_then(|acme| Pair::read(&acme.source()).ok()));
    Ok(Set::new(pairs))
}

fn trust(settings: &Settings) -> Result<Option<Trust>, TlsError> {
    let path = settings.client_ca.as_ref();
    path.map(|path| Trust::read(path).map_err(|error| TlsError::Trust(path.clone(), error))).transpose()
}

/// TLS 1.2 and 1.3 with the library's own choice of ciphers, all of them with forward secrecy; no early data, because it
/// can be replayed (requirement TL-01). Tickets are of this configuration: whoever was let in by an authority that is
/// trusted no longer is asked again.
fn config(
    settings: &Settings,
    resolver: &Arc<Resolver>,
    trust: Option<&Trust>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match trust {
        None => builder.with_no_client_auth(),
        // Whether one is needed depends on the route, and that is not known yet.
        Some(trust) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(trust.roots(), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?,
        ),
    };
    let mut config = builder.with_cert_resolver(Arc::clone(resolver) as _);
    config.alpn_protocols = PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect();
    if settings.acme.as_ref().is_some_and(|acme| acme.challenge == acme::Challenge::TlsAlpn01) {
        config.alpn_protocols.push(CHALLENGE_PROTOCOL.to_vec());
    }
    // The key of tickets is replaced every six hours, and lives in this process alone.
    let tickets: Arc<dyn ProducesTickets> = Ticketer::new()?;
    config.ticketer = tickets;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
