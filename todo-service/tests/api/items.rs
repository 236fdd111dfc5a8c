//! The list itself: making, reading, changing and removing items, page by page and version by version.

use axum::http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Service, TestIssuer};

#[tokio::test]
async fn a_new_item_is_answered_with_its_address_and_can_be_read_there() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let answer = service.post(&json!({ "description": "  Buy milk " })).token(&token).send().await;
    assert_eq!(answer.status.as_u16(), 201);
    let item = answer.json();
    let id = item["id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(format!("/api/todolist/{id}").as_str()));
    assert_eq!(answer.header("etag"), item["etag"].as_str());
    assert_eq!(id.as_bytes()[14], b'7', "a UUID of version 7");
    assert_eq!((&item["description"], &item["done"]), (&json!("Buy milk"), &json!(false)));
    assert_eq!(item["created"], item["updated"]);
    assert!(item["created"].as_str().is_some_and(|time| time.ends_with('Z') && time.contains('T')), "{item}");
    let read =
        service.call(Method::GET, answer.header("location").expect("a location")).token(&token).send().await;
    assert_eq!((read.status.as_u16(), read.json()), (200, item.clone()));
    assert_eq!(read.header("etag"), item["etag"].as_str());
    let done = service.post(&json!({ "description": "x", "done": true })).token(&token).send().await;
    assert_eq!(done.json()["done"], true);
}

#[tokio::test]
async fn descriptions_that_are_empty_too_long_or_not_plain_text_are_refused_by_field() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let cases = [
        (json!({ "description": "" }), "empty"),
        (json!({ "description": " \t " }), "empty"),
        (json!({ "description": "x".repeat(501) }), "too_long"),
        (json!({ "description": "a\u{0}b" }), "control_character"),
        (json!({ "description": "a\nb" }), "control_character"),
        (json!({ "description": "a\u{1b}[31m" }), "control_character"),
        (json!({ "description": 5 }), "type"),
        (json!({ "description": null }), "type"),
        (json!({}), "required"),
    ];
    for (body, code) in cases {
        let answer = service.post(&body).token(&token).send().await;
        let problem = answer.problem(422);
        assert_eq!(problem["type"], "urn:problem:todo-service:validation");
        assert_eq!(
            (&problem["errors"][0]["field"], &problem["errors"][0]["code"]),
            (&json!("description"), &json!(code)),
            "{body}"
        );
        assert!(problem["errors"][0]["detail"].as_str().is_some_and(|text| !text.is_empty()));
    }
    assert!(service.seen_by(&service.alice()).await.is_empty());
    service.add(&service.alice(), &"é".repeat(500)).await;
}

#[tokio::test]
async fn patch_changes_what_it_names_and_put_everything() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let item = service.add(&service.alice(), "before").await;
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    service.pass(10);

    let patched =
        service.call(Method::PATCH, &path).json(&json!({ "done": true })).token(&token).send().await;
    let after = patched.json();
    assert_eq!(
        (patched.status.as_u16(), &after["description"], &after["done"]),
        (200, &json!("before"), &json!(true))
    );
    assert_eq!(after["created"], item["created"]);
    assert_ne!(after["updated"], item["updated"]);
    assert_ne!(after["etag"], item["etag"]);
    assert_eq!(patched.header("etag"), after["etag"].as_str());

    let merge = service.call(Method::PATCH, &path).header("content-type", "application/merge-patch+json");
    let merged = merge.body(r#"{"description":"words"}"#).token(&token).send().await.json();
    assert_eq!((&merged["description"], &merged["done"]), (&json!("words"), &json!(true)));

    let whole = json!({ "description": "replaced", "done": false });
    let put = service.call(Method::PUT, &path).json(&whole).token(&token).send().await.json();
    assert_eq!(
        (&put["description"], &put["done"], &put["id"]),
        (&json!("replaced"), &json!(false), &item["id"])
    );
    let half =
        service.call(Method::PUT, &path).json(&json!({ "description": "x" })).token(&token).send().await;
    assert_eq!(half.problem(422)["errors"][0]["field"], "done");
    let nothing = service.call(Method::PATCH, &path).json(&json!({})).token(&token).send().await;
    nothing.problem(422);
    assert_eq!(service.seen_by(&service.alice()).await, ["replaced"]);
}

#[tokio::test]
async fn a_removed_item_is_gone() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let item = service.add(&service.alice(), "x").await;
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    let answer = service.call(Method::DELETE, &path).token(&token).send().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    for method in [Method::GET, Method::DELETE] {
        service.call(method, &path).token(&token).send().await.problem(404);
    }
    assert!(service.seen_by(&service.alice()).await.is_empty());
}

