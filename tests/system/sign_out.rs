//! Signing out: here first, then at the provider, and never because another site says so (requirements section 6).

use std::time::{Duration, Instant};

use dev_idp::Endpoint;
use dev_idp::faults::{HttpFault, MetadataFault};
use harness::{Ask, Plan, Site, Visit};
use url::Url;

use crate::support::*;

#[tokio::test]
async fn signing_out_ends_the_session_here_then_the_grant_then_the_session_at_the_provider() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    let old = browser.copy();
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let location = Url::parse(reply.must_redirect()).expect("the provider's address");
    assert!(reply.set_cookies().iter().any(|cookie| cookie.name == SESSION && cookie.is_removal()));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    // The session is over before the browser goes anywhere.
    old.fetch("GET", "/api/todolist").await.must_be(401);
    assert_eq!(site.requests(Endpoint::Revoke), 1);
    let revoked = site.faults().seen(Endpoint::Revoke).pop().expect("a revocation").map();
    assert_eq!(revoked["token_type_hint"], "refresh_token");
    // The request to the provider, exactly.
    assert_eq!(
        (location.origin().ascii_serialization(), location.path()),
        (site.addresses().provider.clone(), "/end_session")
    );
    assert_eq!(parameter(&location, "post_logout_redirect_uri"), site.url("/auth/signed-out"));
    assert_eq!(claims(&parameter(&location, "id_token_hint"))["aud"], "todo-web");
    assert_eq!(parameter(&location, "client_id"), "todo-web");
    assert!(parameter(&location, "state").len() >= 22);
    // On to the provider and back to the page that says so.
    let mut visit = browser.open(location.as_str()).await;
    if !visit.url.as_str().starts_with(&site.addresses().gateway) {
        let form = visit.forms().into_iter().next().expect("the provider asks");
        visit = browser.submit(&visit, &form, &[]).await;
    }
    assert_eq!(visit.url.path(), "/auth/signed-out", "{:?}", visit.trail);
    visit.reply.must_be(200);
    assert!(visit.reply.text().contains("signed out"));
    // The provider asks for the password again.
    let again = browser.open("/auth/sign-in").await;
    assert!(again.url.as_str().starts_with(&site.addresses().provider), "{:?}", again.trail);
    assert!(again.forms()[0].has("email") || again.forms()[0].has("password"));
}

#[tokio::test]
async fn a_script_that_signs_out_is_told_where_to_go_next() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let reply = browser.fetch("POST", "/auth/sign-out").await;
    let answer = reply.must_be(200).json();
    assert_eq!(answer["signed_out"], true);
    assert!(
        answer["location"].as_str().is_some_and(|to| to.starts_with(&site.addresses().provider)),
        "{answer}"
    );
    assert_eq!(browser.session().await["signed_in"], false);
}

#[tokio::test]
async fn signing_out_works_while_the_provider_is_down_and_says_what_may_remain() {
    let mut site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let old = browser.copy();
    site.stop_provider().await;
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let location = reply.must_redirect().to_owned();
    assert!(
        location.starts_with("/auth/signed-out"),
        "nobody is sent to a provider that is down: {location}"
    );
    old.fetch("GET", "/plain").await;
    assert_eq!(old.session().await["signed_in"], false);
    let page = browser.open(&location).await;
    page.reply.must_be(200);
    assert!(page.reply.text().contains("may still be signed in there"), "{}", page.reply.text());
}

#[tokio::test]
async fn failing_revocation_never_keeps_anybody_signed_in_or_waiting() {
    for fault in [HttpFault::Status500, HttpFault::Close, HttpFault::Hang, HttpFault::Drip, HttpFault::Html] {
        let site = Site::start().await;
        let browser = site.signed_in(ALICE).await;
        let old = browser.copy();
        site.faults().set((Endpoint::Revoke, fault));
        let begun = Instant::now();
        browser.send(Ask::submit("/auth/sign-out", &[])).await.must_redirect();
        assert!(begun.elapsed() < Duration::from_secs(4), "{}: {:?}", fault.name(), begun.elapsed());
        assert_eq!(site.requests(Endpoint::Revoke), 1, "{}", fault.name());
        assert_eq!(old.session().await["signed_in"], false, "{}", fault.name());
    }
}

