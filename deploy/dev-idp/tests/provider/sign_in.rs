//! Authorization requests and the way through the pages to an answer.

use dev_idp::{Endpoint, Face};
use http::header;

use crate::app::{ALL, App, CALLBACK, PASSWORD, text};
use crate::browser::Browser;

#[tokio::test]
async fn alice_signs_in_and_the_app_gets_her_tokens() {
    let app = App::start().await;
    let page = app.sign_in(&mut Browser::default(), &[]).await;
    assert!(page.location().as_str().starts_with(CALLBACK));
    let answer = page.answer();
    assert_eq!(answer["state"], "the state");
    assert_eq!(answer["iss"], app.idp.issuer());

    let tokens = app.redeem(&answer["code"]).await.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], ALL);
    let id = app.verify(text(&tokens, "id_token"), "todo-web").await;
    assert_eq!(id["nonce"], "the-nonce");
    assert_eq!(id["name"], "Alice Adams");
    assert_eq!(id["preferred_username"], "alice@example.com");
    assert_eq!(id["email"], "alice@example.com");
    for name in ["oid", "sid", "auth_time", "nbf", "iat", "ver", "tid", "at_hash", "acr"] {
        assert!(id.contains_key(name), "{name}");
    }
    let access = app.verify(text(&tokens, "access_token"), "11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f").await;
    assert_eq!(access["scp"], "ToDoList.Read");
    assert_eq!(access["idtyp"], "user");
    assert_eq!(access["azp"], "todo-web");
    assert_eq!(access["azpacr"], "1");
    assert_eq!(access["ver"], "2.0");
    assert_eq!(access["oid"], id["oid"]);
    assert_eq!(access["sid"], id["sid"]);
    assert_ne!(access["sub"], id["sub"], "subjects are pairwise");
}

#[tokio::test]
async fn the_entra_face_makes_its_own_tokens_and_sends_no_iss() {
    let mut app = App::start().await;
    app.face = Face::Entra;
    let answer = app.sign_in(&mut Browser::default(), &[]).await.answer();
    assert!(!answer.contains_key("iss") && answer.contains_key("session_state"));
    let tokens = app.redeem(&answer["code"]).await.json();
    let id = app.verify(text(&tokens, "id_token"), "todo-web").await;
    assert_eq!(id["iss"], app.idp.entra_issuer());
    assert!(!id.contains_key("at_hash"));

    let code = app.code(&[]).await;
    app.face = Face::Plain;
    let crossed = app.redeem(&code).await;
    assert_eq!((crossed.status.as_u16(), text(&crossed.json(), "error")), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_wrong_password_is_told_on_the_page_and_not_to_the_app() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = browser.open(&app.request(&[])).await;
    assert!(page.body.contains("No account?") && page.body.contains("For development."));
    let page = browser.submit(&page, "sign-in", &[("email", "alice@example.com")]).await;
    assert!(page.body.contains("Forgot password?"));
    let page = browser.submit(&page, "password", &[("password", "wrong-password")]).await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("There is a problem") && page.body.contains("aria-invalid"));
    let page = browser.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert!(page.answer().contains_key("code"));
}

#[tokio::test]
async fn the_second_app_request_needs_no_password() {
    let app = App::start().await;
    let mut browser = Browser::default();
    app.sign_in(&mut browser, &[]).await;
    assert!(browser.open(&app.request(&[])).await.answer().contains_key("code"));
    assert!(browser.open(&app.request(&[("prompt", "none")])).await.answer().contains_key("code"));
    let stranger = Browser::default().open(&app.request(&[("prompt", "none")])).await;
    assert_eq!(stranger.answer()["error"], "login_required");
}

#[tokio::test]
async fn prompt_max_age_and_hints_ask_again_when_they_should() {
    let app = App::start().await;
    let mut browser = Browser::default();
    app.sign_in(&mut browser, &[]).await;
    let again = browser.open(&app.request(&[("prompt", "login")])).await;
    assert!(again.url.path().ends_with("/sign-in"));
    app.later(100);
    assert!(browser.open(&app.request(&[("max_age", "99")])).await.url.path().ends_with("/sign-in"));
    assert!(browser.open(&app.request(&[("max_age", "200")])).await.answer().contains_key("code"));
    let hinted = browser.open(&app.request(&[("login_hint", "bob@example.com")])).await;
    assert!(hinted.url.path().ends_with("/sign-in") && hinted.body.contains("value=\"bob@example.com\""));
    let chooser = browser.open(&app.request(&[("prompt", "select_account")])).await;
    assert!(chooser.url.path().ends_with("/choose") && chooser.body.contains("Alice Adams"));
    let other = browser.submit(&chooser, "choose", &[("choice", "other")]).await;
    assert!(other.url.path().ends_with("/sign-in"));
    let chooser = browser.open(&app.request(&[("prompt", "select_account")])).await;
    assert!(
        browser.submit(&chooser, "choose", &[("choice", "continue")]).await.answer().contains_key("code")
    );
    app.later(86_400);
    assert!(browser.open(&app.request(&[])).await.url.path().ends_with("/sign-in"), "the session has ended");
}

