//! Forwarding to an upstream: one worker's connections to it, streamed both ways, never followed elsewhere.
//! Takes a `Permit`, which only policy makes: what was not allowed cannot be forwarded.

pub mod connect;
pub mod deadline;
pub mod headers;
mod http1;
mod pool;
mod tunnel;
pub mod vigil;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use tokio_rustls::TlsConnector;

use crate::body::{Body, Progress};
use crate::intake::{Inbound, Peer};
use crate::origin::Origin;
use crate::policy::Permit;
use crate::session::Session;
use crate::session::cookie::Cookies;
use crate::stop::{Reason, Stop, Whose};
use crate::websocket::Handshake;

use deadline::Deadlines;
pub use headers::Forwarded;
use headers::Outgoing;
use http1::{Answer, Connection, Failure, Scratch, Upgraded};
use pool::Pool;
use vigil::Vigil;

/// A resolved `[upstreams.NAME]` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `NAME`.
    pub name: String,
    /// Where it listens; used in turn.
    pub servers: Vec<Server>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the first byte of an answer may take once the request was sent.
    pub response_timeout: Duration,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// One worker's view of an upstream. Never leaves its thread.
pub struct Upstream {
    settings: Arc<Settings>,
    servers: Vec<Connections>,
    next: Cell<usize>,
    forwarded: Forwarded,
    tls: Option<TlsConnector>,
    deadlines: Rc<Deadlines>,
    vigil: Rc<Vigil>,
    scratch: Scratch,
}

/// One server's connections, and its name as this worker's own copy: a reference count that all workers changed would
/// cost more than the bytes.
struct Connections {
    host: HeaderValue,
    idle: Rc<Pool>,
}

impl Upstream {
    /// No connection is made before the first request. `tls` is needed when a server speaks https.
    pub fn new(
        settings: Arc<Settings>,
        forwarded: &Forwarded,
        tls: Option<TlsConnector>,
        deadlines: Rc<Deadlines>,
        vigil: Rc<Vigil>,
    ) -> Self {
        let servers = settings.servers.iter();
        let servers = servers
            .map(|server| Connections { host: own_copy(&server.authority), idle: Rc::default() })
            .collect();
        let forwarded = Forwarded { host: own_copy(&forwarded.host), scheme: own_copy(&forwarded.scheme) };
        Self {
            settings,
            servers,
            next: Cell::new(0),
            forwarded,
            tls,
            deadlines,
            vigil,
            scratch: Scratch::default(),
        }
    }

    /// Whether it would be the same if it were made anew from these.
    pub fn is_for(&self, settings: &Settings, forwarded: &Forwarded) -> bool {
        *self.settings == *settings && self.forwarded == *forwarded
    }

    /// Forwards a permitted request and returns the answer as it begins to arrive. What would stay open after that, a
    /// WebSocket or an event stream, ends with the session that it was asked for with.
    pub async fn forward(
        &self,
        inbound: Inbound,
        permit: Permit<'_>,
        authorization: Option<HeaderValue>,
        peer: &Peer,
        cookies: &Cookies,
        origin: &Origin,
    ) -> Result<Response<Body>, Stop> {
        let turn = self.next.get() % self.servers.len();
        self.next.set(turn + 1);
        let handshake = if permit.takes_websockets() { Handshake::of(&inbound) } else { None };
        let Inbound { mut parts, mut body, request_id, .. } = inbound;
        let host = &self.servers[turn].host;
        let forwarded = &self.forwarded;
        let outgoing = Outgoing {
            host,
            authorization,
            client: &peer.value,
            certificate: permit.client_certificate(peer),
            forwarded,
            request_id,
        };
        headers::towards_upstream(&mut parts.headers, cookies, outgoing);
        if let Some(handshake) = &handshake {
            handshake.ask(&mut parts.headers);
        }
        parts.version = Version::HTTP_11;
        let client = parts.extensions.remove::<OnUpgrade>();
        let progress = body.watch();
        let exchange = self.exchange(turn, Request::from_parts(parts, body));
        let Answer { response, upgraded } = self.in_time(progress, exchange).await?;
        let switched = match upgraded {
            Some(upgraded) => Some(switch(handshake, client, response.headers(), upgraded)?),
            None => None,
        };
        let (mut parts, body) = response.into_parts();
        parts.version = Version::HTTP_11;
        let session = permit.caller().session();
        headers::towards_client(&mut parts.headers, cookies, session.is_some(), host, origin)
            .map_err(|error| Stop::failed(Whose::Upstream, Reason::UpstreamBroken, error))?;
        let body = match switched {
            Some(switched) => {
                switched.handshake.answer(&mut parts.headers);
                self.tunnel(switched, session)
            }
            None => self.bound(body, session, &parts.headers),
        };
        Ok(Response::from_parts(parts, body))
    }

