//! Making a connection to an upstream's server: TCP, TLS where configured, HTTP/1.1.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::origin::is_loopback_name;

use super::Server;
use super::http1::{Connection, Stream};

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No TCP connection, or TLS failed: wrong name, unknown issuer, expired certificate.
    #[error("cannot connect")]
    Io(#[from] io::Error),
    /// The configured host cannot be a TLS server name.
    #[error("the host is not a TLS server name")]
    Name(#[from] InvalidDnsNameError),
    /// An https server without TLS set up; a defect of the gateway.
    #[error("TLS was not set up")]
    NoTls,
}

/// A tunnel may be silent for hours: the kernel asks now and then whether the other side is still there, for clients and
/// upstreams alike, and reports one that is not within minutes.
pub const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));

/// Connects, to speak HTTP/1.1.
pub(super) async fn connect(server: &Server, tls: Option<&TlsConnector>) -> Result<Connection, ConnectError> {
    let tcp = if is_loopback_name(&server.host) {
        // Tokens may travel there by plain http, so no name server has a say in where it is.
        let both: [SocketAddr; 2] =
            [(Ipv4Addr::LOCALHOST, server.port).into(), (Ipv6Addr::LOCALHOST, server.port).into()];
        TcpStream::connect(&both[..]).await?
    } else {
        TcpStream::connect((server.host.as_str(), server.port)).await?
    };
    // Requests are written whole; waiting for more would only delay them.
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_keepalive(&KEEPALIVE)?;
    if !server.https {
        return Ok(Connection::new(Stream::Plain(tcp)));
    }
    let name = ServerName::try_from(server.host.clone())?;
    let tls = tls.ok_or(ConnectError::NoTls)?.connect(name, tcp).await?;
    Ok(Connection::new(Stream::Tls(Box::new(tls))))
}

/// TLS towards upstreams: the system's certificate authorities, names always checked.
pub fn tls_connector() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