#[tokio::test]
async fn auth_time_moves_only_when_a_person_signs_in_again() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let mut times = Vec::new();
    for round in ["first", "silent", "again"] {
        let page = match round {
            "silent" => browser.open(&app.request(&[])).await,
            _ => app.sign_in(&mut browser, &[("prompt", "login")]).await,
        };
        let tokens = app.redeem(&page.answer()["code"]).await.json();
        let claims = app.verify(text(&tokens, "id_token"), "todo-web").await;
        times.push((claims["auth_time"].as_i64().expect("a time"), claims["sid"].clone()));
        app.later(1_000);
    }
    assert_eq!(times[0], times[1]);
    assert!(times[2].0 >= times[0].0 + 1_000);
    assert_eq!(times[2].1, times[0].1, "the same person stays in the same session");
}

#[tokio::test]
async fn five_tabs_finish_in_any_order() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let mut tabs = Vec::new();
    for tab in 0..5 {
        tabs.push(browser.open(&app.request(&[("state", &format!("tab {tab}"))])).await);
    }
    for (tab, page) in tabs.iter().enumerate().rev() {
        let fields = [("email", "alice@example.com"), ("password", PASSWORD)];
        let answer = browser.submit(page, "sign-in", &fields).await.answer();
        assert_eq!(answer["state"], format!("tab {tab}"));
    }
}

#[tokio::test]
async fn a_journey_belongs_to_the_browser_that_began_it() {
    let app = App::start().await;
    let mut alice = Browser::default();
    let page = alice.open(&app.request(&[])).await;
    let foreign = Browser::default().open(&page.url).await;
    assert_eq!(foreign.status, 400);
    assert!(foreign.body.contains("begun in another browser"));
    assert_eq!(alice.open(&page.url).await.status, 200);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = browser.open(&app.request(&[])).await;
    let fields = [("csrf", "guessed"), ("email", "alice@example.com")];
    assert_eq!(browser.post(&page.url, &fields).await.status, 403);
    let right = browser.submit(&page, "sign-in", &[("email", "alice@example.com")]).await;
    assert_eq!(right.status, 200);
}

#[tokio::test]
async fn an_unregistered_redirect_uri_gets_a_page_and_no_redirect() {
    let app = App::start().await;
    let page = Browser::default().get(&app.request(&[("redirect_uri", "http://localhost:3000/evil")])).await;
    assert_eq!(page.status, 400);
    assert!(page.header(header::LOCATION).is_empty() && page.body.contains("not a registered redirect URI"));
    let page = Browser::default().get(&app.request(&[("client_id", "<script>")])).await;
    assert!(page.status == 400 && !page.body.contains("<script>"));
}

#[tokio::test]
async fn mistakes_in_a_request_are_told_to_the_app_with_its_state() {
    let app = App::start().await;
    let answer = Browser::default().get(&app.request(&[("code_challenge_method", "plain")])).await.answer();
    assert_eq!(answer["error"], "invalid_request");
    assert_eq!(answer["state"], "the state");
    assert_eq!(answer["iss"], app.idp.issuer());
}

#[tokio::test]
async fn cancelling_tells_the_app_that_access_is_denied() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = browser.open(&app.request(&[])).await;
    assert_eq!(browser.submit(&page, "cancel", &[]).await.answer()["error"], "access_denied");
}

#[tokio::test]
async fn form_post_answers_with_a_form_and_no_script() {
    let app = App::start().await;
    let page = app.sign_in(&mut Browser::default(), &[("response_mode", "form_post")]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains(&format!("action=\"{CALLBACK}\"")) && !page.body.contains("<script"));
    assert_eq!(page.hidden("state"), "the state");
    assert_eq!(app.redeem(&page.hidden("code")).await.status, 200);
}

#[tokio::test]
async fn pages_forbid_framing_scripts_caching_and_referrers() {
    let app = App::start().await;
    let page = Browser::default().open(&app.request(&[])).await;
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self' http://localhost:3000"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src"));
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(page.header(header::REFERRER_POLICY), "no-referrer");
    let mut tenant_app = app.url(Endpoint::Authorize);
    tenant_app.set_path("/style.css");
    assert!(Browser::default().get(&tenant_app).await.body.contains("--accent"));
}
