//! Whether a server can be reached, step by step: its name, a connection, TLS. Says which step failed, and what to do;
//! asks the server nothing.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::origin::Localhost;

/// For each step.
const LIMIT: Duration = Duration::from_secs(5);

/// A server that answered.
#[derive(Clone, Copy, Debug)]
pub struct Reached {
    /// The address that took the connection.
    pub address: SocketAddr,
    /// Whether TLS was spoken, with a certificate that holds.
    pub tls: bool,
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// Nobody knows the name.
    #[error("the name {0} cannot be resolved: {1}")]
    Name(String, #[source] io::Error),
    /// The name has no address.
    #[error("the name {0} has no address")]
    NoAddress(String),
    /// Nobody listens, or something stands between.
    #[error("{0} does not take a connection: {1}")]
    Connect(SocketAddr, #[source] io::Error),
    /// Too slow.
    #[error("{0} does not answer within {s} seconds", s = LIMIT.as_secs())]
    Slow(String),
    /// TLS failed.
    #[error("TLS with {0} fails: {1}")]
    Tls(String, #[source] io::Error),
}

impl Unreachable {
    /// What to do about it.
    pub fn repair(&self) -> String {
        match self {
            Self::Name(name, _) | Self::NoAddress(name) => {
                format!("is the name spelt right? ask this machine's resolver: getent hosts {name}")
            }
            Self::Connect(..) => {
                "start the server, or correct host and port; if it runs, look for a firewall".to_owned()
            }
            Self::Slow(_) => "look for a firewall that drops packets, or a server that hangs".to_owned(),
            Self::Tls(name, error) => of_tls(name, error),
        }
    }
}

/// What a TLS failure asks for, by the certificate's own trouble.
fn of_tls(name: &str, error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(trouble)) => match trouble {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("write the host that the certificate names, or give the server one for {name}")
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => "let this machine trust the authority that signed the certificate: add \
                 it to the system's store, or name a file with all that you trust: SSL_CERT_FILE=authorities.pem"
                .to_owned(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate has expired: renew it; if it has not, set this machine's clock".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate is of the future: set this machine's clock".to_owned()
            }
            _ => format!("give {name} a certificate that browsers would take"),
        },
        _ => "does the port speak TLS, in version 1.2 or 1.3? if it speaks plain http, write http://".to_owned(),
    }
}

/// Connects and hangs up. Where `localhost` and what is below it is, is not for name servers to say.
pub async fn reach(
    host: &str,
    port: u16,
    tls: Option<&TlsConnector>,
    localhost: Localhost,
) -> Result<Reached, Unreachable> {
    reach_as(host, port, tls, localhost, None).await
}

/// As [`reach`], where the certificate may be for another name than the host's.
pub async fn reach_as(
    host: &str,
    port: u16,
    tls: Option<&TlsConnector>,
    localhost: Localhost,
    name: Option<ServerName<'static>>,
) -> Result<Reached, Unreachable> {
    let shown = format!("{host}:{port}");
    let slow = |_| Unreachable::Slow(shown.clone());
    let addresses = timeout(LIMIT, addresses(host, port, localhost)).await.map_err(slow)??;
    let (stream, address) = timeout(LIMIT, connect(&addresses)).await.map_err(slow)??;
    let Some(tls) = tls else {
        return Ok(Reached { address, tls: false });
    };
    let failed = |error| Unreachable::Tls(host.to_owned(), error);
    let name = match name {
        Some(name) => name,
        None => ServerName::try_from(host.to_owned()).map_err(|error| failed(io::Error::other(error)))?,
    };
    timeout(LIMIT, tls.connect(name, stream)).await.map_err(slow)?.map_err(failed)?;
    Ok(Reached { address, tls: true })
}

async fn addresses(host: &str, port: u16, localhost: Localhost) -> Result<Vec<SocketAddr>, Unreachable> {
    if localhost.is_loopback(host) {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    let found = lookup_host((host, port)).await.map_err(|error| Unreachable::Name(host.to_owned(), error))?;
    Ok(found.filter(|address| localhost.allows(host, address.ip())).collect())
}

/// The first that takes a connection; otherwise what the first of them says.
async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Unreachable> {
    let mut failure = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => failure = failure.or(Some(Unreachable::Connect(*address, error))),
        }
    }
    Err(failure.unwrap_or_else(|| Unreachable::NoAddress("the host".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_listens_is_reached_and_one_that_does_not_is_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let reached = reach("app.localhost", port, None, Localhost::ThisMachine).await.expect("it listens");
        assert_eq!((reached.address.port(), reached.tls), (port, false));
        drop(listener);
        let refused =
            reach("localhost", port, None, Localhost::ThisMachine).await.expect_err("nobody listens");
        assert!(matches!(refused, Unreachable::Connect(..)) && refused.repair().contains("start the server"));
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_named() {
        let unknown = reach("no-such-host.invalid", 443, None, Localhost::ThisMachine)
            .await
            .expect_err("reserved by RFC 6761");
        assert!(unknown.to_string().contains("no-such-host.invalid"), "{unknown}");
    }
}
