//! One connection to one server: TCP, and TLS where it is wanted. Knows nothing of what is said on it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::origin::is_loopback_name;

use super::SetupError;
use super::settings::{Address, Tls};

/// What bytes travel on.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Wire for T {}

/// Opens connections.
pub(super) struct Transport {
    tls: Option<TlsConnector>,
}

impl Transport {
    /// Trusts the private authorities alone, or else those of the machine.
    pub(super) fn new(tls: Option<&Tls>) -> Result<Self, SetupError> {
        let Some(tls) = tls else { return Ok(Self { tls: None }) };
        let roots = match &tls.private_ca {
            Some(pem) => private_roots(pem)?,
            None => machine_roots()?,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// Connects. The server's certificate must be for this very host.
    pub(super) async fn open(&self, address: &Address) -> io::Result<Pin<Box<dyn Wire>>> {
        let tcp = if is_loopback_name(&address.host) {
            // A password may travel there in the clear, so no name server has a say in where it is.
            let both: [SocketAddr; 2] =
                [(Ipv4Addr::LOCALHOST, address.port).into(), (Ipv6Addr::LOCALHOST, address.port).into()];
            TcpStream::connect(&both[..]).await?
        } else {
            TcpStream::connect((address.host.as_str(), address.port)).await?
        };
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::pin(tcp)) };
        let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
        Ok(Box::pin(tls.connect(name, tcp).await?))
    }
}

fn private_roots(pem: &[u8]) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| SetupError::PrivateCa)?).map_err(|_| SetupError::PrivateCa)?;
    }
    if roots.is_empty() { Err(SetupError::PrivateCa) } else { Ok(roots) }
}

fn machine_roots() -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if trusted == 0 { Err(SetupError::NoAuthorities) } else { Ok(roots) }
}
