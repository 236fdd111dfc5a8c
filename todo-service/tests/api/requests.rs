//! Requests that are hostile or merely odd, and answers that tell nothing (RS-18, RS-23, LG-01, LG-03).

use axum::http::Method;
use serde_json::json;

use crate::support::{Call, Service, logs};

fn raw_post(service: &Service, body: impl Into<Vec<u8>>) -> Call {
    let token = service.alice().signed();
    service
        .call(Method::POST, "/api/todolist")
        .token(&token)
        .header("content-type", "application/json")
        .body(body.into())
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused() {
    let service = Service::start().await;
    let padded = |size: usize| format!("{{\"description\":\"x\"{}}}", " ".repeat(size - 19));
    assert_eq!(raw_post(&service, padded(64 * 1024)).status().await, 201, "exactly 64 KiB");
    raw_post(&service, padded(64 * 1024 + 1)).send().await.problem(413);
    raw_post(&service, padded(1024 * 1024)).send().await.problem(413);
}

#[tokio::test]
async fn what_is_not_one_strict_json_object_is_refused() {
    let service = Service::start().await;
    let deep = format!("{{\"description\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let bad: [&[u8]; 13] = [
        b"",
        b"null",
        b"[]",
        b"\"x\"",
        b"{",
        b"{\"description\":\"x\"}}",
        b"{\"description\":\"x\",\"description\":\"y\"}",
        b"{\"description\":\"\\ud800\"}",
        b"{\"description\":\"\xff\"}",
        b"{\"description\":\"a\x00b\"}",
        b"\xef\xbb\xbf{\"description\":\"x\"}",
        b"{description:\"x\"}",
        deep.as_bytes(),
    ];
    for body in bad {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let problem = raw_post(&service, body).send().await.problem(400);
        assert_eq!(problem["type"], "urn:problem:todo-service:malformed-request", "{shown}");
    }
    let unknown =
        raw_post(&service, r#"{"description":"x","id":"1","colour":"red"}"#).send().await.problem(422);
    assert_eq!(unknown["errors"].as_array().map(Vec::len), Some(2), "{unknown}");
    assert_eq!(
        raw_post(&service, r#"{"description":"\ud83e\udd50"}"#).status().await,
        201,
        "a whole surrogate pair"
    );
    assert_eq!(service.seen_by(&service.alice()).await, ["🥐"]);
}

#[tokio::test]
async fn a_body_of_another_media_type_is_refused() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let post = || service.call(Method::POST, "/api/todolist").token(&token).body(r#"{"description":"x"}"#);
    post().send().await.problem(415);
    for bad in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=utf-16",
        "application/jsonp",
    ] {
        post().header("content-type", bad).send().await.problem(415);
    }
    post()
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .send()
        .await
        .problem(415);
    assert_eq!(post().header("content-type", "application/json; charset=utf-8").status().await, 201);
}

#[tokio::test]
async fn without_permission_a_body_is_not_even_looked_at() {
    let service = Service::start().await;
    let reader = service.alice().claim("scp", "ToDoList.Read").signed();
    for (token, status) in [(None, 401), (Some(reader), 403), (Some(service.alice().signed()), 400)] {
        let call =
            service.call(Method::POST, "/api/todolist").header("content-type", "application/json").body("{");
        let call = match token {
            Some(token) => call.token(&token),
            None => call,
        };
        assert_eq!(call.status().await, status);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let service = Service::start().await;
    let token = service.alice().signed();
    for path in ["/", "/api", "/api/todolist/", "/api/ToDoList", "/api/todolist/a/b", "/metrics", "/.env"] {
        service.call(Method::GET, path).token(&token).send().await.problem(404);
    }
    let answer = service.call(Method::DELETE, "/api/todolist").token(&token).send().await;
    answer.problem(405);
    assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
    for method in [Method::OPTIONS, Method::TRACE] {
        service.call(method, "/api/todolist").send().await.problem(405);
    }
}

#[tokio::test]
async fn no_other_origin_is_let_in_and_every_answer_has_the_security_headers() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let foreign = |call: Call| call.header("origin", "https://evil.example");
    let preflight = foreign(service.call(Method::OPTIONS, "/api/todolist"))
        .header("access-control-request-method", "POST");
    let answers = [
        foreign(service.list().token(&token)).send().await,
        foreign(service.list()).send().await,
        foreign(service.call(Method::GET, "/nowhere")).send().await,
        foreign(service.call(Method::GET, "/healthz")).send().await,
        foreign(service.call(Method::GET, "/openapi.json")).send().await,
        preflight.send().await,
    ];
    for answer in answers {
        assert!(
            answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")),
            "{answer:?}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'")
        );
        assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none());
    }
}

