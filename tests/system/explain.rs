//! `gateway explain`: what it says is what happens.

use std::collections::BTreeMap;

use gateway::clock::Timestamp;
use gateway::config::Config;
use gateway::explain::{Account, Explainer, Question, Verdict, Who};
use harness::{Ask, Plan, Recorder, Site};
use serde_json::{Map, Value, json};

use crate::support::*;

fn explainer(site: &Site) -> Explainer {
    let root = demo::root().expect("the tests run in the checkout");
    let config = Config::parse(&site.config(), "gateway.toml", &root).expect("it runs with it");
    Explainer::new(config).expect("no overlap")
}

fn question(method: &str, url: &str, who: Who) -> Question {
    Question { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), who }
}

fn somebody(claims: &Value) -> Who {
    Who::Somebody(claims.as_object().cloned().expect("an object"))
}

fn explained(site: &Site, question: &Question) -> Account {
    explainer(site).explain(question, Timestamp(1_000)).expect("a question")
}

#[track_caller]
fn step(account: &Account, name: &str) -> (Verdict, String) {
    let step = account.steps.iter().find(|step| step.name == name);
    let step = step.unwrap_or_else(|| panic!("no step {name}: {account:?}"));
    (step.verdict, step.found.clone())
}

/// Routes with everything that changes a request.
async fn site_with_changes() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let plan = Plan::new();
    let key = plan.secret_file("upstream.key", "Zp4vR8sK1wQ6yH3tN9cD");
    let routes = format!(
        r#"
{}
[[routes]]
path     = "/changed"
strip    = true
upstream = "recorder"
token    = "todo-read"
request_headers  = {{ set = {{ "X-Env" = "prod", "X-Api-Key" = {{ file = "{}" }} }}, remove = ["X-Debug"] }}
identity_headers = {{ "X-Person" = "sub", "X-Name" = "name" }}

[[routes]]
path     = "/admins"
upstream = "recorder"
allow    = {{ all = ["signed-in", {{ any = [{{ role = "Admin" }}, {{ claim = "department", any_of = ["IT"] }}] }}] }}
"#,
        recorder_routes(&recorder),
        key.display()
    );
    (plan.append(routes).start().await, recorder)
}

#[tokio::test]
async fn the_headers_that_are_shown_are_those_that_an_upstream_gets() {
    let (site, recorder) = site_with_changes().await;
    let alice = site.signed_in(ALICE).await;
    let sent = [("x-debug", "1"), ("x-app", "kept"), ("x_person", "spoofed"), ("x-person", "spoofed")];
    for (path, shown_as) in [("/changed/todos?a=1", "GET /todos?a=1"), ("/plain/x", "GET /plain/x")] {
        let ask = sent.iter().fold(Ask::bare("GET", path), |ask, (name, value)| ask.header(name, value));
        let ask = ask.header("x-csrf", "1").header("sec-fetch-site", "same-origin");
        alice.send(ask).await.must_be(200);
        let seen = recorder.last();
        let claims =
            json!({ "sub": seen.value("x-person").unwrap_or("alice"), "name": seen.value("x-name") });
        let cookie = alice.cookie_header();
        let sent = sent.into_iter().chain([("cookie", &*cookie)]);
        let headers = sent.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let account = explained(&site, &Question { headers, ..question("GET", path, somebody(&claims)) });
        let shown = account.sent.clone().unwrap_or_else(|| panic!("let pass: {account:?}"));
        assert_eq!(shown.line, shown_as);
        assert_eq!(shown.line, seen.line().trim_end_matches(" HTTP/1.1"));
        assert_eq!(shown.servers, [recorder.url()]);
        // Line by line; what only a running gateway knows has a name in guillemets.
        let real: BTreeMap<String, String> = seen
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut shown: BTreeMap<String, String> = shown.headers.into_iter().collect();
        for (name, value) in &mut shown {
            if value.contains('«') {
                value.clone_from(
                    real.get(name).unwrap_or_else(|| panic!("{name} was not sent: {}", seen.head)),
                );
            }
        }
        assert_eq!(shown, real, "{path}");
    }
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let (site, _recorder) = site_with_changes().await;
    let account = explained(&site, &question("GET", "/changed", somebody(&json!({ "sub": "alice" }))));
    let mut printed = Vec::new();
    gateway::explain::print(&account, false, &mut printed).expect("memory");
    let printed = String::from_utf8(printed).expect("text");
    assert!(!printed.contains("Zp4vR8sK") && !printed.contains('\u{1b}'), "{printed}");
    for part in
        ["x-api-key: «a secret»", "authorization: Bearer «token todo-read»", "x-env: prod", "x-person: alice"]
    {
        assert!(printed.contains(part), "{part:?} is not in\n{printed}");
    }
}

