//! The plain port of a site that is served with TLS: page loads are sent to the same path of the configured origin, and
//! everything else is refused (but for what proves to a certificate authority whose this name is), because what it carries has travelled in the clear already. Looks at no cookie and sets
//! none (requirement TL-02).

use std::convert::Infallible;
use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::access::Record;
use crate::body::Body;
use crate::gateway;
use crate::https;
use crate::intake::Peer;
use crate::live::Worker;
use crate::respond::{self, Reader};
use crate::stop::Stop;
use crate::tls::Tls;

/// Answers the requests of one connection.
pub(super) struct Redirect {
    pub(super) worker: Rc<Worker>,
    pub(super) peer: Peer,
    pub(super) tls: Arc<Tls>,
}

impl Service<Request<Incoming>> for Redirect {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

impl Redirect {
    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let arrived = Instant::now();
        let worker = &self.worker;
        let generation = worker.generation();
        let live = &*generation.live;
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let mut record = Record::begin(worker.ids.next(), live.clock.now(), &self.peer, method, uri);
        let site = live.site_of(headers);
        let proof = (*method == Method::GET).then(|| self.tls.challenges().at(uri.path())).flatten();
        let shown = match proof {
            Some(proof) => Ok(proved(&proof)),
            None => https::show_the_way(method, uri, headers, &site.origin),
        };
        let response = shown.unwrap_or_else(|reason| {
            respond::to_stop(&Stop::refused(reason), Reader::of(headers), &mut record)
        });
        let mut response = respond::finish(response, site, &mut record);
        // Says nothing without TLS, and must not (RFC 6797, section 7.2).
        response.headers_mut().remove(STRICT_TRANSPORT_SECURITY);
        gateway::memory::keep(worker, &generation, record, &response, arrived);
        response
    }
}

/// What a certificate authority asked for (RFC 8555, section 8.3).
fn proved(proof: &str) -> Response<Body> {
    let mut response = Response::new(Body::Full(proof.to_owned().into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
