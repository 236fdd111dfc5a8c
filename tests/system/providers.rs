//! Several providers behind one gateway: people choose, or the route does, and one provider's answer is never taken for
//! another's (CB-05, issue's "several providers"). The two are the development provider's two faces.

use dev_idp::Endpoint;
use dev_idp::faults::MetadataFault;
use harness::{Ask, Plan, Recorder, Site};
use url::Url;

use crate::support::*;

const TENANT: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";

/// The shipped configuration with both faces: `plain` as shipped, `entra` beside it.
fn two_providers() -> Plan {
    Plan::new()
        .tenant(|tenant| {
            for client in &mut tenant.clients {
                let registered = client.redirect_uris.clone();
                for (uri, name) in registered.iter().flat_map(|uri| [(uri, "plain"), (uri, "entra")]) {
                    client.redirect_uris.push(format!("{uri}/{name}"));
                }
            }
        })
        .gateway(|text| {
            let issuer =
                text.lines().find_map(|line| line.strip_prefix("issuer        = \"")).expect("an issuer");
            let issuer = issuer.split('"').next().expect("quoted").to_owned();
            let port = issuer.rsplit(':').next().expect("a port").to_owned();
            let entra = format!(
                r#"
[providers.entra]
label         = "Work account"
issuer        = "http://{TENANT}.localhost:{port}/{TENANT}/v2.0"
metadata_url  = "http://localhost:{port}/{TENANT}/v2.0/.well-known/openid-configuration"
client_id     = "todo-web"
client_secret = {{ file = "deploy/dev-idp/todo-web.secret" }}
scopes        = ["profile", "email", "offline_access"]
"#
            );
            text.replacen("[provider]\n", "[providers.plain]\nlabel = \"Example account\"\n", 1) + &entra
        })
}

async fn site() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let route =
        "\n[[routes]]\npath = \"/work\"\nupstream = \"recorder\"\nprovider = \"entra\"\ncsrf = \"origin\"\n";
    let plan = two_providers().append(recorder_routes(&recorder)).append(route);
    (plan.start().await, recorder)
}

#[tokio::test]
async fn people_choose_whom_to_sign_in_with_and_are_the_persons_of_that_provider() {
    let (site, _recorder) = site().await;
    let browser = site.browser();
    let page = browser.send(Ask::page("/auth/sign-in?return_to=%2Fapp")).await.must_be(200).text();
    for (name, label) in [("plain", "Example account"), ("entra", "Work account")] {
        assert!(
            page.contains(label) && page.contains(&format!("provider={name}&amp;return_to=%2Fapp")),
            "{page}"
        );
    }
    assert_eq!(site.requests(Endpoint::Authorize), 0, "nobody was sent anywhere");
    for (name, issuer) in
        [("plain", site.addresses().provider.clone()), ("entra", site.addresses().entra_issuer.clone())]
    {
        let browser = site.browser();
        let target = format!("/auth/sign-in?provider={name}&return_to=%2Fapp");
        let callback = browser.callback_address(&target, ALICE).await;
        assert_eq!(callback.path(), format!("/auth/callback/{name}"), "each has an address of its own");
        browser.send(Ask::page(callback.as_str())).await.must_be(303);
        browser.fetch("GET", "/plain").await.must_be(200);
        let page = browser.send(Ask::page("/app")).await.must_be(200).text();
        assert!(!page.contains("Choose"), "{name}");
        let sign_out = browser.send(Ask::submit("/auth/sign-out", &[])).await;
        let hint = parameter(&Url::parse(sign_out.must_redirect()).expect("a URL"), "id_token_hint");
        assert_eq!(claims(&hint)["iss"], issuer.as_str(), "and is told of the sign-out");
    }
}

#[tokio::test]
async fn a_visitor_chooses_only_where_the_route_does_not() {
    let (site, _recorder) = site().await;
    let reply = site.browser().send(Ask::page("/app")).await;
    assert_eq!(reply.must_redirect(), "/auth/sign-in?return_to=%2Fapp");
    let reply = site.browser().send(Ask::page("/work")).await;
    assert!(reply.must_redirect().contains(TENANT), "straight to the one it names");
}

#[tokio::test]
async fn a_route_of_one_provider_is_not_for_people_of_another() {
    let (site, recorder) = site().await;
    let browser = site.browser();
    browser.sign_in_at("/auth/sign-in?provider=plain", ALICE).await;
    let problem = browser.fetch("GET", "/work").await.must_be(401).json();
    assert_eq!(problem["reason"], "other_provider");
    assert_eq!(problem["sign_in"], "/auth/sign-in?return_to=%2F&provider=entra");
    recorder.must_be_untouched();
    browser.sign_in_at("/auth/sign-in?provider=entra", ALICE).await;
    browser.fetch("GET", "/work").await.must_be(200);
}

#[tokio::test]
async fn the_answer_of_one_provider_is_not_taken_for_anothers() {
    let (site, _recorder) = site().await;
    for (asked, other) in [("plain", "entra"), ("entra", "plain")] {
        let browser = site.browser();
        let target = format!("/auth/sign-in?provider={asked}");
        let callback = browser.callback_address(&target, ALICE).await;
        let mut elsewhere = callback.clone();
        elsewhere.set_path(&format!("/auth/callback/{other}"));
        let before = site.requests(Endpoint::Token);
        browser.copy().send(Ask::page(elsewhere.as_str())).await.must_be(400);
        assert_eq!(site.requests(Endpoint::Token), before, "no code goes to the wrong place");
        assert_eq!(browser.session().await["signed_in"], false);
        // The twin: the same answer where it belongs, in another browser that was not told of the first.
        let browser = site.browser();
        let callback = browser.callback_address(&target, ALICE).await;
        browser.send(Ask::page(callback.as_str())).await.must_be(303);
        assert_eq!(browser.session().await["signed_in"], true);
    }
    site.browser().send(Ask::page("/auth/callback")).await.must_be(404);
}

#[tokio::test]
async fn readiness_names_the_provider_that_is_missing() {
    let site = two_providers().start().await;
    site.ready().await;
    let site = two_providers().fault(MetadataFault::NotJson).start().await;
    let reply = site.admin("/readyz").await.must_be(503).json();
    let reasons = reply["reasons"].to_string();
    assert!(reasons.contains("provider plain: ") && reasons.contains("provider entra: "), "{reasons}");
}
