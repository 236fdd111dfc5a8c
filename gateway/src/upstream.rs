//! Forwarding to an upstream: one worker's connections to it, streamed both ways, never followed elsewhere.
//! Takes a `Permit`, which only policy makes: what was not allowed cannot be forwarded.

mod again;
mod attempt;
mod balance;
mod choosing;
pub mod connect;
pub mod deadline;
pub mod headers;
mod health;
mod http1;
mod limits;
mod line;
mod multiplex;
mod names;
mod pool;
mod probe;
mod room;
mod sending;
mod settings;
mod shared;
mod standing;
mod station;
mod stream;
pub mod tls;
mod tunnel;
pub mod vigil;

use futures_util::FutureExt;
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

use crate::body::{Body, BrokenOff, Progress, TrailerFilter};
use crate::entropy;
use crate::intake::{Inbound, Peer};
use crate::policy::Permit;
use crate::routing::Route;
use crate::session::Session;
use crate::session::introduction::Introduced;
use crate::site::Site;
use crate::stop::{Reason, Stop, Whose};
use crate::websocket::Handshake;

use again::Budget;
use attempt::Limits;
use balance::{Chance, Choice};
use deadline::Deadlines;
pub use headers::Forwarded;
use headers::{Outgoing, trailers};
use http1::{Answer, Scratch, Upgraded};
use limits::Rest;
use pool::Visit;
use sending::Given;
pub use settings::{Check, Ejection, Protocol, Queue, Server, Settings};
use shared::Lineup;
pub use shared::{Counts, EndpointPicture, Picture, Shared};
use station::{Station, own_copy};
use vigil::Vigil;

/// What became known of an exchange on its way, whether it ended well or not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// The server that was asked last, by its position in the settings.
    pub server: Option<usize>,
    /// How often the request was sent once more.
    pub retries: u8,
}

/// One worker's view of an upstream. Never leaves its thread.
pub struct Upstream {
    shared: Arc<Shared>,
    /// Where requests may go, as it is told.
    lineup: RefCell<watch::Receiver<Lineup>>,
    stations: RefCell<Vec<Rc<Station>>>,
    /// Who of several gets how much now.
    choice: RefCell<Choice>,
    chance: RefCell<Chance>,
    budget: Budget,
    usual: Limits,
    ticks: Cell<u32>,
    /// By site.
    forwarded: Vec<Forwarded>,
    deadlines: Rc<Deadlines>,
    vigil: Rc<Vigil>,
    scratch: Scratch,
}

impl Upstream {
    /// No connection is made before the first request.
    pub fn new(
        shared: Arc<Shared>,
        forwarded: &[Forwarded],
        deadlines: Rc<Deadlines>,
        vigil: Rc<Vigil>,
    ) -> Self {
        let settings = &shared.settings;
        let usual = Limits { connect: settings.connect_timeout, response: settings.response_timeout };
        let own = |told: &Forwarded| Forwarded { host: own_copy(&told.host), scheme: own_copy(&told.scheme) };
        let forwarded = forwarded.iter().map(own).collect();
        let upstream = Self {
            lineup: RefCell::new(shared.lineup()),
            stations: RefCell::default(),
            choice: RefCell::default(),
            chance: RefCell::new(Chance::new(entropy::bytes())),
            budget: Budget::new(),
            usual,
            ticks: Cell::new(0),
            forwarded,
            deadlines,
            vigil,
            scratch: Scratch::default(),
            shared,
        };
        upstream.line_up();
        upstream
    }

    /// `[upstreams.NAME]`.
    pub fn name(&self) -> &str {
        &self.shared.settings.name
    }

    /// The host and port of a server, by its position in the settings.
    pub fn server_name(&self, server: usize) -> Option<&HeaderValue> {
        Some(&self.shared.settings.servers.get(server)?.authority)
    }

    /// Whether it would be the same if it were made anew from these.
    pub fn is_for(&self, shared: &Arc<Shared>, forwarded: &[Forwarded]) -> bool {
        Arc::ptr_eq(&self.shared, shared) && self.forwarded == *forwarded
    }

