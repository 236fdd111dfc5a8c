//! An issuer on loopback: discovery document and key set, well-behaved or not, and a count of who asked.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::RsaKey;

/// What the key set's address answers.
#[derive(Clone)]
pub(crate) enum Publish {
    Keys(Vec<Value>),
    Status(StatusCode),
    Text(&'static str),
    Redirect,
    /// Never answers.
    Hang,
    /// Begins an answer and never ends it.
    Drip,
    /// More bytes than anybody should read, with a good key among them.
    Huge,
}

#[derive(Clone)]
pub(crate) struct TestIssuer {
    /// The `iss` of its tokens.
    pub(crate) name: String,
    pub(crate) base_url: String,
    shared: Arc<Shared>,
}

struct Shared {
    base_url: String,
    name: String,
    keys: Mutex<Publish>,
    metadata_issuer: Mutex<Option<String>>,
    key_fetches: AtomicUsize,
    discoveries: AtomicUsize,
}

impl TestIssuer {
    /// An issuer whose name is its address, publishing the first RSA key as `first`.
    pub(crate) async fn start() -> Self {
        Self::named(str::to_owned).await
    }

    pub(crate) async fn named(name: impl FnOnce(&str) -> String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared {
            name: name(&base_url),
            base_url: base_url.clone(),
            keys: Mutex::new(Publish::Keys(vec![RsaKey::first().jwk("first")])),
            metadata_issuer: Mutex::new(None),
            key_fetches: AtomicUsize::new(0),
            discoveries: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/moved", get(moved))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { name: shared.name.clone(), base_url, shared }
    }

    pub(crate) fn metadata_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.base_url)
    }

    pub(crate) fn publish(&self, keys: Publish) {
        *self.shared.keys.lock().expect("unpoisoned") = keys;
    }

    /// Makes the discovery document claim another name.
    pub(crate) fn claim_to_be(&self, name: &str) {
        *self.shared.metadata_issuer.lock().expect("unpoisoned") = Some(name.to_owned());
    }

    pub(crate) fn key_fetches(&self) -> usize {
        self.shared.key_fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn discoveries(&self) -> usize {
        self.shared.discoveries.load(Ordering::SeqCst)
    }
}

async fn discovery(State(shared): State<Arc<Shared>>) -> axum::Json<Value> {
    shared.discoveries.fetch_add(1, Ordering::SeqCst);
    let claimed = shared.metadata_issuer.lock().expect("unpoisoned").clone();
    let issuer = claimed.unwrap_or_else(|| shared.name.clone());
    axum::Json(json!({ "issuer": issuer, "jwks_uri": format!("{}/keys", shared.base_url) }))
}

/// Where a redirect would lead: keys that work, to show that nobody follows.
async fn moved() -> axum::Json<Value> {
    axum::Json(json!({ "keys": [RsaKey::second().jwk("second"), RsaKey::first().jwk("first")] }))
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    shared.key_fetches.fetch_add(1, Ordering::SeqCst);
    let publish = shared.keys.lock().expect("unpoisoned").clone();
    match publish {
        Publish::Keys(keys) => axum::Json(json!({ "keys": keys })).into_response(),
        Publish::Status(status) => status.into_response(),
        Publish::Text(text) => text.into_response(),
        Publish::Redirect => (StatusCode::FOUND, [(header::LOCATION, "/moved")]).into_response(),
        Publish::Hang => std::future::pending().await,
        Publish::Drip => Body::new(Drip { begun: false }).into_response(),
        Publish::Huge => {
            let filler = "x".repeat(2 * 1024 * 1024);
            axum::Json(json!({ "filler": filler, "keys": [RsaKey::first().jwk("first")] })).into_response()
        }
    }
}

/// A body that begins and never ends.
struct Drip {
    begun: bool,
}

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        if self.begun {
            return Poll::Pending;
        }
        self.begun = true;
        Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"{")))))
    }
}
