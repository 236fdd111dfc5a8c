//! Creating an account and resetting a password, with the passcode from the mailbox.

use crate::app::{ALL, App, PASSWORD, text};
use crate::browser::{Browser, Page};

async fn code_page(app: &App, browser: &mut Browser, step: &str, email: &str) -> Page {
    let page = browser.open(&app.request(&[])).await;
    let page = browser.open(&page.url.join(step).expect("a URL")).await;
    browser.submit(&page, step, &[("email", email)]).await
}

#[tokio::test]
async fn zoe_creates_an_account_and_is_signed_in() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = code_page(&app, &mut browser, "sign-up", "Zoe@Example.com").await;
    assert!(page.url.path().ends_with("/sign-up/code") && page.body.contains("one-time-code"));

    let wrong = browser.submit(&page, "sign-up/code", &[("code", "wrong")]).await;
    assert_eq!(wrong.status, 422);
    let code = app.idp.mailbox_code("zoe@example.com").expect("a mail");
    let page = browser.submit(&page, "sign-up/code", &[("code", &code)]).await;
    assert!(page.url.path().ends_with("/sign-up/details") && page.body.contains("new-password"));

    let short =
        browser.submit(&page, "sign-up/details", &[("password", "short"), ("name", "Zoe Zander")]).await;
    assert_eq!(short.status, 422);
    let fields = [("password", "a-new-password"), ("name", "Zoe Zander")];
    let answer = browser.submit(&page, "sign-up/details", &fields).await.answer();
    let tokens = app.redeem(&answer["code"]).await.json();
    let claims = app.verify(text(&tokens, "id_token"), "todo-web").await;
    assert_eq!(claims["name"], "Zoe Zander");
    assert_eq!(claims["oid"], app.idp.oid("zoe@example.com").expect("an account"));
}

#[tokio::test]
async fn prompt_create_begins_with_the_new_account() {
    let app = App::start().await;
    let page = Browser::default().open(&app.request(&[("prompt", "create")])).await;
    assert!(page.url.path().ends_with("/sign-up") && page.body.contains("Create an account"));
}

#[tokio::test]
async fn an_address_with_an_account_learns_so_only_after_the_passcode() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = code_page(&app, &mut browser, "sign-up", "alice@example.com").await;
    assert!(page.url.path().ends_with("/sign-up/code"));
    let code = app.idp.mailbox_code("alice@example.com").expect("a mail");
    let page = browser.submit(&page, "sign-up/code", &[("code", &code)]).await;
    let fields = [("password", "a-new-password"), ("name", "Alice Again")];
    let page = browser.submit(&page, "sign-up/details", &fields).await;
    assert!(page.status == 422 && page.body.contains("already"));
}

#[tokio::test]
async fn a_passcode_expires_and_a_new_one_works() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = code_page(&app, &mut browser, "sign-up", "zoe@example.com").await;
    let code = app.idp.mailbox_code("zoe@example.com").expect("a mail");
    app.later(600);
    let late = browser.submit(&page, "sign-up/code", &[("code", &code)]).await;
    assert!(late.status == 422 && late.body.contains("expired"));
    let page = browser.submit(&page, "sign-up", &[("email", "zoe@example.com")]).await;
    let code = app.idp.mailbox_code("zoe@example.com").expect("a mail");
    let page = browser.submit(&page, "sign-up/code", &[("code", &code)]).await;
    assert!(page.url.path().ends_with("/sign-up/details"));
}

#[tokio::test]
async fn details_cannot_be_sent_without_a_passcode() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = code_page(&app, &mut browser, "sign-up", "zoe@example.com").await;
    let fields = [("password", "a-new-password"), ("name", "Zoe")];
    assert_eq!(browser.submit(&page, "sign-up/details", &fields).await.status, 404);
    assert!(app.idp.oid("zoe@example.com").is_none());
}

#[tokio::test]
async fn a_reset_password_works_and_ends_what_was_begun_before() {
    let app = App::start().await;
    let before = app.tokens(&[("scope", ALL)]).await;
    let mut elsewhere = Browser::default();
    app.sign_in(&mut elsewhere, &[]).await;

    let mut browser = Browser::default();
    let page = code_page(&app, &mut browser, "reset", "alice@example.com").await;
    let code = app.idp.mailbox_code("alice@example.com").expect("a mail");
    let page = browser.submit(&page, "reset/code", &[("code", &code)]).await;
    assert!(page.url.path().ends_with("/reset/password"));
    let page = browser.submit(&page, "reset/password", &[("password", "a-new-password")]).await;
    assert!(page.answer().contains_key("code"));

    assert_eq!(app.refresh(text(&before, "refresh_token"), &[]).await.status, 400);
    assert!(elsewhere.open(&app.request(&[])).await.url.path().ends_with("/sign-in"));
    let mut fresh = Browser::default();
    let page = fresh.open(&app.request(&[])).await;
    let old = fresh.submit(&page, "sign-in", &[("email", "alice@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(old.status, 422);
    let new = fresh
        .submit(&page, "sign-in", &[("email", "alice@example.com"), ("password", "a-new-password")])
        .await;
    assert!(new.answer().contains_key("code"));
}

#[tokio::test]
async fn resetting_an_unknown_address_looks_the_same_and_sends_nothing() {
    let app = App::start().await;
    let page = code_page(&app, &mut Browser::default(), "reset", "nobody@example.com").await;
    assert!(page.url.path().ends_with("/reset/code"));
    assert_eq!(app.idp.mailbox_code("nobody@example.com"), None);
}

#[tokio::test]
async fn the_mailbox_page_shows_the_code() {
    let app = App::start().await;
    let page = code_page(&app, &mut Browser::default(), "sign-up", "zoe@example.com").await;
    let mailbox = Browser::default().get(&page.url.join("/mailbox").expect("a URL")).await;
    let code = app.idp.mailbox_code("zoe@example.com").expect("a mail");
    assert!(mailbox.body.contains(&code) && mailbox.body.contains("zoe@example.com"));
}
