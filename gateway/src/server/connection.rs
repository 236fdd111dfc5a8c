//! One worker's accept loops and its connections: plain ones, those that only show the way to TLS, and those with TLS,
//! which speak HTTP/1.1 or HTTP/2. Knows HTTP's framing limits, nothing of what requests mean.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Timer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::Timeouts;
use crate::gateway;
use crate::intake::{MAX_HEADER_BYTES, MAX_TARGET, Peer};
use crate::live::Worker;
use crate::metrics::{Connected, Handshake, Refusal};
use crate::session::KeyMemo;
use crate::tls::{CHALLENGE_PROTOCOL, Tls};
use crate::toll;
use crate::upstream::deadline::TICK;

use super::farewell::Farewell;
use super::http2;
use super::patience::{HeadTimer, Patience, Wait};
use super::redirect::Redirect;

/// A client may take this long for a request's head, and be idle this long between requests (requirement H1-15).
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A pause after the operating system refused a connection, usually for want of file descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long clients may take to finish when the process is told to stop; nothing while it runs.
pub(super) type Stopping = watch::Receiver<Option<Duration>>;

/// What is spoken behind a listening socket.
#[derive(Clone)]
pub(super) enum Door {
    /// HTTP/1.1: whoever stands in front ends TLS, or nobody is in between.
    Plain,
    /// HTTP/1.1, and the only thing to learn is where TLS is.
    Redirect(Arc<Tls>),
    /// TLS, and in it HTTP/2 or HTTP/1.1 by the client's choice. HTTP/2 is spoken nowhere else (requirement H2-07).
    Tls(Arc<Tls>, Timeouts),
}

/// Serves at most `capacity` connections a socket, until told to stop, then until every connection is done or the
/// grace is over.
pub(super) async fn serve(
    worker: Rc<Worker>,
    sockets: Vec<(StdListener, Door)>,
    stopping: Stopping,
    capacity: usize,
) {
    let capacity = (capacity / sockets.len().max(1)).max(1);
    let patience = Rc::new(Patience::new(HEAD_TIMEOUT));
    let mut loops = JoinSet::new();
    for (socket, door) in sockets {
        match TcpListener::from_std(socket) {
            Ok(listener) => {
                let (worker, patience) = (Rc::clone(&worker), Rc::clone(&patience));
                loops.spawn_local(accept(worker, listener, door, stopping.clone(), patience, capacity));
            }
            Err(error) => tracing::error!(target: "gateway", %error, "cannot watch a listener"),
        }
    }
    let ticker = tokio::task::spawn_local(tick(Rc::clone(&worker), patience));
    while loops.join_next().await.is_some() {}
    ticker.abort();
    worker.access.flush();
}

async fn tick(worker: Rc<Worker>, patience: Rc<Patience>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        worker.tick(ticks.tick().await.into_std());
        patience.tick();
    }
}

