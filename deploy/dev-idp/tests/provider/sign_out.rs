//! RP-initiated sign-out.

use dev_idp::{Endpoint, Face};
use url::Url;

use crate::app::{App, SIGNED_OUT, text};
use crate::browser::Browser;

fn with(mut url: Url, pairs: &[(&str, &str)]) -> Url {
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

async fn is_signed_in(app: &App, browser: &mut Browser) -> bool {
    browser.open(&app.request(&[("prompt", "none")])).await.answer().contains_key("code")
}

#[tokio::test]
async fn a_hint_signs_out_at_once_and_leads_back() {
    for face in [Face::Plain, Face::Entra] {
        let mut app = App::start().await;
        app.face = face;
        let mut browser = Browser::default();
        let code = app.sign_in(&mut browser, &[]).await.answer()["code"].clone();
        let tokens = app.redeem(&code).await.json();
        assert!(is_signed_in(&app, &mut browser).await);
        app.later(7200); // the hint has expired by now, and that is no matter
        let pairs = [
            ("id_token_hint", text(&tokens, "id_token")),
            ("post_logout_redirect_uri", SIGNED_OUT),
            ("state", "s 1"),
        ];
        let page = browser.open(&with(app.url(Endpoint::EndSession), &pairs)).await;
        assert_eq!(page.location().as_str(), format!("{SIGNED_OUT}?state=s+1"));
        assert!(!is_signed_in(&app, &mut browser).await);
    }
}

#[tokio::test]
async fn without_a_hint_a_person_is_asked() {
    let app = App::start().await;
    let mut browser = Browser::default();
    app.sign_in(&mut browser, &[]).await;
    let pairs = [("client_id", "todo-web"), ("post_logout_redirect_uri", SIGNED_OUT), ("state", "s")];
    let url = with(app.url(Endpoint::EndSession), &pairs);
    let page = browser.open(&url).await;
    assert!(page.status == 200 && page.body.contains("Sign out?"));
    assert!(is_signed_in(&app, &mut browser).await, "asking changes nothing");

    let forged = [&pairs[..], &[("confirm", "yes"), ("csrf", "guessed")]].concat();
    let page = browser.post(&app.url(Endpoint::EndSession), &forged).await;
    assert!(page.status == 200 && is_signed_in(&app, &mut browser).await);
    let csrf = page.hidden("csrf");
    let right = [&pairs[..], &[("confirm", "yes"), ("csrf", &csrf)]].concat();
    let page = browser.post(&app.url(Endpoint::EndSession), &right).await;
    assert_eq!(page.location().as_str(), format!("{SIGNED_OUT}?state=s"));
    assert!(!is_signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn only_registered_addresses_are_led_to() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let code = app.sign_in(&mut browser, &[]).await.answer()["code"].clone();
    let tokens = app.redeem(&code).await.json();
    let hint = ("id_token_hint", text(&tokens, "id_token"));
    let wrong = [
        vec![hint, ("post_logout_redirect_uri", "http://localhost:3000/auth/signed-out/")],
        vec![("post_logout_redirect_uri", SIGNED_OUT)],
        vec![hint, ("client_id", "todo-daemon")],
        vec![("id_token_hint", "e30.e30.e30")],
    ];
    for pairs in wrong {
        let page = browser.open(&with(app.url(Endpoint::EndSession), &pairs)).await;
        assert_eq!(page.status, 400, "{pairs:?}");
        assert!(is_signed_in(&app, &mut browser).await);
    }
}

#[tokio::test]
async fn signing_out_without_a_session_is_quiet() {
    let app = App::start().await;
    let pairs = [("client_id", "todo-web"), ("post_logout_redirect_uri", SIGNED_OUT)];
    let page = Browser::default().open(&with(app.url(Endpoint::EndSession), &pairs)).await;
    assert_eq!(page.location().as_str(), SIGNED_OUT);
    let page = Browser::default().open(&app.url(Endpoint::EndSession)).await;
    assert!(page.status == 200 && page.body.contains("You are signed out"));
}
