//! An app that is registered at the provider: builds authorization requests, redeems codes, verifies tokens with a
//! library that the provider does not use.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dev_idp::{Clock, Endpoint, Face, Options, Running, Tenant};
use http::Method;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use url::Url;

use crate::browser::{Browser, Page, form, send};

pub(crate) const CALLBACK: &str = "http://localhost:3000/auth/callback";
pub(crate) const SIGNED_OUT: &str = "http://localhost:3000/auth/signed-out";
pub(crate) const READ: &str = "api://todo-service/ToDoList.Read";
pub(crate) const WRITE: &str = "api://todo-service/ToDoList.ReadWrite";
pub(crate) const ALL: &str = "openid profile email offline_access api://todo-service/ToDoList.Read";
pub(crate) const PASSWORD: &str = "correct-horse-battery";
/// The verifier and challenge of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) fn tenant() -> Tenant {
    Tenant::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tenant.toml"))
        .expect("the shipped tenant is right")
}

/// A provider and the app `todo-web`.
pub(crate) struct App {
    pub(crate) idp: Running,
    pub(crate) face: Face,
    pub(crate) time: Arc<AtomicI64>,
    secret: String,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::start_with(tenant()).await
    }

    pub(crate) async fn start_with(tenant: Tenant) -> Self {
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let time = Arc::new(AtomicI64::new(0));
        let secret = tenant.client("todo-web").expect("registered").secret.expose().to_owned();
        let options = Options { listener, tenant, clock: Clock::shifted(Arc::clone(&time)) };
        let idp = dev_idp::start(options).await.expect("the provider starts");
        Self { idp, face: Face::Plain, time, secret }
    }

    pub(crate) fn later(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn url(&self, endpoint: Endpoint) -> Url {
        self.idp.endpoint(self.face, endpoint).parse().expect("a URL")
    }

    /// An authorization request; `changes` replace or add parameters.
    pub(crate) fn request(&self, changes: &[(&str, &str)]) -> Url {
        let usual = [
            ("client_id", "todo-web"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", ALL),
            ("state", "the state"),
            ("nonce", "the-nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let kept = usual.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let mut url = self.url(Endpoint::Authorize);
        url.query_pairs_mut().extend_pairs(kept.chain(changes));
        url
    }

    /// Alice signs in; what her browser brings back to the app.
    pub(crate) async fn sign_in(&self, browser: &mut Browser, changes: &[(&str, &str)]) -> Page {
        self.sign_in_as(browser, "alice@example.com", changes).await
    }

    pub(crate) async fn sign_in_as(
        &self,
        browser: &mut Browser,
        email: &str,
        changes: &[(&str, &str)],
    ) -> Page {
        let page = browser.open(&self.request(changes)).await;
        let page = browser.submit(&page, "sign-in", &[("email", email)]).await;
        browser.submit(&page, "password", &[("password", PASSWORD)]).await
    }

    /// A fresh browser signs Alice in; the code.
    pub(crate) async fn code(&self, changes: &[(&str, &str)]) -> String {
        self.sign_in(&mut Browser::default(), changes).await.answer()["code"].clone()
    }

    /// A token request with the app's credentials.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Page {
        let mut all = vec![("client_id", "todo-web"), ("client_secret", self.secret.as_str())];
        all.extend(fields);
        self.post(Endpoint::Token, &[], &all).await
    }

    pub(crate) async fn redeem(&self, code: &str) -> Page {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(&fields).await
    }

    /// The tokens of a whole sign-in.
    pub(crate) async fn tokens(&self, changes: &[(&str, &str)]) -> Value {
        let page = self.redeem(&self.code(changes).await).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()
    }

    pub(crate) async fn refresh(&self, token: &str, fields: &[(&str, &str)]) -> Page {
        let mut all = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        all.extend(fields);
        self.token(&all).await
    }

    pub(crate) async fn post(
        &self,
        endpoint: Endpoint,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Page {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        send(Method::POST, &self.url(endpoint), &all, form(fields)).await.expect("an answer")
    }

    pub(crate) async fn get(&self, endpoint: Endpoint, headers: &[(&str, &str)]) -> Page {
        send(Method::GET, &self.url(endpoint), headers, String::new()).await.expect("an answer")
    }

    /// Userinfo with this access token.
    pub(crate) async fn userinfo(&self, token: &str) -> Page {
        self.get(Endpoint::Userinfo, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// The claims of a signed userinfo answer: no `exp`, but `iss` and `aud`.
    pub(crate) async fn verify_userinfo(&self, token: &str, algorithm: Algorithm) -> BTreeMap<String, Value> {
        let keys: JwkSet =
            serde_json::from_str(&self.get(Endpoint::Keys, &[]).await.body).expect("a key set");
        let header = jsonwebtoken::decode_header(token).expect("a header");
        let jwk = keys.find(&header.kid.expect("a kid")).expect("a published key");
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["todo-web"]);
        validation.set_issuer(&[self.idp.issuer()]);
        validation.set_required_spec_claims(&["iss", "aud", "sub"]);
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(jwk).expect("a usable key");
        jsonwebtoken::decode(token, &key, &validation).expect("a right answer").claims
    }

    /// The claims of a token, verified against the published keys.
    pub(crate) async fn verify(&self, token: &str, audience: &str) -> BTreeMap<String, Value> {
        self.verify_as(token, audience, Algorithm::RS256, "JWT").await
    }

    /// The claims of a token of this algorithm and type.
    pub(crate) async fn verify_as(
        &self,
        token: &str,
        audience: &str,
        algorithm: Algorithm,
        typ: &str,
    ) -> BTreeMap<String, Value> {
        let keys: JwkSet =
            serde_json::from_str(&self.get(Endpoint::Keys, &[]).await.body).expect("a key set");
        let header = jsonwebtoken::decode_header(token).expect("a header");
        assert_eq!(header.typ.as_deref(), Some(typ));
        let jwk = keys.find(&header.kid.expect("a kid")).expect("a published key");
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[audience]);
        let issuer = if self.face == Face::Plain { self.idp.issuer() } else { self.idp.entra_issuer() };
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let key = DecodingKey::from_jwk(jwk).expect("a usable key");
        jsonwebtoken::decode(token, &key, &validation).expect("a right token").claims
    }
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}
