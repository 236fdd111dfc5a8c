//! One request, from the socket to the answer. Read this first.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;

use crate::access::Record;
use crate::body::Body;
use crate::endpoints;
use crate::files::FileRequest;
use crate::intake::{self, Inbound, Peer};
use crate::live::{Live, Worker};
use crate::policy::{self, Permit};
use crate::respond::{self, Reader};
use crate::routing::Target;
use crate::stop::{Reason, Refusal, Remedy, Stop, Whose};
use crate::{csrf, identity};

/// Answers one request, whatever happens.
pub async fn handle(worker: &Worker, request: Request<Incoming>, peer: &Peer) -> Response<Body> {
    let arrived = Instant::now();
    let live = worker.live();
    let mut record = worker.record(&request, peer);
    let reader = Reader::of(request.method(), request.headers());
    // A defect costs one request, never the process; the panic has already said where it happened.
    let answered = AssertUnwindSafe(answer(worker, request, peer, &mut record)).catch_unwind().await;
    let answered =
        answered.unwrap_or_else(|_| Err(Stop::failed(Whose::Gateway, Reason::Internal, "a panic")));
    let response = match answered {
        Ok(response) => response,
        Err(stop) => respond::to_stop(&stop, reader, &mut record),
    };
    let response = respond::seal(response, &live.origin, &live.edge.cookies, &mut record);
    worker.access.write(&record, arrived.elapsed());
    response
}

/// Admit, judge, then carry out: each step returns what the next one needs.
async fn answer(
    worker: &Worker,
    request: Request<Incoming>,
    peer: &Peer,
    record: &mut Record,
) -> Result<Response<Body>, Stop> {
    let live = worker.live();
    let (parts, body) = request.into_parts();
    let (name, now) = (record.request_id.clone(), record.time);
    let inbound = intake::admit(parts, Body::from_client(body), &live.origin, peer.clone(), name, now)?;
    match judge(live, &inbound, record).await {
        Ok((permit, authorization)) => match permit.target() {
            Target::Upstream(index) => {
                worker.upstreams[index].forward(inbound, permit, authorization, &live.edge).await
            }
            Target::Files(index) => live.files[index].serve(FileRequest::of(&inbound)).await,
            Target::Endpoint(endpoint) => {
                Box::pin(endpoints::answer(live, endpoint, inbound, permit, record)).await
            }
        },
        Err(Stop::Refused(Refusal { reason, remedy: Remedy::SignIn(wanted) })) if inbound.is_navigation() => {
            record.reason = Some(reason);
            Box::pin(endpoints::sign_in::automatic(live, &inbound, wanted)).await
        }
        Err(stop) => Err(stop),
    }
}

/// Which route, who asks, did the site itself send it, may they, and with which token.
async fn judge(
    live: &Live,
    inbound: &Inbound,
    record: &mut Record,
) -> Result<(Permit, Option<HeaderValue>), Stop> {
    let route = live.routes.find(inbound.path(), inbound.method())?;
    record.route = Some(route.name.clone());
    let caller = identity::establish(inbound, &live.edge.cookies, &live.sessions)?;
    record.note(&caller);
    csrf::check(inbound, route.csrf, &caller, &live.origin)?;
    let permit = policy::decide(route, caller, inbound)?;
    if !endpoints::is_silent_poll(&permit, inbound) {
        live.note_use(&permit, inbound.now);
    }
    let authorization = match permit.token() {
        None => None,
        Some((session, token)) => match live.tokens.ready(session, token) {
            Some(authorization) => Some(authorization),
            None => {
                Some(Box::pin(live.tokens.obtain(session.clone(), token.clone(), inbound.return_to())).await?)
            }
        },
    };
    Ok((permit, authorization))
}
