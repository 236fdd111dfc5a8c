//! For tests alone: a provider on loopback that answers what a test tells it to.

mod signer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use url::{Url, form_urlencoded};

use super::discovery::Metadata;
use super::settings::{
    Algorithm, ClientAuthentication, LogoutTokenType, RequestSettings, ResponseMode, Settings, Userinfo,
};
use super::{Provider, Purpose, Want};
use crate::clock::Clock;
use crate::secret::Secret;
use crate::session::attempt::LoginAttempt;
use crate::session::return_to::ReturnTo;

pub(crate) use signer::Signer;

/// Settings for a provider of that issuer on port 3002.
pub(crate) fn settings(issuer: &str) -> Settings {
    let url = |text: &str| Url::parse(text).expect("valid");
    Settings {
        name: "default".into(),
        label: "default".to_owned(),
        issuer: issuer.into(),
        metadata_url: url("http://localhost:3002/.well-known/openid-configuration"),
        client_id: "todo-web".to_owned(),
        authentication: ClientAuthentication::SecretBasic(Secret::new("client-s3cret".to_owned())),
        scopes: "openid profile email offline_access".parse().expect("valid"),
        resources: Vec::new(),
        response_mode: ResponseMode::Query,
        algorithms: vec![Algorithm::RS256],
        logout_token_type: LogoutTokenType::Lenient,
        tenants: Vec::new(),
        pass_parameters: Vec::new(),
        request: RequestSettings::default(),
        userinfo: Userinfo::default(),
        redirect_uri: url("http://localhost:3000/auth/callback"),
        post_logout_redirect_uri: url("http://localhost:3000/auth/signed-out"),
        localhost: crate::origin::Localhost::ThisMachine,
    }
}

/// What the gateway keeps of a provider's metadata.
pub(super) fn metadata(base: &str) -> Metadata {
    let url = |path: &str| Url::parse(&format!("{base}{path}")).expect("valid");
    Metadata {
        authorization_endpoint: url("/authorize"),
        token_endpoint: url("/token"),
        jwks_uri: url("/keys"),
        revocation_endpoint: None,
        end_session_endpoint: None,
        push_to: None,
        userinfo_endpoint: None,
        sends_issuer: false,
        prompts: None,
        algorithms: vec![Algorithm::RS256],
    }
}

/// One answer of the fake provider.
#[derive(Clone, Debug)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// The answer waits until this is notified.
    pub(crate) after: Option<Arc<Notify>>,
    /// The request is read, and the connection closes without an answer.
    pub(crate) breaks: bool,
}

impl Canned {
    /// No answer at all, although the request has come.
    pub(crate) fn broken() -> Self {
        Self { breaks: true, ..Self::json(200, &json!({})) }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
            after: None,
            breaks: false,
        }
    }
}

/// One request that the fake provider got.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) form: HashMap<String, String>,
    /// The form in its order, with what is there more than once.
    pub(crate) pairs: Vec<(String, String)>,
}

/// What a path answers, by what it is asked.
type Answering = Arc<dyn Fn(&Call) -> Canned + Send + Sync>;

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<String, Answering>>,
    calls: Mutex<Vec<Call>>,
    arrived: Notify,
}

/// A provider on loopback.
pub(crate) struct Fake {
    pub(crate) base: String,
    pub(crate) signer: Signer,
    pub(crate) offset: Arc<AtomicI64>,
    script: Arc<Script>,
}

