//! Making a connection to an upstream's server: TCP, TLS where configured, then HTTP/1.1 or HTTP/2. Whether one may be
//! made, and what it is used for, is not known here.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper::rt::{Executor, Read, Write};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::body::Body;

use super::http1::Stream;
use super::room::{Seat, Seated};
use super::settings::{Protocol, Server, Settings};

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No TCP connection, or TLS failed: wrong name, unknown issuer, expired certificate.
    #[error("cannot connect")]
    Io(#[from] io::Error),
    /// The HTTP handshake failed.
    #[error("cannot start HTTP")]
    Http(#[from] hyper::Error),
    /// The configured host cannot be a TLS server name.
    #[error("the host is not a TLS server name")]
    Name(#[from] InvalidDnsNameError),
    /// The server does not want HTTP/2.
    #[error("the server did not agree to HTTP/2 (ALPN)")]
    NoH2,
    /// An https server without TLS set up; a defect of the gateway.
    #[error("TLS was not set up")]
    NoTls,
}

/// A tunnel may be silent for hours: the kernel asks now and then whether the other side is still there, for clients and
/// upstreams alike, and reports one that is not within minutes.
pub const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));

/// What is buffered of one stream on its way up, at most (requirement RL-04).
const BUFFER: usize = 64 * 1024;
/// The most streams on one connection, whatever its peer allows.
pub(super) const MOST_STREAMS: usize = 100;
/// How far a stream may run ahead of whoever reads it. As much for each of [`MOST_STREAMS`] is the connection's own
/// window, so that streams whose readers are slow never take up the room of others.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * 100;

/// Connects to the first of the addresses that takes a connection, and starts TLS where the server wants it.
pub(super) async fn dial(
    addresses: &[SocketAddr],
    server: &Server,
    settings: &Settings,
    tls: Option<&TlsConnector>,
) -> Result<Stream, ConnectError> {
    let tcp = TcpStream::connect(addresses).await?;
    // Requests are written whole; waiting for more would only delay them.
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_keepalive(&KEEPALIVE)?;
    if !server.https {
        return Ok(Stream::Plain(tcp));
    }
    let name = match &settings.tls.server_name {
        Some(name) => name.clone(),
        None => ServerName::try_from(server.host.clone())?,
    };
    let tls = tls.ok_or(ConnectError::NoTls)?.connect(name, tcp).await?;
    let is_agreed = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    if settings.protocol == Protocol::H2 && !is_agreed {
        return Err(ConnectError::NoH2);
    }
    Ok(Stream::Tls(Box::new(tls)))
}

/// A connection of many streams, and how many its peer allows as far as it has said so.
pub(super) struct Streams {
    pub(super) sender: http2::SendRequest<Body>,
    pub(super) most: Rc<Cell<usize>>,
}

/// Starts HTTP/2, with as many streams as its peer is taken to allow until it says so. The connection is driven by tasks
/// of this worker.
pub(super) async fn http2(raw: Stream, seat: Seat, most: usize) -> Result<Streams, ConnectError> {
    match raw {
        Stream::Plain(tcp) => start_http2(Seated::new(TokioIo::new(tcp), seat), most).await,
        Stream::Tls(tls) => start_http2(Seated::new(TokioIo::new(tls), seat), most).await,
    }
}

async fn start_http2<T: Read + Write + Unpin + Send + 'static>(
    io: T,
    most: usize,
) -> Result<Streams, ConnectError> {
    let (sender, connection) = http2::Builder::new(Local)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(BUFFER)
        .initial_max_send_streams(most)
        .handshake(io)
        .await?;
    let most = Rc::new(Cell::new(most));
    let told = Rc::clone(&most);
    tokio::task::spawn_local(async move {
        let mut connection = pin!(connection);
        std::future::poll_fn(move |cx: &mut Context<'_>| {
            let polled = connection.as_mut().poll(cx);
            told.set(connection.current_max_send_streams().clamp(1, MOST_STREAMS));
            match polled {
                Poll::Pending => Poll::Pending,
                // Its end shows on the requests that were under way, which report it.
                Poll::Ready(_) => Poll::Ready(()),
            }
        })
        .await;
    });
    Ok(Streams { sender, most })
}

/// Runs tasks on this worker's thread.
#[derive(Clone, Copy, Debug)]
struct Local;

impl<F> Executor<F> for Local
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
