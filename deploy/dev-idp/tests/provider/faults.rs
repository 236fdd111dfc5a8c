//! Misbehaviour on demand, as an app meets it.

use std::net::TcpListener;
use std::time::Duration;

use dev_idp::faults::{
    CallbackFault, Fault, HttpFault, IdTokenFault, JwksFault, MetadataFault, TokenFault, UserinfoFault,
};
use dev_idp::{Clock, Endpoint, Mint, Options};
use http::{Method, header};
use serde_json::Value;

use crate::app::{ALL, App, tenant, text};
use crate::browser::{Browser, send};

/// Header and claims, unverified.
fn parts(token: &str) -> (Value, Value) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

#[tokio::test]
async fn id_tokens_are_wrong_as_asked_and_then_right_again() {
    let app = App::start().await;
    let faults = app.idp.faults();
    faults.once(IdTokenFault::WrongNonce);
    let wrong = app.tokens(&[]).await;
    assert_ne!(parts(text(&wrong, "id_token")).1["nonce"], "the-nonce");
    let right = app.tokens(&[]).await;
    assert_eq!(parts(text(&right, "id_token")).1["nonce"], "the-nonce");

    faults.set(IdTokenFault::AlgNone);
    let token = text(&app.tokens(&[]).await, "id_token").to_owned();
    assert!(token.ends_with('.') && parts(&token).0["alg"] == "none");
    faults.clear();
    faults.edit_id_token(|header, claims| {
        header.insert("typ".to_owned(), "x".into());
        claims.remove("sub");
    });
    let (header, claims) = parts(text(&app.tokens(&[]).await, "id_token"));
    assert!(header["typ"] == "x" && claims.get("sub").is_none());
}

#[tokio::test]
async fn hs256_tokens_are_signed_with_the_client_secret_indeed() {
    let app = App::start().await;
    let mint = Mint::user("alice@example.com").fault(IdTokenFault::Hs256ClientSecret);
    let token = app.idp.mint_id_token(mint).expect("alice exists");
    let secret = tenant().client("todo-web").expect("registered").secret.expose().to_owned();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&["todo-web"]);
    let key = jsonwebtoken::DecodingKey::from_secret(secret.as_bytes());
    assert!(jsonwebtoken::decode::<Value>(&token, &key, &validation).is_ok());
}

#[tokio::test]
async fn es256_tokens_come_with_their_key() {
    let app = App::start().await;
    app.idp.faults().set(IdTokenFault::Es256);
    let token = text(&app.tokens(&[]).await, "id_token").to_owned();
    let keys: jsonwebtoken::jwk::JwkSet =
        serde_json::from_str(&app.get(Endpoint::Keys, &[]).await.body).expect("a key set");
    let kid = jsonwebtoken::decode_header(&token).expect("a header").kid.expect("a kid");
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid).expect("published")).expect("usable");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&["todo-web"]);
    assert!(jsonwebtoken::decode::<Value>(&token, &key, &validation).is_ok());
}

#[tokio::test]
async fn token_responses_are_wrong_as_asked() {
    let app = App::start().await;
    let faults = app.idp.faults();
    faults.once(TokenFault::Array);
    let code = app.code(&[]).await;
    assert!(app.redeem(&code).await.json().is_array());
    faults.once(TokenFault::ScopeNarrower);
    let narrow = app.tokens(&[]).await;
    assert_eq!(narrow["scope"], "openid profile email offline_access");
    faults.edit_token_response(|bytes| bytes.extend_from_slice(b"tail"));
    let code = app.code(&[]).await;
    assert!(app.redeem(&code).await.body.ends_with("tail"));
    faults.clear();

    let tokens = app.tokens(&[]).await;
    let refresh = text(&tokens, "refresh_token");
    faults.once(Fault::Refresh(TokenFault::ServerError));
    assert_eq!(app.refresh(refresh, &[]).await.status, 500);
    faults.once(Fault::Refresh(TokenFault::OmitRefreshToken));
    assert!(app.refresh(refresh, &[]).await.json().get("refresh_token").is_none());
    assert_eq!(app.refresh(refresh, &[]).await.status, 200, "the old one stayed valid");
}

#[tokio::test]
async fn metadata_keys_and_userinfo_are_wrong_as_asked() {
    let app = App::start().await;
    let faults = app.idp.faults();
    for fault in MetadataFault::ALL {
        let right = app.get(Endpoint::Metadata, &[]).await.body;
        faults.once(*fault);
        let wrong = app.get(Endpoint::Metadata, &[]).await.body;
        assert!(wrong != right || *fault == MetadataFault::PromiseIss, "{}", fault.name());
    }
    for fault in JwksFault::ALL {
        let right = app.get(Endpoint::Keys, &[]).await.body;
        faults.once(*fault);
        assert_ne!(app.get(Endpoint::Keys, &[]).await.body, right, "{}", fault.name());
    }
    let token = text(&app.tokens(&[("scope", "openid")]).await, "access_token").to_owned();
    for fault in UserinfoFault::ALL {
        let right = app.userinfo(&token).await.body;
        faults.once(*fault);
        let wrong = app.userinfo(&token).await.body;
        // A plain answer is wrong only where a signed one was registered for: see `algorithms`.
        assert!(wrong != right || *fault == UserinfoFault::Unsigned, "{}", fault.name());
    }
}