    /// Forwards a permitted request and returns the answer as it begins to arrive. What would stay open after that, a
    /// WebSocket or an event stream, ends with the session that it was asked for with.
    #[expect(clippy::too_many_arguments, reason = "each is what one step before this one found out")]
    pub async fn forward(
        &self,
        inbound: Inbound,
        permit: Permit<'_>,
        authorization: Option<HeaderValue>,
        introduced: Option<&Introduced>,
        peer: &Peer,
        site: &Site,
        told: &mut Told,
    ) -> Result<Response<Body>, Stop> {
        if inbound.body.size_hint().lower() > permit.max_body().0 {
            return Err(Stop::refused(Reason::BodyTooLarge));
        }
        let station = match self.choose() {
            Some(station) => station,
            None => Box::pin(self.choose_when_known()).await?,
        };
        let special = permit.forwarding();
        let (request, asked) =
            self.prepare(&station.host, inbound, &permit, authorization, introduced, peer, site)?;
        let given = {
            let sending = pin!(self.send(station, request, special, &asked, told));
            match special.and_then(|special| special.timeouts.total) {
                None => sending.await?,
                Some(total) => self.deadlines.within(total, sending).await.unwrap_or_else(|late| {
                    Err(Stop::failed(Whose::Upstream, Reason::UpstreamTimeout, late))
                })?,
            }
        };
        self.hand_on(given, asked, &permit, site)
    }

    /// The request as the upstream gets it, and what is remembered of it.
    #[expect(clippy::too_many_arguments, reason = "each is what one step before this one found out")]
    fn prepare(
        &self,
        host: &HeaderValue,
        inbound: Inbound,
        permit: &Permit<'_>,
        authorization: Option<HeaderValue>,
        introduced: Option<&Introduced>,
        peer: &Peer,
        site: &Site,
    ) -> Result<(Request<Body>, Asked), Stop> {
        let handshake = if permit.takes_websockets() { Handshake::of(&inbound) } else { None };
        let trailers = permit.forwarding().and_then(|special| special.trailers.as_ref());
        let Inbound { mut parts, mut body, request_id, hop, .. } = inbound;
        let announced = trailers.and_then(|_| trailers::announced_by_client(&parts.headers));
        let changes = permit.changes();
        if let Some(rewrite) = changes.and_then(|changes| changes.rewrite.as_ref()) {
            parts.uri = rewrite.target(&parts.uri).ok_or_else(|| Stop::refused(Reason::BadPath))?;
        }
        let outgoing = Outgoing {
            host,
            authorization,
            client: &peer.value,
            chain: peer.chain.as_ref(),
            certificate: permit.client_certificate(peer),
            forwarded: &self.forwarded[site.id.index()],
            request_id,
            changes,
            claimed: permit.route().claimed.as_deref(),
            introduced,
            hop,
        };
        headers::towards_upstream(&mut parts.headers, &site.cookies, outgoing);
        if let Some(handshake) = &handshake {
            handshake.ask(&mut parts.headers);
        }
        // A handshake has no body, and says something else in `Connection`.
        if trailers.is_some() && handshake.is_none() {
            body = self.let_trailers_up(permit.route(), announced, &mut parts.headers, body);
        }
        let version = std::mem::replace(&mut parts.version, Version::HTTP_11);
        let client = parts.extensions.remove::<OnUpgrade>();
        let progress = body.watch(permit.max_body().0);
        let asked = Asked { handshake, client, progress, version, began: self.deadlines.now() };
        Ok((Request::from_parts(parts, body), asked))
    }

