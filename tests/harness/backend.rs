//! A service behind the gateway that does what a test tells it: over HTTP/1.1 or HTTP/2, with or without TLS. It remembers
//! what it was asked and on which connection, and can hold its answers back. It knows no gateway.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What a backend answers with.
pub type BackendBody = BoxBody<Bytes, Infallible>;
type Answerer = dyn Fn(&Got) -> Response<BackendBody> + Send + Sync;

/// A running backend.
pub struct Backend {
    shared: Arc<Shared>,
    port: u16,
    is_tls: bool,
    serving: AbortHandle,
}

/// How it is spoken to.
#[derive(Clone, Default)]
pub struct Speaks {
    /// HTTP/2 with prior knowledge; over TLS too, where nothing else is offered.
    pub http2: bool,
    /// TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// The most streams on one connection.
    pub most_streams: Option<u32>,
}

/// One request as it came, without what came after its body began to be answered.
#[derive(Clone, Debug)]
pub struct Got {
    /// The method.
    pub method: Method,
    /// The target; absolute over HTTP/2.
    pub uri: Uri,
    /// The version that was spoken.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, unless bodies are forgotten.
    pub body: Bytes,
    /// How long it was.
    pub length: u64,
    /// What came after it.
    pub trailers: Option<HeaderMap>,
    /// On which connection, counted from 0.
    pub connection: usize,
}

struct Shared {
    got: Mutex<Vec<Got>>,
    answer: Mutex<Arc<Answerer>>,
    /// Whether answers wait.
    held: watch::Sender<bool>,
    /// Requests whose head is here and whose answer is not out.
    waiting: AtomicUsize,
    most_waiting: AtomicUsize,
    connections: AtomicUsize,
    open: AtomicUsize,
    /// Counts up when connections are told to end after what they are doing.
    farewells: watch::Sender<usize>,
    forgets_bodies: AtomicBool,
}

impl Backend {
    /// HTTP/1.1 without TLS.
    pub async fn start() -> Self {
        Self::speaking(Speaks::default()).await
    }

    /// HTTP/2 without TLS.
    pub async fn h2c() -> Self {
        Self::speaking(Speaks { http2: true, ..Speaks::default() }).await
    }