#[tokio::test]
async fn each_step_is_decided_as_the_gateway_decides_it() {
    let (site, recorder) = site_with_changes().await;
    let nobody = || Who::Nobody;
    let alice = || somebody(&json!({ "sub": "alice" }));
    for (method, path, who, refused_at, reason) in [
        ("GET", "/plain", nobody(), "policy", "no_session"),
        ("GET", "/admins", alice(), "policy", "rule_not_met"),
        ("DELETE", "/api/none", alice(), "route", "method_not_allowed"),
        ("TRACE", "/open", alice(), "route", "method_not_allowed"),
        ("GET", "/open/../admins", alice(), "request", "bad_path"),
        ("GET", "http://elsewhere.example/", alice(), "request", "unknown_host"),
    ] {
        let account = explained(&site, &question(method, path, who));
        let (verdict, found) = step(&account, refused_at);
        assert!(!account.is_allowed() && account.sent.is_none(), "{method} {path}");
        assert_eq!(verdict, Verdict::Refused, "{method} {path}: {account:?}");
        assert!(found.contains(reason), "{method} {path}: {found}");
    }
    recorder.must_be_untouched();
    let allowed =
        |claims: Value| explained(&site, &question("GET", "/admins", somebody(&claims))).is_allowed();
    assert!(allowed(json!({ "roles": ["Admin"] })) && allowed(json!({ "department": "IT" })));
    assert!(!allowed(json!({ "roles": ["Reader"], "department": "HR" })));
    let account = explained(&site, &question("GET", "/admins", somebody(&json!({ "department": "IT" }))));
    let rules: Vec<_> =
        account.steps.iter().filter(|step| step.name == "rule").map(|step| &*step.found).collect();
    assert_eq!(
        rules,
        [
            "all of: holds",
            "  allow \"signed-in\": holds",
            "  any of: holds",
            "    role \"Admin\": does not hold",
            "    claim \"department\" any_of [\"IT\"]: holds",
        ]
    );
    // Without the header that scripts of the site send.
    let forged = Question {
        headers: vec![("x-csrf".to_owned(), "0".to_owned())],
        ..question("GET", "/plain", Who::Somebody(Map::new()))
    };
    assert!(step(&explained(&site, &forged), "csrf").1.contains("csrf_header_missing"));
    // What else was weighed is said too.
    let account = explained(&site, &question("GET", "/changed/x", alice()));
    assert_eq!(step(&account, "route"), (Verdict::Passed, "/changed".to_owned()));
    assert!(step(&account, "not").1.starts_with("/: it is less specific"), "{account:?}");
}

#[tokio::test]
async fn a_question_that_is_none_is_told_from_a_refusal() {
    let site = Site::start().await;
    let explainer = explainer(&site);
    for (method, url) in
        [("GE T", "/"), ("GET", "app.example/x"), ("GET", "//x"), ("GET", "https://"), ("GET", "/a b")]
    {
        let asked = question(method, url, Who::Nobody);
        assert!(explainer.explain(&asked, Timestamp(0)).is_err(), "{method} {url}");
    }
    let account = explainer.explain(&question("GET", "/", Who::Nobody), Timestamp(0)).expect("a question");
    assert!(account.is_allowed());
}
