//! A certificate authority that speaks ACME (RFC 8555) as far as a client needs it, and no less strictly: it checks each
//! signature, nonce and address, goes and looks whether a challenge is answered, and signs what it was then asked for.
//! Its names are looked up nowhere: they are all on this computer, at ports that the test tells.

mod jws;
mod look;
mod signing;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::tls::Authority;

use jws::{Signed, Signer};

/// A running authority.
pub struct Acme {
    shared: Arc<Shared>,
    port: u16,
    serving: AbortHandle,
}

struct Shared {
    authority: Authority,
    base: String,
    /// Where challenges are looked for: with TLS, and without.
    ports: Mutex<(u16, u16)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nonces: HashSet<String>,
    issued: usize,
    accounts: Vec<Account>,
    orders: Vec<Order>,
    authorizations: Vec<Authorization>,
    refuses: usize,
    forgets_nonces: usize,
    days: Option<i64>,
}

struct Account {
    key: jws::Key,
    contact: Value,
}

struct Order {
    account: usize,
    authorizations: Vec<usize>,
    certificate: Option<String>,
}

struct Authorization {
    name: String,
    token: String,
    status: &'static str,
}

/// What a challenge is called.
const KINDS: [&str; 2] = ["tls-alpn-01", "http-01"];

impl Acme {
    /// Begins to listen, on the current runtime.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            authority: Authority::new("acme"),
            base: format!("http://127.0.0.1:{port}"),
            ports: Mutex::default(),
            state: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Self { shared, port, serving }
    }

    /// The address of its directory.
    pub fn directory(&self) -> String {
        format!("http://127.0.0.1:{}/directory", self.port)
    }

    /// Where all names are: with TLS, and without.
    pub fn look_at(&self, tls: u16, plain: u16) {
        *lock(&self.shared.ports) = (tls, plain);
    }

    /// Refuses the next orders.
    pub fn refuse(&self, orders: usize) {
        self.shared.state().refuses = orders;
    }

    /// Forgets each nonce that it gave out, so many times.
    pub fn forget_nonces(&self, times: usize) {
        self.shared.state().forgets_nonces = times;
    }

    /// Signs for so many days from now on, instead of ninety.
    pub fn sign_for(&self, days: i64) {
        self.shared.state().days = Some(days);
    }

    /// How many accounts, orders and certificates there were.
    pub fn counts(&self) -> (usize, usize, usize) {
        let state = self.shared.state();
        (state.accounts.len(), state.orders.len(), state.issued)
    }

    /// Whom it may write to, by account.
    pub fn contacts(&self) -> Vec<Value> {
        self.shared.state().accounts.iter().map(|account| account.contact.clone()).collect()
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.shared.authority.pem()
    }
}

impl Drop for Acme {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn url(&self, kind: &str, number: usize) -> String {
        format!("{}/{kind}/{number}", self.base)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { Ok::<_, Infallible>(answer(request, &shared).await) }
                });
                connections.spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A problem document (RFC 8555, section 6.7).
