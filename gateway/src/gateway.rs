//! One request, from the socket to the answer. Read this first.

pub(crate) mod memory;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::access::Record;
use crate::body::Body;
use crate::caller::Caller;
use crate::endpoints;
use crate::files::FileRequest;
use crate::intake::{self, Inbound, Peer};
use crate::live::{Generation, Live, Worker};
use crate::metrics::WorkerSheet;
use crate::outfit::Outfit;
use crate::policy::{self, Permit};
use crate::respond::{self, Reader};
use crate::routing::Target;
use crate::session::KeyMemo;
use crate::site::Site;
use crate::stop::{Reason, Refusal, Remedy, Stop, Whose};
use crate::trace::Trace;
use crate::upstream::Told;
use crate::{cors, csrf, https, identity, toll};

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
    let in_flight = worker.sheet.begun();
    let is_proxy = peer.is_proxy;
    // Strangers' word about whom they speak for is not even read (requirement HD-04).
    let told = if is_proxy { live.proxies.hear(peer, request.headers()) } else { None };
    let peer = told.as_ref().map_or(peer, |told| &told.client);
    let request_id = told.as_ref().and_then(|told| told.request_id).unwrap_or_else(|| worker.ids.next());
    let mut record = Record::begin(request_id, live.clock.now(), peer, request.method(), request.uri());
    record.version = request.version();
    if let Some(traces) = &live.traces {
        let now = || live.clock.precise();
        let (sampling, headers) = (traces.sampling(), request.headers());
        record.trace = Trace::begin(sampling, &worker.dice, headers, is_proxy, arrived, now);
    }
    let reader = Reader::of(request.headers());
    let plain = told.as_ref().filter(|told| told.is_plain).map(|_| live.site_of(request.headers()));
    let plain = plain.filter(|site| site.origin.is_secure());
    let answered = async {
        if let Some(site) = plain {
            return show_the_way(site, &request);
        }
        answer(&generation, request, memo, &mut record).await
    };
    let answered = caught(&worker.sheet, answered).await;
    let response = match answered {
        Ok(response) => match &record.outfit {
            Some(outfit) => outfit.put_on(response),
            None => response,
        },
        Err(stop) => respond::to_stop(&stop, reader, &mut record),
    };
    if record.new_session.is_some() && !live.may_show_new(record.session, record.time) {
        record.new_session = None;
    }
    let site = record.site.unwrap_or(live.sites.first());
    let mut response = respond::finish(response, site, &mut record);
    if let Some(outfit) = &record.outfit {
        outfit.tell_scripts(response.headers_mut());
    }
    if plain.is_some() {
        response.headers_mut().remove(STRICT_TRANSPORT_SECURITY);
    }
    in_flight.answered();
    memory::keep(worker, &generation, record, &response, arrived);
    response
}

/// A defect costs one request, never the process; the panic has already said where it happened (requirement LG-06).
async fn caught<T>(sheet: &WorkerSheet, answering: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(|_| {
        sheet.panicked();
        Err(Stop::failed(Whose::Gateway, Reason::Internal, "a panic"))
    })
}

