//! The admin listener: `/healthz` and `/readyz`, for operators and orchestrators, never for the public
//! (requirement EP-03).

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;

use crate::live::Live;

use super::connection::{ACCEPT_PAUSE, HEAD_TIMEOUT, Stopping};

/// Serves until told to stop.
pub(super) async fn serve(listener: std::net::TcpListener, live: Arc<Live>, mut stopping: Stopping) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(target: "gateway", %error, "cannot watch the admin listener"),
    };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, Arc::clone(&live), stopping.clone()));
                }
                // For want of file descriptors, usually; trying at once would keep this thread from sign-ins.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            _ = stopping.changed() => return,
        }
    }
}

async fn converse(stream: tokio::net::TcpStream, live: Arc<Live>, stopping: Stopping) {
    let service = service_fn(|request| {
        let response = answer(&request, &live, stopping.borrow().is_some());
        async move { Ok::<_, Infallible>(response) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(request: &Request<Incoming>, live: &Live, stopping: bool) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return reply(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "use GET" }));
    }
    match request.uri().path() {
        // Alive is alive, whatever the provider does: a restart would not bring it back.
        "/healthz" => reply(StatusCode::OK, &json!({ "status": "alive" })),
        "/readyz" => {
            let reasons = reasons(live, stopping);
            let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            reply(status, &json!({ "ready": reasons.is_empty(), "reasons": reasons }))
        }
        _ => reply(StatusCode::NOT_FOUND, &json!({ "error": "there are /healthz and /readyz" })),
    }
}

/// Why requests should go elsewhere; nothing when they may come.
fn reasons(live: &Live, stopping: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    if stopping {
        reasons.push("stopping".to_owned());
    }
    if let Err(not_ready) = live.provider.readiness() {
        reasons.push(format!("provider: {not_ready}"));
    }
    reasons
}

fn reply(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
