//! A person's own sessions at `/auth/sessions`: seeing where one is signed in, and ending what should not be.

use std::time::{Duration, Instant};

use dev_idp::Endpoint;
use harness::{Ask, Browser, Kept, Plan, RedisServer, Site, eventually};
use serde_json::{Value, json};

use crate::support::*;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const ME: &str = "/auth/sessions";

/// What a script of the site is told.
async fn list(browser: &Browser) -> Vec<Value> {
    let answer = browser.fetch("GET", ME).await.must_be(200).json();
    answer["sessions"].as_array().expect("a list").clone()
}

fn ending(what: &str) -> Ask {
    Ask::fetch("POST", ME).json(&json!({ "end": what }))
}

/// The id of the one session in the list that is not the browser's own.
async fn other_id(browser: &Browser) -> String {
    let others: Vec<_> =
        list(browser).await.into_iter().filter(|session| session["current"] == false).collect();
    assert_eq!(others.len(), 1, "{others:?}");
    others[0]["id"].as_str().expect("an id").to_owned()
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.fetch("GET", "/api/todolist").await.status == 200
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_nobody_else_does() {
    let site = Site::start().await;
    let first = site.browser();
    let callback = first.callback_address("/auth/sign-in", ALICE).await;
    first.send(Ask::page(callback.as_str()).set("user-agent", FIREFOX)).await.must_be(303);
    site.advance(Duration::from_secs(600));
    let second = site.signed_in(ALICE).await;
    let stranger = site.signed_in(BOB).await;
    let sessions = list(&second).await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!(sessions[0]["browser"], "Unknown browser");
    assert_eq!(
        (&sessions[1]["browser"], &sessions[1]["agent"]),
        (&json!("Firefox on Linux"), &json!(FIREFOX))
    );
    for session in &sessions {
        assert_eq!(session["address"], "127.0.0.1");
        assert_eq!(session["id"].as_str().map(str::len), Some(43), "{session}");
        for member in ["started", "last_used", "expires"] {
            assert!(session[member].as_str().is_some_and(|text| text.ends_with('Z')), "{session}");
        }
        // What names a session opens nothing.
        let id = session["id"].as_str().expect("an id");
        let thief = site.browser();
        thief.set_cookie(SESSION, id);
        thief.fetch("GET", "/api/todolist").await.must_be(401);
    }
    assert!(sessions[1]["started"].as_str() < sessions[0]["started"].as_str(), "{sessions:?}");
    assert_eq!(list(&stranger).await.len(), 1, "one's own only");
    let reply = second.fetch("GET", ME).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"));
}

#[tokio::test]
async fn a_session_that_is_over_is_not_listed() {
    let site = Site::start().await;
    let (gone, idle, kept) =
        (site.signed_in(ALICE).await, site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    assert_eq!(list(&kept).await.len(), 3);
    gone.send(Ask::submit("/auth/sign-out", &[])).await.must_redirect();
    assert_eq!(list(&kept).await.len(), 2);
    site.advance(Duration::from_secs(20 * 60));
    assert!(is_signed_in(&kept).await && is_signed_in(&idle).await);
    site.advance(Duration::from_secs(20 * 60));
    assert!(is_signed_in(&kept).await);
    site.advance(Duration::from_secs(20 * 60));
    assert_eq!(list(&kept).await.len(), 1);
}

#[tokio::test]
async fn looking_without_sliding_does_not_keep_a_session_alive() {
    let site = Site::start().await;
    let (polled, used) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    for _ in 0..2 {
        site.advance(Duration::from_secs(20 * 60));
        polled.fetch("GET", "/auth/sessions?slide=false").await;
        used.fetch("GET", ME).await.must_be(200);
    }
    assert_eq!(
        (polled.session().await["signed_in"].clone(), used.session().await["signed_in"].clone()),
        (json!(false), json!(true))
    );
}

#[tokio::test]
async fn one_other_session_is_ended_by_its_id_and_gives_its_tokens_back() {
    let site = Site::start().await;
    let (here, there, bystander) =
        (site.signed_in(ALICE).await, site.signed_in(ALICE).await, site.signed_in(BOB).await);
    assert!(is_signed_in(&there).await);
    let id = other_id(&here).await;
    let reply = here.send(ending(&id)).await;
    assert_eq!(reply.must_be(200).json(), json!({ "ended": 1 }));
    there.fetch("GET", "/api/todolist").await.must_be_problem(401, "session_over");
    assert!(is_signed_in(&here).await && is_signed_in(&bystander).await);
    assert_eq!(site.requests(Endpoint::Revoke), 1);
    // Once is enough: it is gone now.
    here.send(ending(&id)).await.must_be_problem(404, "no_such_session");
    let events = site.into_logs().await.events;
    assert!(events.contains("ended_by_person"), "the audit log says why");
}

#[tokio::test]
async fn everywhere_else_is_every_other_session_of_the_person_and_of_nobody_else() {
    let site = Site::start().await;
    let here = site.signed_in(ALICE).await;
    let elsewhere = [site.signed_in(ALICE).await, site.signed_in(ALICE).await, site.signed_in(ALICE).await];
    let bystander = site.signed_in(BOB).await;
    assert_eq!(here.send(ending("others")).await.must_be(200).json(), json!({ "ended": 3 }));
    for browser in &elsewhere {
        browser.fetch("GET", "/api/todolist").await.must_be(401);
    }
    assert!(is_signed_in(&here).await && is_signed_in(&bystander).await);
    assert_eq!(list(&here).await.len(), 1);
    assert_eq!(here.send(ending("others")).await.must_be(200).json(), json!({ "ended": 0 }));
}

#[tokio::test]
async fn somebody_elses_session_is_answered_exactly_like_none() {
    let site = Site::start().await;
    let (alice, elsewhere, bob) =
        (site.signed_in(ALICE).await, site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let bobs = list(&bob).await[0]["id"].as_str().expect("an id").to_owned();
    let mut answers = Vec::new();
    for id in [bobs.as_str(), &"A".repeat(43), "", "junk", "OTHERS", "\u{0}"] {
        let reply = alice.send(ending(id)).await;
        let mut problem = reply.must_be_problem(404, "no_such_session").json();
        problem.as_object_mut().expect("an object").remove("request_id");
        answers.push(problem);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(is_signed_in(&bob).await && is_signed_in(&elsewhere).await);
    let id = other_id(&alice).await;
    alice.send(ending(&id)).await.must_be(200);
}

#[tokio::test]
async fn the_session_that_asks_is_ended_by_signing_out_and_not_here() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let id = list(&browser).await[0]["id"].as_str().expect("an id").to_owned();
    browser.send(ending(&id)).await.must_be_problem(400, "own_session");
    assert!(is_signed_in(&browser).await);
}

#[tokio::test]
async fn no_other_site_can_end_or_read_anything() {
    let site = Site::start().await;
    let (here, there) = (site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    for (origin, from) in [
        ("https://evil.example", "cross-site"),
        ("null", "cross-site"),
        ("http://localhost:1", "same-site"),
        (site.addresses().provider.as_str(), "same-site"),
    ] {
        let form = Ask::submit(ME, &[("end", "others")]).set("origin", origin).set("sec-fetch-site", from);
        here.send(form).await.must_be(403);
        here.send(ending("others").set("origin", origin).set("sec-fetch-site", from)).await.must_be(403);
    }
    let silent = Ask::submit(ME, &[("end", "others")]).without("origin").without("sec-fetch-site");
    here.send(silent).await.must_be(403);
    for from in ["cross-site", "same-site"] {
        here.send(Ask::fetch("GET", ME).set("sec-fetch-site", from)).await.must_be_problem(403, "cross_site");
        let frame = Ask::page(ME).set("sec-fetch-dest", "iframe").set("sec-fetch-site", from);
        here.send(frame).await.must_be(403);
    }
    // A link from elsewhere shows the page and ends nothing.
    here.send(Ask::page("/auth/sessions?end=others").set("sec-fetch-site", "cross-site")).await.must_be(200);
    assert!(is_signed_in(&there).await);
    here.send(Ask::submit(ME, &[("end", "others")])).await.must_be(303);
    assert!(!is_signed_in(&there).await);
}

#[tokio::test]
async fn only_one_clear_wish_of_a_known_kind_is_carried_out() {
    let site = Site::start().await;
    let (here, there) = (site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    let post = || Ask::fetch("POST", ME);
    for ask in [
        post(),
        post().set("content-type", "text/plain").body("end=others"),
        post().form(&[]),
        post().form(&[("end", "others"), ("end", "others")]),
        post().form(&[("end", "others"), ("x", "1")]),
        post().form(&[("End", "others")]),
        post().json(&json!({})),
        post().json(&json!({ "end": "others", "x": 1 })),
        post().json(&json!({ "end": ["others"] })),
        post().set("content-type", "application/json").body("{\"end\":\"others\",\"end\":\"others\"}"),
        post().set("content-type", "application/json").body("end=others"),
    ] {
        here.send(ask).await.must_be_problem(400, "bad_body");
    }
    let padded = |length: usize| {
        let body = format!("{{\"end\":\"others\"{}}}", " ".repeat(length - 16));
        post().set("content-type", "application/json").body(body)
    };
    here.send(padded(4 * 1024 + 1)).await.must_be_problem(413, "body_too_large");
    assert!(is_signed_in(&there).await);
    here.send(padded(4 * 1024)).await.must_be(200);
    assert!(!is_signed_in(&there).await);
}

#[tokio::test]
async fn strangers_learn_nothing_and_people_come_back_after_signing_in() {
    let site = Site::start().await;
    let stranger = site.browser();
    stranger.fetch("GET", ME).await.must_be_problem(401, "no_session");
    stranger.send(ending("others")).await.must_be_problem(401, "no_session");
    let form = stranger.send(Ask::submit(ME, &[("end", "others")])).await;
    assert!(form.must_be(401).is_page());
    let visit = stranger.sign_in_at(ME, ALICE).await;
    assert!(visit.must_show(ME).reply.text().contains("Your sessions"));
}

#[tokio::test]
async fn the_page_works_without_scripts() {
    let site = Site::start().await;
    let here = site.signed_in(ALICE).await;
    let alone = here.open(ME).await;
    assert!(alone.must_show(ME).reply.text().contains("signed in nowhere else"));
    assert!(alone.forms().is_empty());
    let (one, other) = (site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    let page = here.open(ME).await;
    let text = page.reply.text();
    assert_eq!(text.matches("<li class=\"entry\">").count(), 3, "{text}");
    assert_eq!(text.matches("this browser").count(), 1, "{text}");
    assert!(text.contains("<time datetime=\"") && !text.contains("<script"));
    let forms = page.forms();
    assert_eq!(forms.len(), 3, "one for each other session, and one for both");
    let after = here.submit(&page, &forms[0], &[]).await;
    assert_eq!(after.must_show(ME).forms().len(), 2);
    assert_ne!(is_signed_in(&one).await, is_signed_in(&other).await, "one of them is over");
    let last = after.forms().pop().expect("everywhere else");
    assert_eq!(last.value("end"), Some("others"));
    assert!(here.submit(&after, &last, &[]).await.must_show(ME).forms().is_empty());
    assert!(!is_signed_in(&one).await && !is_signed_in(&other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ended_at_one_gateway_is_over_at_every_other() {
    let redis = RedisServer::launch().await;
    let site = Plan::new().store(Kept::Redis(redis.url())).keys(&["one"]).gateways(2).start().await;
    let ports = site.ports();
    let (here, there) = (site.signed_in(ALICE).await.at(ports[0]), site.signed_in(ALICE).await.at(ports[1]));
    assert!(is_signed_in(&there).await && is_signed_in(&here).await);
    assert_eq!(list(&here).await.len(), 2);
    assert_eq!(here.send(ending("others")).await.must_be(200).json(), json!({ "ended": 1 }));
    let begun = Instant::now();
    eventually("the other gateway knows", || async { !is_signed_in(&there).await }).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(is_signed_in(&here).await && is_signed_in(&here.at(ports[1])).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_sessions_cannot_be_looked_up_nobody_is_told_a_half_truth() {
    let mut redis = RedisServer::launch().await;
    let site = Plan::new().store(Kept::Redis(redis.url())).keys(&["one"]).start().await;
    let (here, there) = (site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    let id = other_id(&here).await;
    redis.stop().await;
    for ask in [Ask::fetch("GET", ME), ending(&id), ending("others")] {
        let reply = here.send(ask).await;
        reply.must_be_problem(503, "store_unavailable");
        assert!(reply.header("retry-after").is_some());
    }
    let page = here.send(Ask::page(ME)).await;
    assert!(page.must_be(503).is_page());
    redis.start().await;
    eventually("it heals", || async { here.fetch("GET", ME).await.status == 200 }).await;
    assert_eq!(here.send(ending(&id)).await.must_be(200).json(), json!({ "ended": 1 }));
    assert!(!is_signed_in(&there).await && is_signed_in(&here).await);
}

#[tokio::test]
async fn sessions_in_a_file_are_listed_and_ended_like_those_in_memory() {
    let site = Plan::new().store(Kept::File).start().await;
    let (here, there, stranger) =
        (site.signed_in(ALICE).await, site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let id = other_id(&here).await;
    stranger.send(ending(&id)).await.must_be_problem(404, "no_such_session");
    assert_eq!(here.send(ending(&id)).await.must_be(200).json(), json!({ "ended": 1 }));
    assert!(!is_signed_in(&there).await && is_signed_in(&stranger).await);
    assert_eq!(list(&here).await.len(), 1);
}
