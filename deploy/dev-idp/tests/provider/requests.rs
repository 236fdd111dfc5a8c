//! What a request may wish for: how surely a person is recognised, how long ago, single claims; and what tokens say
//! about groups.

use dev_idp::faults::IdTokenFault;
use dev_idp::{Endpoint, Face};
use serde_json::json;

use crate::app::{App, text};
use crate::browser::Browser;

/// The claims of the ID token that a code gives.
async fn claims(app: &App, code: &str) -> std::collections::BTreeMap<String, serde_json::Value> {
    let tokens = app.redeem(code).await.json();
    app.verify(text(&tokens, "id_token"), "todo-web").await
}

#[tokio::test]
async fn a_higher_acr_is_had_by_signing_in_anew() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let first = app.sign_in(&mut browser, &[]).await.answer();
    assert_eq!(claims(&app, &first["code"]).await["acr"], "1");
    let silent = browser.open(&app.request(&[("acr_values", "1")])).await.answer();
    assert_eq!(claims(&app, &silent["code"]).await["acr"], "1");
    let higher = [("acr_values", "2 1")];
    let page = browser.open(&app.request(&[higher[0], ("prompt", "none")])).await;
    assert_eq!(page.answer()["error"], "interaction_required");
    let answer = app.sign_in(&mut browser, &higher).await.answer();
    let tokens = app.redeem(&answer["code"]).await.json();
    assert_eq!(app.verify(text(&tokens, "id_token"), "todo-web").await["acr"], "2");
    let refreshed = app.refresh(text(&tokens, "refresh_token"), &[]).await.json();
    assert_eq!(app.verify(text(&refreshed, "id_token"), "todo-web").await["acr"], "2");

    app.idp.faults().once(IdTokenFault::LowerAcr);
    let answer = app.sign_in(&mut browser, &higher).await.answer();
    assert_eq!(claims(&app, &answer["code"]).await["acr"], "0");
}

#[tokio::test]
async fn an_essential_acr_that_does_not_exist_is_refused_and_a_wish_is_not() {
    let app = App::start().await;
    let essential = json!({"id_token": {"acr": {"essential": true, "values": ["gold"]}}}).to_string();
    let mut browser = Browser::default();
    let page = browser.open(&app.request(&[("claims", &essential)])).await;
    assert_eq!(page.answer()["error"], "unmet_authentication_requirements");
    assert!(app.sign_in(&mut browser, &[("acr_values", "gold")]).await.answer().contains_key("code"));
}

#[tokio::test]
async fn max_age_asks_again_and_auth_time_says_when() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let first = app.sign_in(&mut browser, &[]).await.answer();
    let before = claims(&app, &first["code"]).await["auth_time"].as_i64().expect("a time");
    app.later(100);
    let page = browser.open(&app.request(&[("max_age", "50"), ("prompt", "none")])).await;
    assert_eq!(page.answer()["error"], "login_required");
    let again = app.sign_in(&mut browser, &[("max_age", "50")]).await.answer();
    assert!(claims(&app, &again["code"]).await["auth_time"].as_i64().expect("a time") >= before + 100);
    let mut with = async |fault| {
        app.idp.faults().once(fault);
        let answer = browser.open(&app.request(&[])).await.answer();
        claims(&app, &answer["code"]).await
    };
    assert!(!with(IdTokenFault::MissingAuthTime).await.contains_key("auth_time"));
    assert!(with(IdTokenFault::AuthTimeString).await["auth_time"].is_string());
    assert!(with(IdTokenFault::NumericAcr).await["acr"].is_number());
}

#[tokio::test]
async fn prompt_login_asks_again_and_locales_are_taken_note_of() {
    let app = App::start().await;
    let mut browser = Browser::default();
    app.sign_in(&mut browser, &[]).await;
    let page = browser.open(&app.request(&[("prompt", "login"), ("ui_locales", "de en")])).await;
    assert!(page.status == 200 && page.body.contains("Sign in"));
    assert_eq!(app.idp.faults().last_authorize().expect("a request")["ui_locales"], "de en");
}