struct Problem(StatusCode, &'static str);

fn problem(kind: &'static str) -> Problem {
    Problem(StatusCode::BAD_REQUEST, kind)
}

async fn answer(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Full<Bytes>> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let found = match (method, &*path) {
        (Method::GET, "/directory") => Ok(json_of(StatusCode::OK, &directory(shared))),
        (Method::HEAD, "/nonce") => Ok(Response::new(Full::default())),
        (Method::POST, _) => match request.into_body().collect().await {
            Ok(body) => posted(&path, &body.to_bytes(), shared),
            Err(_) => Err(problem("malformed")),
        },
        _ => Err(Problem(StatusCode::NOT_FOUND, "malformed")),
    };
    let mut response = found.unwrap_or_else(|Problem(status, kind)| {
        let body = json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": "as asked", "status": status.as_u16() });
        json_of(status, &body)
    });
    let nonce = crate::secrets::random();
    shared.state().nonces.insert(nonce.clone());
    response.headers_mut().insert("replay-nonce", HeaderValue::try_from(nonce).expect("visible"));
    response
}

fn json_of(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn created(location: &str, body: &Value) -> Response<Full<Bytes>> {
    let mut response = json_of(StatusCode::CREATED, body);
    response.headers_mut().insert("location", HeaderValue::try_from(location).expect("a URL"));
    response
}

fn directory(shared: &Shared) -> Value {
    let at = |path: &str| format!("{}/{path}", shared.base);
    json!({
        "newNonce": at("nonce"), "newAccount": at("account"), "newOrder": at("order"),
        "revokeCert": at("revoke"), "keyChange": at("key"), "meta": { "termsOfService": at("terms") },
    })
}

/// Every POST is signed, for this address, with a nonce that was given out and not used yet (RFC 8555, section 6).
fn posted(path: &str, body: &[u8], shared: &Arc<Shared>) -> Result<Response<Full<Bytes>>, Problem> {
    let signed = Signed::parse(body).ok_or_else(|| problem("malformed"))?;
    let mut state = shared.state();
    let known = state.nonces.remove(&signed.nonce);
    if !known || state.forgets_nonces > 0 {
        state.forgets_nonces = state.forgets_nonces.saturating_sub(1);
        return Err(problem("badNonce"));
    }
    if signed.url != format!("{}{path}", shared.base) {
        return Err(problem("unauthorized"));
    }
    let mut parts = path.trim_start_matches('/').split('/');
    let (kind, number) = (parts.next().unwrap_or_default(), parts.next().map(str::parse::<usize>));
    if kind == "account" && number.is_none() {
        return new_account(&signed, shared, &mut state);
    }
    let Signer::Account(url) = &signed.signer else {
        return Err(problem("malformed"));
    };
    let account = (0..state.accounts.len()).find(|number| shared.url("account", *number) == *url);
    let account = account.ok_or_else(|| problem("accountDoesNotExist"))?;
    if !signed.is_by(&state.accounts[account].key) {
        return Err(problem("badSignatureAlgorithm"));
    }
    match (kind, number) {
        ("order", None) => new_order(account, &signed.payload, shared, &mut state),
        ("order", Some(Ok(number))) => {
            own(account, number, &state)?;
            Ok(json_of(StatusCode::OK, &order(number, shared, &state)))
        }
        ("authorization", Some(Ok(number))) => Ok(json_of(
            StatusCode::OK,
            &authorization(number, shared, &state).ok_or_else(|| problem("malformed"))?,
        )),
        ("challenge", Some(Ok(number))) => {
            let chosen = parts.next().and_then(|chosen| KINDS.iter().find(|kind| **kind == chosen));
            challenge(account, number, chosen.ok_or_else(|| problem("malformed"))?, shared, &mut state)
        }
        ("finalize", Some(Ok(number))) => {
            own(account, number, &state)?;
            finalize(number, &signed.payload, shared, &mut state)
        }
        ("certificate", Some(Ok(number))) => {
            own(account, number, &state)?;
            let chain = state.orders[number].certificate.clone().ok_or_else(|| problem("malformed"))?;
            let mut response = Response::new(Full::from(chain));
            let kind = HeaderValue::from_static("application/pem-certificate-chain");
            response.headers_mut().insert("content-type", kind);
            Ok(response)
        }
        _ => Err(problem("malformed")),
    }
}

fn own(account: usize, order: usize, state: &State) -> Result<(), Problem> {
    let is_own = state.orders.get(order).is_some_and(|order| order.account == account);
    if is_own { Ok(()) } else { Err(problem("unauthorized")) }
}

fn new_account(
    signed: &Signed,
    shared: &Shared,
    state: &mut State,
) -> Result<Response<Full<Bytes>>, Problem> {
    let Signer::Key(key) = &signed.signer else {
        return Err(problem("malformed"));
    };
    if !signed.is_by(key) {
        return Err(problem("badSignatureAlgorithm"));
    }
    let payload: Value = serde_json::from_slice(&signed.payload).map_err(|_| problem("malformed"))?;
    if payload["termsOfServiceAgreed"] != true {
        return Err(problem("userActionRequired"));
    }
    state.accounts.push(Account { key: key.clone(), contact: payload["contact"].clone() });
    let number = state.accounts.len() - 1;
    Ok(created(&shared.url("account", number), &json!({ "status": "valid" })))
}

fn new_order(
    account: usize,
    payload: &[u8],
    shared: &Shared,
    state: &mut State,
) -> Result<Response<Full<Bytes>>, Problem> {
    let payload: Value = serde_json::from_slice(payload).map_err(|_| problem("malformed"))?;
    let names = payload["identifiers"].as_array().filter(|names| !names.is_empty());
    let names: Option<Vec<String>> = names.and_then(|names| {
        names
            .iter()
            .map(|name| (name["type"] == "dns").then(|| name["value"].as_str().map(str::to_owned))?)
            .collect()
    });
    let names = names.ok_or_else(|| problem("malformed"))?;
    let first = state.authorizations.len();
    let fresh = |name: String| Authorization { name, token: crate::secrets::random(), status: "pending" };
    state.authorizations.extend(names.into_iter().map(fresh));
    let authorizations = (first..state.authorizations.len()).collect();
    state.orders.push(Order { account, authorizations, certificate: None });
    let number = state.orders.len() - 1;
    if state.refuses > 0 {
        state.refuses -= 1;
        return Err(Problem(StatusCode::TOO_MANY_REQUESTS, "rateLimited"));
    }
    Ok(created(&shared.url("order", number), &order(number, shared, state)))
}

fn order(number: usize, shared: &Shared, state: &State) -> Value {
    let order = &state.orders[number];
    let statuses: Vec<&str> =
        order.authorizations.iter().map(|at| state.authorizations[*at].status).collect();
    let status = if order.certificate.is_some() {
        "valid"
    } else if statuses.contains(&"invalid") {
        "invalid"
    } else if statuses.iter().all(|status| *status == "valid") {
        "ready"
    } else {
        "pending"
    };
    let names = order
        .authorizations
        .iter()
        .map(|at| json!({ "type": "dns", "value": state.authorizations[*at].name }));
    let mut told = json!({
        "status": status,
        "identifiers": names.collect::<Vec<_>>(),
        "authorizations": order.authorizations.iter().map(|at| shared.url("authorization", *at)).collect::<Vec<_>>(),
        "finalize": shared.url("finalize", number),
    });
    if order.certificate.is_some() {
        told["certificate"] = shared.url("certificate", number).into();
    }
    told
}

fn challenge_of(number: usize, kind: &str, shared: &Shared, authorization: &Authorization) -> Value {
    json!({
        "type": kind, "url": format!("{}/{kind}", shared.url("challenge", number)),
        "token": authorization.token, "status": authorization.status,
    })
}

fn authorization(number: usize, shared: &Shared, state: &State) -> Option<Value> {
    let found = state.authorizations.get(number)?;
    let challenges: Vec<Value> = KINDS.iter().map(|kind| challenge_of(number, kind, shared, found)).collect();
    let name = json!({ "type": "dns", "value": found.name });
    Some(json!({ "identifier": name, "status": found.status, "challenges": challenges }))
}

/// The client says that it is ready: now it is looked whether that is so.
fn challenge(
    account: usize,
    number: usize,
    kind: &'static str,
    shared: &Arc<Shared>,
    state: &mut State,
) -> Result<Response<Full<Bytes>>, Problem> {
    let thumbprint = state.accounts[account].key.thumbprint();
    let found = state.authorizations.get_mut(number).ok_or_else(|| problem("malformed"))?;
    let told = challenge_of(number, kind, shared, found);
    let (name, token) = (found.name.clone(), found.token.clone());
    let (tls, plain) = *lock(&shared.ports);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let proof = format!("{token}.{thumbprint}");
        let is_there = match kind {
            "http-01" => look::over_http(plain, &name, &token, &proof).await,
            _ => look::over_tls(tls, &name, &proof).await,
        };
        shared.state().authorizations[number].status = if is_there { "valid" } else { "invalid" };
    });
    Ok(json_of(StatusCode::OK, &told))
}

fn finalize(
    number: usize,
    payload: &[u8],
    shared: &Shared,
    state: &mut State,
) -> Result<Response<Full<Bytes>>, Problem> {
    let payload: Value = serde_json::from_slice(payload).map_err(|_| problem("malformed"))?;
    let names: Vec<String> =
        state.orders[number].authorizations.iter().map(|at| state.authorizations[*at].name.clone()).collect();
    if order(number, shared, state)["status"] != "ready" {
        return Err(Problem(StatusCode::FORBIDDEN, "orderNotReady"));
    }
    let request = payload["csr"].as_str().and_then(jws::decode).ok_or_else(|| problem("badCSR"))?;
    let days = state.days.unwrap_or(90);
    let chain = signing::sign(&request, &names, days, &shared.authority).ok_or_else(|| problem("badCSR"))?;
    state.orders[number].certificate = Some(chain);
    state.issued += 1;
    Ok(json_of(StatusCode::OK, &order(number, shared, state)))
}