#[tokio::test]
async fn a_provider_without_places_for_sign_out_is_no_obstacle() {
    let plan = Plan::new().fault(MetadataFault::NoEndSession).fault(MetadataFault::NoRevocation);
    let site = plan.start().await;
    let browser = site.signed_in(ALICE).await;
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    assert_eq!(reply.must_redirect(), "/auth/signed-out");
    assert_eq!(browser.session().await["signed_in"], false);
}

#[tokio::test]
async fn no_other_site_can_sign_anybody_out() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let image = Ask::page("/auth/sign-out").set("sec-fetch-dest", "image").set("sec-fetch-mode", "no-cors");
    browser.send(image).await.must_be(405);
    browser.send(Ask::page("/auth/sign-out").set("sec-fetch-site", "cross-site")).await.must_be(405);
    browser.send(Ask::bare("HEAD", "/auth/sign-out")).await.must_be(405);
    let foreign_form = |origin: &str, from: &str| {
        Ask::submit("/auth/sign-out", &[]).set("origin", origin).set("sec-fetch-site", from)
    };
    for (origin, from) in [
        ("https://evil.example", "cross-site"),
        ("null", "cross-site"),
        ("http://localhost:1", "same-site"),
        (site.addresses().provider.as_str(), "same-site"),
    ] {
        browser.send(foreign_form(origin, from)).await.must_be(403);
    }
    browser
        .send(Ask::submit("/auth/sign-out", &[]).without("origin").without("sec-fetch-site"))
        .await
        .must_be(403);
    assert_eq!(browser.session().await["signed_in"], true);
    assert_eq!(site.requests(Endpoint::Revoke), 0);
    browser.send(Ask::submit("/auth/sign-out", &[])).await.must_redirect();
    assert_eq!(browser.session().await["signed_in"], false);
}

#[tokio::test]
async fn signing_out_twice_or_without_a_session_is_fine() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    browser.send(Ask::submit("/auth/sign-out", &[])).await.must_redirect();
    for _ in 0..2 {
        assert_eq!(
            browser.send(Ask::submit("/auth/sign-out", &[])).await.must_redirect(),
            "/auth/signed-out"
        );
    }
    assert_eq!(site.browser().fetch("POST", "/auth/sign-out").await.must_be(200).json()["signed_out"], true);
    assert_eq!(site.requests(Endpoint::Revoke), 1);
}

#[tokio::test]
async fn the_landing_page_does_nothing_whatever_it_is_called_with() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    for query in [
        "",
        "?state=junk",
        "?state=a&state=b",
        "?state=%3Cscript%3E",
        "?return_to=//evil.example",
        "?provider=evil",
    ] {
        let reply = browser.send(Ask::page(&format!("/auth/signed-out{query}"))).await;
        reply.must_be(200);
        assert!(reply.location().is_none() && reply.set_cookies().is_empty(), "{query}");
        assert!(!reply.text().contains("evil") && !reply.text().contains("<script>"), "{query}");
    }
    assert_eq!(browser.session().await["signed_in"], true);
}

#[tokio::test]
async fn a_return_path_on_sign_out_leads_nowhere_else() {
    let site = Site::start().await;
    for bad in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let browser = site.signed_in(ALICE).await;
        let target =
            format!("/auth/sign-out?return_to={}&post_logout_redirect_uri={}", encoded(bad), encoded(bad));
        let reply = browser.send(Ask::submit(&target, &[("return_to", bad)])).await;
        let location = reply.must_redirect();
        assert!(location.starts_with(&site.addresses().provider) && !location.contains("evil"), "{location}");
    }
}

