//! One request, from the socket to the answer. Read this first.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;

use crate::access::Record;
use crate::body::Body;
use crate::caller::Caller;
use crate::endpoints;
use crate::files::FileRequest;
use crate::intake::{self, Inbound, Peer};
use crate::live::{Generation, Live, Worker};
use crate::policy::{self, Permit};
use crate::respond::{self, Reader};
use crate::routing::Target;
use crate::session::KeyMemo;
use crate::site::Site;
use crate::stop::{Reason, Refusal, Remedy, Stop, Whose};
use crate::{csrf, identity};

/// Answers one request, whatever happens.
pub async fn handle(
    worker: &Worker,
    request: Request<Incoming>,
    peer: &Peer,
    memo: &KeyMemo,
) -> Response<Body> {
    let arrived = Instant::now();
    // What a reload brings is for the next request.
    let generation = worker.generation();
    let live = &*generation.live;
    let mut record =
        Record::begin(worker.ids.next(), live.clock.now(), peer, request.method(), request.uri());
    let reader = Reader::of(request.headers());
    // A defect costs one request, never the process; the panic has already said where it happened.
    let answered = AssertUnwindSafe(answer(&generation, request, memo, &mut record)).catch_unwind().await;
    let answered =
        answered.unwrap_or_else(|_| Err(Stop::failed(Whose::Gateway, Reason::Internal, "a panic")));
    let response = match answered {
        Ok(response) => response,
        Err(stop) => respond::to_stop(&stop, reader, &mut record),
    };
    if record.new_session.is_some() && !live.may_show_new(record.session, record.time) {
        record.new_session = None;
    }
    let site = record.site.unwrap_or(live.sites.first());
    let response = respond::finish(response, site, &mut record);
    worker.access.write(&record, arrived.elapsed());
    response
}

/// Admit, judge, then carry out: each step returns what the next one needs.
async fn answer<'live>(
    generation: &'live Generation,
    request: Request<Incoming>,
    memo: &KeyMemo,
    record: &mut Record<'live>,
) -> Result<Response<Body>, Stop> {
    let live = &*generation.live;
    let (parts, body) = request.into_parts();
    let inbound = intake::admit(parts, Body::from_client(body), &live.sites, record.request_id, record.time)?;
    inbound.must_belong_to(record.client)?;
    let site = live.site(&inbound);
    record.site = Some(site);
    match judge(live, site, &inbound, memo, record).await {
        Ok((permit, authorization)) => match permit.target() {
            Target::Upstream(index) => {
                let upstream = &generation.upstreams[index];
                let told = live.vouch.introduce(&permit, record.time);
                let (told, retries) = (told.as_deref(), &mut record.retries);
                upstream.forward(inbound, permit, authorization, told, record.client, site, retries).await
            }
            Target::Files(index) => {
                let files = &live.files[index];
                let mut response = match files.at_hand(&inbound) {
                    Some(response) => response,
                    None => Box::pin(files.serve(FileRequest::of(&inbound))).await?,
                };
                if let Some(changes) = permit.changes() {
                    changes.response.apply(response.headers_mut());
                }
                Ok(response)
            }
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
async fn judge<'live>(
    live: &'live Live,
    site: &Site,
    inbound: &Inbound,
    memo: &KeyMemo,
    record: &mut Record<'live>,
) -> Result<(Permit<'live>, Option<HeaderValue>), Stop> {
    let route = live.routes.find(inbound.site, inbound.path(), inbound.method())?;
    record.route = Some(&route.name);
    record.is_grpc = route.is_grpc();
    policy::certificate(route, record.client, record.time)?;
    let mut caller = if route.is_for_the_provider() {
        Ok(Caller::Anonymous { stale_cookie: false })
    } else {
        identity::establish(inbound, site, &live.sessions, memo).await
    };
    if route.is_indifferent() {
        caller = identity::or_anybody(caller);
    }
    let caller = identity::while_trusted(caller?, |identity| live.providers.of(identity).is_some());
    record.note(&caller);
    csrf::check(inbound, route, &caller, &site.origin)?;
    let permit = policy::decide(route, caller, inbound)?;
    // Answers of public routes may be kept by caches, and must then clear nobody's cookie.
    record.clear_session &= matches!(permit.target(), Target::Endpoint(_));
    if !endpoints::is_silent_poll(&permit, inbound) {
        live.note_use(&permit, inbound.now);
    }
    if live.is_renewal_due(&permit, inbound.now) {
        record.new_session = Box::pin(live.renew(&permit, inbound)).await;
    }
    let authorization = match permit.token() {
        None => None,
        Some(wanted) => match live.tokens.ready(wanted, inbound.now) {
            Some(authorization) => Some(authorization),
            None => Some(Box::pin(live.tokens.obtain(wanted, inbound.return_to())).await?),
        },
    };
    Ok((permit, authorization))
}
