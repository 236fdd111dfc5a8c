//! The plain port of a site that is served with TLS: page loads are sent to the same path of the configured origin, and
//! everything else is refused (but for what proves to a certificate authority whose this name is), because what it carries has travelled in the clear already. Looks at no cookie and sets
//! none (requirement TL-02).

use std::convert::Infallible;
use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::access::Record;
use crate::body::Body;
use crate::gateway;
use crate::intake::{self, Peer};
use crate::live::Worker;
use crate::origin::Origin;
use crate::path;
use crate::respond::{self, Reader};
use crate::stop::{Reason, Stop};
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
        let is_page =
            matches!(*method, Method::GET | Method::HEAD) && intake::is_navigation(&Method::GET, headers);
        let proof = (*method == Method::GET).then(|| self.tls.challenges().at(uri.path())).flatten();
        let site = live.sites.by_name(intake::single(headers, &HOST));
        let target = if is_page { target(uri, &site.origin) } else { Err(Reason::PlainHttp) };
        let response = match target {
            _ if proof.is_some() => proved(proof.as_deref().unwrap_or_default()),
            Ok(target) => moved(target),
            Err(reason) => respond::to_stop(&Stop::refused(reason), Reader::of(headers), &mut record),
        };
        let mut response = respond::finish(response, site, &mut record);
        // Says nothing without TLS, and must not (RFC 6797, section 7.2).
        response.headers_mut().remove(STRICT_TRANSPORT_SECURITY);
        gateway::memory::keep(worker, &generation, record, &response, arrived);
        response
    }
}

/// The same path and query on a configured origin, in the one reading that they have.
fn target(uri: &http::Uri, origin: &Origin) -> Result<HeaderValue, Reason> {
    if uri.path().len() + uri.query().map_or(0, str::len) > intake::MAX_TARGET {
        return Err(Reason::TargetTooLong);
    }
    let path = path::canonical(uri.path()).map_err(|_| Reason::BadPath)?;
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    HeaderValue::try_from(origin.url(&target)).map_err(|_| Reason::BadPath)
}

fn moved(location: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    // Browsers keep such an answer for ever unless told otherwise; a site may go back to another port.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a certificate authority asked for (RFC 8555, section 8.3).
fn proved(proof: &str) -> Response<Body> {
    let mut response = Response::new(Body::Full(proof.to_owned().into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
