//! A collector of traces: takes what the gateway posts by OTLP over HTTP, and reads it with the official types. Can refuse,
//! and can be silent for good.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// A running collector. Dropped, it ends; copies of it show the same.
#[derive(Clone, Debug)]
pub struct Collector {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    _serving: Arc<Serving>,
}

#[derive(Debug)]
struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug, Default)]
struct Shared {
    posted: Vec<Posted>,
    refusals: Vec<StatusCode>,
}

/// What was posted, whether it was taken or not.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The path.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

/// One span, as people read it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its trace, in hexadecimal digits.
    pub trace: String,
    /// Its name in the trace.
    pub id: String,
    /// What it is a part of; empty for nothing.
    pub parent: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// What describes the program.
    pub resource: BTreeMap<String, String>,
    /// All of it.
    pub span: Span,
}

impl Collector {
    /// Begins to listen, on the current runtime.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::<Mutex<Shared>>::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Self { port, shared, _serving: Arc::new(Serving(serving)) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers as many posts with these, in turn, before it takes one.
    pub fn refuse(&self, statuses: &[StatusCode]) {
        self.shared().refusals = statuses.iter().rev().copied().collect();
    }

    /// Everything that was posted.
    pub fn posted(&self) -> Vec<Posted> {
        self.shared().posted.clone()
    }

    /// Every span that was posted.
    ///
    /// # Panics
    /// If a body is not what the protocol asks for.
    pub fn spans(&self) -> Vec<Recorded> {
        let posted = self.posted();
        posted.iter().flat_map(|posted| read(&posted.body)).collect()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(body: &Bytes) -> Vec<Recorded> {
    let request = ExportTraceServiceRequest::decode(body.clone()).expect("an ExportTraceServiceRequest");
    let mut found = Vec::new();
    for group in request.resource_spans {
        let resource = texts(&group.resource.expect("spans have a resource").attributes);
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            found.push(Recorded {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: texts(&span.attributes),
                resource: resource.clone(),
                span,
            });
        }
    }
    found
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        let text = match value {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            other => panic!("the gateway writes no such attribute: {other:?}"),
        };
        (attribute.key.clone(), text)
    };
    attributes.iter().map(text).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| take(request, Arc::clone(&shared)));
                connections.spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn take(
    request: Request<Incoming>,
    shared: Arc<Mutex<Shared>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut response = Response::new(Full::default());
    if let Some(status) = shared.refusals.pop() {
        *response.status_mut() = status;
        return Ok(response);
    }
    shared.posted.push(Posted { path: parts.uri.path().to_owned(), headers: parts.headers, body });
    Ok(response)
}
