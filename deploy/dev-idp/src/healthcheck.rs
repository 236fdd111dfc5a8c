//! `dev-idp healthcheck`: one request to the provider beside it, for container engines. Images have no other program
//! that could ask.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

const LIMIT: Duration = Duration::from_secs(3);

/// Asks for the metadata, the first thing that every app needs.
pub(crate) fn ask(port: u16) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let status = status(address).with_context(|| format!("the provider at {address} does not answer"))?;
    ensure!(status == "200", "the provider at {address} answers {status}");
    Ok(())
}

fn status(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    write!(
        stream,
        "GET /.well-known/openid-configuration HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut start = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start["HTTP/1.1 ".len()..]).into_owned())
}
