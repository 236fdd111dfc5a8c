//! The admin listener: health, readiness and metrics for whoever reaches it, and the sessions for operators with the
//! admin token. Never for the public (requirements EP-03, LG-05).

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod operators;
mod reply;
mod sessions;
mod wish;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::sync::watch;

use crate::config::Shutdown;
use crate::live::Live;
use crate::metrics::Format;
use crate::tls::Tls;

use super::connection::{ACCEPT_PAUSE, HEAD_TIMEOUT};
use super::standing::Standing;

pub use operators::Operators;

/// What the admin listener answers with.
pub(super) struct Admin {
    pub(super) current: Current,
    pub(super) standing: Arc<Standing>,
    pub(super) tls: Option<Arc<Tls>>,
    /// Whether the gateway will soon be gone.
    pub(super) is_leaving: watch::Receiver<bool>,
}

/// What is answered from right now.
pub(super) type Current = watch::Receiver<Issue>;

/// One generation, who may ask about it, and how it ends.
#[derive(Clone)]
pub(super) struct Issue {
    pub(super) live: Arc<Live>,
    pub(super) operators: Arc<Operators>,
    pub(super) shutdown: Shutdown,
}

impl Admin {
    /// The current generation; to be asked for once by each request.
    fn issue(&self) -> Issue {
        self.current.borrow().clone()
    }
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug)]
struct Ends {
    /// The other end.
    peer: SocketAddr,
    /// The address of this one.
    own: IpAddr,
}

/// Serves as long as the process runs, so that whoever asks learns that it is about to end.
pub(super) async fn serve(listener: std::net::TcpListener, admin: Admin) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(target: "gateway", %error, "cannot watch the admin listener"),
    };
    let admin = Arc::new(admin);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(converse(stream, peer, Arc::clone(&admin)));
            }
            // For want of file descriptors, usually; trying at once would keep this thread from sign-ins.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn converse(stream: tokio::net::TcpStream, peer: SocketAddr, admin: Arc<Admin>) {
    let Ok(own) = stream.local_addr() else {
        return;
    };
    let ends = Ends { peer, own: own.ip() };
    let service = service_fn(|request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(answer(request, &admin, ends).await) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, admin: &Admin, ends: Ends) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let fixed = match path {
        // Alive is alive, whatever the provider does: a restart would not bring it back.
        "/healthz" => {
            |_: &Request<Incoming>, _: &Admin| reply::json(StatusCode::OK, &json!({ "status": "alive" }))
        }
        "/readyz" => |_: &Request<Incoming>, admin: &Admin| readiness(admin),
        "/metrics" => |request: &Request<Incoming>, admin: &Admin| metrics(request, admin),
        path if path == "/sessions" || path.starts_with("/sessions/") => {
            return sessions::answer(request, &admin.issue(), ends).await;
        }
        _ => return reply::nothing_here("there are /healthz, /readyz, /metrics and /sessions"),
    };
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        fixed(&request, admin)
    } else {
        reply::use_method("GET, HEAD")
    }
}

fn metrics(request: &Request<Incoming>, admin: &Admin) -> Response<Full<Bytes>> {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::wanted(accept);
    let live = admin.issue().live;
    live.sessions.measure_here();
    let now = Instant::now();
    live.metrics.show_upstreams(live.upstreams.iter().map(|upstream| upstream.standing(now)).collect());
    reply::of(StatusCode::OK, HeaderValue::from_static(format.content_type()), live.metrics.text(format))
}

fn readiness(admin: &Admin) -> Response<Full<Bytes>> {
    let reasons = reasons(&admin.issue().live, *admin.is_leaving.borrow());
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (ready, configuration) = (reasons.is_empty(), admin.standing.view());
    let mut body = json!({ "ready": ready, "reasons": reasons, "configuration": configuration });
    if admin.tls.as_ref().is_some_and(|tls| !tls.is_up_to_date()) {
        // Requests are answered as before, so they need not go elsewhere.
        body["hints"] = json!(["new TLS certificates cannot be used; the log says why"]);
    }
    reply::json(status, &body)
}

/// Why requests should go elsewhere; nothing when they may come.
fn reasons(live: &Live, is_leaving: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    if is_leaving {
        reasons.push("stopping".to_owned());
    }
    for (name, not_ready) in live.providers.not_ready() {
        let which =
            if live.providers.only().is_some() { "provider".to_owned() } else { format!("provider {name}") };
        reasons.push(format!("{which}: {not_ready}"));
    }
    if !live.sessions.is_ready() {
        reasons.push("session store: cannot be reached".to_owned());
    }
    reasons
}