#[tokio::test]
async fn single_claims_are_given_where_they_are_asked_for() {
    let app = App::start().await;
    let parameter = json!({"userinfo": {"email": null}, "id_token": {"email": null}}).to_string();
    let plain = app.tokens(&[("scope", "openid")]).await;
    let asked = app.tokens(&[("scope", "openid"), ("claims", &parameter)]).await;
    for (tokens, is_there) in [(&plain, false), (&asked, true)] {
        let id = app.verify(text(tokens, "id_token"), "todo-web").await;
        let info = app.userinfo(text(tokens, "access_token")).await.json();
        assert_eq!((id.contains_key("email"), info.get("email").is_some()), (is_there, is_there));
        assert!(info.get("name").is_none());
    }
}

#[tokio::test]
async fn too_many_groups_are_only_pointed_at() {
    let mut app = App::start().await;
    let few = ["5c9b6a6e-0000-4000-8000-000000000001"];
    let many: Vec<String> = (0..201).map(|n| format!("5c9b6a6e-0000-4000-8000-{n:012}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    app.face = Face::Entra;
    let token = async |app: &App| {
        let tokens = app.tokens(&[]).await;
        app.verify(text(&tokens, "id_token"), "todo-web").await
    };
    assert!(!token(&app).await.contains_key("groups"));
    assert!(app.idp.assign_groups("alice@example.com", &few) && !app.idp.assign_groups("nobody@x", &few));
    assert_eq!(token(&app).await["groups"], json!(few));
    app.idp.assign_groups("alice@example.com", &many);
    let over = token(&app).await;
    assert!(!over.contains_key("groups") && over["_claim_names"] == json!({"groups": "src1"}));
    assert!(over["_claim_sources"]["src1"]["endpoint"].is_string());
    app.face = Face::Plain;
    assert_eq!(token(&app).await["groups"].as_array().map(Vec::len), Some(201));
    app.idp.faults().once(IdTokenFault::GroupOverage);
    assert!(token(&app).await.contains_key("_claim_sources"));
    assert_eq!(app.idp.faults().requests(Endpoint::Canary), 0);
}

#[tokio::test]
async fn two_providers_side_by_side_share_nothing() {
    let (one, two) = (App::start().await, App::start().await);
    let mut browser = Browser::default();
    one.sign_in(&mut browser, &[]).await;
    let page = browser.open(&two.request(&[("prompt", "none")])).await;
    assert_eq!(page.answer()["error"], "login_required", "signed in at the other");
    two.sign_in(&mut browser, &[]).await;
    for app in [&one, &two] {
        let answer = browser.open(&app.request(&[("prompt", "none")])).await.answer();
        assert!(answer.contains_key("code"), "neither cookie took the other's place");
        assert_eq!(answer["iss"], app.idp.issuer());
    }
    let keys = |app: &App| app.idp.current_kid();
    assert_ne!(keys(&one), keys(&two));

    one.idp.faults().answer_as(&two.idp.issuer());
    let mixed = browser.open(&one.request(&[])).await.answer();
    assert!(mixed["iss"] == two.idp.issuer() && mixed.contains_key("code"));
    assert_eq!(two.redeem(&mixed["code"]).await.status, 400, "the other never gave it");
    one.idp.faults().clear();
    assert_eq!(browser.open(&one.request(&[])).await.answer()["iss"], one.idp.issuer());
}

#[tokio::test]
async fn a_sign_in_can_be_begun_from_the_providers_own_page() {
    let app = App::start().await;
    assert_eq!(app.idp.initiate_login_url("todo-web", Face::Plain, &[]), None);
    app.idp.edit_tenant(|tenant| {
        let web = tenant.client_mut("todo-web").expect("registered");
        web.registration.initiate_login_uri = Some("http://localhost:3000/auth/initiate".to_owned());
    });
    let more = [("target_link_uri", "http://localhost:3000/x"), ("login_hint", "alice@example.com")];
    let url = app.idp.initiate_login_url("todo-web", Face::Plain, &more).expect("registered for it");
    let url = url::Url::parse(&url).expect("a URL");
    let pairs: Vec<String> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs[0], format!("iss={}", app.idp.issuer()));
    assert_eq!(pairs[1..], ["target_link_uri=http://localhost:3000/x", "login_hint=alice@example.com"]);
    let home = Browser::default().open(&app.idp.base_url().parse().expect("a URL")).await;
    assert!(home.body.contains("http://localhost:3000/auth/initiate?iss="), "{}", home.body);
}
