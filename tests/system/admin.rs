//! Operators: who is signed in, the end of sessions, and what is counted (SE-19, LG-05).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harness::{Ask, Browser, Kept, Plan, RedisServer, Reply, Site, eventually};
use serde_json::{Value, json};

use crate::support::*;

async fn with_operators() -> Site {
    Plan::new().operators().start().await
}

async fn listed(site: &Site, query: &str) -> Vec<Value> {
    let reply = site.operator(Ask::bare("GET", &format!("/sessions{query}"))).await;
    reply.must_be(200).json()["sessions"].as_array().expect("a list").clone()
}

async fn end(site: &Site, body: Value) -> Reply {
    site.operator(Ask::bare("POST", "/sessions/end").json(&body)).await
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.session().await["signed_in"] == true
}

/// The one session of whoever is called that.
async fn of(site: &Site, name: &str) -> Value {
    let mut sessions = listed(site, "").await;
    sessions.retain(|session| session["name"].as_str().is_some_and(|found| found.contains(name)));
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.remove(0)
}

fn text<'v>(session: &'v Value, member: &str) -> &'v str {
    session[member].as_str().unwrap_or_else(|| panic!("no {member}: {session}"))
}

/// Every sample of the metrics, by its name and labels.
async fn samples(site: &Site) -> BTreeMap<String, String> {
    let text = site.admin("/metrics").await.must_be(200).text();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn an_operator_sees_who_is_signed_in() {
    let site = with_operators().await;
    assert!(listed(&site, "").await.is_empty());
    let browser = site.browser();
    browser.sign_in(ALICE).await.must_show("/");
    site.signed_in(BOB).await;
    let alice = of(&site, "Alice").await;
    assert_eq!(text(&alice, "issuer"), site.addresses().provider);
    assert_eq!(text(&alice, "id").len(), 43);
    for member in ["started", "last_used", "expires"] {
        assert!(text(&alice, member).ends_with('Z'), "{alice}");
    }
    assert!(!text(&alice, "provider_session").is_empty());
    let subject = encoded(text(&alice, "subject"));
    assert_eq!(listed(&site, &format!("?subject={subject}")).await, std::slice::from_ref(&alice));
    let issuer = encoded(&site.addresses().provider);
    assert_eq!(listed(&site, &format!("?subject={subject}&issuer={issuer}")).await.len(), 1);
    assert!(listed(&site, &format!("?subject={subject}&issuer=https://other.example")).await.is_empty());
    let sid = encoded(text(&alice, "provider_session"));
    assert_eq!(listed(&site, &format!("?provider_session={sid}")).await, [alice]);
    assert!(listed(&site, "?subject=nobody").await.is_empty());
    // What is over is not listed, swept or not.
    site.advance(Duration::from_secs(31 * 60));
    assert!(listed(&site, "").await.is_empty());
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let site = with_operators().await;
    for _ in 0..5 {
        site.signed_in(ALICE).await;
    }
    let (mut ids, mut target) = (std::collections::BTreeSet::new(), "/sessions?limit=2".to_owned());
    for _ in 0..4 {
        let page = site.operator(Ask::bare("GET", &target)).await.must_be(200).json();
        let sessions = page["sessions"].as_array().expect("a list");
        assert!(sessions.len() <= 2, "{page}");
        ids.extend(sessions.iter().map(|session| text(session, "id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/sessions?limit=2&cursor={}", encoded(next));
    }
    assert_eq!(ids.len(), 5);
    let strange = site.operator(Ask::bare("GET", "/sessions?cursor=strange")).await.must_be(200).json();
    assert_eq!(strange["sessions"], json!([]), "what no page ended with leads nowhere");
}

#[tokio::test]
async fn an_operator_ends_sessions_by_id_subject_and_sign_in_and_only_those() {
    let site = with_operators().await;
    let (bob, alice) = (site.signed_in(BOB).await, site.signed_in(ALICE).await);
    let session = of(&site, "Alice").await;
    let ids: [(&str, Value); 3] = [
        ("id", json!({ "id": text(&session, "id") })),
        ("subject", json!({ "subject": text(&session, "subject") })),
        ("provider_session", Value::Null),
    ];
    let mut browser = alice;
    for (by, body) in ids {
        assert!(is_signed_in(&browser).await, "{by}");
        let body = match body {
            Value::Null => json!({ "provider_session": text(&of(&site, "Alice").await, "provider_session") }),
            body => body,
        };
        assert_eq!(end(&site, body.clone()).await.must_be(200).json(), json!({ "ended": 1 }), "{by}");
        browser.fetch("GET", "/api/todolist").await.must_be(401);
        assert!(!is_signed_in(&browser).await, "{by}");
        assert!(is_signed_in(&bob).await, "{by}: somebody else's session goes on");
        // Once more is fine, and ends nothing.
        if by == "id" {
            end(&site, body).await.must_be_problem(404, "not_found");
        } else {
            assert_eq!(end(&site, body).await.must_be(200).json(), json!({ "ended": 0 }), "{by}");
        }
        browser = site.signed_in(ALICE).await;
    }
    let target = format!("/sessions/{}", text(&of(&site, "Alice").await, "id"));
    site.operator(Ask::bare("DELETE", &target)).await.must_be(200);
    assert!(!is_signed_in(&browser).await && is_signed_in(&bob).await);
    site.operator(Ask::bare("DELETE", &target)).await.must_be_problem(404, "not_found");
    // Everything is in the audit log, and the reason of each end.
    let logs = site.into_logs().await;
    let events: Vec<Value> = logs.events.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = |event: &str, member: &str, value: Value| {
        events.iter().any(|found| {
            found["target"] == "gateway::audit"
                && found["fields"]["event"] == event
                && found["fields"][member] == value
        })
    };
    for by in ["id", "subject", "provider_session"] {
        assert!(told("operator_ended", "by", json!(by)), "{by}");
    }
    assert!(
        told("operator_listed", "by", json!("all")) && told("operator_listed", "peer", json!("127.0.0.1"))
    );
    assert!(told("session_ended", "reason", json!("ended_by_operator")));
}

#[tokio::test]
async fn who_shows_another_token_or_none_is_no_operator() {
    let site = with_operators().await;
    let browser = site.signed_in(ALICE).await;
    let id = text(&of(&site, "Alice").await, "id").to_owned();
    let asks = [
        Ask::bare("GET", "/sessions"),
        Ask::bare("DELETE", &format!("/sessions/{id}")),
        Ask::bare("POST", "/sessions/end").json(&json!({ "id": id })),
    ];
    let token = site.admin_token();
    for ask in &asks {
        let reply = site.admin_ask(ask.clone()).await;
        reply.must_be_problem(401, "admin_token");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"gateway admin\""));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        for wrong in ["x".repeat(token.len()), token[1..].to_owned(), format!("{token}x"), String::new()] {
            let ask = ask.clone().header("authorization", &format!("Bearer {wrong}"));
            site.admin_ask(ask).await.must_be_problem(401, "admin_token");
        }
    }
    assert!(is_signed_in(&browser).await);
    site.operator(asks[1].clone()).await.must_be(200);
    assert!(!is_signed_in(&browser).await);
}

#[tokio::test]
async fn without_a_token_in_the_configuration_nobody_is_an_operator_and_health_is_still_told() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    for ask in
        [Ask::bare("GET", "/sessions"), Ask::bare("POST", "/sessions/end").json(&json!({"subject": "x"}))]
    {
        for ask in [ask.clone(), ask.header("authorization", "Bearer ")] {
            let reply = site.admin_ask(ask).await;
            reply.must_be_problem(403, "no_token_configured");
            assert!(text(&reply.json(), "detail").contains("admin_token = { file ="), "{}", reply.text());
        }
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        site.admin(path).await.must_be(200);
    }
    assert!(is_signed_in(&browser).await);
}

