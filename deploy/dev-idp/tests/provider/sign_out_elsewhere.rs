//! Sign-out that reaches the apps: by back-channel, by front-channel, and tokens for tests that say it wrongly.

use dev_idp::faults::{IdTokenFault, LogoutFault};
use dev_idp::tenant::LogoutNames;
use dev_idp::{Endpoint, Face, LogoutMint};
use http::header;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use url::Url;

use crate::app::{App, PASSWORD, SIGNED_OUT, tenant, text};
use crate::browser::Browser;
use crate::listener::Listener;

const ALICE: &str = "alice@example.com";

/// A provider that knows where the app listens.
async fn with_listener(status: u16) -> (App, Listener) {
    let listener = Listener::start(status, "").await;
    let mut tenant = tenant();
    let web = tenant.client_mut("todo-web").expect("registered");
    web.registration.backchannel_logout_uri = Some(listener.url("/auth/backchannel-logout"));
    (App::start_with(tenant).await, listener)
}

/// Signs in and out again, by the ID token; the ID token's claims, and the last page.
async fn in_and_out(app: &App, browser: &mut Browser) -> (Value, crate::browser::Page) {
    let code = app.sign_in(browser, &[]).await.answer()["code"].clone();
    let tokens = app.redeem(&code).await.json();
    let claims = app.verify(text(&tokens, "id_token"), "todo-web").await;
    let mut url = app.url(Endpoint::EndSession);
    url.query_pairs_mut()
        .append_pair("id_token_hint", text(&tokens, "id_token"))
        .append_pair("post_logout_redirect_uri", SIGNED_OUT)
        .append_pair("state", "s");
    (json!(claims), browser.open(&url).await)
}

fn token_of(body: &str) -> String {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!(pairs.len(), 1, "{body}");
    assert_eq!(pairs[0].0, "logout_token");
    pairs[0].1.clone()
}

#[tokio::test]
async fn the_end_of_a_session_is_told_before_the_browser_goes_on() {
    let (app, listener) = with_listener(200).await;
    let (id_token, page) = in_and_out(&app, &mut Browser::default()).await;
    assert_eq!(page.location().as_str(), format!("{SIGNED_OUT}?state=s"));
    let heard = listener.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].0, "POST /auth/backchannel-logout");
    let claims = app.verify_as(&token_of(&heard[0].2), "todo-web", Algorithm::RS256, "logout+jwt").await;
    assert_eq!(claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert_eq!((&claims["sid"], &claims["sub"]), (&id_token["sid"], &id_token["sub"]));
    assert!(claims["jti"].is_string() && !claims.contains_key("nonce"));
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(120));
    let delivery = app.idp.logout_deliveries().remove(0);
    assert_eq!((delivery.status, delivery.cache_control.as_deref()), (Some(200), Some("no-store")));
}

#[tokio::test]
async fn only_apps_of_the_session_are_told_and_on_the_plain_face_only() {
    let (mut app, listener) = with_listener(200).await;
    assert!(app.idp.end_sessions(ALICE).await.is_empty(), "nobody is signed in");
    app.sign_in(&mut Browser::default(), &[]).await;
    assert!(app.idp.end_sessions(ALICE).await.is_empty(), "the app never fetched its tokens");
    app.face = Face::Entra;
    in_and_out(&app, &mut Browser::default()).await;
    assert!(listener.heard().is_empty());
}

#[tokio::test]
async fn an_administrator_ends_every_session_of_a_person() {
    let (app, listener) = with_listener(400).await;
    let mut browser = Browser::default();
    let code = app.sign_in(&mut browser, &[]).await.answer()["code"].clone();
    app.redeem(&code).await;
    app.tokens(&[]).await;
    assert_eq!(app.idp.sessions(ALICE).len(), 2);
    let deliveries = app.idp.end_sessions(ALICE).await;
    assert_eq!(deliveries.iter().map(|delivery| delivery.status).collect::<Vec<_>>(), [Some(400); 2]);
    assert_eq!(listener.heard().len(), 2);
    let page = browser.open(&app.request(&[("prompt", "none")])).await;
    assert_eq!(page.answer()["error"], "login_required");
    assert!(app.idp.sessions(ALICE).is_empty() && app.idp.end_sessions(ALICE).await.is_empty());
}

#[tokio::test]
async fn a_logout_token_names_what_the_app_is_registered_for() {
    let (app, listener) = with_listener(200).await;
    for (names, sub, sid) in [(LogoutNames::SubOnly, true, false), (LogoutNames::SidOnly, false, true)] {
        app.idp.edit_tenant(|tenant| {
            tenant.client_mut("todo-web").expect("registered").registration.backchannel_logout_names = names;
        });
        in_and_out(&app, &mut Browser::default()).await;
        let token = token_of(&listener.heard().last().expect("told").2);
        let claims = app.verify_as(&token, "todo-web", Algorithm::RS256, "logout+jwt").await;
        assert_eq!((claims.contains_key("sub"), claims.contains_key("sid")), (sub, sid), "{names:?}");
    }
}

