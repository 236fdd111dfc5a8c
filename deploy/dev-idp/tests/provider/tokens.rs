//! The token endpoint, userinfo and revocation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dev_idp::tenant::{ClientSecret, Permission, WebApi};
use dev_idp::{Endpoint, Face, Mint};
use http::{Method, header};

use crate::app::{App, CALLBACK, READ, VERIFIER, WRITE, tenant, text};
use crate::browser::{Browser, send};

const API: &str = "11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f";

#[tokio::test]
async fn a_code_used_twice_revokes_what_it_gave() {
    let app = App::start().await;
    let code = app.code(&[("scope", "openid offline_access")]).await;
    let tokens = app.redeem(&code).await.json();
    assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 200);
    let again = app.redeem(&code).await;
    assert_eq!((again.status.as_u16(), text(&again.json(), "error")), (400, "invalid_grant"));
    assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401);
    assert_eq!(app.refresh(text(&tokens, "refresh_token"), &[]).await.status, 400);
}

#[tokio::test]
async fn a_code_needs_its_verifier_its_redirect_uri_and_haste() {
    let app = App::start().await;
    let try_with = async |verifier: &str, uri: &str| {
        let code = app.code(&[]).await;
        let fields = [("grant_type", "authorization_code"), ("code", code.as_str())];
        let rest = [("redirect_uri", uri), ("code_verifier", verifier)];
        app.token(&[fields, rest].concat()).await.status.as_u16()
    };
    assert_eq!(try_with(VERIFIER, CALLBACK).await, 200);
    assert_eq!(try_with(&VERIFIER.replace('d', "e"), CALLBACK).await, 400);
    assert_eq!(try_with("", CALLBACK).await, 400);
    assert_eq!(try_with(VERIFIER, "http://localhost:3000/other").await, 400);
    let code = app.code(&[]).await;
    app.later(300);
    assert_eq!(app.redeem(&code).await.status, 400);
}

