//! Tokens for further APIs: by `resource`, by token exchange, on behalf of a person, and for an app itself.

use dev_idp::faults::{Fault, TokenFault};
use dev_idp::{Endpoint, Face, Mint};
use serde_json::{Value, json};

use crate::app::{ALL, App, READ, tenant, text};
use crate::browser::{Browser, Page};

const REPORTS: &str = "6c0f6f0e-3f0a-4a55-9d6c-2b7f1e8a4c91";
const TODO: &str = "11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f";
const OWN: &str = "openid offline_access api://todo-web/access_as_user";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

async fn exchange(app: &App, token: &str, fields: &[(&str, &str)]) -> Page {
    let usual = [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    let kept = usual.iter().filter(|(name, _)| !fields.iter().any(|(changed, _)| changed == name));
    let all: Vec<_> = kept.chain(fields).copied().collect();
    app.token(&all).await
}

async fn on_behalf_of(app: &App, token: &str, scope: &str) -> Page {
    let fields = [
        ("grant_type", BEARER),
        ("assertion", token),
        ("requested_token_use", "on_behalf_of"),
        ("scope", scope),
    ];
    app.token(&fields).await
}

fn error(page: &Page) -> String {
    text(&page.json(), "error").to_owned()
}

/// A token for the app's own API.
async fn own_token(app: &App) -> String {
    let tokens = app.tokens(&[("scope", OWN)]).await;
    text(&tokens, "access_token").to_owned()
}

#[tokio::test]
async fn a_token_for_the_own_api_is_exchanged_for_one_further_on() {
    let app = App::start().await;
    let own = own_token(&app).await;
    let subject = app.verify(&own, "todo-web").await;
    for target in [
        [("audience", "api://reports"), ("scope", "Reports.Read")],
        [("audience", REPORTS), ("scope", "")],
        [("resource", "api://reports"), ("scope", "Reports.Read")],
        [("audience", ""), ("scope", "api://reports/Reports.Read")],
    ] {
        let page = exchange(&app, &own, &target).await;
        assert_eq!(page.status, 200, "{target:?}: {}", page.body);
        let answer = page.json();
        assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
        assert_eq!(answer["token_type"], "Bearer");
        assert!(answer.get("refresh_token").is_none() && answer.get("id_token").is_none());
        let claims = app.verify(text(&answer, "access_token"), REPORTS).await;
        assert_eq!(claims["scp"], "Reports.Read");
        assert_eq!((&claims["oid"], &claims["sid"]), (&subject["oid"], &subject["sid"]), "the same person");
        assert_ne!(claims["sub"], subject["sub"], "but pairwise");
    }
}

#[tokio::test]
async fn an_id_token_is_a_subject_too_when_it_is_called_one() {
    let app = App::start().await;
    let tokens = app.tokens(&[("scope", "openid")]).await;
    let id_token = text(&tokens, "id_token");
    let as_id = [("subject_token_type", ID_TOKEN), ("audience", "api://reports")];
    assert_eq!(exchange(&app, id_token, &as_id).await.status, 200);
    let as_access = [("subject_token_type", ACCESS_TOKEN), ("audience", "api://reports")];
    assert_eq!(error(&exchange(&app, id_token, &as_access).await), "invalid_request");
}

#[tokio::test]
async fn subjects_that_will_not_do_are_an_invalid_request() {
    let app = App::start().await;
    let target = [("audience", "api://reports")];
    let for_todo = app.tokens(&[]).await;
    let own = |mint: Mint| mint.api("api://todo-web").scopes(&["access_as_user"]);
    let mint = |mint: Mint| app.idp.mint_access_token(mint).expect("alice exists");
    let alice = || own(Mint::user("alice@example.com"));
    let wrong: [(&str, String); 7] = [
        ("another API's", text(&for_todo, "access_token").to_owned()),
        ("expired", mint(alice().lifetime(-1))),
        ("forged", mint(alice().fault(dev_idp::faults::IdTokenFault::WrongKey))),
        ("changed", mint(alice().fault(dev_idp::faults::IdTokenFault::TamperedPayload))),
        ("another issuer's", mint(alice().face(Face::Entra))),
        ("an app's", mint(own(Mint::app("todo-web")))),
        ("nonsense", "nonsense".to_owned()),
    ];
    for (what, token) in wrong {
        let page = exchange(&app, &token, &target).await;
        assert_eq!((page.status.as_u16(), error(&page).as_str()), (400, "invalid_request"), "{what}");
    }
    assert_eq!(exchange(&app, &mint(alice()), &target).await.status, 200);

    let live = own_token(&app).await;
    assert_eq!(exchange(&app, &live, &target).await.status, 200);
    assert!(app.idp.revoke("alice@example.com"));
    assert_eq!(error(&exchange(&app, &live, &target).await), "invalid_request");
}

#[tokio::test]
async fn targets_that_there_are_not_or_too_many_of_are_refused() {
    let app = App::start().await;
    let own = own_token(&app).await;
    for (fields, expected) in [
        (vec![("audience", "api://nobody")], "invalid_target"),
        (vec![("resource", "api://nobody")], "invalid_target"),
        (vec![("audience", "api://reports"), ("audience", "api://todo-service")], "invalid_target"),
        (vec![("audience", "api://reports"), ("resource", "api://todo-service")], "invalid_target"),
        (vec![], "invalid_request"),
        (vec![("scope", "openid")], "invalid_target"),
        (vec![("audience", "api://reports"), ("scope", "Nope")], "invalid_scope"),
        (vec![("audience", "api://reports"), ("requested_token_type", ID_TOKEN)], "invalid_request"),
        (vec![("audience", "api://reports"), ("actor_token", "x")], "invalid_request"),
        (vec![("audience", "api://reports"), ("subject_token_type", "x")], "invalid_request"),
    ] {
        assert_eq!(error(&exchange(&app, &own, &fields).await), expected, "{fields:?}");
    }
    app.idp.edit_tenant(|tenant| {
        tenant.client_mut("todo-web").expect("registered").granted_scopes.retain(|name| name == READ);
    });
    let ungranted = exchange(&app, &own, &[("audience", "api://reports")]).await;
    assert_eq!(error(&ungranted), "consent_required");
}

#[tokio::test]
async fn the_entra_face_has_no_exchange_and_no_resource_but_on_behalf_of() {
    let mut app = App::start().await;
    app.face = Face::Entra;
    let own = own_token(&app).await;
    let page = exchange(&app, &own, &[("audience", "api://reports")]).await;
    assert_eq!(error(&page), "unsupported_grant_type");
    let answer = Browser::default().open(&app.request(&[("resource", "api://reports")])).await.answer();
    assert_eq!(answer["error"], "invalid_request");

    let page = on_behalf_of(&app, &own, "api://reports/.default").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let answer = page.json();
    assert!(answer.get("refresh_token").is_none() && answer.get("issued_token_type").is_none());
    let claims = app.verify(text(&answer, "access_token"), REPORTS).await;
    assert_eq!((claims["scp"].as_str(), claims["azp"].as_str()), (Some("Reports.Read"), Some("todo-web")));
    assert_eq!(claims["oid"], app.idp.oid("alice@example.com").expect("alice exists"));
}

#[tokio::test]
async fn on_behalf_of_gives_a_refresh_token_only_for_offline_access() {
    let app = App::start().await;
    let own = own_token(&app).await;
    let page = on_behalf_of(&app, &own, "offline_access api://reports/Reports.Read").await;
    let refreshed = app.refresh(text(&page.json(), "refresh_token"), &[]).await;
    let claims = app.verify(text(&refreshed.json(), "access_token"), REPORTS).await;
    assert_eq!(claims["scp"], "Reports.Read");
}

#[tokio::test]
async fn assertions_that_will_not_do_are_an_invalid_grant_with_a_number() {
    let mut app = App::start().await;
    app.face = Face::Entra;
    let tokens = app.tokens(&[("scope", OWN)]).await;
    let other = app.tokens(&[]).await;
    let old = Mint::user("alice@example.com").api("api://todo-web").scopes(&["x"]).face(Face::Entra);
    let old = app.idp.mint_access_token(old.lifetime(-1)).expect("alice exists");
    for (token, number) in [
        (text(&other, "access_token"), 500_131),
        (text(&tokens, "id_token"), 240_002),
        (old.as_str(), 500_133),
        ("nonsense", 50_013),
    ] {
        let answer = on_behalf_of(&app, token, "api://reports/Reports.Read").await.json();
        assert_eq!((&answer["error"], &answer["error_codes"]), (&json!("invalid_grant"), &json!([number])));
    }
    app.idp.edit_tenant(|tenant| {
        tenant.client_mut("todo-web").expect("registered").granted_scopes.clear();
    });
    let answer = on_behalf_of(&app, text(&tokens, "access_token"), "api://reports/Reports.Read").await.json();
    assert_eq!(
        (&answer["error"], &answer["suberror"]),
        (&json!("invalid_grant"), &json!("consent_required"))
    );
    let page = app.token(&[("grant_type", BEARER), ("assertion", "x"), ("scope", "x")]).await;
    assert_eq!(error(&page), "invalid_request", "requested_token_use is missing");
}

#[tokio::test]
async fn resources_choose_the_audience_at_sign_in_redemption_and_refresh() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let sign_in = async |browser: &mut Browser, resources: &[(&str, &str)]| {
        let changes = [&[("scope", "openid offline_access")], resources].concat();
        let page = browser.open(&app.request(&changes)).await;
        if page.status.is_redirection() {
            return page.answer()["code"].clone();
        }
        let page = browser.submit(&page, "sign-in", &[("email", "alice@example.com")]).await;
        let page = browser.submit(&page, "password", &[("password", crate::app::PASSWORD)]).await;
        page.answer()["code"].clone()
    };
    let redeem = async |code: &str, resource: Option<&str>| {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", crate::app::CALLBACK),
            ("code_verifier", crate::app::VERIFIER),
        ];
        fields.extend(resource.map(|resource| ("resource", resource)));
        app.token(&fields).await
    };
    let both = [("resource", "api://reports"), ("resource", "api://todo-service")];
    let first = redeem(&sign_in(&mut browser, &both).await, None).await.json();
    assert_eq!(first["scope"], "openid offline_access Reports.Read");
    app.verify(text(&first, "access_token"), REPORTS).await;
    let second = redeem(&sign_in(&mut browser, &both).await, Some("api://todo-service")).await.json();
    app.verify(text(&second, "access_token"), TODO).await;
    let other = redeem(&sign_in(&mut browser, &both).await, Some("api://todo-web")).await;
    assert_eq!(error(&other), "invalid_target");

    let refresh = text(&second, "refresh_token");
    assert_eq!(error(&app.refresh(refresh, &[("resource", "api://nobody")]).await), "invalid_target");
    let two = app.refresh(refresh, &both).await;
    assert_eq!(error(&two), "invalid_target");
    let fields = [("resource", "api://reports"), ("scope", "openid Reports.Read")];
    let refreshed = app.refresh(refresh, &fields).await.json();
    let claims = app.verify(text(&refreshed, "access_token"), REPORTS).await;
    assert_eq!(
        (claims["scp"].as_str(), text(&refreshed, "scope")),
        (Some("Reports.Read"), "openid Reports.Read")
    );
    assert!(refreshed.get("id_token").is_some());
}

