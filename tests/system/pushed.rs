//! Requests that go to the provider directly and not through the browser (requirement SI-19), and claims that come from
//! the userinfo endpoint (requirement IT-14).

use dev_idp::Endpoint;
use dev_idp::faults::{MetadataFault, ParFault};
use harness::{Ask, Plan};

use crate::support::*;

#[tokio::test]
async fn a_provider_that_requires_pushed_requests_gets_them_and_the_browser_carries_a_name_alone() {
    let site = Plan::new().fault(MetadataFault::RequirePar).start().await;
    let browser = site.browser();
    let location = begin(&browser, "/auth/sign-in").await;
    let names: Vec<String> = parameters(&location).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    assert_eq!(site.requests(Endpoint::Par), 1);
    sign_in_must_work(&browser, "a pushed request").await;
}

#[tokio::test]
async fn a_request_that_cannot_be_pushed_never_goes_through_the_browser() {
    let site = Plan::new().set("provider", "par", "\"always\"").start().await;
    let browser = site.browser();
    for (fault, statuses) in [
        (ParFault::InvalidRequest, &[502][..]),
        (ParFault::InvalidClient, &[502]),
        (ParFault::ServerError, &[503]),
        (ParFault::HostileError, &[502]),
        (ParFault::MissingRequestUri, &[502]),
        (ParFault::RequestUriNumber, &[502]),
        (ParFault::RequestUriEmpty, &[502]),
        (ParFault::HostileRequestUri, &[502]),
        (ParFault::Array, &[502]),
        (ParFault::NotJson, &[502]),
    ] {
        let asked = site.requests(Endpoint::Par);
        site.faults().set(fault);
        let reply = browser.send(Ask::page("/auth/sign-in")).await;
        must_be_refused(&reply, statuses, fault.name());
        assert_eq!(site.requests(Endpoint::Par), asked + 1, "{}: asked once", fault.name());
        assert!(!reply.sets(LOGIN), "{}: no attempt is left behind", fault.name());
        site.heal();
        sign_in_must_work(&browser, fault.name()).await;
    }
}

#[tokio::test]
async fn userinfo_fills_in_what_is_named_and_never_speaks_of_somebody_else() {
    let site = Plan::new()
        .set("provider", "userinfo", "\"always\"")
        .set("provider", "userinfo_claims", "[\"locale\"]")
        .set("session", "claims", "[\"sub\", \"name\", \"locale\"]")
        .start()
        .await;
    let browser = site.browser();
    site.faults().edit_userinfo(|claims| {
        claims["locale"] = "de".into();
        claims["name"] = "Somebody else".into();
    });
    browser.sign_in(ALICE).await;
    let claims = browser.session().await["claims"].clone();
    assert_eq!(claims["locale"], "de");
    assert_ne!(claims["name"], "Somebody else", "nobody named it");
    for wrong in ["sub", "array"] {
        site.faults().edit_userinfo(move |claims| match wrong {
            "sub" => claims["sub"] = "somebody-else".into(),
            _ => *claims = serde_json::json!([claims.clone()]),
        });
        let other = site.browser();
        sign_in_must_fail(&other, &[400, 502], wrong).await;
        site.heal();
        sign_in_must_work(&other, wrong).await;
    }
}
