//! What remains of a request once its answer begins: counts, the access line, and the trace if it is recorded. Every
//! request comes by here once, whatever became of it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use http::{Method, Response, StatusCode, Version};
use http_body::Body as _;

use crate::access::{Asked, Record};
use crate::body::Body;
use crate::live::{Generation, Worker};
use crate::metrics::Trouble;
use crate::stop::Stop;
use crate::trace::{Hop, Kind, Span, SpanId, Value};
use crate::upstream::{Told, Upstream};

/// Counts the request, writes its line and sends its trace.
pub(crate) fn keep(
    worker: &Worker,
    generation: &Generation,
    mut record: Record<'_>,
    response: &Response<Body>,
    arrived: Instant,
) {
    let took = arrived.elapsed();
    generation.routes_sheet.answered(record.route_number, record.status, took);
    if let Some(reason) = record.reason {
        worker.sheet.stopped(reason);
    }
    if let Some(asked) = &mut record.asked {
        // What comes after the upstream's answer takes no time, and a look at the clock some.
        asked.took = took.saturating_sub(asked.began.saturating_duration_since(arrived));
        let sheet = &generation.upstream_sheets[asked.number];
        match record.reason {
            None => sheet.answered(record.status, asked.took),
            Some(reason) => {
                if let Some(trouble) = Trouble::of(reason) {
                    sheet.failed(trouble);
                }
            }
        }
    }
    if worker.access.is_on() {
        record.response_bytes = response.body().size_hint().exact();
        worker.access.write(&record, took);
    }
    if record.trace.is_some() {
        tell(generation, record, took);
    }
}

/// A call of an upstream that is under way.
pub(super) struct Call {
    began: Instant,
    step: Option<SpanId>,
}

impl Call {
    /// Begins one; what the upstream is told of the trace, if there is one, goes along.
    pub(super) fn begin(record: &Record<'_>) -> (Self, Option<Box<Hop>>) {
        let (hop, step) = record.trace.as_ref().map(|trace| trace.hop()).unzip();
        (Self { began: Instant::now(), step }, hop.map(Box::new))
    }

    /// The head of the answer is there, or there will be none.
    pub(super) fn end<'live>(
        self,
        record: &mut Record<'live>,
        number: usize,
        upstream: &'live Upstream,
        told: Told,
        result: &Result<Response<Body>, Stop>,
    ) {
        let Self { began, step } = self;
        let server = told.server.and_then(|server| upstream.server_name(server));
        let (name, retries) = (upstream.name(), told.retries);
        record.asked = Some(Asked { number, upstream: name, server, began, took: Duration::ZERO, retries });
        if let Some(trace) = record.trace.as_mut().filter(|trace| trace.is_recorded()) {
            let server = server.and_then(|server| server.to_str().ok());
            trace.step(step, began, of_call(&record.method, name, server, told, result));
        }
    }
}

/// The step that asked an upstream.
fn of_call(
    method: &Method,
    name: &str,
    server: Option<&str>,
    told: Told,
    result: &Result<Response<Body>, Stop>,
) -> Span {
    let span = Span::new(known(method), Kind::Client)
        .with("http.request.method", Value::Word(known(method)))
        .with("gateway.upstream", Value::Text(name.to_owned()));
    let span = match server {
        Some(server) => of_address(span, server),
        None => span,
    };
    let span = if told.retries == 0 {
        span
    } else {
        span.with("http.request.resend_count", Value::Number(told.retries.into()))
    };
    match result {
        Ok(response) => {
            let failed = (response.status().as_u16() >= 400).then(|| response.status().as_str().to_owned());
            of_status(span, response.status()).failed(failed)
        }
        Err(stop) => span.failed(Some(stop.reason().as_str())),
    }
}

/// The request itself, as the last of its steps.
fn tell(generation: &Generation, record: Record<'_>, took: Duration) {
    let (Some(traces), Some(trace)) = (&generation.live.traces, record.trace) else {
        return;
    };
    if !trace.is_recorded() {
        return;
    }
    let method = known(&record.method);
    // Names of routes end with the path; methods and hosts stand before it.
    let route = record.route.map(|name| name.rsplit(' ').next().unwrap_or(name));
    let name = route.map_or(Cow::Borrowed(method), |route| format!("{method} {route}").into());
    let origin = &record.site.unwrap_or(generation.live.sites.first()).origin;
    let version = if record.version == Version::HTTP_2 { "2" } else { "1.1" };
    let mut span = Span::new(name, Kind::Server)
        .with("http.request.method", Value::Word(method))
        .with("url.scheme", Value::Word(if origin.is_secure() { "https" } else { "http" }))
        .with("network.protocol.version", Value::Word(version))
        .with("gateway.request_id", Value::Text(record.request_id.as_str().to_owned()));
    span = of_address(span, origin.authority());
    if let Some(route) = route {
        span = span.with("http.route", Value::Text(route.to_owned()));
    }
    if let Some(reason) = record.reason {
        span = span.with("gateway.reason", Value::Word(reason.as_str()));
    }
    let reason = || match record.reason {
        Some(reason) => Cow::Borrowed(reason.as_str()),
        None => Cow::Owned(record.status.as_str().to_owned()),
    };
    let failed = record.status.is_server_error().then(reason);
    if let Some(story) = trace.finish(took, of_status(span, record.status).failed(failed)) {
        traces.tell(story);
    }
}

fn of_status(span: Span, status: StatusCode) -> Span {
    span.with("http.response.status_code", Value::Number(status.as_u16().into()))
}

/// Host and port, where there is one.
fn of_address(span: Span, authority: &str) -> Span {
    match authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => {
            let span = span.with("server.address", Value::Text(host.to_owned()));
            span.with("server.port", Value::Number(port))
        }
        None => span.with("server.address", Value::Text(authority.to_owned())),
    }
}

/// The method, if it is one that everybody knows: any other word would be the client's own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
