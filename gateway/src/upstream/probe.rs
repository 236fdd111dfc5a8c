//! Asks each server of an upstream again and again whether it is well: once per process, on the control runtime, whatever
//! the number of workers. Knows how to ask and how to count answers; what follows from them is `health`'s.

use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri, Version};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;

use super::connect::{ConnectError, dial};
use super::http1::Stream;
use super::settings::{Check, Server};
use super::shared::{Endpoint, Shared};

/// One endpoint and its last answers in a row.
struct Row {
    endpoint: Arc<Endpoint>,
    was_well: bool,
    length: u32,
}

/// Why a server is not well.
#[derive(Debug, thiserror::Error)]
enum Unwell {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("it does not answer")]
    Http(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it does not answer in time")]
    Slow,
    #[error("it cannot be asked")]
    Request(#[from] http::Error),
}

/// Asks until the upstream is gone.
pub(super) async fn watch(shared: Weak<Shared>) {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let Some(upstream) = shared.upgrade() else {
            return;
        };
        let Some(check) = upstream.settings.health.clone() else {
            return;
        };
        follow_lineup(&upstream, &mut rows);
        let mut asking = JoinSet::new();
        for (index, row) in rows.iter().enumerate() {
            let (upstream, endpoint, check) =
                (Arc::clone(&upstream), Arc::clone(&row.endpoint), check.clone());
            asking.spawn(async move {
                let asked = tokio::time::timeout(check.timeout, ask(&upstream, &endpoint, &check)).await;
                (index, asked.unwrap_or(Err(Unwell::Slow)))
            });
        }
        while let Some(asked) = asking.join_next().await {
            if let Ok((index, answer)) = asked {
                note(&upstream, &check, &mut rows[index], answer);
            }
        }
        drop(upstream);
        tokio::time::sleep(check.interval).await;
    }
}

/// Forgets endpoints that are gone, and begins with new ones, which count as well until they show otherwise.
fn follow_lineup(upstream: &Shared, rows: &mut Vec<Row>) {
    let endpoints = upstream.lineup().borrow().endpoints.clone();
    rows.retain(|row| endpoints.iter().any(|endpoint| Arc::ptr_eq(endpoint, &row.endpoint)));
    for endpoint in endpoints {
        if !rows.iter().any(|row| Arc::ptr_eq(&endpoint, &row.endpoint)) {
            rows.push(Row { endpoint, was_well: true, length: 0 });
        }
    }
}

fn note(upstream: &Shared, check: &Check, row: &mut Row, answer: Result<(), Unwell>) {
    let is_well = answer.is_ok();
    row.length = if row.was_well == is_well { row.length.saturating_add(1) } else { 1 };
    row.was_well = is_well;
    let enough = if is_well { check.healthy } else { check.unhealthy };
    if row.length < enough || !row.endpoint.health.checked(Instant::now(), is_well) {
        return;
    }
    let (name, server) = (upstream.name(), upstream.shown(&row.endpoint));
    match answer {
        Ok(()) => {
            tracing::info!(target: "gateway", upstream = name, server, "an upstream's server is well again")
        }
        Err(error) => {
            let cause = crate::stop::causes(&error);
            tracing::warn!(target: "gateway", upstream = name, server, cause, "an upstream's server is not well");
        }
    }
}

/// One question, on a connection of its own: what is asked here is also whether connections are taken.
async fn ask(upstream: &Shared, endpoint: &Endpoint, check: &Check) -> Result<(), Unwell> {
    let settings = &upstream.settings;
    let server = &settings.servers[endpoint.server];
    let multiplexed = settings.protocol.is_multiplexed();
    let request = question(server, check, multiplexed)?;
    let status = match dial(&endpoint.addresses, server, settings, upstream.tls.as_ref()).await? {
        Stream::Plain(tcp) => exchange(TokioIo::new(tcp), request, multiplexed).await?,
        Stream::Tls(tls) => exchange(TokioIo::new(tls), request, multiplexed).await?,
    };
    if status.is_success() { Ok(()) } else { Err(Unwell::Status(status)) }
}

fn question(server: &Server, check: &Check, multiplexed: bool) -> Result<Request<Empty<Bytes>>, Unwell> {
    let mut request = Request::get(Uri::from(check.path.clone())).body(Empty::new())?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("gateway-health-check"));
    if multiplexed {
        *request.uri_mut() = super::stream::absolute(request.uri(), server)?;
        *request.version_mut() = Version::HTTP_2;
    } else {
        request.headers_mut().insert(HOST, server.authority.clone());
    }
    Ok(request)
}

async fn exchange<T>(
    io: T,
    request: Request<Empty<Bytes>>,
    multiplexed: bool,
) -> Result<StatusCode, hyper::Error>
where
    T: Read + Write + Unpin + Send + 'static,
{
    // Whoever drives a connection ends with it: it is dropped when the answer is there, or the time is over.
    let mut driver = JoinSet::new();
    let answer = if multiplexed {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        driver.spawn(async move { drop(connection.await) });
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = http1::handshake(io).await?;
        driver.spawn(async move { drop(connection.await) });
        sender.send_request(request).await?
    };
    Ok(answer.status())
}