#[tokio::test]
async fn basic_credentials_are_decoded_and_checked() {
    let mut tenant = tenant();
    tenant.client_mut("todo-web").expect("registered").secret = ClientSecret::new("p%:+ é&= and more of it");
    let app = App::start_with(tenant).await;
    let fields =
        [("grant_type", "authorization_code"), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    for (secret, status) in
        [("p%25%3A%2B+%C3%A9%26%3D+and+more+of+it", 200), ("p%:+ é&= and more of it", 401)]
    {
        let code = app.code(&[]).await;
        let basic = format!("Basic {}", STANDARD.encode(format!("todo-web:{secret}")));
        let page = app
            .post(Endpoint::Token, &[("authorization", &basic)], &[&fields[..], &[("code", &code)]].concat())
            .await;
        assert_eq!(page.status, status, "{}", page.body);
        assert_eq!(page.header(header::WWW_AUTHENTICATE).starts_with("Basic"), status == 401);
        if status == 200 {
            let last = app.idp.faults().last_token().expect("a request");
            assert_eq!(last["basic_secret"], "p%:+ é&= and more of it");
        }
    }
    let none = app.post(Endpoint::Token, &[], &fields).await;
    assert_eq!((none.status.as_u16(), text(&none.json(), "error")), (401, "invalid_client"));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_ends_the_family() {
    let app = App::start().await;
    let first = app.tokens(&[]).await;
    let second = app.refresh(text(&first, "refresh_token"), &[]).await.json();
    let claims = app.verify(text(&second, "id_token"), "todo-web").await;
    assert!(!claims.contains_key("nonce"));
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let third = app.refresh(text(&second, "refresh_token"), &[]).await.json();
    let reuse = app.refresh(text(&first, "refresh_token"), &[]).await;
    assert_eq!((reuse.status.as_u16(), text(&reuse.json(), "error")), (400, "invalid_grant"));
    assert_eq!(app.refresh(text(&third, "refresh_token"), &[]).await.status, 400, "the newest died too");
}

#[tokio::test]
async fn without_offline_access_there_is_no_refresh_token() {
    let app = App::start().await;
    let tokens = app.tokens(&[("scope", "openid")]).await;
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_some());
}

#[tokio::test]
async fn each_apis_token_is_got_with_the_refresh_token() {
    let mut tenant = tenant();
    tenant.apis.push(WebApi {
        name: "second".to_owned(),
        client_id: "second-api".to_owned(),
        app_id_uri: "api://second".to_owned(),
        scopes: vec![Permission { name: "Do".to_owned(), description: "Do it".to_owned() }],
        app_roles: Vec::new(),
        idtyp: false,
    });
    tenant.client_mut("todo-web").expect("registered").granted_scopes.push("api://second/Do".to_owned());
    let app = App::start_with(tenant).await;
    let first = app.tokens(&[]).await;
    let write = app.refresh(text(&first, "refresh_token"), &[("scope", WRITE)]).await.json();
    let claims = app.verify(text(&write, "access_token"), API).await;
    assert_eq!(claims["scp"], "ToDoList.ReadWrite");
    assert!(write.get("id_token").is_none(), "openid was not asked for");
    let second =
        app.refresh(text(&write, "refresh_token"), &[("scope", "openid api://second/Do")]).await.json();
    let claims = app.verify(text(&second, "access_token"), "second-api").await;
    assert_eq!(claims["scp"], "Do");
    assert!(!claims.contains_key("idtyp") && second.get("id_token").is_some());

    let both = format!("{READ} api://second/Do");
    let refused = app.refresh(text(&second, "refresh_token"), &[("scope", &both)]).await;
    assert_eq!(text(&refused.json(), "error"), "invalid_request");
    let refused = app.refresh(text(&second, "refresh_token"), &[("scope", "api://nobody/Do")]).await;
    assert_eq!(text(&refused.json(), "error"), "invalid_scope");
    let answer = Browser::default().open(&app.request(&[("scope", &both)])).await.answer();
    assert_eq!(answer["error"], "invalid_request");
    let still = app.refresh(text(&second, "refresh_token"), &[]).await;
    assert_eq!(still.status, 200, "a refused scope spends nothing");
}

#[tokio::test]
async fn a_daemon_gets_its_app_roles_and_no_scope() {
    let app = App::start().await;
    let secret = tenant().client("todo-daemon").expect("registered").secret.expose().to_owned();
    let ask = async |scope: &str| {
        let fields = [("grant_type", "client_credentials"), ("client_id", "todo-daemon"), ("scope", scope)];
        app.post(Endpoint::Token, &[], &[&fields[..], &[("client_secret", &secret)]].concat()).await
    };
    let tokens = ask("api://todo-service/.default").await.json();
    let claims = app.verify(text(&tokens, "access_token"), API).await;
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(claims["azp"], "todo-daemon");
    assert_eq!(claims["roles"], serde_json::json!(["ToDoList.Read.All", "ToDoList.ReadWrite.All"]));
    assert_eq!(claims["sub"], claims["oid"]);
    assert!(!claims.contains_key("scp") && !claims.contains_key("sid"));
    assert_eq!(text(&ask(READ).await.json(), "error"), "invalid_scope");
    assert_eq!(text(&ask("api://nobody/.default").await.json(), "error"), "invalid_scope");
}

#[tokio::test]
async fn userinfo_knows_the_person_of_a_live_token() {
    let mut app = App::start().await;
    let tokens = app.tokens(&[("scope", "openid profile email")]).await;
    let id = app.verify(text(&tokens, "id_token"), "todo-web").await;
    let info = app.userinfo(text(&tokens, "access_token")).await.json();
    assert_eq!((&info["sub"], &info["email"]), (&id["sub"], &id["email"]));
    assert_eq!(app.userinfo("nonsense").await.status, 401);
    assert!(app.get(Endpoint::Userinfo, &[]).await.header(header::WWW_AUTHENTICATE).starts_with("Bearer"));

    let for_api = app.tokens(&[]).await;
    assert_eq!(app.userinfo(text(&for_api, "access_token")).await.status, 200);
    app.face = Face::Entra;
    assert_eq!(
        app.userinfo(text(&for_api, "access_token")).await.status,
        401,
        "an API's token is not for userinfo"
    );
    assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 200);
    app.later(3600);
    assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401);
}