#[tokio::test]
async fn no_page_in_a_browser_is_an_operator_whatever_it_shows() {
    let site = with_operators().await;
    let browser = site.signed_in(ALICE).await;
    let id = text(&of(&site, "Alice").await, "id").to_owned();
    let ask = || Ask::bare("POST", "/sessions/end").json(&json!({ "id": id }));
    for origin in ["https://evil.example", "null", site.addresses().gateway.as_str()] {
        site.operator(ask().set("origin", origin)).await.must_be_problem(403, "origin");
    }
    let port = site.addresses().ports.admin;
    for host in
        [format!("evil.example:{port}"), format!("localhost.evil.example:{port}"), "10.1.2.3".to_owned()]
    {
        site.operator(ask().header("host", &host)).await.must_be_problem(403, "host");
    }
    assert!(is_signed_in(&browser).await);
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        site.operator(Ask::bare("GET", "/sessions").header("host", &host)).await.must_be(200);
    }
    site.operator(ask()).await.must_be(200);
    assert!(!is_signed_in(&browser).await);
}

#[tokio::test]
async fn a_wish_that_is_misspelt_is_refused_by_name_and_ends_nothing() {
    let site = with_operators().await;
    let browser = site.signed_in(ALICE).await;
    for (body, named) in [
        ("{}", "exactly one"),
        ("", "JSON"),
        (r#"{"user":"alice"}"#, "user"),
        (r#"{"subject":""}"#, "subject is empty"),
        (r#"{"id":"short"}"#, "43 letters"),
    ] {
        let reply = site.operator(Ask::bare("POST", "/sessions/end").body(body)).await;
        reply.must_be_problem(400, "bad_request");
        assert!(text(&reply.json(), "detail").contains(named), "{body}: {}", reply.text());
    }
    for target in ["/sessions?limit=5000", "/sessions?user=alice", "/sessions?subject=a&subject=b"] {
        site.operator(Ask::bare("GET", target)).await.must_be_problem(400, "bad_request");
    }
    let large = format!("{{\"subject\":\"{}\"}}", "x".repeat(64 * 1024));
    site.operator(Ask::bare("POST", "/sessions/end").body(large))
        .await
        .must_be_problem(413, "body_too_large");
    for (method, target, allow) in [
        ("POST", "/sessions", "GET, HEAD"),
        ("DELETE", "/sessions", "GET, HEAD"),
        ("GET", "/sessions/end", "POST"),
        ("GET", &*format!("/sessions/{}", "A".repeat(43)), "DELETE"),
        ("POST", "/metrics", "GET, HEAD"),
    ] {
        let reply = site.operator(Ask::bare(method, target)).await;
        reply.must_be_problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {target}");
    }
    assert!(is_signed_in(&browser).await);
}

#[tokio::test]
async fn sessions_are_never_told_on_the_public_address() {
    let site = with_operators().await;
    let token = format!("Bearer {}", site.admin_token());
    for path in ["/sessions", "/metrics", "/sessions/end"] {
        let ask = Ask::bare("GET", path).header("authorization", &token);
        assert_eq!(site.browser().send(ask).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn sessions_in_a_file_are_listed_and_ended_too() {
    let plan = Plan::new().operators();
    let site = plan.store(Kept::File).start().await;
    let (bob, alice) = (site.signed_in(BOB).await, site.signed_in(ALICE).await);
    let session = of(&site, "Alice").await;
    let by_subject = json!({ "subject": text(&session, "subject") });
    assert_eq!(end(&site, by_subject).await.must_be(200).json(), json!({ "ended": 1 }));
    assert!(!is_signed_in(&alice).await && is_signed_in(&bob).await);
    let counted = samples(&site).await;
    for operation in ["create", "end", "find"] {
        let series =
            format!("gateway_session_store_operations_total{{operation=\"{operation}\",result=\"ok\"}}");
        assert_ne!(counted[&series], "0", "{series}");
    }
    eventually("the sessions in the file are counted", || async {
        samples(&site).await["gateway_sessions_live{store=\"file\"}"] == "1"
    })
    .await;
}

#[tokio::test]
async fn what_happens_is_counted() {
    let site = with_operators().await;
    let before = samples(&site).await;
    assert_eq!(before["gateway_sessions_created_total"], "0");
    assert_eq!(before["gateway_sessions_live{store=\"memory\"}"], "0");
    assert_eq!(before["gateway_session_store_up{store=\"memory\"}"], "1");
    let (alice, _bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let during = samples(&site).await;
    assert_eq!(during["gateway_sessions_created_total"], "2");
    assert_eq!(during["gateway_sessions_live{store=\"memory\"}"], "2");
    assert_eq!(during["gateway_sessions_in_memory"], "2");
    alice.fetch("POST", "/auth/sign-out").await.must_be(200);
    let subject = text(&of(&site, "Bob").await, "subject").to_owned();
    end(&site, json!({ "subject": subject })).await.must_be(200);
    let after = samples(&site).await;
    assert_eq!(after["gateway_sessions_ended_total{reason=\"signed_out\"}"], "1");
    assert_eq!(after["gateway_sessions_ended_total{reason=\"ended_by_operator\"}"], "1");
    assert_eq!(after["gateway_sessions_live{store=\"memory\"}"], "0");
}

#[tokio::test]
async fn no_traffic_adds_a_series() {
    let site = with_operators().await;
    let before: Vec<String> = samples(&site).await.into_keys().collect();
    let browser = site.signed_in(ALICE).await;
    for number in 0..300 {
        let method = ["GET", "POST", "PUT", "X-STRANGE"][number % 4];
        let path =
            format!("/{}/{}", sha256(&number.to_string()), ["", "api/todolist", "auth/callback"][number % 3]);
        browser.send(Ask::bare(method, &path).header("user-agent", &sha256(&path))).await;
    }
    for person in 0..3 {
        site.operator(Ask::bare("GET", &format!("/sessions?subject=person-{person}"))).await.must_be(200);
    }
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    browser.fetch("POST", "/auth/sign-out").await.must_be(200);
    let after: Vec<String> = samples(&site).await.into_keys().collect();
    assert_eq!(after, before);
    for reason in ["signed_out", "idle", "absolute", "ended_by_operator", "invalid_grant"] {
        assert!(after.contains(&format!("gateway_sessions_ended_total{{reason=\"{reason}\"}}")), "{reason}");
    }
}

#[tokio::test]
async fn metrics_are_written_as_they_are_asked_for() {
    let site = Site::start().await;
    let plain = site.admin("/metrics").await;
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(plain.text().contains("# TYPE gateway_sessions_created_total counter\n"), "{}", plain.text());
    let ask = Ask::bare("GET", "/metrics").header("accept", "application/openmetrics-text; version=1.0.0");
    let open = site.admin_ask(ask).await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.must_be(200).header("content-type"), Some(kind));
    assert!(open.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn an_operators_end_is_seen_by_every_gateway_within_a_second_and_an_absent_store_is_said() {
    let mut redis = RedisServer::launch().await;
    let plan = Plan::new().operators().keys(&["one"]).gateways(2);
    let site = plan.store(Kept::Redis(redis.url())).start().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let other = site.ports()[1];
    assert!(is_signed_in(&alice.at(other)).await && is_signed_in(&bob.at(other)).await);
    let session = of(&site, "Alice").await;
    let begun = Instant::now();
    end(&site, json!({ "subject": text(&session, "subject") })).await.must_be(200);
    while is_signed_in(&alice.at(other)).await {
        assert!(begun.elapsed() < Duration::from_secs(1), "it is still not seen");
        tokio::task::yield_now().await;
    }
    assert!(is_signed_in(&bob.at(other)).await);
    redis.stop().await;
    eventually("the gateway says that its store is away", || async {
        let ready = site.admin("/readyz").await;
        ready.status == 503 && ready.text().contains("session store: cannot be reached")
    })
    .await;
    let reply = site.operator(Ask::bare("GET", "/sessions")).await;
    reply.must_be_problem(503, "store_unavailable");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(samples(&site).await["gateway_session_store_up{store=\"redis\"}"], "0");
    redis.start().await;
    site.ready().await;
    assert_eq!(of(&site, "Bob").await["name"], "Bob Baker");
}

#[tokio::test]
async fn the_command_line_lists_and_ends_what_the_listener_tells() {
    let mut site = Plan::new().operators().store(Kept::File).programs(1).start().await;
    let (bob, alice) = (site.signed_in(BOB).await, site.signed_in(ALICE).await);
    let program = site.program(0);
    let json = program.run(&["sessions", "list", "--json"]);
    assert_eq!(json.status.code(), Some(0), "{json:?}");
    let sessions: Vec<Value> = String::from_utf8_lossy(&json.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect();
    assert_eq!(sessions.len(), 2);
    let table = String::from_utf8_lossy(&program.run(&["sessions", "list"]).stdout).into_owned();
    assert_eq!(table.lines().count(), 3, "{table}");
    for session in &sessions {
        assert!(table.contains(text(session, "id")) && table.contains(text(session, "name")), "{table}");
    }
    let of_alice = sessions.iter().find(|session| text(session, "name").contains("Alice")).expect("Alice's");
    let ended = program.run(&["sessions", "end", "--id", text(of_alice, "id")]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("1 session ended"), "{ended:?}");
    let again = program.run(&["sessions", "end", "--subject", text(of_alice, "subject")]);
    assert_eq!(again.status.code(), Some(3), "{again:?}");
    assert!(!is_signed_in(&alice).await && is_signed_in(&bob).await);
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
