//! Sessions: how long they live, what ends them, and whose they are (requirements section 4).

use std::collections::BTreeSet;
use std::time::Duration;

use harness::{Ask, Plan, Site};
use serde_json::json;

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_session_that_nobody_uses_ends_after_its_idle_time() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    site.advance(29 * MINUTE);
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    site.advance(29 * MINUTE);
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    site.advance(31 * MINUTE);
    let kept = browser.copy();
    let reply = browser.fetch("GET", "/api/todolist").await;
    reply.must_be_problem(401, "session_over");
    assert!(reply.set_cookies().iter().any(|cookie| cookie.name == SESSION && cookie.is_removal()));
    kept.fetch("GET", "/api/todolist").await.must_be(401);
    assert_eq!(kept.session().await["signed_in"], false);
}

#[tokio::test]
async fn a_session_ends_after_its_absolute_time_however_much_it_is_used() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    for _ in 0..23 {
        site.advance(20 * MINUTE);
        browser.fetch("GET", "/auth/session").await.must_be(200);
    }
    assert_eq!(browser.session().await["signed_in"], true, "seven hours and forty minutes old");
    site.advance(21 * MINUTE);
    let kept = browser.copy();
    browser.fetch("GET", "/api/todolist").await.must_be(401);
    assert_eq!(kept.session().await["signed_in"], false);
}

#[tokio::test]
async fn polling_the_session_without_sliding_does_not_keep_it_alive() {
    let site = Site::start().await;
    let (polled, used) = (site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    for _ in 0..3 {
        site.advance(11 * MINUTE);
        polled.fetch("GET", "/auth/session?slide=false").await.must_be(200);
        used.fetch("GET", "/auth/session").await.must_be(200);
    }
    assert_eq!(polled.session().await["signed_in"], false);
    assert_eq!(used.session().await["signed_in"], true);
}

#[tokio::test]
async fn what_the_session_page_says_of_its_end_is_true() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let session = browser.session().await;
    for member in ["now", "idle_expires_at", "expires_at"] {
        assert!(session[member].as_str().is_some_and(|text| text.ends_with('Z')), "{session}");
    }
    site.advance(10 * MINUTE);
    let silent = browser.fetch("GET", "/auth/session?slide=false").await.json();
    assert_eq!(silent["idle_expires_at"], session["idle_expires_at"]);
    let later = browser.session().await;
    assert_ne!(later["idle_expires_at"], session["idle_expires_at"]);
    assert_eq!(later["expires_at"], session["expires_at"]);
}

#[tokio::test]
async fn the_session_page_shows_listed_claims_and_never_a_token() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    let reply = browser.fetch("GET", "/auth/session").await;
    let session = reply.must_be(200).json();
    assert_eq!(session["signed_in"], true);
    assert_eq!(session["name"], "Alice Adams");
    let listed = ["sub", "name", "preferred_username", "email", "oid", "tid", "roles"];
    for claim in session["claims"].as_object().expect("claims").keys() {
        assert!(listed.contains(&claim.as_str()), "{claim} is not listed");
    }
    let held: Vec<_> = session["tokens"].as_array().expect("tokens").iter().collect();
    assert_eq!(held.len(), 2);
    assert_eq!((&held[0]["name"], &held[0]["held"]), (&json!("todo-read"), &json!(true)));
    assert_eq!((&held[1]["name"], &held[1]["held"]), (&json!("todo-write"), &json!(false)));
    let text = reply.text();
    assert!(!text.contains("eyJ"), "that is how a token begins: {text}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    // Signed out, the same address says just that.
    let anonymous = site.browser().session().await;
    assert_eq!(anonymous["signed_in"], false);
    assert!(anonymous.get("claims").is_none() && anonymous.get("tokens").is_none(), "{anonymous}");
}

#[tokio::test]
async fn only_claims_that_the_configuration_lists_are_shown() {
    let site = Plan::new().set("session", "claims", "[\"name\"]").start().await;
    let browser = site.signed_in(ALICE).await;
    assert_eq!(browser.session().await["claims"], json!({ "name": "Alice Adams" }));
}

#[tokio::test]
async fn other_sites_cannot_read_the_session_page() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    for from in ["cross-site", "same-site"] {
        let reply = browser.send(Ask::fetch("GET", "/auth/session").set("sec-fetch-site", from)).await;
        reply.must_be(403);
        assert!(!reply.text().contains("Alice"));
    }
    browser.fetch("GET", "/auth/session").await.must_be(200);
}