async fn accept(
    worker: Rc<Worker>,
    listener: TcpListener,
    door: Door,
    mut stopping: Stopping,
    patience: Rc<Patience>,
    capacity: usize,
) {
    let mut connections = JoinSet::new();
    let farewell = Rc::new(Farewell::default());
    while stopping.borrow_and_update().is_none() {
        tokio::select! {
            // At capacity further clients wait in the kernel's queue until one leaves (requirement RL-01).
            accepted = listener.accept(), if connections.len() < capacity => match accepted {
                Ok((stream, address)) => {
                    // Answers are written whole; waiting for more would only delay them.
                    let _ = stream.set_nodelay(true);
                    let mut peer = Peer::new(address.ip());
                    if !welcome(&worker, &mut peer) {
                        continue;
                    }
                    let peer = Visitor { peer, connected: worker.sheet.connected() };
                    let (worker, farewell) = (Rc::clone(&worker), Rc::clone(&farewell));
                    let patience = Rc::clone(&patience);
                    // Tasks of different kinds, so that a plain connection is no larger than it must be.
                    match &door {
                        Door::Plain => connections.spawn_local(converse(worker, stream, peer, farewell, patience)),
                        Door::Redirect(tls) => {
                            let tls = Arc::clone(tls);
                            connections.spawn_local(show_the_way(worker, stream, peer, farewell, tls))
                        }
                        Door::Tls(tls, timeouts) => {
                            let tls = Arc::clone(tls);
                            let greeted = greet(worker, stream, peer, farewell, patience, tls, *timeouts);
                            connections.spawn_local(greeted)
                        }
                    };
                }
                Err(error) => {
                    worker.sheet.refused(Refusal::AcceptFailed);
                    tracing::warn!(target: "gateway", %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Finished connections are forgotten as they end.
            Some(_) = connections.join_next() => {}
            _ = stopping.changed() => {}
        }
    }
    drop(listener);
    farewell.say();
    let grace = stopping.borrow().unwrap_or_default();
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, drained).await.is_err() && !grace.is_zero() {
        tracing::warn!(target: "gateway", "requests or WebSockets were still open when the grace ended");
    }
}

/// The other end of a connection, counted for as long as this is there.
struct Visitor {
    peer: Peer,
    connected: Connected,
}

/// Whether a client may have one more connection, and what else is known by its address (requirement RL-01).
fn welcome(worker: &Worker, peer: &mut Peer) -> bool {
    let generation = worker.generation();
    let live = &*generation.live;
    peer.is_proxy = live.proxies.trust(peer.address);
    // This machine itself, and proxies, speak for many.
    let is_one = !peer.is_proxy && !peer.address.is_loopback();
    let Some(most) = live.limits.connections_per_address.filter(|_| is_one) else {
        return true;
    };
    peer.place = live.places.enter(peer.address, most);
    if peer.place.is_none() {
        worker.sheet.refused(Refusal::TooManyOfAddress);
        toll::of_connection(live, peer);
    }
    peer.place.is_some()
}

/// A TLS handshake, and then what the client chose to speak. Whoever is silent is left (requirement H1-15).
async fn greet(
    worker: Rc<Worker>,
    stream: TcpStream,
    mut visitor: Visitor,
    farewell: Rc<Farewell>,
    patience: Rc<Patience>,
    tls: Arc<Tls>,
    timeouts: Timeouts,
) {
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    let handshake = unless_leaving(&farewell, tokio::time::timeout(timeouts.handshake, handshake)).await;
    // Scanners, and clients that want nothing we have: no more than anybody's business, but counted.
    let stream = match handshake {
        Some(Ok(Ok(stream))) => stream,
        Some(Ok(Err(error))) => return worker.sheet.shook_hands(of_error(&error)),
        Some(Err(_)) => return worker.sheet.shook_hands(Handshake::Timeout),
        None => return,
    };
    let connection = stream.get_ref().1;
    let speaks_http2 = match connection.alpn_protocol() {
        // A certificate authority has seen what it wanted to see (RFC 8737, section 3).
        Some(CHALLENGE_PROTOCOL) => return,
        chosen => chosen == Some(b"h2"),
    };
    let shown = tls.shown(connection);
    worker.sheet.shook_hands(match (shown.version, speaks_http2) {
        (Some("1.2"), false) => Handshake::Tls12Http1,
        (Some("1.2"), true) => Handshake::Tls12Http2,
        (_, false) => Handshake::Tls13Http1,
        (_, true) => Handshake::Tls13Http2,
    });
    visitor.peer.handshake = Some(Arc::new(shown));
    drop(tls);
    if speaks_http2 {
        let Visitor { peer, connected } = visitor;
        http2::serve(worker, stream, peer, farewell, timeouts).await;
        drop(connected);
    } else {
        converse(worker, stream, visitor, farewell, patience).await;
    }
}

/// Why a handshake failed: the client's connection broke, or the two have nothing in common.
fn of_error(error: &io::Error) -> Handshake {
    // rustls wraps what it refuses as invalid data.
    if error.kind() == io::ErrorKind::InvalidData { Handshake::Failed } else { Handshake::Broken }
}

/// The work's result; nothing if the worker said farewell before it was done.
async fn unless_leaving<T>(farewell: &Rc<Farewell>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut listener = None;
    poll_fn(|cx| {
        if farewell.is_said() {
            return Poll::Ready(None);
        }
        listener.get_or_insert_with(|| farewell.listen(cx.waker()));
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

async fn show_the_way(
    worker: Rc<Worker>,
    stream: TcpStream,
    visitor: Visitor,
    farewell: Rc<Farewell>,
    tls: Arc<Tls>,
) {
    let Visitor { peer, connected } = visitor;
    let connection = http1(TokioTimer::new())
        // Whoever is shown the way has nothing more to ask here.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), Redirect { worker, peer, tls });
    unless_leaving(&farewell, connection).await;
    drop(connected);
}

// hyper itself takes a hundred header fields at most; a limit of our own there would cost an allocation a request.
fn http1(timer: impl Timer + Send + Sync + 'static) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(timer)
        .header_read_timeout(HEAD_TIMEOUT)
        // A little above what `intake` admits, so that most excess is answered with its own page and the rest here.
        .max_buf_size(MAX_HEADER_BYTES + MAX_TARGET + 4_096);
    builder
}

async fn converse<I>(
    worker: Rc<Worker>,
    io: I,
    visitor: Visitor,
    farewell: Rc<Farewell>,
    patience: Rc<Patience>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let memo = KeyMemo::default();
    let tunnel = Cell::new(None);
    let wait = Wait::new();
    let service = service_fn(|request| {
        wait.end();
        let (worker, peer, memo, tunnel) = (&worker, &visitor.peer, &memo, &tunnel);
        // Boxed: an idle connection keeps no room for an answer, and the room that a request gets was another's a moment
        // ago and is still in the processor's cache.
        Box::pin(async move {
            let mut response = gateway::handle(worker, request, peer, memo).await;
            if let Some(work) = response.body_mut().take_tunnel() {
                tunnel.set(Some(work));
            }
            Ok::<_, Infallible>(response)
        })
    });
    let timer = HeadTimer::new(Arc::clone(&wait));
    let connection = http1(timer).serve_connection(TokioIo::new(io), service).with_upgrades();
    let mut connection = pin!(connection);
    let mut places = None;
    let mut is_leaving = false;
    poll_fn(|cx| {
        // How a client's connection ends is the client's business.
        while connection.as_mut().poll(cx).is_pending() {
            if patience.is_over(&wait) {
                break;
            }
            if is_leaving || !farewell.is_said() {
                places
                    .get_or_insert_with(|| (farewell.listen(cx.waker()), patience.watch(&wait, cx.waker())));
                return Poll::Pending;
            }
            is_leaving = true;
            connection.as_mut().graceful_shutdown();
        }
        Poll::Ready(())
    })
    .await;
    // Here, so that a tunnel is a connection like any other: counted, and closed when the grace is over.
    if let Some(work) = tunnel.take() {
        work.await;
    }
}