#[tokio::test]
async fn an_app_that_does_not_answer_holds_nobody_up() {
    let (app, _) = with_listener(200).await;
    app.idp.edit_tenant(|tenant| {
        let web = tenant.client_mut("todo-web").expect("registered");
        web.registration.backchannel_logout_uri = Some("https://app.example/logout".to_owned());
    });
    let (_, page) = in_and_out(&app, &mut Browser::default()).await;
    assert_eq!(page.location().path(), "/auth/signed-out");
    let delivery = app.idp.logout_deliveries().remove(0);
    assert!(delivery.status.is_none() && delivery.error.expect("a reason").contains("app.example"));
    let listener = Listener::start(204, "").await;
    app.idp.reach("https://app.example", listener.address);
    in_and_out(&app, &mut Browser::default()).await;
    assert_eq!(app.idp.logout_deliveries()[1].status, Some(204));
    assert_eq!(listener.heard()[0].1, "app.example");
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_at_the_apps_too() {
    let (app, listener) = with_listener(200).await;
    app.tokens(&[]).await;
    let mut browser = Browser::default();
    let page = browser.open(&app.request(&[])).await;
    let page = browser.submit(&page, "reset", &[("email", ALICE)]).await;
    let code = app.idp.mailbox_code(ALICE).expect("a mail");
    let page = browser.submit(&page, "reset/code", &[("code", &code)]).await;
    let new = format!("{PASSWORD}-2");
    assert!(browser.submit(&page, "reset/password", &[("password", &new)]).await.status.is_redirection());
    assert_eq!(listener.heard().len(), 1);
}

#[tokio::test]
async fn frames_tell_the_apps_on_a_page_without_script() {
    let mut app = App::start().await;
    app.idp.edit_tenant(|tenant| {
        let web = tenant.client_mut("todo-web").expect("registered");
        web.registration.frontchannel_logout_uri =
            Some("http://localhost:3000/auth/frontchannel-logout".to_owned());
    });
    for face in [Face::Plain, Face::Entra] {
        app.face = face;
        let mut browser = Browser::default();
        let (id_token, page) = in_and_out(&app, &mut browser).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header(header::REFRESH), format!("2; url={SIGNED_OUT}?state=s"));
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("frame-src http://localhost:3000") && policy.contains("default-src 'none'"));
        assert!(!page.body.contains("<script"));
        let src =
            page.body.split("src=\"http").nth(1).and_then(|rest| rest.split('"').next()).expect("a frame");
        let url = Url::parse(&format!("http{}", src.replace("&amp;", "&"))).expect("a URL");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs[0], ("iss".to_owned(), text(&id_token, "iss").to_owned()));
        assert_eq!(pairs[1], ("sid".to_owned(), text(&id_token, "sid").to_owned()));
        assert!(app.idp.sessions(ALICE).is_empty());
    }
}

#[tokio::test]
async fn logout_tokens_are_wrong_as_asked() {
    let app = App::start().await;
    let mint = || LogoutMint::person(ALICE).with_sid("the-session").jti("the-jti");
    let right = || app.idp.logout_token(&mint()).expect("alice exists");
    for fault in LogoutFault::ALL {
        // Within one second a right token is the same each time, so that the comparison means something.
        let (wrong, same) = loop {
            let before = right();
            let wrong = app.idp.logout_token(&mint().fault(*fault)).expect("alice exists");
            if right() == before {
                break (wrong, before);
            }
        };
        assert_ne!(wrong, same, "{} does nothing", fault.name());
    }
    let other = app.idp.logout_token(&mint().fault(LogoutFault::WrongAlg)).expect("alice exists");
    app.verify_as(&other, "todo-web", Algorithm::ES256, "logout+jwt").await;
    let edited = mint().age(600).lifetime(60).edit(|header, claims| {
        header.insert("typ".to_owned(), "x".into());
        claims.remove("exp");
    });
    let edited = app.idp.logout_token(&edited).expect("alice exists");
    assert_eq!(jsonwebtoken::decode_header(&edited).expect("a header").typ.as_deref(), Some("x"));
    let session_only = app.idp.logout_token(&LogoutMint::session("s")).expect("no person is needed");
    let claims = app.verify_as(&session_only, "todo-web", Algorithm::RS256, "logout+jwt").await;
    assert!(!claims.contains_key("sub") && claims["sid"] == "s");
    assert!(app.idp.logout_token(&LogoutMint::person("nobody@example.com")).is_err());
    assert!(app.idp.logout_token(&LogoutMint::session("s").fault(LogoutFault::IdToken)).is_err());
}

#[tokio::test]
async fn sent_logout_tokens_are_wrong_as_asked_too() {
    let (app, listener) = with_listener(400).await;
    app.idp.faults().once(LogoutFault::MissingEvents);
    app.idp.faults().edit_logout_token(|_, claims| drop(claims.insert("jti".to_owned(), "fixed".into())));
    in_and_out(&app, &mut Browser::default()).await;
    let token = token_of(&listener.heard()[0].2);
    let claims = app.verify_as(&token, "todo-web", Algorithm::RS256, "logout+jwt").await;
    assert!(!claims.contains_key("events") && claims["jti"] == "fixed");
    let again = app.idp.send_logout_token("todo-web", &token).await.expect("registered for it");
    assert_eq!((again.status, token_of(&listener.heard()[1].2)), (Some(400), token));
    assert!(app.idp.send_logout_token("todo-daemon", "x").await.is_err());
    app.idp.faults().clear();
    app.idp.faults().set(IdTokenFault::WrongNonce);
    in_and_out(&app, &mut Browser::default()).await;
    let token = token_of(&listener.heard()[2].2);
    app.verify_as(&token, "todo-web", Algorithm::RS256, "logout+jwt").await;
}
