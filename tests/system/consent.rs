//! Tokens that people must first agree to: a page leads to the question, an API tells where to ask (the issue; TK-10).

use harness::{Ask, Plan, Recorder, Site};
use serde_json::json;

use crate::support::*;

/// Reading is granted by the administrator; changing is not, so each person is asked.
async fn site() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let page = "[[routes]]\npath = \"/editor\"\nupstream = \"recorder\"\ntoken = \"todo-write\"\ncsrf = \"origin\"\n";
    let plan = Plan::new().append(recorder_routes(&recorder)).append(page).tenant(|tenant| {
        let web = tenant.client_mut("todo-web").expect("the web app");
        web.granted_scopes.retain(|scope| !scope.ends_with("ReadWrite"));
    });
    (plan.start().await, recorder)
}

fn add(description: &str) -> Ask {
    Ask::fetch("POST", "/api/todolist").json(&json!({ "description": description }))
}

#[tokio::test]
async fn an_api_call_that_needs_consent_is_told_where_to_ask_and_works_afterwards() {
    let (site, _recorder) = site().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    let reply = browser.send(add("Buy milk")).await;
    reply.must_be_problem(401, "consent_required");
    assert!(reply.set_cookies().is_empty() && reply.location().is_none());
    let address = reply.json()["sign_in"].as_str().expect("where to go").to_owned();
    assert!(address.starts_with("/auth/sign-in?") && address.contains("token=todo-write"), "{address}");
    // The session goes on, and the provider is not pressed.
    let asked = token_requests(&site);
    browser.send(add("Buy milk")).await.must_be(401);
    assert_eq!(token_requests(&site), asked);
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    // The address leads to the question; a yes leads back.
    let question = browser.open(&address).await;
    assert!(question.url.path().ends_with("/consent"), "{:?}", question.trail);
    assert!(question.reply.text().contains("ToDoList.ReadWrite"), "{}", question.reply.text());
    browser.finish_sign_in(question, ALICE).await.must_show("/");
    browser.send(add("Buy milk")).await.must_be(201);
    browser.fetch("GET", "/api/todolist").await.must_be(200);
}

#[tokio::test]
async fn a_page_that_needs_consent_leads_to_the_question_and_back() {
    let (site, recorder) = site().await;
    let browser = site.signed_in(ALICE).await;
    let question = browser.open("/editor/new?x=1").await;
    assert!(question.url.path().ends_with("/consent"), "{:?}", question.trail);
    recorder.must_be_untouched();
    browser.finish_sign_in(question, ALICE).await.must_show("/editor/new?x=1");
    assert_eq!(bearer(&recorder.last())["scp"], "ToDoList.ReadWrite");
    // Once is enough, also for a later session.
    let later = site.signed_in(ALICE).await;
    later.open("/editor").await.must_show("/editor");
}

#[tokio::test]
async fn a_no_is_a_page_with_a_way_on_and_the_session_stays() {
    let (site, recorder) = site().await;
    let browser = site.signed_in(ALICE).await;
    let question = browser.open("/editor").await;
    let form = question.forms().into_iter().next().expect("a form");
    let refused = browser.submit_with(&question, &form, &[], Some(("decision", "cancel"))).await;
    assert_eq!(refused.url.path(), "/auth/callback");
    refused.reply.must_be(400);
    assert!(refused.reply.text().contains("cancelled"), "{}", refused.reply.text());
    recorder.must_be_untouched();
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    browser.open("/app").await.must_show("/app");
}

#[tokio::test]
async fn consent_of_one_person_is_not_consent_of_another() {
    let (site, _recorder) = site().await;
    let alice = site.signed_in(ALICE).await;
    let question = alice.open("/auth/sign-in?token=todo-write").await;
    alice.finish_sign_in(question, ALICE).await.must_show("/");
    alice.send(add("mine")).await.must_be(201);
    let bob = site.signed_in(BOB).await;
    bob.send(add("mine too")).await.must_be_problem(401, "consent_required");
}

#[tokio::test]
async fn a_token_name_that_nobody_configured_asks_for_nothing_more() {
    let (site, _recorder) = site().await;
    let plain = begin(&site.browser(), "/auth/sign-in").await;
    let odd =
        begin(&site.browser(), "/auth/sign-in?token=api%3A%2F%2Ftodo-service%2FToDoList.ReadWrite").await;
    assert_eq!(parameter(&odd, "scope"), parameter(&plain, "scope"));
    let named = begin(&site.browser(), "/auth/sign-in?token=todo-write").await;
    assert!(parameter(&named, "scope").contains("api://todo-service/ToDoList.ReadWrite"));
}