#[tokio::test]
async fn errors_repeat_neither_the_token_nor_its_claims() {
    let service = Service::start().await;
    let marked =
        service.alice().claim("name", "canary-name").claim("sub", "canary-sub").claim("azp", "canary-client");
    let tokens = [
        marked.clone().claim("aud", "canary-audience").signed(),
        marked.clone().claim("exp", 1).signed(),
        marked.clone().claim("scp", "canary-scope").signed(),
        marked.clone().parameter("kid", "canary-key").signed(),
        marked.clone().claim("tid", "canary-tenant").signed(),
        marked.without("oid").signed(),
        "canary.canary.canary".to_owned(),
    ];
    for token in tokens {
        let answer = service.list().token(&token).send().await;
        assert!(answer.status.is_client_error());
        let everything = format!("{:?}{}", answer.headers, answer.text);
        for part in
            token.split('.').chain(["canary", "127.0.0.1", "src/", "panicked", "jsonwebtoken", "sqlx"])
        {
            assert!(!everything.contains(part), "{part} in {everything}");
        }
    }
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_any_other_replaced() {
    let service = Service::start().await;
    let answer = service.list().header("x-request-id", "abc-123_D.e").send().await;
    assert_eq!(answer.header("x-request-id"), Some("abc-123_D.e"));
    assert_eq!(answer.problem(401)["request_id"], "abc-123_D.e");
    for bad in ["", "a b", "<script>", "a\u{e9}", &"x".repeat(65)] {
        let answer = service.list().header("x-request-id", bad).send().await;
        let id = answer.header("x-request-id").expect("an id");
        assert_ne!(id, bad);
        assert_eq!(id.len(), 32);
    }
    let twice = service.list().header("x-request-id", "a").header("x-request-id", "b").send().await;
    assert_eq!(twice.header("x-request-id").map(str::len), Some(32));
}

#[tokio::test]
async fn each_request_is_one_readable_line_in_the_access_log() {
    let service = Service::start().await;
    let item = service.add(&service.alice(), "x").await;
    let id = item["id"].as_str().expect("an id");
    let path = format!("/api/todolist/{id}?secret=query-canary");
    service
        .call(Method::GET, &path)
        .token(&service.alice().signed())
        .header("x-request-id", "line-good")
        .send()
        .await;
    service
        .list()
        .token("a.b.c")
        .header("x-request-id", "line-bad")
        .header("user-agent", "ua-canary\u{9b}31m")
        .send()
        .await;
    let access = |id: &str| {
        let mut lines = logs::lines_with(id);
        lines.retain(|line| line.contains("\"target\":\"access\""));
        lines
    };
    let [line] = access("line-good").try_into().expect("one line");
    assert!(line.contains("GET /api/todolist/{id} 200 "), "{line}");
    assert!(!line.contains("query-canary") && !line.contains(id), "{line}");
    let [line] = access("line-bad").try_into().expect("one line");
    assert!(
        line.contains("GET /api/todolist 401 ") && line.contains("\"reason\":\"token-header\""),
        "{line}"
    );
    assert!(!line.contains("ua-canary"), "{line}");
}

#[tokio::test]
async fn no_token_reaches_the_log_at_any_level() {
    let service = Service::start().await;
    let tokens = [
        service.alice().signed(),
        service.alice().claim("aud", "other").signed(),
        service.alice().claim("scp", "nothing").signed(),
        service.app().signed(),
        service.alice().parameter("kid", "unknown").signed(),
        service.alice().parameter("alg", "none").sealed(|_| b"unsigned-canary-signature".to_vec()),
    ];
    for token in &tokens {
        service.list().token(token).send().await;
        service.post(&json!({ "description": "body-canary-words" })).token(token).send().await;
        service.call(Method::GET, &format!("/api/todolist?access_token={token}")).send().await;
        service.call(Method::GET, &format!("/{token}")).send().await;
        service.list().token(token).token(token).send().await;
    }
    assert!(!logs::lines_with("\"target\":\"access\"").is_empty(), "the log is listened to");
    // The test's own client logs what it sends at trace level; only what the service writes counts.
    let ours = |text: &str| {
        logs::lines_with(text).into_iter().find(|line| !line.contains("\"target\":\"hyper_util::client"))
    };
    for token in &tokens {
        let signature = token.rsplit('.').next().expect("three parts");
        assert_eq!(ours(signature), None);
        assert_eq!(ours(token.split('.').nth(1).expect("three parts")), None);
    }
    assert_eq!(ours("body-canary-words"), None);
}