#[tokio::test]
async fn a_change_based_on_an_old_version_is_refused() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let item = service.add(&service.alice(), "x").await;
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    let old = item["etag"].as_str().expect("an etag").to_owned();
    let change = |etag: &str| {
        service
            .call(Method::PATCH, &path)
            .json(&json!({ "done": true }))
            .token(&token)
            .header("if-match", etag)
    };
    assert_eq!(change(&old).status().await, 200);
    assert_eq!(
        change(&old).send().await.problem(412)["type"],
        "urn:problem:todo-service:precondition-failed"
    );
    let whole = json!({ "description": "y", "done": false });
    let replace = service.call(Method::PUT, &path).json(&whole).token(&token);
    assert_eq!(replace.clone().header("if-match", &old).status().await, 412);
    let remove = service.call(Method::DELETE, &path).token(&token);
    assert_eq!(remove.clone().header("if-match", &old).status().await, 412);
    let current = service
        .call(Method::GET, &path)
        .token(&token)
        .send()
        .await
        .header("etag")
        .expect("an etag")
        .to_owned();
    assert_eq!(change(&format!("W/{current}")).status().await, 412, "a weak tag is never the same");
    for malformed in ["1", "\"1", ""] {
        assert_eq!(change(malformed).send().await.problem(400)["status"], 400, "{malformed}");
    }
    assert_eq!(change(&format!("\"other\", {current}")).status().await, 200);
    assert_eq!(change("*").status().await, 200);
    assert_eq!(replace.status().await, 200, "without If-Match the last writer wins");
    let current = service
        .call(Method::GET, &path)
        .token(&token)
        .send()
        .await
        .header("etag")
        .expect("an etag")
        .to_owned();
    assert_eq!(remove.header("if-match", &current).status().await, 204);
}

#[tokio::test]
async fn of_two_changes_to_one_version_only_one_gets_through() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let item = service.add(&service.alice(), "x").await;
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    let etag = item["etag"].as_str().expect("an etag");
    let mut calls = JoinSet::new();
    for number in 0..10 {
        let body = json!({ "description": format!("writer {number}") });
        calls.spawn(
            service.call(Method::PATCH, &path).json(&body).token(&token).header("if-match", etag).status(),
        );
    }
    let mut statuses = calls.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200], vec![412; 9]].concat());
}

#[tokio::test]
async fn a_long_list_is_walked_page_by_page_in_a_stable_order() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let names: Vec<String> = (0..7).map(|number| format!("item {number}")).collect();
    for name in &names {
        service.add(&service.alice(), name).await;
    }
    service.add(&service.bob(), "bob's").await;
    let (mut seen, mut path, mut pages) = (Vec::new(), "/api/todolist?limit=3".to_owned(), 0);
    loop {
        let answer = service.call(Method::GET, &path).token(&token).send().await;
        assert_eq!(answer.status.as_u16(), 200);
        pages += 1;
        let page = answer.json();
        let items = page["items"].as_array().expect("items");
        seen.extend(items.iter().map(|item| item["description"].as_str().expect("text").to_owned()));
        // Something added or removed meanwhile neither repeats nor hides the others.
        if pages == 1 {
            service.add(&service.alice(), "late").await;
            let gone = format!("/api/todolist/{}", items[2]["id"].as_str().expect("an id"));
            assert_eq!(service.call(Method::DELETE, &gone).token(&token).status().await, 204);
        }
        let Some(next) = page["next"].as_str() else {
            assert_eq!(answer.header("link"), None);
            break;
        };
        path = format!("/api/todolist?limit=3&after={next}");
        assert_eq!(answer.header("link"), Some(format!("<{path}>; rel=\"next\"").as_str()));
    }
    assert_eq!((pages, seen), (3, [names, vec!["late".to_owned()]].concat()));
    for bad in ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "after=x", "after=AQ"] {
        let answer = service.call(Method::GET, &format!("/api/todolist?{bad}")).token(&token).send().await;
        assert!(answer.problem(422)["errors"][0]["field"].is_string(), "{bad}");
    }
}

#[tokio::test]
async fn items_survive_a_restart_of_the_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite:{}", folder.path().join("var/todo.db").display());
    let issuer = TestIssuer::start().await;
    let first = Service::configured(issuer.clone(), |config| config.database.clone_from(&database)).await;
    let item: Value = first.add(&first.alice(), "durable").await;
    first.running.stop().await;
    let second = Service::configured(issuer, |config| config.database.clone_from(&database)).await;
    assert_eq!(second.seen_by(&second.alice()).await, ["durable"]);
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    assert_eq!(second.call(Method::GET, &path).token(&second.alice().signed()).send().await.json(), item);
}