/// To a request that came to the proxy in front without TLS.
fn show_the_way(site: &Site, request: &Request<Incoming>) -> Result<Response<Body>, Stop> {
    https::show_the_way(request.method(), request.uri(), request.headers(), &site.origin)
        .map_err(Stop::refused)
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
    record.request_bytes = body.size_hint().exact().filter(|bytes| *bytes > 0);
    let mut inbound =
        intake::admit(parts, Body::from_client(body), &live.sites, record.request_id, record.time)?;
    inbound.must_belong_to(record.client)?;
    let site = live.site(&inbound);
    record.site = Some(site);
    if live.has_cors
        && let Some(response) = preflight(live, &inbound, record)
    {
        return Ok(response);
    }
    match judge(live, site, &inbound, memo, record).await {
        Ok((permit, authorization)) => match permit.target() {
            Target::Upstream(index) => {
                let upstream = &generation.upstreams[index];
                let introduced = live.vouch.introduce(&permit, record.time);
                let (introduced, client) = (introduced.as_deref(), record.client);
                let (call, hop) = memory::Call::begin(record);
                inbound.hop = hop;
                let mut told = Told::default();
                let forwarding =
                    upstream.forward(inbound, permit, authorization, introduced, client, site, &mut told);
                let answered = forwarding.await;
                call.end(record, index, upstream, told, &answered);
                answered
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
            toll::of_auth(live, None, record)?;
            Box::pin(endpoints::sign_in::automatic(live, &inbound, wanted)).await
        }
        Err(stop) => Err(stop),
    }
}

/// The answer to a browser that asks on behalf of another origin's script, where the route for that method lets it.
fn preflight<'live>(
    live: &'live Live,
    inbound: &Inbound,
    record: &mut Record<'live>,
) -> Option<Response<Body>> {
    let method = cors::asked_for(inbound)?;
    let (number, route) = live.routes.numbered(inbound.site, inbound.path(), &method).ok()?;
    let policy = route.edge.as_ref()?.cors.as_ref()?;
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = policy.preflight(inbound.headers())?;
    record.route = Some(&route.name);
    record.route_number = Some(number);
    Some(response)
}

/// Which route, who asks, did the site itself send it, may they, and with which token.
async fn judge<'live>(
    live: &'live Live,
    site: &Site,
    inbound: &Inbound,
    memo: &KeyMemo,
    record: &mut Record<'live>,
) -> Result<(Permit<'live>, Option<HeaderValue>), Stop> {
    let (number, route) = live.routes.numbered(inbound.site, inbound.path(), inbound.method())?;
    record.route = Some(&route.name);
    record.is_grpc = route.is_grpc();
    policy::certificate(route, record.client, record.time)?;
    record.route_number = Some(number);
    if let Some(edge) = &route.edge {
        record.outfit = Outfit::begin(edge, inbound.headers());
        if let Some(rate) = edge.rate {
            toll::of_address(live, rate, record)?;
        }
    }
    let mut caller = if route.is_for_the_provider() {
        Ok(Caller::Anonymous { stale_cookie: false })
    } else {
        identity::establish(inbound, site, &live.sessions, memo, Some(record)).await
    };
    if route.is_indifferent() {
        caller = identity::or_anybody(caller);
    }
    let caller = identity::while_trusted(caller?, |identity| live.providers.of(identity).is_some());
    record.note(&caller);
    if let Some(rate) = route.edge.as_ref().and_then(|edge| edge.rate) {
        toll::of_session(live, rate, &caller, record)?;
    }
    csrf::check(inbound, route, &caller, &site.origin)?;
    let permit = policy::decide(route, caller, inbound)?;
    if let Some(edge) = permit.edge() {
        let session = permit.caller().session().is_some();
        record.outfit.get_or_insert_default().measure(edge, session, inbound);
    }
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
        Some(wanted) => {
            let mut authorization = live.tokens.ready(wanted, inbound.now);
            if authorization.is_none() {
                let began = record.mark();
                let obtained = Box::pin(live.tokens.obtain(wanted, inbound.return_to())).await;
                record.step("token", began, obtained.as_ref().err());
                authorization = Some(obtained?);
            }
            authorization
        }
    };
    Ok((permit, authorization))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Format, Metrics};

    #[test]
    fn a_panic_costs_one_request_and_is_counted() {
        let metrics = Metrics::new();
        let sheet = metrics.worker();
        let counted = |count: u32| {
            let line = format!("gateway_panics_total {count}\n");
            assert!(metrics.text(Format::OpenMetrics).contains(&line), "{line}");
        };
        let fine = caught(&sheet, async { Ok(7) }).now_or_never().expect("it waits for nothing");
        assert!(matches!(fine, Ok(7)));
        counted(0);
        let broken = caught(&sheet, async { panic!("a defect") }).now_or_never();
        let broken: Result<u8, Stop> = broken.expect("it waits for nothing");
        assert_eq!(broken.map_err(|stop| stop.reason()), Err(Reason::Internal));
        counted(1);
    }
}