impl Fake {
    /// Starts on a free port, with sound metadata and one key.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Script::default());
        tokio::spawn(serve(listener, Arc::clone(&script)));
        let fake = Self {
            base,
            signer: Signer::new(Algorithm::RS256, Some("key-1")),
            offset: Arc::new(AtomicI64::new(0)),
            script,
        };
        fake.answer("/.well-known/openid-configuration", Canned::json(200, &fake.metadata()));
        fake.answer("/keys", Canned::json(200, &json!({"keys": [fake.signer.jwk()]})));
        fake
    }

    pub(crate) fn metadata(&self) -> Value {
        let base = &self.base;
        json!({
            "issuer": base,
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "jwks_uri": format!("{base}/keys"),
            "revocation_endpoint": format!("{base}/revoke"),
            "userinfo_endpoint": format!("{base}/userinfo"),
            "end_session_endpoint": format!("{base}/end_session"),
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    pub(crate) fn answer(&self, path: &str, canned: Canned) {
        self.answer_by(path, move |_| canned.clone());
    }

    /// Has a path answer by what it is asked.
    pub(crate) fn answer_by(&self, path: &str, by: impl Fn(&Call) -> Canned + Send + Sync + 'static) {
        self.script.answers.lock().expect("not poisoned").insert(path.to_owned(), Arc::new(by));
    }

    /// The requests for `path` so far.
    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.script.calls.lock().expect("not poisoned");
        calls.iter().filter(|call| call.path == path).cloned().collect()
    }

    /// Waits until there were `count` requests for `path`.
    pub(crate) async fn until_called(&self, path: &str, count: usize) {
        loop {
            let arrived = self.script.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if self.calls(path).len() >= count {
                return;
            }
            arrived.await;
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::shifted(Arc::clone(&self.offset))
    }

    /// Moves the gateway's clock and nothing else.
    pub(crate) fn pass(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn settings(&self) -> Settings {
        let metadata_url =
            Url::parse(&format!("{}/.well-known/openid-configuration", self.base)).expect("valid");
        Settings { issuer: self.base.as_str().into(), metadata_url, ..settings(&self.base) }
    }

    /// The gateway's side, not started: it fetches when it is asked.
    pub(crate) fn provider(&self) -> Arc<Provider> {
        self.provider_with(self.settings())
    }

    /// The gateway's side with metadata and keys.
    pub(crate) async fn ready_provider(&self) -> Arc<Provider> {
        let provider = self.provider();
        provider.renew().await.expect("sound metadata and keys");
        provider
    }

    pub(crate) fn provider_with(&self, settings: Settings) -> Arc<Provider> {
        Provider::new(settings, self.clock(), Handle::current()).expect("sound settings")
    }

    /// The claims of a sound ID token for that nonce.
    pub(crate) fn claims(&self, nonce: &str) -> Value {
        let now = self.clock().now().0;
        json!({
            "iss": self.base, "aud": "todo-web", "sub": "alice-sub", "iat": now, "nbf": now, "exp": now + 3_600,
            "nonce": nonce, "name": "Alice Adams", "sid": "s-1", "roles": ["admin"],
        })
    }

    /// A sound answer of the token endpoint with those claims in the ID token.
    pub(crate) fn tokens(&self, claims: &Value) -> Value {
        json!({
            "access_token": "at-1", "token_type": "Bearer", "expires_in": 3_600, "refresh_token": "rt-1",
            "id_token": self.signer.token(claims),
        })
    }

    /// Begins a sign-in and lets the token endpoint answer it soundly.
    pub(crate) async fn begin(&self, provider: &Arc<Provider>) -> LoginAttempt {
        let attempt = provider.begin(want(), None).await.expect("the provider is there").attempt;
        self.answer("/token", Canned::json(200, &self.tokens(&self.claims(attempt.nonce.expose()))));
        attempt
    }
}

/// An ordinary sign-in.
pub(crate) fn want() -> Want {
    let return_to = ReturnTo::or_home(Some("/todos"));
    Want { return_to, extra_scopes: None, purpose: Purpose::SignIn, parameters: Vec::new() }
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the test breaks the connection")]
struct Broken;

async fn serve(listener: TcpListener, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        let script = Arc::clone(&script);
        let service = service_fn(move |request| answer(request, Arc::clone(&script)));
        tokio::spawn(async move {
            // A client that goes away is the test's intention.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(request: Request<Incoming>, script: Arc<Script>) -> Result<Response<Full<Bytes>>, Broken> {
    let path = request.uri().path().to_owned();
    let authorization =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let form = pairs.iter().cloned().collect();
    let call = Call { path: path.clone(), authorization, form, pairs };
    script.calls.lock().expect("not poisoned").push(call.clone());
    script.arrived.notify_waiters();
    let answering = script.answers.lock().expect("not poisoned").get(&path).cloned();
    let canned = answering.map(|answering| answering(&call));
    let canned = canned.unwrap_or(Canned { headers: Vec::new(), ..Canned::json(404, &Value::Null) });
    if let Some(after) = &canned.after {
        after.notified().await;
    }
    if canned.breaks {
        return Err(Broken);
    }
    let mut response = Response::builder().status(canned.status);
    for (name, value) in canned.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(canned.body)).expect("a sound answer"))
}
