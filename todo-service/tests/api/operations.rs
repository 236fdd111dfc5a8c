//! Health, readiness, the description of the API, and stopping.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Publish, RsaKey, Service, TestIssuer};

#[tokio::test]
async fn it_is_alive_whatever_the_issuer_does_and_ready_when_keys_can_be_had() {
    let service = Service::start().await;
    service.issuer.publish(Publish::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let alive = service.call(Method::GET, "/healthz").send().await;
    assert_eq!((alive.status.as_u16(), alive.json()), (200, json!({ "status": "ok" })));
    let unready = service.call(Method::GET, "/readyz").send().await;
    assert_eq!(unready.status.as_u16(), 503);
    assert_eq!(
        unready.json(),
        json!({ "ready": false, "reasons": [format!("no keys from {}", service.issuer.name)] })
    );

    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first")]));
    service.pass(31);
    let ready = service.call(Method::GET, "/readyz").send().await;
    assert_eq!((ready.status.as_u16(), ready.json()), (200, json!({ "ready": true, "reasons": [] })));
}

#[tokio::test]
async fn one_issuer_of_two_is_enough_to_be_ready() {
    let other = TestIssuer::start().await;
    let service = Service::configured(TestIssuer::start().await, |config| {
        let mut second = config.issuers[0].clone();
        second.issuer.clone_from(&other.name);
        second.metadata_url = None;
        config.issuers.push(second);
    })
    .await;
    other.publish(Publish::Status(StatusCode::NOT_FOUND));
    let ready = service.call(Method::GET, "/readyz").send().await;
    assert_eq!(ready.status.as_u16(), 200);
    assert_eq!(ready.json()["reasons"], json!([format!("no keys from {}", other.name)]));
}

#[tokio::test]
async fn the_description_is_openapi_3_1_and_names_every_route() {
    let service = Service::start().await;
    let answer = service.call(Method::GET, "/openapi.json").send().await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    assert!(
        document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")),
        "{}",
        document["openapi"]
    );
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        described.extend(
            operations.as_object().expect("operations").keys().map(|method| format!("{method} {path}")),
        );
    }
    let served = [
        "get /api/todolist",
        "post /api/todolist",
        "get /api/todolist/{id}",
        "put /api/todolist/{id}",
        "patch /api/todolist/{id}",
        "delete /api/todolist/{id}",
        "get /healthz",
        "get /readyz",
        "get /openapi.json",
    ];
    assert_eq!(described, served.map(str::to_owned).into());
    // What is described is served, and with no other method than those described.
    for path in document["paths"].as_object().expect("paths").keys() {
        let address = path.replace("{id}", "01890000-0000-7000-8000-000000000000");
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let expected = described.contains(&format!("{} {path}", method.as_str().to_lowercase()));
            let status = service.call(method.clone(), &address).status().await;
            assert_eq!(status != 405 && status != 404, expected, "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn an_item_looks_as_the_description_says() {
    let service = Service::start().await;
    let item = service.add(&service.alice(), "x").await;
    let document = service.call(Method::GET, "/openapi.json").send().await.json();
    let schema = &document["components"]["schemas"]["Item"];
    let described: BTreeSet<&String> = schema["properties"].as_object().expect("properties").keys().collect();
    let sent: BTreeSet<&String> = item.as_object().expect("an object").keys().collect();
    assert_eq!(described, sent);
    let required: BTreeSet<&str> =
        schema["required"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(required.len(), sent.len());
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_service_stops() {
    let service = Service::start().await;
    let address = service.running.base_url().strip_prefix("http://").expect("a URL").to_owned();
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    let mut stream = TcpStream::connect(&address).await.expect("connects");
    let body = r#"{"description":"in flight"}"#;
    let head = format!(
        "POST /api/todolist HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        service.alice().signed(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.expect("the service waits for the body");
    assert!(interim.starts_with(b"HTTP/1.1 100 "));

    let stopping = tokio::spawn(service.running.stop());
    // Refused connections show that the stop has begun.
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("a whole answer");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    stopping.await.expect("stops");
}

#[tokio::test]
async fn dropping_the_service_stops_it() {
    let service = Service::start().await;
    let address = service.running.base_url().strip_prefix("http://").expect("a URL").to_owned();
    assert!(TcpStream::connect(&address).await.is_ok());
    drop(service.running);
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_database_that_fails_is_answered_with_503_until_it_is_well_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("sqlite:{}", folder.path().join("todo.db").display());
    let service =
        Service::configured(TestIssuer::start().await, |config| config.database.clone_from(&address)).await;
    service.add(&service.alice(), "kept").await;
    let mut operator = sqlx::SqliteConnection::connect(&address).await.expect("opens");
    sqlx::query("ALTER TABLE todo RENAME TO aside").execute(&mut operator).await.expect("renamed");

    let token = service.alice().signed();
    for call in [service.list(), service.post(&json!({ "description": "x" }))] {
        let answer = call.token(&token).send().await;
        assert_eq!(answer.problem(503)["type"], "urn:problem:todo-service:unavailable");
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert!(!answer.text.contains("aside") && !answer.text.contains("table"), "{}", answer.text);
    }
    let unready = service.call(Method::GET, "/readyz").send().await;
    assert_eq!(
        (unready.status.as_u16(), unready.json()["reasons"].clone()),
        (503, json!(["the database does not answer"]))
    );

    sqlx::query("ALTER TABLE aside RENAME TO todo").execute(&mut operator).await.expect("renamed");
    assert_eq!(service.seen_by(&service.alice()).await, ["kept"]);
    assert_eq!(service.call(Method::GET, "/readyz").status().await, 200);
}
