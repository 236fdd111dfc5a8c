//! Forwarding to an upstream: one worker's connections to it, streamed both ways, never followed elsewhere.
//! Takes a `Permit`, which only policy makes: what was not allowed cannot be forwarded.

pub mod connect;
pub mod headers;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio_rustls::TlsConnector;

use crate::body::lease::{Lease, Shelf};
use crate::body::{Body, Progress};
use crate::intake::Inbound;
use crate::policy::Permit;
use crate::session::cookie::Cookies;
use crate::stop::{Reason, Stop, Whose};

use headers::Outgoing;

/// A resolved `[upstreams.NAME]` section.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `NAME`.
    pub name: String,
    /// Where it listens; tried in turn.
    pub servers: Vec<Server>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the first byte of an answer may take once the request was sent.
    pub response_timeout: Duration,
}

/// One server of an upstream.
#[derive(Clone, Debug)]
pub struct Server {
    /// Whether to speak TLS.
    pub https: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The `Host` header it gets.
    pub authority: HeaderValue,
}

/// What every forwarded request says of the gateway's own address.
#[derive(Debug)]
pub struct Edge {
    /// The gateway's cookies, which no upstream sees or sets.
    pub cookies: Cookies,
    /// `public_url`'s host and port.
    pub host: HeaderValue,
    /// `http` or `https`.
    pub scheme: HeaderValue,
}

/// One worker's view of an upstream. Never leaves its thread.
pub struct Upstream {
    settings: Arc<Settings>,
    shelves: Vec<Rc<Shelf>>,
    next: Cell<usize>,
    tls: Option<TlsConnector>,
}

impl Upstream {
    /// No connection is made before the first request. `tls` is needed when a server speaks https.
    pub fn new(settings: Arc<Settings>, tls: Option<TlsConnector>) -> Self {
        let shelves = settings.servers.iter().map(|_| Rc::default()).collect();
        Self { settings, shelves, next: Cell::new(0), tls }
    }

    /// Forwards a permitted request and returns the answer as it begins to arrive.
    pub async fn forward(
        &self,
        inbound: Inbound,
        permit: Permit,
        authorization: Option<HeaderValue>,
        edge: &Edge,
    ) -> Result<Response<Body>, Stop> {
        let turn = self.next.get() % self.settings.servers.len();
        self.next.set(turn + 1);
        let progress = Progress::default();
        let request = self.outgoing(turn, inbound, authorization, edge, &progress);
        let (response, lease) = self.in_time(&progress, self.exchange(turn, request)).await?;
        Self::incoming(response, lease, &permit, edge)
    }

    fn outgoing(
        &self,
        turn: usize,
        inbound: Inbound,
        authorization: Option<HeaderValue>,
        edge: &Edge,
        progress: &Progress,
    ) -> Request<Body> {
        let Inbound { mut parts, body, peer, request_id, .. } = inbound;
        let out = Outgoing {
            host: &self.settings.servers[turn].authority,
            authorization,
            client: &peer.value,
            public_host: &edge.host,
            public_scheme: &edge.scheme,
            request_id: &request_id,
        };
        headers::towards_upstream(&mut parts.headers, &edge.cookies, &out);
        parts.version = Version::HTTP_11;
        Request::from_parts(parts, body.watched_by(progress))
    }

    /// Waits for the answer's head. The time-out starts anew while the client is still sending its body.
    async fn in_time<T>(
        &self,
        progress: &Progress,
        exchange: impl Future<Output = Result<T, Stop>>,
    ) -> Result<T, Stop> {
        let mut exchange = std::pin::pin!(exchange);
        loop {
            let before = progress.count();
            match tokio::time::timeout(self.settings.response_timeout, &mut exchange).await {
                Ok(result) => return result,
                Err(_) if progress.count() != before => {}
                Err(elapsed) => return Err(Stop::failed(Whose::Upstream, Reason::UpstreamTimeout, elapsed)),
            }
        }
    }

    /// One request, one answer. An idle connection that the server had closed meanwhile hands the request back unsent;
    /// only then is another one tried, so that nothing is ever sent twice (requirement TK-13).
    async fn exchange(
        &self,
        turn: usize,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, Lease), Stop> {
        let shelf = &self.shelves[turn];
        loop {
            let (mut connection, is_fresh) = match shelf.take() {
                Some(idle) => (idle, false),
                None => (self.connect(turn).await?, true),
            };
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, Lease::new(connection, Rc::clone(shelf)))),
                Err(mut unsent) => match unsent.take_message() {
                    Some(message) if !is_fresh => request = message,
                    _ => return Err(broken(unsent.into_error())),
                },
            }
        }
    }

    async fn connect(&self, turn: usize) -> Result<SendRequest<Body>, Stop> {
        let server = &self.settings.servers[turn];
        let connecting = connect::connect(server, self.tls.as_ref());
        match tokio::time::timeout(self.settings.connect_timeout, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(Stop::failed(Whose::Upstream, Reason::UpstreamUnreachable, error)),
            Err(elapsed) => Err(Stop::failed(Whose::Upstream, Reason::UpstreamTimeout, elapsed)),
        }
    }

    fn incoming(
        response: Response<Incoming>,
        lease: Lease,
        permit: &Permit,
        edge: &Edge,
    ) -> Result<Response<Body>, Stop> {
        // Nobody asked for another protocol: what follows on this connection is not HTTP (requirement H1-09).
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Stop::failed(
                Whose::Upstream,
                Reason::UpstreamBroken,
                "an unsolicited 101 Switching Protocols",
            ));
        }
        let (mut parts, body) = response.into_parts();
        headers::towards_client(&mut parts.headers, &edge.cookies, permit.caller().session().is_some());
        Ok(Response::from_parts(parts, Body::from_upstream(body, lease)))
    }
}

/// Whose fault a broken exchange is: the client's if its body broke off, else the upstream's.
fn broken(error: hyper::Error) -> Stop {
    if error.is_user() || error.is_body_write_aborted() {
        return Stop::failed(Whose::Client, Reason::ClientGone, error);
    }
    Stop::failed(Whose::Upstream, Reason::UpstreamBroken, error)
}