#[tokio::test]
async fn another_site_cannot_take_the_cookie_away_either() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    // As browsers send it: the session's cookie stays behind, and the answer could still clear it.
    for (origin, from) in [("https://evil.example", "cross-site"), ("null", "cross-site")] {
        let form = Ask::submit("/auth/sign-out", &[]).set("origin", origin).set("sec-fetch-site", from);
        let reply = browser.send(form.without_cookies()).await;
        assert_eq!(reply.must_redirect(), "/auth/signed-out");
        assert!(reply.set_cookies().is_empty() && reply.header("clear-site-data").is_none());
    }
    assert_eq!(browser.session().await["signed_in"], true);
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let is_cleared = |cookie: &harness::SetCookie| cookie.name == SESSION && cookie.is_removal();
    assert!(reply.set_cookies().iter().any(is_cleared) && reply.header("clear-site-data").is_some());
}

#[tokio::test]
async fn signing_out_empties_what_the_browser_kept_but_its_cookies() {
    let site = Site::start().await;
    for ask in [Ask::submit("/auth/sign-out", &[]), Ask::fetch("POST", "/auth/sign-out")] {
        let browser = site.signed_in(ALICE).await;
        // Another tab is signing in meanwhile, and goes on.
        let tab = site.browser();
        let callback = tab.callback_address("/auth/sign-in", BOB).await;
        let reply = browser.send(ask).await;
        assert_eq!(reply.header("clear-site-data"), Some("\"cache\", \"storage\""));
        tab.send(Ask::page(callback.as_str())).await.must_redirect();
        assert_eq!(tab.session().await["signed_in"], true);
        // What was seen before is in no cache: nothing may keep it.
        let seen = browser.fetch("GET", "/api/todolist").await;
        assert_eq!(seen.must_be(401).header("cache-control"), Some("no-store"));
    }
    let site = Plan::new().set("session", "clear_site_data", "false").start().await;
    let browser = site.signed_in(ALICE).await;
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    assert!(reply.must_redirect().starts_with("http") && reply.header("clear-site-data").is_none());
}

#[tokio::test]
async fn an_id_token_that_is_too_long_for_an_address_travels_in_a_form() {
    let site = Site::start().await;
    let roles: Vec<String> = (0..200).map(|number| format!("a-role-with-a-long-name-{number}")).collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    assert!(site.provider().assign_app_roles(ALICE, "todo-web", &roles));
    let browser = site.signed_in(ALICE).await;
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    assert!(reply.must_be(200).is_page() && reply.set_cookies().iter().any(|cookie| cookie.name == SESSION));
    let policy = reply.header("content-security-policy").expect("a policy").to_owned();
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains(&site.addresses().provider), "{policy}");
    assert_eq!(browser.session().await["signed_in"], false);
    // Without scripts the person presses the button.
    let browser = site.signed_in(ALICE).await;
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let visit = Visit { url: browser.resolve("/auth/sign-out"), reply, trail: Vec::new() };
    let form = visit.forms().into_iter().next().expect("a form");
    let mut visit = browser.submit(&visit, &form, &[]).await;
    if !visit.url.as_str().starts_with(&site.addresses().gateway) {
        let form = visit.forms().into_iter().next().expect("the provider asks");
        visit = browser.submit(&visit, &form, &[]).await;
    }
    assert_eq!(visit.url.path(), "/auth/signed-out", "{:?}", visit.trail);
    let told = site.faults().seen(Endpoint::EndSession).remove(0).map();
    assert!(told["id_token_hint"].len() > 2_048);
    assert_eq!(told["post_logout_redirect_uri"], site.url("/auth/signed-out"));
    // A script is told an address that is not too long.
    let browser = site.signed_in(ALICE).await;
    let answer = browser.fetch("POST", "/auth/sign-out").await.must_be(200).json();
    let location = Url::parse(answer["location"].as_str().expect("an address")).expect("a URL");
    assert!(location.as_str().len() <= 2_048);
    assert_eq!(parameter(&location, "client_id"), "todo-web");
    assert_eq!(parameter(&location, "post_logout_redirect_uri"), site.url("/auth/signed-out"));
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
