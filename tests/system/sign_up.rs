//! A person without an account makes one, and a person without a password gets a new one, through the provider's real
//! forms (the opening sentence).

use harness::{Browser, Site, Visit};
use serde_json::json;

/// Submits the page's first form.
async fn fill(browser: &Browser, visit: &Visit, fields: &[(&str, &str)]) -> Visit {
    let form = visit.forms().into_iter().next().unwrap_or_else(|| panic!("no form: {}", visit.reply.text()));
    browser.submit(visit, &form, fields).await
}

fn code(site: &Site, email: &str) -> String {
    site.provider().mailbox_code(email).expect("a passcode was mailed")
}

#[tokio::test]
async fn a_new_person_signs_up_with_a_passcode_and_works_on_a_list_of_their_own() {
    let site = Site::start().await;
    let browser = site.browser();
    let email = "zoe@example.com";
    let visit = browser.open("/auth/sign-up?return_to=%2Flists").await;
    assert!(visit.forms()[0].has("email"), "{}", visit.reply.text());
    let visit = fill(&browser, &visit, &[("email", email)]).await;
    let wrong = fill(&browser, &visit, &[("code", "00000000")]).await;
    wrong.reply.must_be(422);
    let visit = fill(&browser, &wrong, &[("code", &code(&site, email))]).await;
    let visit = fill(&browser, &visit, &[("password", "a-long-new-password"), ("name", "Zoe Zimmer")]).await;
    visit.must_show("/lists");
    let session = browser.session().await;
    assert_eq!((&session["name"], &session["claims"]["email"]), (&json!("Zoe Zimmer"), &json!(email)));
    let add = harness::Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "Buy milk" }));
    browser.send(add).await.must_be(201);
    assert_eq!(browser.fetch("GET", "/api/todolist").await.json()["items"].as_array().map(Vec::len), Some(1));
    // In another browser the password works.
    let other = site.browser();
    let visit = other.open("/auth/sign-in").await;
    let visit = fill(&other, &visit, &[("email", email)]).await;
    let refused = fill(&other, &visit, &[("password", "not-the-password")]).await;
    refused.reply.must_be(422);
    let visit = fill(&other, &refused, &[("password", "a-long-new-password")]).await;
    visit.must_show("/");
    assert_eq!(other.session().await["name"], "Zoe Zimmer");
}

#[tokio::test]
async fn a_forgotten_password_is_reset_and_old_sessions_at_the_provider_end() {
    let site = Site::start().await;
    let old = site.signed_in("alice@example.com").await;
    old.fetch("GET", "/api/todolist").await.must_be(200);
    let browser = site.browser();
    let visit = browser.open("/auth/sign-in").await;
    let visit = fill(&browser, &visit, &[("email", "alice@example.com")]).await;
    let link = visit.reply.text();
    let link =
        link.split("href=\"").find_map(|rest| rest.split('"').next().filter(|to| to.ends_with("/reset")));
    let reset = visit.url.join(link.expect("a link to reset the password")).expect("an address");
    let visit = browser.open(reset.as_str()).await;
    let visit = fill(&browser, &visit, &[("email", "alice@example.com")]).await;
    let visit = fill(&browser, &visit, &[("code", &code(&site, "alice@example.com"))]).await;
    let visit = fill(&browser, &visit, &[("password", "an-even-longer-password")]).await;
    visit.must_show("/");
    assert_eq!(browser.session().await["name"], "Alice Adams");
    // The old grant is revoked: the next token that the old session needs ends it.
    let add = harness::Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "x" }));
    old.send(add).await.must_be(401);
    assert_eq!(old.session().await["signed_in"], false);
}

#[tokio::test]
async fn whether_an_address_has_an_account_is_not_told_to_strangers() {
    let site = Site::start().await;
    let mut pages = Vec::new();
    for email in ["alice@example.com", "nobody@example.com"] {
        let browser = site.browser();
        let visit = browser.open("/auth/sign-in").await;
        let visit = fill(&browser, &visit, &[("email", email)]).await;
        let visit = fill(&browser, &visit, &[("password", "a-wrong-password")]).await;
        visit.reply.must_be(422);
        let text = visit.reply.text();
        pages.push(text.contains("do not belong to an account"));
    }
    assert_eq!(pages, [true, true]);
}
