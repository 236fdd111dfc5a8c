//! Error answers: fixed words for people, problem documents for programs, nothing a stranger sent in either (EP-01).

use harness::{Ask, Recorder, Reply, Site};

use crate::support::*;

/// In everything that is sent, and too long for chance to write it into a state or a sealed cookie.
const MARK: &str = "xss-of-a-stranger";
const SCRIPT: &str = "<script>alert('xss-of-a-stranger')</script>\"'><img src=x onerror=alert(1)>";

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn must_reflect_nothing(reply: &Reply, what: &str) {
    let all = format!("{:?}{}", reply.headers, reply.text());
    for piece in ["<script>", "alert(", "onerror", MARK] {
        assert!(!all.contains(piece), "{what}: {piece} in {all}");
    }
    let root = demo::root().expect("the tests run in the checkout").display().to_string();
    for secret in ["hyper", "tokio", "rust", "panicked", &root, "127.0.0.1:"] {
        assert!(!reply.text().contains(secret), "{what}: {secret} in {}", reply.text());
    }
}

#[tokio::test]
async fn nothing_that_a_stranger_sends_is_reflected() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.browser();
    let evil = encoded(SCRIPT);
    let targets = [
        format!("/auth/callback?error={evil}&error_description={evil}&error_uri={evil}&state={evil}"),
        format!("/auth/callback?code={evil}&state={evil}&iss={evil}"),
        format!("/auth/sign-in?return_to={evil}&login_hint=x&token={evil}&foo={evil}"),
        format!("/auth/signed-out?state={evil}&provider={evil}"),
        format!("/auth/{evil}"),
        format!("/nothing/{evil}.css?x={evil}"),
        format!("/plain?x={evil}"),
        format!("/auth/session?slide={evil}"),
    ];
    for target in &targets {
        for ask in [
            Ask::page(target),
            Ask::fetch("GET", target),
            Ask::bare("GET", target).set("accept", "text/html"),
        ] {
            let ask = [
                "user-agent",
                "referer",
                "x-forwarded-host",
                "origin",
                "accept-language",
                "x-csrf",
                "x-request-id",
            ]
            .into_iter()
            .fold(ask, |ask, name| ask.header(name, SCRIPT));
            let reply = browser.send(ask).await;
            must_reflect_nothing(&reply, target);
        }
    }
    browser.set_cookie(SESSION, "alert(1)xss-of-a-stranger");
    let reply = browser.fetch("GET", "/plain").await;
    must_reflect_nothing(&reply, "a cookie");
}

#[tokio::test]
async fn people_get_a_page_and_programs_a_problem_for_every_kind_of_error() {
    let recorder = Recorder::start().await;
    let gone = Recorder::start().await;
    let routes = recorder_routes(&recorder)
        + &format!(
            "[upstreams.gone]\nservers = [\"{}\"]\n[[routes]]\npath = \"/gone\"\nupstream = \"gone\"\nallow = \"anyone\"\n\
                    [[routes]]\npath = \"/admins\"\nupstream = \"recorder\"\nallow = {{ role = \"Admin\" }}\ncsrf = \"origin\"\n",
            gone.url()
        );
    let site = harness::Plan::new().append(routes).start().await;
    drop(gone);
    let (alice, nobody) = (site.signed_in(ALICE).await, site.browser());
    recorder.answer_always("this is not HTTP\r\n\r\n");
    let long = format!("/{}", "x".repeat(9_000));
    let errors: [(&str, u16, &str); 9] = [
        ("/auth/callback", 400, "bad_state"),
        ("/a//b", 400, "bad_path"),
        ("/auth/nothing", 404, "no_route"),
        ("/none.css", 404, "no_file"),
        ("/auth/sign-out", 405, "method_not_allowed"),
        (&long, 414, "target_too_long"),
        ("/admins", 403, "rule_not_met"),
        ("/gone", 502, "upstream_unreachable"),
        ("/open", 502, "upstream_broken"),
    ];
    for (target, status, reason) in errors {
        let browser = if target == "/admins" { &alice } else { &nobody };
        let page = browser.send(Ask::page(target)).await;
        page.must_be(status);
        assert!(page.is_page(), "{target}: {:?}", page.headers);
        let text = page.text();
        for piece in ["<html lang=\"en\">", "<title>", "<main>", "<h1>", "name=\"viewport\"", "<a class="] {
            assert!(text.contains(piece), "{target} lacks {piece}");
        }
        let program = browser.send(Ask::fetch("GET", target)).await;
        program.must_be_problem(status, reason);
        let problem = program.json();
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{target}: {member}");
        }
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"].as_str(), program.header("x-request-id"));
        for reply in [&page, &program] {
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{target}");
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
        }
        assert!(
            page.header("content-security-policy")
                .is_some_and(|policy| policy.contains("default-src 'none'"))
        );
        let request_id = page.header("x-request-id").expect("a request id");
        assert!(text.contains(request_id), "{target}: the page names the request");
        assert!(!text.contains(&site.addresses().todo) && !text.contains(&recorder.authority()), "{target}");
    }
}