#[tokio::test]
async fn callbacks_are_wrong_as_asked() {
    let app = App::start().await;
    let mut browser = Browser::default();
    app.sign_in(&mut browser, &[]).await;
    for fault in CallbackFault::ALL {
        app.idp.faults().once(*fault);
        let wrong = browser.open(&app.request(&[])).await.location();
        let pairs: Vec<(String, String)> = wrong.query_pairs().into_owned().collect();
        let count = |name: &str| pairs.iter().filter(|(found, _)| found == name).count();
        let value =
            |name: &str| pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let usual = [count("code"), count("state"), count("iss")] == [1, 1, 1]
            && pairs.len() == 3
            && value("state") == Some("the state")
            && value("iss") == Some(app.idp.issuer().as_str());
        assert!(!usual || *fault == CallbackFault::WrongCode, "{}", fault.name());
    }
    app.idp.faults().once(CallbackFault::WrongCode);
    let code = browser.open(&app.request(&[])).await.answer()["code"].clone();
    assert_eq!(app.redeem(&code).await.status, 400);
}

#[tokio::test]
async fn endpoints_fail_as_asked_and_are_counted() {
    let app = App::start().await;
    let faults = app.idp.faults();
    let before = faults.requests(Endpoint::Keys);
    faults.once((Endpoint::Keys, HttpFault::Status500));
    assert_eq!(app.get(Endpoint::Keys, &[]).await.status, 500);
    faults.once((Endpoint::Keys, HttpFault::Redirect307));
    let redirect = app.get(Endpoint::Keys, &[]).await;
    assert_eq!((redirect.status.as_u16(), redirect.location().path()), (307, "/dev/canary"));
    faults.once((Endpoint::Keys, HttpFault::Close));
    assert!(send(Method::GET, &app.url(Endpoint::Keys), &[], String::new()).await.is_err());
    faults.once((Endpoint::Keys, HttpFault::Truncated));
    assert!(send(Method::GET, &app.url(Endpoint::Keys), &[], String::new()).await.is_err());
    faults.once((Endpoint::Keys, HttpFault::GzipBomb));
    let bomb = app.get(Endpoint::Keys, &[]).await;
    assert_eq!(bomb.header(header::CONTENT_ENCODING), "gzip");
    assert_eq!(app.get(Endpoint::Keys, &[]).await.status, 200);
    assert_eq!(faults.requests(Endpoint::Keys) - before, 6);
    assert_eq!(faults.requests(Endpoint::Canary), 0);
    assert_eq!(faults.requests(Endpoint::Token), 0);
}

#[tokio::test]
async fn hanging_endpoints_hang() {
    let app = App::start().await;
    for fault in [HttpFault::Hang, HttpFault::HangBody, HttpFault::Drip] {
        app.idp.faults().once((Endpoint::Metadata, fault));
        let url = app.url(Endpoint::Metadata);
        let answer = send(Method::GET, &url, &[], String::new());
        let waited = tokio::time::timeout(Duration::from_millis(300), answer).await;
        assert!(waited.is_err(), "{} answered", fault.name());
    }
    assert_eq!(app.get(Endpoint::Metadata, &[]).await.status, 200);
}

#[tokio::test]
async fn the_record_shows_what_the_app_asked() {
    let app = App::start().await;
    app.tokens(&[]).await;
    let faults = app.idp.faults();
    let authorize = faults.last_authorize().expect("a request");
    assert_eq!(authorize["scope"], ALL);
    let token = faults.last_token().expect("a request");
    assert_eq!(token["grant_type"], "authorization_code");
    assert_eq!(faults.seen(Endpoint::Authorize).len(), 1);
    faults.clear_record();
    assert!(faults.last_token().is_none() && faults.requests(Endpoint::Token) == 0);
}

#[tokio::test]
async fn faults_over_http_exist_only_when_asked_for() {
    let app = App::start().await;
    let closed = app.url(Endpoint::Keys).join("/dev/faults").expect("a URL");
    assert_eq!(Browser::default().get(&closed).await.status, 404);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let options = Options { listener, tenant: tenant(), clock: Clock::system() };
    let idp = dev_idp::start_with_faults_over_http(options).await.expect("it starts");
    let url: url::Url = format!("{}/dev/faults", idp.base_url()).parse().expect("a URL");
    let json = [("content-type", "application/json")];
    let order = r#"{"clear": true, "set": ["id-token/wrong-nonce", "http/token/status-500"]}"#.to_owned();
    let page = send(Method::POST, &url, &json, order).await.expect("an answer");
    assert_eq!(page.json()["active"].as_array().map(Vec::len), Some(2), "{}", page.body);
    assert_eq!(
        idp.faults().active(),
        [IdTokenFault::WrongNonce.into(), (Endpoint::Token, HttpFault::Status500).into()]
    );
    let wrong =
        send(Method::POST, &url, &json, r#"{"set": ["nothing"]}"#.to_owned()).await.expect("an answer");
    assert_eq!(wrong.status, 400);
    let form =
        send(Method::POST, &url, &[("content-type", "text/plain")], r#"{"clear": true}"#.to_owned()).await;
    assert_eq!(form.expect("an answer").status, 400);
    assert_eq!(idp.faults().active().len(), 2);
}