    /// As told.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub async fn speaking(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            answer: Mutex::new(Arc::new(|_: &Got| text("ok"))),
            held: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
            most_waiting: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            farewells: watch::Sender::new(0),
            forgets_bodies: AtomicBool::new(false),
        });
        let is_tls = speaks.tls.is_some();
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared), speaks)).abort_handle();
        Self { shared, port, is_tls, serving }
    }

    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub fn url(&self) -> String {
        if self.is_tls {
            format!("https://localhost:{}", self.port)
        } else {
            format!("http://127.0.0.1:{}", self.port)
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every request that was answered so far, in the order of their ends.
    pub fn got(&self) -> Vec<Got> {
        lock(&self.shared.got).clone()
    }

    /// The last request.
    ///
    /// # Panics
    /// If there was none.
    #[track_caller]
    pub fn last(&self) -> Got {
        self.got().pop().expect("the backend was asked")
    }

    /// How many requests were answered.
    pub fn count(&self) -> usize {
        lock(&self.shared.got).len()
    }

    /// Answers like that from now on.
    pub fn answer(&self, answer: impl Fn(&Got) -> Response<BackendBody> + Send + Sync + 'static) {
        *lock(&self.shared.answer) = Arc::new(answer);
    }

    /// Answers with that status and nothing else from now on.
    pub fn answer_status(&self, status: u16) {
        self.answer(move |_| {
            Response::builder().status(status).body(Empty::new().boxed()).expect("a status")
        });
    }

    /// Answers no more, until [`release`](Self::release).
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    /// Answers what waits, and what will come.
    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    /// Remembers of bodies from now on only how long they were.
    pub fn forget_bodies(&self) {
        self.shared.forgets_bodies.store(true, Ordering::SeqCst);
    }

    /// How many requests wait for their answer.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::SeqCst)
    }

    /// How many waited at the same time, at most.
    pub fn most_waiting(&self) -> usize {
        self.shared.most_waiting.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many of them are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Ends every connection after what it is doing: over HTTP/2 with GOAWAY.
    pub fn go_away(&self) {
        self.shared.farewells.send_modify(|count| *count += 1);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A text.
pub fn text(text: &str) -> Response<BackendBody> {
    Response::new(Full::new(Bytes::from(text.to_owned())).boxed())
}

/// Pieces, and what comes after them.
pub fn pieces(pieces: &[&'static str], trailers: &[(&'static str, &'static str)]) -> BackendBody {
    let mut frames: Vec<Result<Frame<Bytes>, Infallible>> =
        pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
    if !trailers.is_empty() {
        let mut map = HeaderMap::new();
        for (name, value) in trailers {
            map.append(*name, HeaderValue::from_static(value));
        }
        frames.push(Ok(Frame::trailers(map)));
    }
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, speaks: Speaks) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let _ = stream.set_nodelay(true);
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let (shared, speaks) = (Arc::clone(&shared), speaks.clone());
        connections.spawn(async move {
            let _open = Open::new(&shared);
            match &speaks.tls {
                None => converse(TokioIo::new(stream), number, &shared, &speaks).await,
                Some(tls) => {
                    if let Ok(stream) = TlsAcceptor::from(Arc::clone(tls)).accept(stream).await {
                        converse(TokioIo::new(stream), number, &shared, &speaks).await;
                    }
                }
            }
        });
    }
}

struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn converse<T: Read + Write + Unpin + Send + 'static>(
    io: T,
    number: usize,
    shared: &Arc<Shared>,
    speaks: &Speaks,
) {
    let service = service_fn(|request| respond(request, number, Arc::clone(shared)));
    let mut farewells = shared.farewells.subscribe();
    if speaks.http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(speaks.most_streams);
        let shared = Arc::clone(shared);
        let service = service_fn(move |request| respond(request, number, Arc::clone(&shared)));
        let mut connection = pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = farewells.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let mut connection = pin!(http1::Builder::new().serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = farewells.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// A request that waits for its answer.
struct Waiting(Arc<Shared>);

impl Waiting {
    fn new(shared: &Arc<Shared>) -> Self {
        let now = shared.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_waiting.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn respond(
    request: Request<Incoming>,
    connection: usize,
    shared: Arc<Shared>,
) -> Result<Response<BackendBody>, Infallible> {
    let waiting = Waiting::new(&shared);
    let (parts, body) = request.into_parts();
    let (body, length, trailers) = read(body, shared.forgets_bodies.load(Ordering::SeqCst)).await;
    let mut held = shared.held.subscribe();
    let _ = held.wait_for(|is_held| !is_held).await;
    let (method, uri, headers, version) = (parts.method, parts.uri, parts.headers, parts.version);
    let got = Got { method, uri, version, headers, body, length, trailers, connection };
    let answer = Arc::clone(&lock(&shared.answer));
    let response = answer(&got);
    lock(&shared.got).push(got);
    drop(waiting);
    Ok(response)
}

/// A body, its length and its trailers, as far as it came.
async fn read(mut body: Incoming, forget: bool) -> (Bytes, u64, Option<HeaderMap>) {
    let (mut kept, mut length, mut trailers) = (Vec::new(), 0, None);
    while let Some(Ok(frame)) = body.frame().await {
        match frame.into_data() {
            Ok(data) => {
                length += data.len() as u64;
                if !forget {
                    kept.extend_from_slice(&data);
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    (kept.into(), length, trailers)
}

/// As many bytes as wanted, made while they are read.
pub struct Plenty {
    left: u64,
    piece: Bytes,
}

impl Plenty {
    /// So many bytes.
    pub fn of(bytes: u64) -> BackendBody {
        Self { left: bytes, piece: Bytes::from(vec![b'x'; 64 * 1024]) }.boxed()
    }
}

impl hyper::body::Body for Plenty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.piece.len());
        self.left -= length as u64;
        Poll::Ready(Some(Ok(Frame::data(self.piece.slice(..length)))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.left)
    }
}

/// Waits as long as somebody wants the rest: an answer that never ends by itself.
pub fn endless(first: &'static str) -> BackendBody {
    let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(first.as_bytes())))]);
    let rest = futures_util::stream::pending();
    BodyExt::boxed(StreamBody::new(futures_util::StreamExt::chain(first, rest)))
}
