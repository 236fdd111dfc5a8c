//! Asks a running service how it is, for containers that have neither a shell nor curl. One request over plain HTTP with
//! a time limit; knows nothing of what makes the service well.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For connecting, and for each step of the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// More of an answer is not read.
const MAX_ANSWER: u64 = 64 * 1024;

/// The service is not well.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// Nobody answers.
    #[error("nobody answers at {address}")]
    Silent {
        /// Who was asked.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// It answers, and is not well.
    #[error("{address} answers: {answer}")]
    Unwell {
        /// Who was asked.
        address: SocketAddr,
        /// The status line, and what is amiss.
        answer: String,
    },
}

/// Asks the service that listens there whether it lives (`/healthz`), or whether it can do its work (`/readyz`). An
/// address that means all of a machine's is asked on this machine.
pub fn healthcheck(listen: SocketAddr, ready: bool) -> Result<(), HealthcheckError> {
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    let path = if ready { "/readyz" } else { "/healthz" };
    let answer = ask(address, path).map_err(|source| HealthcheckError::Silent { address, source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    Err(HealthcheckError::Unwell { address, answer: format!("{status} {body}").trim().to_owned() })
}

fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    }
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
