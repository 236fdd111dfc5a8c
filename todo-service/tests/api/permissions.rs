//! What a believed token allows (RS-11 to RS-14).

use axum::http::Method;
use serde_json::json;

use crate::support::{Service, Token};

/// Statuses of list, create, change, replace and remove with this token, the last three on the given item.
async fn statuses(service: &Service, token: &Token, id: &str) -> [u16; 5] {
    let token = token.signed();
    let path = format!("/api/todolist/{id}");
    let whole = json!({ "description": "changed", "done": true });
    [
        service.list().token(&token).status().await,
        service.post(&json!({ "description": "new" })).token(&token).status().await,
        service.call(Method::PATCH, &path).json(&json!({ "done": true })).token(&token).status().await,
        service.call(Method::PUT, &path).json(&whole).token(&token).status().await,
        service.call(Method::DELETE, &path).token(&token).status().await,
    ]
}

#[tokio::test]
async fn read_reads_and_read_write_does_everything() {
    let service = Service::start().await;
    let item = service.add(&service.alice(), "mine").await;
    let id = item["id"].as_str().expect("an id");
    let reader = service.alice().claim("scp", "ToDoList.Read");
    assert_eq!(statuses(&service, &reader, id).await, [200, 403, 403, 403, 403]);
    assert_eq!(service.seen_by(&reader).await, ["mine"], "nothing was changed");
    assert_eq!(statuses(&service, &service.alice(), id).await, [200, 201, 200, 200, 204]);
}

#[tokio::test]
async fn a_scope_counts_only_if_it_is_written_exactly() {
    let service = Service::start().await;
    let wrong = [
        "ToDoList.ReadWriteX",
        "XToDoList.Read",
        "todolist.read",
        "ToDolist.Read",
        "TODOLIST.READ",
        "ToDoList.Read\tX",
        "ToDoList.Read\u{a0}X",
        "\tToDoList.Read",
        "ToDoList.Read,ToDoList.ReadWrite",
        "ToDoList",
        "ToDoList.Read.All",
        "api://todo-service/ToDoList.Read",
        "ToDoList.*",
        "",
        " ",
    ];
    for scope in wrong {
        let answer = service.list().token(&service.alice().claim("scp", scope).signed()).send().await;
        assert_eq!(answer.problem(403)["type"], "urn:problem:todo-service:insufficient-scope", "{scope:?}");
    }
    for scope in [
        "ToDoList.Read",
        "ToDoList.ReadWrite",
        "X ToDoList.Read",
        "ToDoList.Read openid",
        "A  ToDoList.Read ",
    ] {
        assert_eq!(service.status_for(&service.alice().claim("scp", scope).signed()).await, 200, "{scope:?}");
    }
}

#[tokio::test]
async fn a_scope_claim_that_is_not_a_text_is_refused() {
    let service = Service::start().await;
    for scope in
        [json!(["ToDoList.Read"]), json!(1), json!(null), json!({ "ToDoList.Read": true }), json!(true)]
    {
        assert_eq!(
            service.status_for(&service.alice().claim("scp", scope.clone()).signed()).await,
            401,
            "{scope}"
        );
    }
    assert_eq!(service.status_for(&service.alice().claim("scp", "ToDoList.Read").signed()).await, 200);
}

#[tokio::test]
async fn application_permissions_count_only_for_a_token_that_says_it_is_an_apps() {
    let service = Service::start().await;
    assert_eq!(service.status_for(&service.app().signed()).await, 200);
    for idtyp in [
        json!("user"),
        json!(null),
        json!("App"),
        json!("APP"),
        json!(["app"]),
        json!("app "),
        json!(true),
        json!(""),
    ] {
        let status = service.status_for(&service.app().claim("idtyp", idtyp.clone()).signed()).await;
        assert!(matches!(status, 401 | 403), "{idtyp}: {status}");
    }
    let unmarked = service.app().without("idtyp").signed();
    assert_eq!(service.status_for(&unmarked).await, 403, "roles without scp prove nothing");
    let id_token = service.app().without("idtyp").claim("nonce", "n").signed();
    assert_eq!(service.status_for(&id_token).await, 401, "an ID token with roles");
    let mixed = service.app().claim("scp", "ToDoList.ReadWrite").signed();
    assert_eq!(service.status_for(&mixed).await, 401, "an app with delegated permissions contradicts itself");
}

#[tokio::test]
async fn a_user_with_app_roles_is_still_a_user() {
    let service = Service::start().await;
    service.add(&service.bob(), "bob's").await;
    let item = service.add(&service.alice(), "alice's").await;
    let mixed =
        service.alice().claim("scp", "ToDoList.Read").claim("roles", json!(["ToDoList.ReadWrite.All"]));
    for token in [mixed.clone(), mixed.without("idtyp")] {
        assert_eq!(service.seen_by(&token).await, ["alice's"]);
        let id = item["id"].as_str().expect("an id");
        assert_eq!(statuses(&service, &token, id).await, [200, 403, 403, 403, 403]);
    }
    assert_eq!(
        service.seen_by(&service.app()).await,
        ["bob's", "alice's"],
        "an app with that role sees both"
    );
}

#[tokio::test]
async fn a_token_without_any_permission_is_valid_and_useless() {
    let service = Service::start().await;
    let item = service.add(&service.alice(), "mine").await;
    let id = item["id"].as_str().expect("an id");
    let user = service.alice().without("scp");
    let app = service.app().without("roles");
    let other = service
        .app()
        .claim("roles", json!(["Other.All", "todolist.read.all", "ToDoList.Read", "ToDoList.ReadWrite"]));
    for token in [user, app, other] {
        assert_eq!(statuses(&service, &token, id).await, [403; 5]);
    }
    let reader = service.app().claim("roles", json!(["ToDoList.Read.All"]));
    assert_eq!(statuses(&service, &reader, id).await, [200, 403, 403, 403, 403]);
    assert_eq!(service.seen_by(&reader).await, ["mine"]);
}

#[tokio::test]
async fn permissions_may_come_from_scope_where_that_is_configured() {
    let service = Service::with(|issuer| issuer.scope_claim = todo_service::ScopeClaim::Scope).await;
    assert_eq!(service.status_for(&service.alice().signed()).await, 403, "scp is not looked at");
    assert_eq!(service.status_for(&service.alice().claim("scope", "ToDoList.Read").signed()).await, 200);
}
