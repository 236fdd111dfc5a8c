//! Headers that routes change, both ways, and clients' credentials where a route lets them pass (requirements HD-01,
//! HD-06, TK-03).

use harness::{Ask, Plan, Recorder, Site};

const API_KEY: &str = "Zp4vR8sK1wQ6yH3tN9cD";

async fn editing() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let plan = Plan::new();
    let key = plan.secret_file("upstream.key", API_KEY);
    let routes = format!(
        r#"
[upstreams.recorder]
servers = ["{}"]

[[routes]]
path     = "/edited"
upstream = "recorder"
allow    = "anyone"
request_headers  = {{ set = {{ "X-Env" = "prod", "X-Api-Key" = {{ file = "{}" }} }}, add = {{ "Accept-Language" = "de" }}, remove = ["X-Debug"] }}
response_headers = {{ set = {{ "Cache-Control" = "public, max-age=60", "X-Frame-Options" = "DENY" }}, remove = ["X-Internal"] }}

[[routes]]
path     = "/pass"
upstream = "recorder"
allow    = "anyone"
authorization = "pass"

[[routes]]
path     = "/drop"
upstream = "recorder"
allow    = "anyone"

[[routes]]
path     = "/page"
files    = "web-ui"
allow    = "anyone"
response_headers = {{ set = {{ "Cross-Origin-Opener-Policy" = "same-origin" }} }}
"#,
        recorder.url(),
        key.display()
    );
    (plan.append(routes).start().await, recorder)
}

#[tokio::test]
async fn a_route_sets_adds_and_removes_headers_towards_its_upstream() {
    let (site, recorder) = editing().await;
    let ask = |path: &str| {
        Ask::bare("GET", path)
            .header("x-env", "test")
            .header("x-env", "dev")
            .header("x-debug", "1")
            .header("accept-language", "en")
            .header("x-api-key", "guessed")
    };
    site.browser().send(ask("/edited")).await.must_be(200);
    let seen = recorder.last();
    assert_eq!(seen.values("x-env"), ["prod"]);
    assert_eq!(seen.values("x-api-key"), [API_KEY]);
    assert_eq!(seen.values("accept-language"), ["en", "de"]);
    assert!(seen.values("x-debug").is_empty());
    // A route that changes nothing passes them on.
    site.browser().send(ask("/drop")).await.must_be(200);
    let seen = recorder.last();
    assert_eq!(seen.values("x-env"), ["test", "dev"]);
    assert_eq!(seen.values("x-api-key"), ["guessed"]);
}

#[tokio::test]
async fn connection_cannot_name_away_what_a_route_sets() {
    let (site, recorder) = editing().await;
    let ask = Ask::bare("GET", "/edited").header("connection", "close, x-env, x-api-key");
    site.browser().send(ask).await.must_be(200);
    assert_eq!(recorder.last().values("x-env"), ["prod"]);
    assert_eq!(recorder.last().values("x-api-key"), [API_KEY]);
}

#[tokio::test]
async fn a_route_changes_the_headers_of_answers() {
    let (site, recorder) = editing().await;
    recorder.answer_always(
        "HTTP/1.1 200 OK\r\ncache-control: private\r\nx-internal: 10.0.0.7\r\nx-app: 1\r\ncontent-length: 0\r\n\r\n",
    );
    let reply = site.browser().send(Ask::bare("GET", "/edited")).await;
    assert_eq!(reply.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(reply.header("x-frame-options"), Some("DENY"));
    assert_eq!(reply.header("x-app"), Some("1"));
    assert_eq!(reply.header("x-internal"), None);
    let untouched = site.browser().send(Ask::bare("GET", "/drop")).await;
    assert_eq!(untouched.header("x-internal"), Some("10.0.0.7"));
    let page = site.browser().send(Ask::page("/page/index.html")).await;
    assert_eq!(page.must_be(200).header("cross-origin-opener-policy"), Some("same-origin"));
}

#[tokio::test]
async fn a_clients_credentials_pass_only_where_a_route_says_so_and_only_alone() {
    let (site, recorder) = editing().await;
    let browser = site.browser();
    let ask = |path: &str| Ask::bare("GET", path).header("authorization", "Basic bWU6aWNo");
    browser.send(ask("/pass")).await.must_be(200);
    assert_eq!(recorder.last().values("authorization"), ["Basic bWU6aWNo"]);
    browser.send(ask("/pass").header("authorization", "Bearer x")).await.must_be(200);
    assert!(recorder.last().values("authorization").is_empty(), "which is meant cannot be known");
    browser.send(ask("/pass").header("proxy-authorization", "Basic x")).await.must_be(200);
    assert!(recorder.last().values("proxy-authorization").is_empty());
    browser.send(ask("/drop")).await.must_be(200);
    assert!(recorder.last().values("authorization").is_empty());
}

#[tokio::test]
async fn what_a_route_must_not_change_is_refused_at_the_start() {
    let with = |edits: &str| {
        let route = format!(
            "[upstreams.r]\nservers = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/r\"\nupstream = \"r\"\n{edits}\n"
        );
        Plan::new().append(route).try_start()
    };
    for edits in [
        "request_headers = { set = { Authorization = \"Basic x\" } }",
        "request_headers = { add = { cookie = \"a=1\" } }",
        "request_headers = { remove = [\"Host\"] }",
        "request_headers = { set = { Connection = \"close\" } }",
        "request_headers = { set = { X-Forwarded-For = \"127.0.0.1\" } }",
        "request_headers = { set = { X-Env = \"a\\r\\nb\" } }",
        "request_headers = { set = { \"X Env\" = \"a\" } }",
        "request_headers = { set = { X-Env = \"a\", x-env = \"b\" } }",
        "request_headers = { set = { X-Api-Key = \"hunter2hunter2\" } }",
        "request_headers = {}",
        "response_headers = { set = { Set-Cookie = \"a=1\" } }",
        "response_headers = { set = { Access-Control-Allow-Origin = \"*\" } }",
        "response_headers = { remove = [\"Content-Length\"] }",
        "authorization = \"pass\"",
    ] {
        let error = with(edits).await.map(|_| ()).expect_err(edits).to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    with("request_headers = { set = { X-Env = \"a\" } }").await.expect("sound");
}