    /// The tunnel that the client's connection becomes. The upstream's serves no other request.
    fn tunnel(&self, switched: Switched, session: Option<&Arc<Session>>) -> Body {
        let around =
            tunnel::Surroundings { deadlines: Rc::clone(&self.deadlines), vigil: Rc::clone(&self.vigil) };
        let Switched { client, upstream, .. } = switched;
        Body::Tunnel(Box::pin(tunnel::run(client, upstream, session.cloned(), around)))
    }

    /// An answer's body; an event stream is bound to its session. Only answers without a length can be one, so all others
    /// are not even looked at.
    fn bound(&self, body: Body, session: Option<&Arc<Session>>, headers: &HeaderMap) -> Body {
        match session {
            Some(session) if body.size_hint().exact().is_none() && headers::is_event_stream(headers) => {
                body.until(Box::pin(self.vigil.end_of(Arc::clone(session))))
            }
            _ => body,
        }
    }

    /// Waits for the answer's head. The time-out starts anew while the client is still sending its body.
    async fn in_time<T>(
        &self,
        progress: Option<Progress>,
        exchange: impl Future<Output = Result<T, Stop>>,
    ) -> Result<T, Stop> {
        let mut exchange = std::pin::pin!(exchange);
        loop {
            let before = progress.as_ref().map(Progress::count);
            match self.deadlines.within(self.settings.response_timeout, exchange.as_mut()).await {
                Ok(result) => return result,
                Err(_) if progress.as_ref().map(Progress::count) != before => {}
                Err(late) => return Err(Stop::failed(Whose::Upstream, Reason::UpstreamTimeout, late)),
            }
        }
    }

    /// One request, one answer. An idle connection that the server had closed meanwhile leaves the request unsent; only
    /// then is another one tried, so that nothing is ever sent twice (requirement TK-13).
    async fn exchange(&self, turn: usize, mut request: Request<Body>) -> Result<Answer, Stop> {
        let idle = &self.servers[turn].idle;
        loop {
            let (connection, is_fresh) = match idle.take() {
                Some(connection) => (connection, false),
                None => (Box::pin(self.connect(turn)).await?, true),
            };
            match connection.exchange(&mut request, &self.scratch, Rc::clone(idle)).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Unsent(_)) if !is_fresh => {}
                Err(failure) => return Err(broken(failure)),
            }
        }
    }

    async fn connect(&self, turn: usize) -> Result<Connection, Stop> {
        let server = &self.settings.servers[turn];
        let connecting = connect::connect(server, self.tls.as_ref());
        match tokio::time::timeout(self.settings.connect_timeout, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(Stop::failed(Whose::Upstream, Reason::UpstreamUnreachable, error)),
            Err(elapsed) => Err(Stop::failed(Whose::Upstream, Reason::UpstreamTimeout, elapsed)),
        }
    }
}

/// Both sides agreed to speak WebSocket.
struct Switched {
    handshake: Handshake,
    client: OnUpgrade,
    upstream: Upgraded,
}

/// An upstream's 101 is taken only from one that was asked and that shows it read the question: what would follow on
/// this connection otherwise is neither HTTP nor what the client expects (requirements H1-08, H1-09).
fn switch(
    handshake: Option<Handshake>,
    client: Option<OnUpgrade>,
    answered: &HeaderMap,
    upstream: Upgraded,
) -> Result<Switched, Stop> {
    let broken = |cause| Stop::failed(Whose::Upstream, Reason::UpstreamBroken, cause);
    let asked = handshake.zip(client);
    let (handshake, client) = asked.ok_or_else(|| broken("an unsolicited 101 Switching Protocols"))?;
    if !handshake.is_answered_by(answered) {
        return Err(broken("a 101 Switching Protocols that does not answer the WebSocket handshake"));
    }
    Ok(Switched { handshake, client, upstream })
}

fn own_copy(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).expect("it was a header value before")
}

/// Whose fault a broken exchange is: the client's if its body broke off, else the upstream's.
fn broken(failure: Failure) -> Stop {
    match failure {
        Failure::Client(error) => Stop::failed(Whose::Client, Reason::ClientGone, error),
        Failure::Unsent(error) | Failure::Server(error) => {
            Stop::failed(Whose::Upstream, Reason::UpstreamBroken, error)
        }
    }
}
