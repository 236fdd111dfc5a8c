//! The provider's metadata: whose it must be, and a provider that is away or turns strange (SI-20 to SI-22, EP-03, EP-04).

use std::time::Duration;

use dev_idp::Endpoint;
use dev_idp::faults::{Fault, HttpFault, MetadataFault};
use harness::{Ask, Plan, Site};

use crate::support::*;

#[tokio::test]
async fn metadata_of_another_issuer_or_with_unsafe_addresses_is_not_used() {
    let refused = [
        MetadataFault::WrongIssuer,
        MetadataFault::IssuerSlash,
        MetadataFault::IssuerCase,
        MetadataFault::IssuerPort,
        MetadataFault::MissingIssuer,
        MetadataFault::IssuerTemplate,
        MetadataFault::HttpAuthorize,
        MetadataFault::HttpToken,
        MetadataFault::HttpJwks,
        MetadataFault::TokenNotUrl,
        MetadataFault::MissingAuthorize,
        MetadataFault::MissingToken,
        MetadataFault::MissingJwks,
        MetadataFault::NotJson,
        MetadataFault::Array,
        MetadataFault::DuplicateIssuer,
    ];
    for fault in refused {
        let site = Plan::new().fault(fault).start().await;
        let browser = site.browser();
        let reply = browser.send(Ask::page("/auth/sign-in")).await;
        assert_eq!(reply.status, 503, "{}", fault.name());
        assert!(reply.header("retry-after").is_some() && reply.is_page(), "{}", fault.name());
        assert!(!reply.sets(LOGIN), "{}", fault.name());
        let ready = site.admin("/readyz").await;
        assert_eq!(ready.status, 503, "{}: {}", fault.name(), ready.text());
        assert!(ready.text().contains("provider"), "{}", ready.text());
        assert_eq!(token_requests(&site), 0, "{}", fault.name());
        browser.open("/").await.must_show("/");
    }
    let site = Site::start().await;
    site.ready().await;
    sign_in_must_work(&site.browser(), "the right issuer").await;
}

#[tokio::test]
async fn a_template_issuer_is_refused_without_a_list_of_tenants() {
    let template = "https://login.example/{tenantid}/v2.0";
    let plan = Plan::new().gateway(move |text| {
        text.lines()
            .map(|line| {
                if line.starts_with("issuer ") {
                    format!("issuer = \"{template}\"\n")
                } else {
                    format!("{line}\n")
                }
            })
            .collect()
    });
    let error = plan.try_start().await.err().expect("it must not start");
    let error = format!("{error:#}");
    assert!(error.contains("tenants"), "{error}");
}

#[tokio::test]
async fn a_bad_refresh_of_the_metadata_keeps_the_last_good_copy() {
    let site = Site::start().await;
    site.ready().await;
    let bad: [Fault; 4] = [
        MetadataFault::WrongIssuer.into(),
        MetadataFault::NotJson.into(),
        MetadataFault::HttpToken.into(),
        (Endpoint::Metadata, HttpFault::Status500).into(),
    ];
    for fault in bad {
        site.faults().set(fault);
        site.advance(Duration::from_secs(2 * 3_600));
        sign_in_must_work(&site.browser(), &fault.name()).await;
        assert_eq!(site.admin("/readyz").await.status, 200, "{}", fault.name());
        site.heal();
    }
}

#[tokio::test]
async fn a_provider_that_is_down_at_the_start_closes_only_what_needs_it_and_all_heals_by_itself() {
    let mut site = Plan::new().without_provider().start().await;
    let browser = site.browser();
    browser.open("/").await.must_show("/");
    assert_eq!(browser.session().await["signed_in"], false);
    let reply = browser.send(Ask::page("/auth/sign-in")).await;
    reply.must_be(503);
    assert!(reply.header("retry-after").is_some() && reply.is_page());
    let protected = browser.send(Ask::page("/api/todolist")).await;
    protected.must_be(503);
    browser.send(Ask::fetch("GET", "/api/todolist")).await.must_be(401);
    assert_eq!(site.admin("/healthz").await.status, 200);
    let ready = site.admin("/readyz").await;
    ready.must_be(503);
    assert!(ready.text().contains("provider"), "{}", ready.text());
    site.start_provider().await;
    site.ready().await;
    browser.sign_in(ALICE).await.must_show("/");
    browser.fetch("GET", "/api/todolist").await.must_be(200);
}

#[tokio::test]
async fn sessions_go_on_while_the_provider_is_away() {
    let mut site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    site.stop_provider().await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    assert_eq!(browser.session().await["signed_in"], true);
    assert_eq!(site.admin("/healthz").await.status, 200);
    // A sign-in cannot be finished, and says so.
    let other = site.browser();
    let reply = other.send(Ask::page("/auth/sign-in")).await;
    assert!(matches!(reply.status.as_u16(), 303 | 503), "{}", reply.status);
}

#[tokio::test]
async fn health_is_told_on_the_admin_address_only_and_says_little() {
    let site = Site::start().await;
    site.ready().await;
    let alive = site.admin("/healthz").await;
    alive.must_be(200);
    let ready = site.admin("/readyz").await;
    ready.must_be(200);
    for path in ["/healthz/", "/healthz/x", "/Healthz", "/readyz/x", "/"] {
        assert_eq!(site.admin(path).await.status, 404, "{path}");
    }
    // On the public address these are paths like any other: the page of the single-page app or nothing.
    for path in ["/healthz", "/readyz", "/metrics"] {
        let reply = site.browser().send(Ask::bare("GET", path)).await;
        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
    }
}