#[tokio::test]
async fn signing_in_makes_a_new_session_and_the_old_one_dies() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let old = browser.copy();
    let first = browser.cookie(SESSION).expect("a session");
    old.fetch("GET", "/api/todolist").await.must_be(200);
    // Bob signs in over Alice's session: the provider still knows Alice, so he asks it for another account.
    let bob = site.signed_in(BOB).await;
    for name in bob.cookies_like("").into_iter().filter(|name| !name.starts_with("gateway-")) {
        browser.set_cookie(&name, &bob.cookie(&name).expect("a value"));
    }
    browser.sign_in(BOB).await;
    assert_eq!(browser.session().await["name"], "Bob Baker");
    assert_ne!(browser.cookie(SESSION), Some(first));
    old.fetch("GET", "/api/todolist").await.must_be(401);
}

/// A provider that answers by a form posts it from its own site, and the session's `SameSite` cookie stays behind.
#[tokio::test]
async fn the_old_session_dies_also_when_its_cookie_does_not_come_with_the_answer() {
    let site = Site::start().await;
    let (browser, other) = (site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    let old = browser.copy();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    old.fetch("GET", "/api/todolist").await.must_be(200);
    browser.drop_cookie(SESSION);
    browser.open(callback.as_str()).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    old.fetch("GET", "/api/todolist").await.must_be(401);
    other.fetch("GET", "/api/todolist").await.must_be(200);
}

#[tokio::test]
async fn a_planted_session_cookie_is_never_adopted() {
    let site = Site::start().await;
    let planted = "A".repeat(64);
    let victim = site.browser();
    victim.set_cookie(SESSION, &planted);
    victim.sign_in(ALICE).await.must_show("/");
    assert_ne!(victim.cookie(SESSION).expect("a session"), planted);
    let attacker = site.browser();
    attacker.set_cookie(SESSION, &planted);
    attacker.fetch("GET", "/api/todolist").await.must_be(401);
}

#[tokio::test]
async fn session_identifiers_are_long_random_and_never_repeated() {
    let site = Site::start().await;
    let browser = site.browser();
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        browser.sign_in(ALICE).await;
        let id = browser.cookie(SESSION).expect("a session");
        assert!(
            id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        seen.insert(id);
    }
    assert_eq!(seen.len(), 40);
    let starts: BTreeSet<&str> = seen.iter().map(|id| &id[..6]).collect();
    assert_eq!(starts.len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_never_see_each_others_data_under_load() {
    let (site, recorder) = with_recorder().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    for (browser, word) in [(&alice, "alices"), (&bob, "bobs")] {
        for number in 0..3 {
            let item = json!({ "description": format!("{word} {number}") });
            browser.send(Ask::fetch("POST", "/api/todolist").json(&item)).await.must_be(201);
        }
    }
    let oid = |browser: &serde_json::Value| browser["claims"]["oid"].as_str().expect("an oid").to_owned();
    let (alice_oid, bob_oid) = (oid(&alice.session().await), oid(&bob.session().await));
    // While tokens are renewed in the middle of it.
    for browser in [&alice, &bob] {
        browser.fetch("GET", "/api/todolist").await.must_be(200);
    }
    site.advance(Duration::from_secs(1_785));
    alice.session().await;
    bob.session().await;
    site.advance(Duration::from_secs(1_790));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..300 {
        let (browser, word, oid) = if number % 2 == 0 {
            (alice.clone(), "alices", alice_oid.clone())
        } else {
            (bob.clone(), "bobs", bob_oid.clone())
        };
        asking.spawn(async move {
            let list = browser.fetch("GET", "/api/todolist").await.must_be(200).json();
            let items = list["items"].as_array().expect("items").clone();
            assert_eq!(items.len(), 3);
            for item in items {
                assert!(item["description"].as_str().is_some_and(|text| text.starts_with(word)), "{item}");
                assert_eq!(item["owner"], oid.as_str());
            }
            browser.fetch("GET", &format!("/rec/{oid}")).await.must_be(200);
        });
    }
    while let Some(joined) = asking.join_next().await {
        joined.expect("no mix-up");
    }
    let seen = recorder.seen();
    assert_eq!(seen.len(), 300);
    for request in seen {
        let owner = bearer(&request)["oid"].as_str().expect("an oid").to_owned();
        assert!(request.line().contains(&owner), "{} carried the token of {owner}", request.line());
    }
}