#[tokio::test]
async fn a_revoked_refresh_token_is_dead_and_needs_the_clients_word() {
    let app = App::start().await;
    let tokens = app.tokens(&[]).await;
    let refresh = text(&tokens, "refresh_token");
    let secret = tenant().client("todo-web").expect("registered").secret.expose().to_owned();
    let daemon = tenant().client("todo-daemon").expect("registered").secret.expose().to_owned();
    let revoke = async |id: &str, secret: &str, token: &str| {
        app.post(Endpoint::Revoke, &[], &[("client_id", id), ("client_secret", secret), ("token", token)])
            .await
            .status
    };
    assert_eq!(revoke("todo-web", "wrong", refresh).await, 401);
    assert_eq!(revoke("todo-daemon", &daemon, refresh).await, 400);
    assert_eq!(revoke("todo-web", &secret, "unknown").await, 200);
    let next = app.refresh(refresh, &[]).await.json();
    assert_eq!(revoke("todo-web", &secret, text(&next, "refresh_token")).await, 200);
    assert_eq!(app.refresh(text(&next, "refresh_token"), &[]).await.status, 400);
}

#[tokio::test]
async fn repeated_or_wrongly_typed_requests_are_refused() {
    let app = App::start().await;
    let code = app.code(&[]).await;
    let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("code", "x")];
    assert_eq!(text(&app.token(&fields).await.json(), "error"), "invalid_request");
    assert_eq!(
        text(&app.token(&[("grant_type", "password")]).await.json(), "error"),
        "unsupported_grant_type"
    );
    let kind = [("content-type", "application/json")];
    let json =
        send(Method::POST, &app.url(Endpoint::Token), &kind, "{}".to_owned()).await.expect("an answer");
    assert_eq!(json.status, 400);
    assert_eq!(app.get(Endpoint::Token, &[]).await.status, 405);
    assert_eq!(app.redeem(&code).await.status, 200, "none of these spent the code");
}

#[tokio::test]
async fn keys_rotate_and_old_ones_can_be_retired() {
    let app = App::start().await;
    let before = app.tokens(&[]).await;
    app.idp.rotate_keys();
    let after = app.tokens(&[]).await;
    app.verify(text(&before, "id_token"), "todo-web").await;
    app.verify(text(&after, "id_token"), "todo-web").await;
    app.idp.retire_old_keys();
    app.verify(text(&after, "id_token"), "todo-web").await;
    assert_eq!(app.get(Endpoint::Keys, &[]).await.json()["keys"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn minted_tokens_are_what_was_asked_for() {
    let app = App::start().await;
    let mint = Mint::user("bob@example.com").scopes(&["ToDoList.Read", "ToDoList.ReadWrite"]);
    let claims = app.verify(&app.idp.mint_access_token(mint).expect("bob exists"), API).await;
    assert_eq!(claims["scp"], "ToDoList.Read ToDoList.ReadWrite");
    assert_eq!(claims["oid"], app.idp.oid("bob@example.com").expect("bob exists"));
    let mint = Mint::app("todo-daemon").roles(&["ToDoList.Read.All"]).audience("elsewhere");
    let claims = app.verify(&app.idp.mint_access_token(mint).expect("the daemon exists"), "elsewhere").await;
    assert_eq!(claims["roles"][0], "ToDoList.Read.All");
    let mint =
        Mint::user("bob@example.com").edit(|_, claims| drop(claims.insert("email".to_owned(), "x".into())));
    let claims = app.verify(&app.idp.mint_id_token(mint).expect("bob exists"), "todo-web").await;
    assert_eq!(claims["email"], "x");
    assert!(app.idp.mint_access_token(Mint::user("nobody@example.com")).is_err());
}

#[tokio::test]
async fn assigned_roles_appear_in_the_tokens_of_their_app() {
    let app = App::start().await;
    assert!(app.idp.assign_app_roles("alice@example.com", "todo-web", &["Manager"]));
    let tokens = app.tokens(&[]).await;
    let id = app.verify(text(&tokens, "id_token"), "todo-web").await;
    assert_eq!(id["roles"], serde_json::json!(["Manager"]));
    let access = app.verify(text(&tokens, "access_token"), API).await;
    assert!(!access.contains_key("roles"));
}
