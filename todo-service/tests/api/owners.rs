//! Whose items they are (RS-15 to RS-17, IT-20, and the audit events of sample.md number 34).

use axum::http::Method;
use serde_json::{Value, json};
use todo_service::OwnerClaim;

use crate::support::{OTHER_TENANT, Service, TestIssuer, logs};

const CAROL: &str = "ca401000-0000-4000-8000-00000000000d";

#[tokio::test]
async fn the_same_object_id_in_another_tenant_is_somebody_else() {
    let service = Service::start().await;
    service.add(&service.alice(), "here").await;
    let elsewhere = service.alice().claim("tid", OTHER_TENANT);
    assert!(service.seen_by(&elsewhere).await.is_empty());
    service.add(&elsewhere, "there").await;
    assert_eq!(service.seen_by(&service.alice()).await, ["here"]);
    assert_eq!(service.seen_by(&elsewhere).await, ["there"]);
    assert_eq!(
        service.seen_by(&service.app()).await,
        ["here"],
        "an app sees the tenant that gave it the role"
    );
}

#[tokio::test]
async fn an_object_id_is_the_same_in_any_spelling_of_its_digits() {
    let service = Service::start().await;
    service.add(&service.user(CAROL), "hers").await;
    assert_eq!(service.seen_by(&service.user(&CAROL.to_uppercase())).await, ["hers"]);
}

#[tokio::test]
async fn a_delegated_token_without_a_proper_object_id_is_refused() {
    let service = Service::start().await;
    let missing = service.alice().without("oid");
    let answer = service.list().token(&missing.signed()).send().await;
    assert_eq!(answer.problem(403)["type"], "urn:problem:todo-service:no-owner");
    for oid in [
        "",
        "alice",
        "alice@example.com",
        "ca401000000040008000000000000000d",
        "{ca401000-0000-4000-8000-00000000000d}",
    ] {
        assert_eq!(service.status_for(&service.user(oid).signed()).await, 403, "{oid}");
    }
    for oid in [json!(null), json!(1), json!([CAROL])] {
        assert_eq!(service.status_for(&service.alice().claim("oid", oid).signed()).await, 401);
    }
    assert_eq!(service.status_for(&service.user(CAROL).signed()).await, 200);
}

#[tokio::test]
async fn names_and_addresses_never_decide_whose_an_item_is() {
    let service = Service::start().await;
    let named = |token: crate::support::Token| {
        token
            .claim("email", "same@corp.com")
            .claim("upn", "same@corp.com")
            .claim("preferred_username", "same@corp.com")
            .claim("sub", "same-subject")
    };
    service.add(&named(service.alice()), "alice's").await;
    assert!(service.seen_by(&named(service.bob())).await.is_empty());
    let renamed = service.alice().claim("email", "new@corp.com").claim("sub", "another-subject");
    assert_eq!(service.seen_by(&renamed).await, ["alice's"]);
}

#[tokio::test]
async fn elsewhere_the_owner_is_the_subject_within_its_issuer() {
    let other = TestIssuer::start().await;
    let service = Service::configured(TestIssuer::start().await, |config| {
        config.issuers[0].owner_claim = OwnerClaim::Sub;
        config.issuers[0].tenants.clear();
        let mut second = config.issuers[0].clone();
        second.issuer.clone_from(&other.name);
        second.metadata_url = None;
        config.issuers.push(second);
    })
    .await;
    let token = |sub: &str| service.alice().without("oid").without("tid").claim("sub", sub);
    let item = service.add(&token("alice"), "hers").await;
    assert_eq!(item["owner"], "alice");
    assert_eq!(service.seen_by(&token("alice")).await, ["hers"]);
    assert!(service.seen_by(&token("Alice")).await.is_empty(), "subjects are compared to the letter");
    let namesake = token("alice").claim("iss", other.name.as_str());
    assert!(service.seen_by(&namesake).await.is_empty(), "the same subject of another issuer");
}

#[tokio::test]
async fn both_faces_of_one_tenant_show_a_person_the_same_list() {
    let entra = TestIssuer::named(|base_url| format!("{base_url}/{}/v2.0", crate::support::TENANT)).await;
    let service = Service::configured(TestIssuer::start().await, |config| {
        let mut second = config.issuers[0].clone();
        second.issuer.clone_from(&entra.name);
        second.metadata_url = Some(entra.metadata_url());
        config.issuers.push(second);
    })
    .await;
    service.add(&service.alice(), "from the plain face").await;
    let token = service.alice().claim("iss", entra.name.as_str());
    assert_eq!(service.seen_by(&token).await, ["from the plain face"]);
}

