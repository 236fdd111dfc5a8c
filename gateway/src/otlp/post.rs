//! Batches of recorded requests, posted one after the other. One that the collector cannot take now is tried again a few
//! times, as the protocol asks (OTLP 1, "Failures"); then it is given up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::metrics::{Metrics, SpanFate};
use crate::stop::causes;
use crate::trace::Story;

use super::{Collector, Item, wire};

/// The most requests of one batch.
const BATCH: usize = 512;
/// How long a batch waits for more.
const DELAY: Duration = Duration::from_secs(1);
/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The pauses between tries.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// However long a collector asks to be left alone, its batch is tried again or given up after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Of an answer, no more is read.
const MAX_ANSWER: usize = 64 * 1024;

type Connections = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("the collector cannot be reached")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the collector did not answer in time")]
    Timeout,
    #[error("the collector answered {0}")]
    Status(StatusCode, Option<Duration>),
}

impl PostError {
    /// Whether the same batch may be taken later, and how long to wait at least.
    fn is_transient(&self) -> Option<Duration> {
        match self {
            Self::Connection(_) | Self::Timeout => Some(Duration::ZERO),
            Self::Status(status, pause) => {
                matches!(status.as_u16(), 429 | 502 | 503 | 504).then(|| pause.unwrap_or_default())
            }
        }
    }
}

/// Posts what comes, until nobody can send any more.
pub(super) async fn run(collector: Collector, mut items: Receiver<Item>, metrics: Arc<Metrics>) {
    let post = Post { connections: connections(), headers: super::headers(&collector), collector };
    let mut is_failing = false;
    loop {
        let Some(batch) = gather(&mut items).await else {
            return;
        };
        if !batch.stories.is_empty() {
            let count = batch.stories.iter().map(|story| story.spans.len()).sum();
            let result = post.batch(&batch.stories, batch.flushed.is_none()).await;
            metrics.spans(if result.is_ok() { SpanFate::Sent } else { SpanFate::NotTaken }, count);
            tell_once(&mut is_failing, result.err().as_ref());
        }
        if let Some(done) = batch.flushed {
            let _ = done.send(());
        }
    }
}

/// One line when it begins to fail, and one when it works again.
fn tell_once(is_failing: &mut bool, error: Option<&PostError>) {
    match error {
        Some(error) if !*is_failing => {
            tracing::warn!(target: "gateway", event = "traces_not_sent", error = causes(error), "traces cannot be sent; requests go on");
        }
        None if *is_failing => {
            tracing::info!(target: "gateway", event = "traces_sent_again", "traces can be sent again");
        }
        _ => {}
    }
    *is_failing = error.is_some();
}

struct Batch {
    stories: Vec<Story>,
    flushed: Option<oneshot::Sender<()>>,
}

/// The next batch: as many as come within a second; fewer if somebody waits for it.
async fn gather(items: &mut Receiver<Item>) -> Option<Batch> {
    let mut batch = Batch { stories: Vec::new(), flushed: None };
    let mut item = items.recv().await?;
    let end = Instant::now() + DELAY;
    loop {
        match item {
            Item::Story(story) => batch.stories.push(*story),
            Item::Flush(done) => {
                batch.flushed = Some(done);
                return Some(batch);
            }
        }
        if batch.stories.len() >= BATCH {
            return Some(batch);
        }
        match timeout_at(end, items.recv()).await {
            Ok(Some(next)) => item = next,
            Ok(None) | Err(_) => return Some(batch),
        }
    }
}

struct Post {
    connections: Connections,
    headers: HeaderMap,
    collector: Collector,
}

impl Post {
    /// Posts a batch, again and again if `may_repeat`.
    async fn batch(&self, stories: &[Story], may_repeat: bool) -> Result<(), PostError> {
        let body = Bytes::from(wire::encode(&self.collector.resource, stories));
        let mut pauses = PAUSES.iter();
        loop {
            let error = match self.once(body.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match (error.is_transient(), pauses.next()) {
                (Some(wanted), Some(pause)) if may_repeat => {
                    sleep(wanted.clamp(*pause, LONGEST_PAUSE)).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn once(&self, body: Bytes) -> Result<(), PostError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self
            .collector
            .url
            .as_str()
            .parse()
            .expect("the configuration holds addresses that HTTP can carry");
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(USER_AGENT, HeaderValue::from_static("gateway"));
        let exchange = async {
            let answer = self
                .connections
                .request(request)
                .await
                .map_err(|error| PostError::Connection(error.into()))?;
            let (parts, body) = answer.into_parts();
            // Read to its end, so that the connection can be used again; what it says is of no interest.
            let _ = Limited::new(body, MAX_ANSWER).collect().await;
            if parts.status.is_success() {
                Ok(())
            } else {
                Err(PostError::Status(parts.status, retry_after(&parts.headers)))
            }
        };
        timeout(LIMIT, exchange).await.unwrap_or(Err(PostError::Timeout))
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Connections to the collector: the certificates that the machine trusts, no proxy, no redirects.
fn connections() -> Connections {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the cryptography that is built in speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(LIMIT));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .build(connector)
}
