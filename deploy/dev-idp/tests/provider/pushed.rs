//! Pushed authorization requests.

use dev_idp::Endpoint;
use dev_idp::faults::{MetadataFault, ParFault};
use dev_idp::tenant::AuthMethod;
use url::Url;

use crate::app::{App, CALLBACK, PASSWORD, tenant, text};
use crate::browser::{Browser, Page};

/// Pushes the app's usual request, with changes.
async fn push(app: &App, changes: &[(&str, &str)]) -> Page {
    let request = app.request(changes);
    let pairs: Vec<(String, String)> = request.query_pairs().into_owned().collect();
    let secret = tenant().client("todo-web").expect("registered").secret.expose().to_owned();
    let mut fields: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    fields.push(("client_secret", &secret));
    app.post(Endpoint::Par, &[], &fields).await
}

fn named(app: &App, uri: &str) -> Url {
    let mut url = app.url(Endpoint::Authorize);
    url.query_pairs_mut().append_pair("client_id", "todo-web").append_pair("request_uri", uri);
    url
}

#[tokio::test]
async fn a_pushed_request_signs_in_once() {
    let app = App::start().await;
    let pushed = push(&app, &[("state", "pushed")]).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let body = pushed.json();
    assert_eq!(body["expires_in"], 60);
    let url = named(&app, text(&body, "request_uri"));
    let mut browser = Browser::default();
    let page = browser.open(&url).await;
    let page = browser.submit(&page, "sign-in", &[("email", "alice@example.com")]).await;
    let page = browser.submit(&page, "password", &[("password", PASSWORD)]).await;
    let answer = page.answer();
    assert_eq!(answer["state"], "pushed");
    assert_eq!(app.redeem(&answer["code"]).await.status, 200);
    let again = browser.open(&url).await;
    assert_eq!(
        (again.answer()["error"].as_str(), again.answer()["state"].as_str()),
        ("invalid_request_uri", "pushed")
    );
    assert_eq!(app.idp.faults().requests(Endpoint::Par), 1);
}

#[tokio::test]
async fn a_pushed_request_expires_and_strange_ones_are_a_page() {
    let app = App::start().await;
    let uri = text(&push(&app, &[]).await.json(), "request_uri").to_owned();
    app.later(60);
    let mut browser = Browser::default();
    assert_eq!(browser.open(&named(&app, &uri)).await.answer()["error"], "invalid_request_uri");
    assert_eq!(browser.open(&named(&app, "urn:ietf:params:oauth:request_uri:x")).await.status, 400);
    let mut other = named(&app, text(&push(&app, &[]).await.json(), "request_uri"));
    other.query_pairs_mut().clear().append_pair("request_uri", &uri);
    assert_eq!(browser.open(&other).await.status, 400, "no client");
}

#[tokio::test]
async fn a_push_is_checked_like_a_request_and_needs_the_client() {
    let app = App::start().await;
    for (changes, error) in [
        (("redirect_uri", "http://localhost:3000/other"), "invalid_request"),
        (("scope", "openid nonsense"), "invalid_scope"),
        (("request_uri", "urn:x"), "invalid_request"),
        (("client_id", "todo-daemon"), "invalid_client"),
    ] {
        let page = push(&app, &[changes]).await;
        assert!(page.status == 400 || page.status == 401);
        assert_eq!(text(&page.json(), "error"), error, "{}", page.body);
    }
    let nobody = app.post(Endpoint::Par, &[], &[("client_id", "todo-web"), ("redirect_uri", CALLBACK)]).await;
    assert_eq!(nobody.status, 401);
    assert_eq!(app.get(Endpoint::Par, &[]).await.status, 405);
}

#[tokio::test]
async fn when_pushing_is_required_a_plain_request_is_refused() {
    let refused = async |app: &App| {
        let page = Browser::default().open(&app.request(&[])).await;
        page.status.is_redirection() && page.answer().get("error").is_some_and(|e| e == "invalid_request")
    };
    let app = App::start().await;
    assert!(!refused(&app).await);
    app.idp.faults().set(MetadataFault::RequirePar);
    assert!(refused(&app).await);
    app.idp.faults().clear();
    app.idp.edit_tenant(|tenant| tenant.require_pushed_authorization_requests = true);
    assert!(refused(&app).await);
    assert_eq!(app.get(Endpoint::Metadata, &[]).await.json()["require_pushed_authorization_requests"], true);
    app.idp.edit_tenant(|tenant| {
        tenant.require_pushed_authorization_requests = false;
        let web = tenant.client_mut("todo-web").expect("registered");
        web.registration.require_pushed_authorization_requests = true;
    });
    assert!(refused(&app).await);
    assert_eq!(push(&app, &[]).await.status, 201);
    app.idp.edit_tenant(|tenant| {
        tenant.client_mut("todo-web").expect("registered").registration.auth = AuthMethod::SecretBasic;
    });
    assert_eq!(push(&app, &[]).await.status, 401, "the registered way counts here too");
}

#[tokio::test]
async fn answers_to_pushes_are_wrong_as_asked() {
    let app = App::start().await;
    for fault in ParFault::ALL {
        app.idp.faults().once(*fault);
        let page = push(&app, &[]).await;
        let json = serde_json::from_str::<serde_json::Value>(&page.body).unwrap_or_default();
        let uri = json["request_uri"].as_str().unwrap_or_default();
        let usual = page.status == 201
            && uri.starts_with("urn:ietf:params:oauth:request_uri:")
            && !uri.contains('&')
            && json["expires_in"] == 60;
        let expired =
            usual && Browser::default().open(&named(&app, uri)).await.answer().contains_key("error");
        assert!(!usual || expired, "{}", fault.name());
    }
    assert_eq!(push(&app, &[]).await.status, 201);
}