#[tokio::test]
async fn unknown_expired_and_tampered_sessions_are_answered_alike() {
    let (site, _recorder) = with_recorder().await;
    let expired = site.signed_in(ALICE).await;
    site.advance(std::time::Duration::from_secs(31 * 60));
    let mut answers = std::collections::BTreeSet::new();
    let good = expired.cookie(SESSION).expect("a session");
    let tampered = format!("{}A", &good[..63]);
    for value in [good.as_str(), tampered.as_str(), &"B".repeat(64), "x"] {
        let browser = site.browser();
        browser.set_cookie(SESSION, value);
        let reply = browser.fetch("GET", "/plain").await;
        let mut problem = reply.must_be(401).json();
        problem["request_id"] = "same".into();
        let names: Vec<&str> = reply.headers.keys().map(http::HeaderName::as_str).collect();
        answers.insert(format!("{problem} {names:?}"));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_rule_that_is_not_met_is_403_for_who_is_signed_in_and_opens_for_who_meets_it() {
    let recorder = Recorder::start().await;
    let routes = recorder_routes(&recorder)
        + "[[routes]]\npath = \"/bobs\"\nupstream = \"recorder\"\nallow = { claim = \"name\", any_of = [\"Bob Baker\"] }\n";
    let site = harness::Plan::new().append(routes).start().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    alice.fetch("GET", "/bobs").await.must_be_problem(403, "rule_not_met");
    site.browser().fetch("GET", "/bobs").await.must_be_problem(401, "no_session");
    recorder.must_be_untouched();
    bob.fetch("GET", "/bobs").await.must_be(200);
}

#[tokio::test]
async fn signing_in_that_does_not_hold_ends_in_words_and_not_in_a_circle() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.browser();
    browser.sign_in_at("/app", ALICE).await.must_show("/app");
    // A browser that loses its session cookie each time.
    for _ in 0..2 {
        browser.drop_cookie(SESSION);
        let visit = browser.open("/app").await;
        if visit.reply.status == 400 {
            assert!(visit.reply.is_page() && visit.reply.text().contains("cookies"));
            return;
        }
    }
    browser.drop_cookie(SESSION);
    let visit = browser.open("/app").await;
    visit.reply.must_be(400);
    assert!(visit.reply.text().contains("Allow cookies"), "{}", visit.reply.text());
}

#[tokio::test]
async fn a_stopped_upstream_is_502_and_everything_else_goes_on() {
    let mut site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    site.stop_todo().await;
    let reply = browser.fetch("GET", "/api/todolist").await;
    reply.must_be(502);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    browser.open("/").await.must_show("/");
    assert_eq!(browser.session().await["signed_in"], true);
}
