//! Where a token may come from, and what is answered when it does not (RS-01, RS-02, RS-03).

use axum::http::Method;
use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn a_request_without_a_token_is_refused_whatever_other_headers_say() {
    let service = Service::start().await;
    service.add(&service.alice(), "hers").await;
    let spoofed = |call: crate::support::Call| {
        call.header("x-user", "alice")
            .header("x-forwarded-user", "alice@example.com")
            .header("x-auth-request-user", "alice")
            .header("x-ms-client-principal", "eyJvaWQiOiJhIn0")
            .header("x-forwarded-access-token", &service.alice().signed())
            .header("cookie", &format!("access_token={}", service.alice().signed()))
            .header("forwarded", "for=127.0.0.1")
    };
    let answer = spoofed(service.list()).send().await;
    answer.problem(401);
    assert_eq!(answer.challenge(), Some("Bearer"));
    assert_eq!(
        spoofed(service.list()).token(&service.bob().signed()).send().await.json()["items"],
        json!([])
    );
    assert_eq!(service.seen_by(&service.alice()).await, ["hers"]);
}

#[tokio::test]
async fn each_failure_has_its_own_status_and_challenge() {
    let service = Service::start().await;
    let answer = service.list().send().await;
    assert_eq!(answer.problem(401)["type"], "urn:problem:todo-service:authentication-required");
    assert_eq!(answer.challenge(), Some("Bearer"));

    let answer = service.list().token("not.a.token").send().await;
    assert_eq!(answer.problem(401)["type"], "urn:problem:todo-service:invalid-token");
    assert_eq!(answer.challenge(), Some("Bearer error=\"invalid_token\""));

    let reader = service.alice().claim("scp", "ToDoList.Read").signed();
    let answer = service.post(&json!({ "description": "x" })).token(&reader).send().await;
    assert_eq!(answer.problem(403)["type"], "urn:problem:todo-service:insufficient-scope");
    assert_eq!(answer.challenge(), Some("Bearer error=\"insufficient_scope\", scope=\"ToDoList.ReadWrite\""));

    let nothing = service.alice().claim("scp", "Other").signed();
    let answer = service.list().token(&nothing).send().await;
    answer.problem(403);
    assert_eq!(answer.challenge(), Some("Bearer error=\"insufficient_scope\", scope=\"ToDoList.Read\""));

    let answer = service.list().header("authorization", "Bearer").send().await;
    assert_eq!(answer.problem(400)["type"], "urn:problem:todo-service:invalid-authorization");
    assert_eq!(answer.challenge(), Some("Bearer error=\"invalid_request\""));

    let answer = service.list().header("authorization", "Basic YWxpY2U6cHc=").send().await;
    answer.problem(401);
    assert_eq!(answer.challenge(), Some("Bearer"));

    let answer = service.list().token(&reader).send().await;
    assert_eq!((answer.status.as_u16(), answer.challenge()), (200, None));
}

#[tokio::test]
async fn a_token_in_the_query_or_in_a_form_is_not_looked_at() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let in_query = service.call(Method::GET, &format!("/api/todolist?access_token={token}"));
    assert_eq!(in_query.clone().status().await, 401);
    assert_eq!(in_query.token("x.y.z").status().await, 401);
    let form = format!("access_token={token}&description=x");
    let in_form = service
        .call(Method::POST, "/api/todolist")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(in_form.body(form).status().await, 401);
    let both = service.call(Method::GET, "/api/todolist?access_token=anything");
    assert_eq!(both.token(&token).status().await, 200, "the parameter is ignored, not feared");
}

#[tokio::test]
async fn two_tokens_are_refused_even_if_both_are_good() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let twice = service.list().token(&token).token(&token);
    twice.send().await.problem(400);
    let joined = service.list().header("authorization", &format!("Bearer {token}, Bearer {token}"));
    let answer = joined.send().await;
    answer.problem(400);
    assert_eq!(answer.challenge(), Some("Bearer error=\"invalid_request\""));
    let mixed = service.list().token(&token).header("authorization", "Basic YWxpY2U6cHc=");
    assert_eq!(mixed.status().await, 400);
    assert_eq!(service.list().token(&token).status().await, 200);
    assert_eq!(service.list().header("authorization", &format!("bEARER {token}")).status().await, 200);
}