#[tokio::test]
async fn an_app_asks_for_itself_by_scope_or_resource() {
    let app = App::start().await;
    let ask = async |fields: &[(&str, &str)]| {
        app.token(&[&[("grant_type", "client_credentials")], fields].concat()).await
    };
    for fields in [
        &[("scope", "api://reports/.default")][..],
        &[("resource", "api://reports")],
        &[("resource", "api://reports"), ("scope", "api://reports/.default")],
    ] {
        let claims = app.verify(text(&ask(fields).await.json(), "access_token"), REPORTS).await;
        assert_eq!(claims["roles"], json!(["Reports.Read.All"]), "{fields:?}");
        assert!(!claims.contains_key("scp"));
    }
    assert_eq!(error(&ask(&[("resource", "api://nobody")]).await), "invalid_target");
    assert_eq!(error(&ask(&[]).await), "invalid_request");
    let differ = [("resource", "api://reports"), ("scope", "api://todo-service/.default")];
    assert_eq!(error(&ask(&differ).await), "invalid_request");
}

#[tokio::test]
async fn one_grants_faults_leave_the_others_alone() {
    let app = App::start().await;
    let own = own_token(&app).await;
    let faults = app.idp.faults();
    faults.set(Fault::Exchange(TokenFault::Unavailable));
    faults.set(Fault::App(TokenFault::TooMany));
    let busy = exchange(&app, &own, &[("audience", "api://reports")]).await;
    assert_eq!((busy.status.as_u16(), busy.header(http::header::RETRY_AFTER)), (503, "7"));
    let busy = app.token(&[("grant_type", "client_credentials"), ("scope", "api://reports/.default")]).await;
    assert_eq!((busy.status.as_u16(), busy.header(http::header::RETRY_AFTER)), (429, "7"));
    assert_eq!(app.redeem(&app.code(&[]).await).await.status, 200);
}

#[tokio::test]
async fn the_shipped_tenant_still_signs_in_without_a_consent_page() {
    let app = App::start().await;
    let tokens = app.tokens(&[("scope", &format!("{ALL} api://todo-service/ToDoList.ReadWrite"))]).await;
    assert!(tokens["access_token"].is_string());
    assert!(tenant().client("todo-daemon").is_some_and(|daemon| daemon.user_flow.is_none()));
    let grants = app.get(Endpoint::Metadata, &[]).await.json()["grant_types_supported"].clone();
    assert!(grants.as_array().is_some_and(|grants| grants.contains(&Value::from(EXCHANGE))));
}
