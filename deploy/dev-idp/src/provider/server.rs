//! The socket side: accepting, one task per connection, and the table of paths. May go away and come back with all it
//! knows (`door`). Knows nothing of what the answers say.

use std::sync::Arc;

use http::{Method, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::door::{Door, Order};
use super::{Provider, dev};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::faces::{Endpoint, Face};
use crate::faults::{Loss, Outcome, Seen, When, cut_short};
use crate::{authorize, discovery, logout, pages, par, token, user_flow};

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault asked for the connection to close")]
struct Close;

/// Serves until the task is aborted; its connections end with it.
pub(super) async fn serve(mut door: Door, mut orders: mpsc::Receiver<Order>, provider: Arc<Provider>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(order) = orders.recv() => {
                connections.shutdown().await;
                door.obey(order);
            }
            accepted = door.accept() => match accepted {
                Ok((socket, _)) => {
                    let provider = Arc::clone(&provider);
                    connections.spawn(connection(socket, provider));
                }
                // Out of file descriptors, or a client that left at once: neither is a reason to stop.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: tokio::net::TcpStream, provider: Arc<Provider>) {
    let service = service_fn(|request| handle(Arc::clone(&provider), request));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn handle(provider: Arc<Provider>, request: Request<Incoming>) -> Result<Answer, Close> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !provider.site.is_host(host) {
        let why = "This provider answers to localhost only.";
        return Ok(answer::bytes(StatusCode::MISDIRECTED_REQUEST, "text/plain; charset=utf-8", why));
    }
    let Ok(mut call) = Call::read(request).await else {
        return Ok(answer::bytes(StatusCode::PAYLOAD_TOO_LARGE, "text/plain; charset=utf-8", "Too large."));
    };
    if call.path.starts_with("/dev/faults") {
        return Ok(page(&provider, &call).await);
    }
    let found = provider.site.endpoint(&call.path);
    let endpoint = found.map(|(_, endpoint)| endpoint);
    if let Some((face, endpoint)) = found {
        provider.faults.record(seen(face, endpoint, &call));
        provider.faults.pause(endpoint, When::Before).await;
    }
    match (provider.faults.on_request(endpoint, &provider.canary), found) {
        (Outcome::Answer, Some((face, endpoint))) => {
            if matches!(endpoint, Endpoint::Token | Endpoint::Revoke | Endpoint::Par) {
                call.client_keys = token::fetch_keys(&provider, &call).await;
            }
            let answer = protocol(&provider, face, endpoint, &call).await;
            provider.faults.pause(endpoint, When::After).await;
            on_its_way(answer).await
        }
        (Outcome::Answer, None) => Ok(page(&provider, &call).await),
        (Outcome::Instead(answer), _) => Ok(*answer),
        (Outcome::Close, _) => Err(Close),
        (Outcome::Hang, _) => std::future::pending().await,
    }
}

/// The answer, or what a fault leaves of it.
async fn on_its_way(answer: Answer) -> Result<Answer, Close> {
    match answer.extensions().get::<Loss>() {
        None => Ok(answer),
        Some(Loss::All) => Err(Close),
        Some(Loss::Half) => Ok(cut_short(answer).await),
    }
}

fn seen(face: Face, endpoint: Endpoint, call: &Call) -> Seen {
    Seen {
        endpoint,
        face,
        method: call.method.to_string(),
        params: call.query.pairs().iter().chain(call.form.pairs()).cloned().collect(),
        authorization: call.header(header::AUTHORIZATION).map(str::to_owned),
    }
}

async fn protocol(provider: &Provider, face: Face, endpoint: Endpoint, call: &Call) -> Answer {
    match endpoint {
        Endpoint::Metadata => discovery::metadata(provider, face),
        Endpoint::Keys => discovery::keys(provider, face),
        Endpoint::Authorize => authorize::authorize(provider, face, call),
        Endpoint::Token => token::token(provider, face, call),
        Endpoint::Userinfo => token::userinfo(provider, face, call),
        Endpoint::EndSession => logout::end_session(provider, call).await,
        Endpoint::Revoke => token::revoke(provider, call),
        Endpoint::Par => par::push(provider, call),
        Endpoint::Canary => answer::bytes(StatusCode::OK, "application/json", "{}"),
    }
}

async fn page(provider: &Arc<Provider>, call: &Call) -> Answer {
    let tenant = provider.tenant();
    if !matches!(call.method, Method::GET | Method::HEAD | Method::POST) {
        return pages::problem(StatusCode::METHOD_NOT_ALLOWED, &tenant, "Use GET or POST", "");
    }
    if let Some((id, step)) = call.path.strip_prefix("/flow/").and_then(|rest| rest.split_once('/')) {
        return user_flow::step(provider, call, id, step).await;
    }
    match call.path.as_str() {
        "/" => pages::home(provider),
        "/mailbox" => pages::mailbox(provider),
        "/style.css" => pages::style(),
        "/icon.svg" | "/favicon.ico" => pages::icon(),
        "/dev/faults" if provider.faults_over_http => dev::faults(provider, call),
        _ => pages::not_found(&tenant),
    }
}