#[tokio::test]
async fn somebody_elses_item_is_answered_exactly_like_none() {
    let service = Service::start().await;
    let item = service.add(&service.alice(), "hers").await;
    let theirs = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    let nobodys = "/api/todolist/01890000-0000-7000-8000-000000000000".to_owned();
    let bob = service.bob().signed();
    let whole = json!({ "description": "taken over", "done": true });
    let requests: [(Method, Option<Value>); 4] = [
        (Method::GET, None),
        (Method::PUT, Some(whole.clone())),
        (Method::PATCH, Some(whole)),
        (Method::DELETE, None),
    ];
    for (method, body) in requests {
        let mut answers = Vec::new();
        for path in [&theirs, &nobodys, &"/api/todolist/42".to_owned(), &"/api/todolist/..%2fx".to_owned()] {
            let call = service.call(method.clone(), path).token(&bob).header("x-request-id", "same");
            let call = match &body {
                Some(body) => call.json(body),
                None => call,
            };
            let answer = call.header("if-match", "\"1\"").send().await;
            answer.problem(404);
            answers.push((answer.text, answer.headers.iter().filter(|(name, _)| *name != "date").count()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{method}: {answers:?}");
    }
    assert_eq!(service.seen_by(&service.alice()).await, ["hers"]);
    assert_eq!(service.call(Method::GET, &theirs).token(&service.alice().signed()).status().await, 200);
}

#[tokio::test]
async fn a_user_cannot_set_the_owner() {
    let service = Service::start().await;
    let alice = service.alice().signed();
    let planted = json!({ "description": "planted", "owner": "b0b00000-0000-4000-8000-00000000000b" });
    let answer = service.post(&planted).token(&alice).send().await;
    assert_eq!(answer.problem(400)["type"], "urn:problem:todo-service:owner-not-settable");
    let twice = r#"{"description":"x","owner":"a","owner":"b"}"#;
    let call = service.call(Method::POST, "/api/todolist").header("content-type", "application/json");
    call.body(twice).token(&alice).send().await.problem(400);
    let item = service.add(&service.alice(), "mine").await;
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    for method in [Method::PUT, Method::PATCH] {
        let body =
            json!({ "description": "x", "done": false, "owner": "b0b00000-0000-4000-8000-00000000000b" });
        service.call(method, &path).json(&body).token(&alice).send().await.problem(400);
    }
    assert!(service.seen_by(&service.bob()).await.is_empty());
    assert_eq!(service.seen_by(&service.alice()).await, ["mine"]);
    assert_eq!(item["owner"], "a11ce000-0000-4000-8000-00000000000a");
}

#[tokio::test]
async fn an_app_must_name_a_proper_owner_and_then_acts_for_them() {
    let service = Service::start().await;
    let app = service.app().signed();
    let answer = service.post(&json!({ "description": "x" })).token(&app).send().await;
    assert_eq!(answer.problem(422)["errors"][0]["field"], "owner");
    let answer =
        service.post(&json!({ "description": "x", "owner": "alice@example.com" })).token(&app).send().await;
    assert_eq!(answer.problem(422)["errors"][0]["field"], "owner");
    let answer = service
        .post(&json!({ "description": "for Carol", "owner": CAROL.to_uppercase() }))
        .token(&app)
        .send()
        .await;
    assert_eq!(answer.status.as_u16(), 201);
    assert_eq!(answer.json()["owner"], CAROL);
    assert_eq!(service.seen_by(&service.user(CAROL)).await, ["for Carol"]);
    let path = answer.header("location").expect("a location").to_owned();
    let body = json!({ "description": "changed", "done": true, "owner": CAROL });
    service.call(Method::PUT, &path).json(&body).token(&app).send().await.problem(400);
    let change = service.call(Method::PATCH, &path).json(&json!({ "description": "changed" }));
    assert_eq!(change.token(&app).status().await, 200);
    assert_eq!(service.seen_by(&service.user(CAROL)).await, ["changed"]);
    assert_eq!(service.call(Method::DELETE, &path).token(&app).status().await, 204);
}

#[tokio::test]
async fn every_write_of_an_app_is_audited_and_a_users_is_not() {
    let service = Service::start().await;
    let app = service.app().signed();
    let made = service.post(&json!({ "description": "x", "owner": CAROL })).token(&app).send().await.json();
    let id = made["id"].as_str().expect("an id");
    let path = format!("/api/todolist/{id}");
    service
        .call(Method::PATCH, &path)
        .json(&json!({ "done": true }))
        .token(&app)
        .header("x-request-id", "audit-1")
        .send()
        .await;
    service.call(Method::DELETE, &path).token(&app).send().await;
    service.call(Method::DELETE, &path).token(&app).send().await.problem(404);
    let events: Vec<Value> = audit_events(id);
    let told: Vec<_> =
        events.iter().map(|event| (event["action"].as_str(), event["outcome"].as_str())).collect();
    let expected = [("create", "done"), ("change", "done"), ("remove", "done"), ("remove", "missing")];
    assert_eq!(told, expected.map(|(action, outcome)| (Some(action), Some(outcome))));
    assert!(events[0]["app"].as_str().is_some_and(|app| app.contains("nightly-job")), "{}", events[0]);
    assert_eq!(events[0]["owner"], CAROL);
    assert_eq!(events[0]["realm"], crate::support::TENANT);
    assert!(logs::lines_with(id).iter().any(|line| line.contains("audit-1")), "with the request's id");

    let own = service.add(&service.alice(), "mine").await;
    assert!(audit_events(own["id"].as_str().expect("an id")).is_empty());
}

fn audit_events(item: &str) -> Vec<Value> {
    let lines = logs::lines_with(item);
    let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["target"] == "audit").map(|event| event["fields"].clone()).collect()
}
