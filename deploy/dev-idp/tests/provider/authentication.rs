//! How an app proves who it is: in the way it is registered for, and in no other.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dev_idp::Endpoint;
use dev_idp::tenant::{AuthMethod, ClientKeys};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::app::{App, CALLBACK, VERIFIER, tenant, text};
use crate::browser::Page;
use crate::listener::Listener;

/// A key of the app's own.
pub(crate) struct OwnKey {
    private: EncodingKey,
    pub(crate) jwk: Value,
}

impl OwnKey {
    pub(crate) fn new(kid: &str) -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .expect("a key");
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).expect("a key");
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let jwk =
            json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y});
        Self { private: EncodingKey::from_ec_der(document.as_ref()), jwk }
    }

    /// What the app would say, with changes; null takes a claim away.
    fn assertion(&self, app: &App, changes: &Value) -> String {
        let now = dev_idp::Clock::shifted(std::sync::Arc::clone(&app.time)).now();
        let issuer = app.idp.issuer();
        let jti = uuid::Uuid::new_v4().to_string();
        let mut claims =
            json!({"iss": "todo-web", "sub": "todo-web", "aud": issuer, "iat": now, "exp": now + 60});
        claims["jti"] = jti.into();
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let mut header = Header::new(Algorithm::ES256);
        header.kid = self.jwk["kid"].as_str().map(str::to_owned);
        jsonwebtoken::encode(&header, &claims, &self.private).expect("signed")
    }
}

async fn registered(auth: AuthMethod, keys: Option<ClientKeys>) -> App {
    let mut tenant = tenant();
    let web = tenant.client_mut("todo-web").expect("registered");
    web.registration.auth = auth;
    web.registration.keys = keys;
    App::start_with(tenant).await
}

/// Redeems a new code with these credentials.
async fn redeem(app: &App, headers: &[(&str, &str)], credentials: &[(&str, &str)]) -> Page {
    let code = app.code(&[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("code", &code),
    ];
    app.post(Endpoint::Token, headers, &[&fields[..], credentials].concat()).await
}

async fn with_assertion(app: &App, jwt: &str) -> u16 {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let page = redeem(app, &[], &[("client_assertion_type", kind), ("client_assertion", jwt)]).await;
    if page.status != 200 {
        assert_eq!(text(&page.json(), "error"), "invalid_client", "{}", page.body);
    }
    page.status.as_u16()
}

#[tokio::test]
async fn each_secret_goes_where_it_is_registered_to_go_and_nowhere_else() {
    let secret = tenant().client("todo-web").expect("registered").secret.expose().to_owned();
    let basic = format!("Basic {}", STANDARD.encode(format!("todo-web:{secret}")));
    let header = [("authorization", basic.as_str())];
    let form = [("client_id", "todo-web"), ("client_secret", secret.as_str())];
    for (auth, by_header, by_form) in [
        (AuthMethod::AnySecret, 200, 200),
        (AuthMethod::SecretBasic, 200, 401),
        (AuthMethod::SecretPost, 401, 200),
        (AuthMethod::None, 401, 401),
    ] {
        let app = registered(auth, None).await;
        assert_eq!(redeem(&app, &header, &[]).await.status, by_header, "{auth:?}");
        assert_eq!(redeem(&app, &[], &form).await.status, by_form, "{auth:?}");
        let nothing = redeem(&app, &[], &form[..1]).await.status;
        assert_eq!(nothing, if auth == AuthMethod::None { 200 } else { 401 }, "{auth:?}");
    }
}

#[tokio::test]
async fn a_public_app_needs_a_challenge_and_has_no_token_of_its_own() {
    let app = registered(AuthMethod::None, None).await;
    let mut browser = crate::browser::Browser::default();
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(browser.open(&app.request(&none)).await.answer()["error"], "invalid_request");
    let fields = [
        ("client_id", "todo-web"),
        ("grant_type", "client_credentials"),
        ("scope", "api://reports/.default"),
    ];
    let page = app.post(Endpoint::Token, &[], &fields).await;
    assert_eq!(text(&page.json(), "error"), "unauthorized_client");
}

#[tokio::test]
async fn an_assertion_must_be_right_in_every_claim() {
    let key = OwnKey::new("k");
    let app = registered(AuthMethod::PrivateKeyJwt, Some(ClientKeys::Inline(vec![key.jwk.clone()]))).await;
    let token_endpoint = app.idp.endpoint(app.face, Endpoint::Token);
    for right in
        [json!({}), json!({"aud": token_endpoint}), json!({"aud": [app.idp.issuer()]}), json!({"iat": null})]
    {
        assert_eq!(with_assertion(&app, &key.assertion(&app, &right)).await, 200, "{right}");
    }
    let now = dev_idp::Clock::system().now();
    for wrong in [
        json!({"iss": "somebody"}),
        json!({"sub": "todo-daemon"}),
        json!({"iss": null}),
        json!({"aud": "https://somebody-else.example"}),
        json!({"aud": [app.idp.issuer(), "https://somebody-else.example"]}),
        json!({"aud": null}),
        json!({"exp": now - 1}),
        json!({"exp": now + 3600}),
        json!({"exp": null}),
        json!({"iat": now + 600}),
        json!({"jti": null}),
        json!({"jti": ""}),
    ] {
        assert_eq!(with_assertion(&app, &key.assertion(&app, &wrong)).await, 401, "{wrong}");
    }
    let once = key.assertion(&app, &json!({"jti": "once"}));
    assert_eq!(with_assertion(&app, &once).await, 200);
    assert_eq!(with_assertion(&app, &once).await, 401, "a jti is good once");
    let strange = OwnKey::new("k").assertion(&app, &json!({}));
    assert_eq!(with_assertion(&app, &strange).await, 401, "another key of the same name");
    assert_eq!(with_assertion(&app, "e30.e30.e30").await, 401);
    let seen = app.idp.faults().seen(Endpoint::Token).remove(0).assertion().expect("an assertion");
    assert_eq!((seen.0["alg"].as_str(), seen.1["iss"].as_str()), (Some("ES256"), Some("todo-web")));
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_and_may_be_rotated() {
    let (old, new) = (OwnKey::new("old"), OwnKey::new("new"));
    let listener = Listener::start(200, &json!({"keys": [old.jwk]}).to_string()).await;
    let app = registered(AuthMethod::PrivateKeyJwt, Some(ClientKeys::At(listener.url("/auth/jwks")))).await;
    assert_eq!(with_assertion(&app, &old.assertion(&app, &json!({}))).await, 200);
    assert_eq!(listener.heard()[0].0, "GET /auth/jwks");
    assert_eq!(with_assertion(&app, &new.assertion(&app, &json!({}))).await, 401);
    listener.say(200, &json!({"keys": [new.jwk, old.jwk]}).to_string());
    assert_eq!(with_assertion(&app, &new.assertion(&app, &json!({}))).await, 200);
    assert_eq!(with_assertion(&app, &old.assertion(&app, &json!({}))).await, 200);
    listener.say(500, "");
    assert_eq!(with_assertion(&app, &new.assertion(&app, &json!({}))).await, 401);
}

#[tokio::test]
async fn an_assertion_is_no_use_to_a_client_with_a_secret() {
    let key = OwnKey::new("k");
    let app = registered(AuthMethod::AnySecret, Some(ClientKeys::Inline(vec![key.jwk.clone()]))).await;
    assert_eq!(with_assertion(&app, &key.assertion(&app, &json!({}))).await, 401);
}
