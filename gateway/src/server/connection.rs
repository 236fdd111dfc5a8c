//! One worker's accept loop and its connections. Knows HTTP's framing limits, nothing of what requests mean.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::gateway;
use crate::intake::{MAX_HEADER_BYTES, MAX_TARGET, Peer};
use crate::live::Worker;
use crate::session::KeyMemo;
use crate::upstream::deadline::TICK;

use super::farewell::Farewell;

/// A client may take this long for a request's head, and be idle this long between requests (requirement H1-15).
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A pause after the operating system refused a connection, usually for want of file descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long clients may take to finish when the process is told to stop; nothing while it runs.
pub(super) type Stopping = watch::Receiver<Option<Duration>>;

/// Serves at most `capacity` connections a socket, until told to stop, then until every connection is done or the
/// grace is over.
pub(super) async fn serve(
    worker: Rc<Worker>,
    sockets: Vec<StdListener>,
    stopping: Stopping,
    capacity: usize,
) {
    let capacity = (capacity / sockets.len().max(1)).max(1);
    let mut loops = JoinSet::new();
    for socket in sockets {
        match TcpListener::from_std(socket) {
            Ok(listener) => {
                loops.spawn_local(accept(Rc::clone(&worker), listener, stopping.clone(), capacity));
            }
            Err(error) => tracing::error!(target: "gateway", %error, "cannot watch a listener"),
        }
    }
    let ticker = tokio::task::spawn_local(tick(Rc::clone(&worker)));
    while loops.join_next().await.is_some() {}
    ticker.abort();
    worker.access.flush();
}

async fn tick(worker: Rc<Worker>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        worker.tick(ticks.tick().await.into_std());
    }
}

async fn accept(worker: Rc<Worker>, listener: TcpListener, mut stopping: Stopping, capacity: usize) {
    let mut connections = JoinSet::new();
    let farewell = Rc::new(Farewell::default());
    while stopping.borrow_and_update().is_none() {
        tokio::select! {
            // At capacity further clients wait in the kernel's queue until one leaves (requirement RL-01).
            accepted = listener.accept(), if connections.len() < capacity => match accepted {
                Ok((stream, address)) => {
                    let peer = Peer::new(address.ip());
                    connections.spawn_local(converse(Rc::clone(&worker), stream, peer, Rc::clone(&farewell)));
                }
                Err(error) => {
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

async fn converse(worker: Rc<Worker>, stream: TcpStream, peer: Peer, farewell: Rc<Farewell>) {
    // Answers are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let memo = KeyMemo::default();
    let tunnel = Cell::new(None);
    let service = service_fn(|request| {
        let (worker, peer, memo, tunnel) = (&worker, &peer, &memo, &tunnel);
        async move {
            let mut response = gateway::handle(worker, request, peer, memo).await;
            if let Some(work) = response.body_mut().take_tunnel() {
                tunnel.set(Some(work));
            }
            Ok::<_, Infallible>(response)
        }
    });
    // hyper itself takes a hundred header fields at most; a limit of our own there would cost an allocation a request.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // A little above what `intake` admits, so that most excess is answered with its own page and the rest here.
        .max_buf_size(MAX_HEADER_BYTES + MAX_TARGET + 4_096)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut listener = None;
    let mut is_leaving = false;
    poll_fn(|cx| {
        // How a client's connection ends is the client's business.
        while connection.as_mut().poll(cx).is_pending() {
            if is_leaving || !farewell.is_said() {
                listener.get_or_insert_with(|| farewell.listen(cx.waker()));
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
