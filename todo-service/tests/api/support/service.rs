//! The real service on a port of its own, with a clock that a test may move.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use todo_service::{Clock, Config, Issuer, Options, Running};

use super::{Call, TestIssuer, Token, logs};

/// The API's name in tokens.
pub(crate) const API: &str = "11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f";
pub(crate) const TENANT: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";
pub(crate) const OTHER_TENANT: &str = "00000000-0000-4000-8000-000000000002";
const ALICE: &str = "a11ce000-0000-4000-8000-00000000000a";
const BOB: &str = "b0b00000-0000-4000-8000-00000000000b";

pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) issuer: TestIssuer,
    clock: Clock,
    offset: Arc<AtomicI64>,
}

impl Service {
    /// With an issuer of its own and the usual settings.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With an issuer of its own and the usual settings, changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Issuer)) -> Self {
        Self::configured(TestIssuer::start().await, |config| change(&mut config.issuers[0])).await
    }

    pub(crate) async fn configured(issuer: TestIssuer, change: impl FnOnce(&mut Config)) -> Self {
        logs::capture();
        let mut config = Config::parse(&format!(
            r#"
            listen = "127.0.0.1:0"
            database = "sqlite::memory:"
            [[issuers]]
            issuer = "{}"
            metadata_url = "{}"
            audiences = ["{API}", "api://todo-service"]
            tenants = ["{TENANT}", "{OTHER_TENANT}"]
            version = "2.0"
            "#,
            issuer.name,
            issuer.metadata_url(),
        ))
        .expect("sound settings");
        change(&mut config);
        let offset = Arc::new(AtomicI64::new(0));
        let clock = Clock::shifted(Arc::clone(&offset));
        let listener = TcpListener::bind(config.listen).expect("a port");
        let options = Options { listener, config, clock: clock.clone() };
        let running = todo_service::start(options).await.expect("starts");
        Self { running, issuer, clock, offset }
    }

    /// Calls to the issuer are given up after this many milliseconds: for tests of issuers that hang.
    pub(crate) async fn impatient() -> Self {
        let issuer = TestIssuer::start().await;
        Self::configured(issuer, |config| {
            config.provider_timeout = Duration::from_millis(200);
        })
        .await
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Moves the service's clock forward.
    pub(crate) fn pass(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call::new(method, format!("{}{path}", self.running.base_url()))
    }

    pub(crate) fn list(&self) -> Call {
        self.call(Method::GET, "/api/todolist")
    }

    pub(crate) fn post(&self, body: &Value) -> Call {
        self.call(Method::POST, "/api/todolist").json(body)
    }

    /// A user's token, for ToDoList.ReadWrite.
    pub(crate) fn user(&self, oid: &str) -> Token {
        let now = self.now();
        Token::new(json!({
            "iss": self.issuer.name, "aud": API, "sub": format!("pairwise-{oid}"), "oid": oid, "tid": TENANT,
            "ver": "2.0", "iat": now, "nbf": now, "exp": now + 3600, "azp": "todo-web", "azpacr": "1",
            "scp": "ToDoList.ReadWrite", "idtyp": "user", "name": "Somebody", "preferred_username": "s@example.com",
        }))
    }

    pub(crate) fn alice(&self) -> Token {
        self.user(ALICE)
    }

    pub(crate) fn bob(&self) -> Token {
        self.user(BOB)
    }

    /// An app's token, with ToDoList.ReadWrite.All.
    pub(crate) fn app(&self) -> Token {
        self.user("a9900000-0000-4000-8000-00000000000c")
            .without("scp")
            .claim("idtyp", "app")
            .claim("azp", "nightly-job")
            .claim("roles", json!(["ToDoList.ReadWrite.All"]))
    }

    /// The status of a list request with this token.
    pub(crate) async fn status_for(&self, token: &str) -> u16 {
        self.list().token(token).status().await
    }

    /// Adds an item and returns it.
    pub(crate) async fn add(&self, token: &Token, description: &str) -> Value {
        let answer = self.post(&json!({ "description": description })).token(&token.signed()).send().await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
        answer.json()
    }

    /// The descriptions that this token may see.
    pub(crate) async fn seen_by(&self, token: &Token) -> Vec<String> {
        let answer = self.list().token(&token.signed()).send().await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        let page = answer.json();
        let items = page["items"].as_array().expect("items");
        items.iter().map(|item| item["description"].as_str().expect("text").to_owned()).collect()
    }
}
