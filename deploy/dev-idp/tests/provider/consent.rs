//! Consent: granted by an administrator, asked of a person, remembered, missing.

use dev_idp::{Face, Tenant};

use crate::app::{ALL, App, READ, WRITE, tenant, text};
use crate::browser::Browser;

fn without_admin_consent() -> Tenant {
    let mut tenant = tenant();
    tenant.client_mut("todo-web").expect("registered").granted_scopes.clear();
    tenant
}

#[tokio::test]
async fn consent_is_asked_once_per_person() {
    let app = App::start_with(without_admin_consent()).await;
    let mut alice = Browser::default();
    let page = app.sign_in(&mut alice, &[]).await;
    assert!(page.url.path().ends_with("/consent"));
    assert!(page.body.contains("Read your to-do list") && page.body.contains("alice@example.com"));
    assert!(alice.submit(&page, "consent", &[("decision", "accept")]).await.answer().contains_key("code"));
    assert!(alice.open(&app.request(&[])).await.answer().contains_key("code"), "remembered");
    let page = app.sign_in_as(&mut Browser::default(), "bob@example.com", &[]).await;
    assert!(page.url.path().ends_with("/consent"), "bob has not been asked");
}

#[tokio::test]
async fn saying_no_is_access_denied() {
    let app = App::start_with(without_admin_consent()).await;
    let mut browser = Browser::default();
    let page = app.sign_in(&mut browser, &[]).await;
    let answer = browser.submit(&page, "consent", &[("decision", "cancel")]).await.answer();
    assert_eq!(answer["error"], "access_denied");
    let silent = browser.open(&app.request(&[("prompt", "none")])).await.answer();
    assert_eq!(silent["error"], "consent_required");
}

#[tokio::test]
async fn prompt_consent_asks_although_it_was_granted() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let page = app.sign_in(&mut browser, &[("prompt", "consent")]).await;
    assert!(page.url.path().ends_with("/consent"));
    assert!(browser.submit(&page, "consent", &[("decision", "accept")]).await.answer().contains_key("code"));
}

#[tokio::test]
async fn a_refresh_for_a_scope_nobody_granted_needs_consent_first() {
    for face in [Face::Plain, Face::Entra] {
        let mut tenant = without_admin_consent();
        tenant.client_mut("todo-web").expect("registered").granted_scopes.push(READ.to_owned());
        let mut app = App::start_with(tenant).await;
        app.face = face;
        let mut browser = Browser::default();
        let code = app.sign_in(&mut browser, &[]).await.answer()["code"].clone();
        let tokens = app.redeem(&code).await.json();
        let refresh = text(&tokens, "refresh_token").to_owned();

        let refused = app.refresh(&refresh, &[("scope", WRITE)]).await;
        assert_eq!(refused.status, 400);
        let error = refused.json();
        if face == Face::Entra {
            assert_eq!(text(&error, "error"), "invalid_grant");
            assert_eq!(text(&error, "suberror"), "consent_required");
            assert_eq!(error["error_codes"], serde_json::json!([65001]));
            assert!(text(&error, "error_description").starts_with("AADSTS65001"));
        } else {
            assert_eq!(text(&error, "error"), "consent_required");
        }

        let page = browser.open(&app.request(&[("scope", &format!("{ALL} {WRITE}"))])).await;
        assert!(page.url.path().ends_with("/consent"));
        browser.submit(&page, "consent", &[("decision", "accept")]).await;
        assert_eq!(app.refresh(&refresh, &[("scope", WRITE)]).await.status, 200, "the refusal spent nothing");
    }
}

#[tokio::test]
async fn grants_can_be_changed_while_it_runs() {
    let app = App::start().await;
    app.idp.edit_tenant(|tenant| {
        tenant.client_mut("todo-web").expect("registered").granted_scopes.clear();
    });
    assert!(app.sign_in(&mut Browser::default(), &[]).await.url.path().ends_with("/consent"));
}