    /// The answer as the client gets it.
    fn hand_on(
        &self,
        given: Given,
        asked: Asked,
        permit: &Permit<'_>,
        site: &Site,
    ) -> Result<Response<Body>, Stop> {
        let Given { answer: Answer { response, upgraded }, station } = given;
        let special = permit.forwarding();
        let switched = match upgraded {
            Some(upgraded) => Some(switch(asked.handshake, asked.client, response.headers(), upgraded)?),
            None => None,
        };
        let (mut parts, mut body) = response.into_parts();
        parts.version = Version::HTTP_11;
        let session = permit.caller().session();
        let trailers = special.and_then(|special| special.trailers.as_ref());
        let announced = trailers.and_then(|rules| {
            let has_no_other_way = rules.grpc && asked.version < Version::HTTP_2;
            trailers::announced_by_upstream(&parts.headers, has_no_other_way)
        });
        headers::towards_client(
            &mut parts.headers,
            &site.cookies,
            session.is_some(),
            &station.host,
            &site.origin,
            permit.changes(),
        )
        .map_err(|error| Stop::failed(Whose::Upstream, Reason::UpstreamBroken, error))?;
        let rest = special.and_then(|special| Rest::of(&special.timeouts, asked.began));
        let for_streams = special.is_some_and(|special| special.timeouts.streams);
        if let Some(switched) = switched {
            switched.handshake.answer(&mut parts.headers);
            let body = self.tunnel(switched, session, station.pool.enter(), rest.filter(|_| for_streams));
            return Ok(Response::from_parts(parts, body));
        }
        if trailers.is_some() {
            body = body.with_trailers(Box::new(trailers::filter_towards_client));
            if let Some(announced) = announced {
                parts.headers.insert(TRAILER, announced);
            }
        }
        if let Some(rest) = rest.filter(|_| for_streams || !headers::is_event_stream(&parts.headers)) {
            body = rest.bind(body, &self.deadlines, asked.progress);
        }
        let body = self.bound(body, session, &parts.headers);
        Ok(Response::from_parts(parts, body))
    }

    /// The tunnel that the client's connection becomes. The upstream's serves no other request.
    fn tunnel(
        &self,
        switched: Switched,
        session: Option<&Arc<Session>>,
        visit: Visit,
        rest: Option<Rest>,
    ) -> Body {
        let around = tunnel::Surroundings {
            deadlines: Rc::clone(&self.deadlines),
            vigil: Rc::clone(&self.vigil),
            rest,
        };
        let (Switched { client, upstream, .. }, session) = (switched, session.cloned());
        Body::Tunnel(Box::pin(async move {
            tunnel::run(client, upstream, session, around).await;
            // As long as it is open, it is a request that the server has to do with.
            drop(visit);
        }))
    }

    /// An answer's body; an event stream is bound to its session. Only answers without a length can be one, so all others
    /// are not even looked at.
    fn bound(&self, body: Body, session: Option<&Arc<Session>>, headers: &HeaderMap) -> Body {
        match session {
            Some(session) if body.size_hint().exact().is_none() && headers::is_event_stream(headers) => {
                let end = self.vigil.end_of(Arc::clone(session));
                body.until(Box::pin(end.map(|()| BrokenOff::SessionOver)), None)
            }
            _ => body,
        }
    }

    /// What a route that lets trailers pass says to the upstream of them.
    fn let_trailers_up(
        &self,
        route: &Route,
        announced: Option<HeaderValue>,
        headers: &mut HeaderMap,
        body: Body,
    ) -> Body {
        trailers::say(headers, announced, self.shared.settings.protocol.is_multiplexed());
        let claimed = route.claimed.clone();
        // What the route itself says in a header, no client says in a trailer.
        let edited = route.changes.iter().flat_map(|changes| changes.request.names()).cloned();
        let edited: Vec<HeaderName> = edited.collect();
        let filter: TrailerFilter = Box::new(move |found| {
            trailers::filter_towards_upstream(found);
            if let Some(claimed) = &claimed {
                claimed.remove_from(found);
            }
            for name in &edited {
                found.remove(name);
            }
        });
        body.with_trailers(filter)
    }
}

/// What is remembered of a request until its answer is there.
struct Asked {
    handshake: Option<Handshake>,
    client: Option<OnUpgrade>,
    progress: Option<Progress>,
    /// The version that the client speaks.
    version: Version,
    began: Instant,
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
