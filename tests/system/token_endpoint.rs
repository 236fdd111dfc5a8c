//! Spending the code: how the gateway asks the token endpoint, and what it makes of bad answers (CB-13 to CB-22).

use std::time::{Duration, Instant};

use dev_idp::Endpoint;
use dev_idp::faults::{Fault, HttpFault, TokenFault};
use dev_idp::tenant::ClientSecret;
use harness::{Ask, Kind, Outside, Plan, Site};

use crate::support::*;

#[tokio::test]
async fn a_secret_of_any_characters_reaches_the_provider_as_it_is() {
    let secret = "p%:+ é&=/?#\"'<ü>-long-enough";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("odd.secret");
    std::fs::write(&file, secret).expect("a file");
    let plan = Plan::new()
        .tenant(move |tenant| {
            tenant.client_mut("todo-web").expect("the web app").secret = ClientSecret::new(secret)
        })
        .replace("deploy/dev-idp/todo-web.secret", file.display().to_string());
    let site = plan.start().await;
    sign_in_must_work(&site.browser(), "an odd secret").await;
    let asked = site.faults().last_token().expect("a token request");
    assert_eq!(asked["basic_secret"], secret);
    assert_eq!(asked["basic_id"], "todo-web");
    assert!(!asked.contains_key("client_secret"), "one way of authentication, not two");
    assert_eq!(asked["grant_type"], "authorization_code");
    assert_eq!(asked["redirect_uri"], site.url("/auth/callback"));
}

#[tokio::test]
async fn the_secret_goes_into_the_body_where_the_configuration_says_so() {
    let plan =
        Plan::new().replace("[provider]", "[provider]\nclient_authentication = \"client_secret_post\"");
    let site = plan.start().await;
    sign_in_must_work(&site.browser(), "client_secret_post").await;
    let asked = site.faults().last_token().expect("a token request");
    assert!(asked.contains_key("client_secret") && !asked.contains_key("basic_secret"));
    assert_eq!(site.faults().seen(Endpoint::Token).last().expect("one").method, "POST");
}

#[tokio::test]
async fn a_refused_client_signs_nobody_in_and_says_nothing_of_the_secret() {
    let plan = Plan::new().tenant(|tenant| {
        tenant.client_mut("todo-web").expect("the web app").secret =
            ClientSecret::new("another-secret-altogether");
    });
    let site = plan.start().await;
    sign_in_must_fail(&site.browser(), &[400, 502], "a wrong secret").await;
    assert_eq!(token_requests(&site), 1);
}

#[tokio::test]
async fn token_responses_that_are_not_what_they_should_be_sign_nobody_in() {
    let site = Site::start().await;
    let browser = site.browser();
    let bad = [
        TokenFault::NotJson,
        TokenFault::Empty,
        TokenFault::Array,
        TokenFault::DuplicateAccessToken,
        TokenFault::DuplicateIdToken,
        TokenFault::MissingAccessToken,
        TokenFault::MissingTokenType,
        TokenFault::MissingIdToken,
        TokenFault::NumericAccessToken,
        TokenFault::ObjectIdToken,
        TokenFault::EmptyIdToken,
        TokenFault::Html,
        TokenFault::Deep,
        TokenFault::Trailing,
        TokenFault::TypeMac,
        TokenFault::TypeDpop,
        TokenFault::TypeEmpty,
        TokenFault::AccessTokenCrLf,
        TokenFault::AccessTokenNul,
        TokenFault::AccessTokenSpace,
        TokenFault::AccessTokenUtf8,
        TokenFault::AccessTokenHuge,
        TokenFault::AccessTokenEmpty,
        TokenFault::RefreshTokenCrLf,
    ];
    for fault in bad {
        site.faults().once(fault);
        let asked = token_requests(&site);
        sign_in_must_fail(&browser, &[400, 502], fault.name()).await;
        assert_eq!(token_requests(&site), asked + 1, "{}: asked once", fault.name());
        assert!(site.faults().active().is_empty(), "{}: the fault was met", fault.name());
    }
    sign_in_must_work(&browser, "a right answer").await;
}

#[tokio::test]
async fn the_token_type_is_compared_without_regard_to_case() {
    let site = Site::start().await;
    let browser = site.browser();
    for fault in [TokenFault::TypeLowerCase, TokenFault::TypeUpperCase] {
        site.faults().once(fault);
        sign_in_must_work(&browser, fault.name()).await;
    }
}

#[tokio::test]
async fn an_odd_lifetime_of_a_token_neither_breaks_nor_extends_anything() {
    let site = Site::start().await;
    let odd = [
        TokenFault::ExpiresInMissing,
        TokenFault::ExpiresInZero,
        TokenFault::ExpiresInNegative,
        TokenFault::ExpiresInString,
        TokenFault::ExpiresInHuge,
        TokenFault::ExpiresInNull,
    ];
    for fault in odd {
        let browser = site.browser();
        site.faults().set(fault);
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        let reply = browser.send(Ask::page(callback.as_str())).await;
        assert!(matches!(reply.status.as_u16(), 303 | 502), "{}: {}", fault.name(), reply.status);
        if reply.status == 303 {
            let reply = browser.fetch("GET", "/api/todolist").await;
            assert!(
                matches!(reply.status.as_u16(), 200 | 401 | 502 | 503),
                "{}: {}",
                fault.name(),
                reply.status
            );
            // Past an hour the access token is over, whatever was said of it: a new one is fetched or none is used.
            site.advance(Duration::from_secs(3_700));
            site.heal();
            let reply = browser.fetch("GET", "/api/todolist").await;
            assert!(matches!(reply.status.as_u16(), 200 | 401), "{}: {}", fault.name(), reply.status);
        }
        site.heal();
    }
}

#[tokio::test]
async fn errors_of_the_token_endpoint_are_asked_once_and_shown_in_fixed_words() {
    let site = Site::start().await;
    let browser = site.browser();
    let errors: [(Fault, &[u16]); 12] = [
        (TokenFault::InvalidGrant.into(), &[400]),
        (TokenFault::InvalidClient.into(), &[400, 502]),
        (TokenFault::InvalidRequest.into(), &[400, 502]),
        (TokenFault::HostileError.into(), &[400, 502, 503]),
        (TokenFault::ServerError.into(), &[502, 503]),
        (TokenFault::Unavailable.into(), &[502, 503]),
        ((Endpoint::Token, HttpFault::Status400).into(), &[400, 502]),
        ((Endpoint::Token, HttpFault::Status401).into(), &[400, 502]),
        ((Endpoint::Token, HttpFault::Status429).into(), &[502, 503]),
        ((Endpoint::Token, HttpFault::Status500).into(), &[502, 503]),
        ((Endpoint::Token, HttpFault::Close).into(), &[502, 503]),
        ((Endpoint::Token, HttpFault::Truncated).into(), &[502, 503]),
    ];
    for (fault, statuses) in errors {
        site.faults().set(fault);
        let asked = token_requests(&site);
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        let reply = browser.send(Ask::page(callback.as_str())).await;
        must_be_refused(&reply, statuses, &fault.name());
        assert!(!reply.text().contains("<script>") && !reply.text().contains("AADSTS"), "{}", reply.text());
        assert_eq!(token_requests(&site), asked + 1, "{}: one request", fault.name());
        site.heal();
    }
    sign_in_must_work(&browser, "no error").await;
}

#[tokio::test]
async fn no_redirect_of_the_provider_is_ever_followed() {
    let outside = Outside::start();
    let site = Site::start().await;
    let browser = site.browser();
    let redirects = [
        HttpFault::Redirect301,
        HttpFault::Redirect302,
        HttpFault::Redirect303,
        HttpFault::Redirect307,
        HttpFault::Redirect308,
    ];
    for redirect in redirects {
        site.faults().set((Endpoint::Token, redirect));
        sign_in_must_fail(&browser, &[502, 503], redirect.name()).await;
        site.heal();
        site.faults().set((Endpoint::Revoke, redirect));
        let alice = site.signed_in(ALICE).await;
        alice.send(Ask::submit("/auth/sign-out", &[])).await.must_redirect();
        assert_eq!(alice.session().await["signed_in"], false);
        site.heal();
    }
    assert_eq!(site.requests(Endpoint::Canary), 0);
    outside.must_be_silent();
    sign_in_must_work(&browser, "no redirect").await;
}

#[tokio::test]
async fn redirected_metadata_and_keys_are_not_followed_either() {
    for endpoint in [Endpoint::Metadata, Endpoint::Keys] {
        let site = Plan::new().fault((endpoint, HttpFault::Redirect302)).start().await;
        let reply = site.browser().send(Ask::page("/auth/sign-in")).await;
        reply.must_be(503);
        assert_eq!(site.admin("/readyz").await.status, 503);
        assert_eq!(site.requests(Endpoint::Canary), 0, "{}", endpoint.name());
        site.heal();
        site.ready().await;
        sign_in_must_work(&site.browser(), endpoint.name()).await;
    }
}

#[tokio::test]
async fn answers_without_end_are_cut_off_in_time_and_size() {
    let site = Site::start().await;
    let browser = site.browser();
    browser.sign_in(ALICE).await;
    for fault in
        [HttpFault::Huge, HttpFault::GzipBomb, HttpFault::DeepJson, HttpFault::Html, HttpFault::Empty]
    {
        site.faults().set((Endpoint::Token, fault));
        let begun = Instant::now();
        sign_in_must_fail_signed_in(&site, fault.name()).await;
        assert!(begun.elapsed() < Duration::from_secs(12), "{}: {:?}", fault.name(), begun.elapsed());
        site.heal();
    }
    sign_in_must_work(&site.browser(), "an answer with an end").await;
}

/// As `sign_in_must_fail`, in a new browser.
async fn sign_in_must_fail_signed_in(site: &Site, what: &str) {
    sign_in_must_fail(&site.browser(), &[400, 502, 503], what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_or_drips_costs_twelve_seconds_at_most() {
    let site = std::sync::Arc::new(Site::start().await);
    let mut waiting = Vec::new();
    for fault in [HttpFault::Hang, HttpFault::HangBody, HttpFault::Drip] {
        let browser = site.browser();
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        waiting.push((fault, browser, callback));
    }
    let mut asking = tokio::task::JoinSet::new();
    for (fault, browser, callback) in waiting {
        site.faults().once((Endpoint::Token, fault));
        let begun = Instant::now();
        let asked = token_requests(&site);
        asking.spawn(async move {
            let reply = browser.send(Ask::page(callback.as_str())).await;
            must_be_refused(&reply, &[502, 503, 504], fault.name());
            assert!(begun.elapsed() < Duration::from_secs(12), "{}: {:?}", fault.name(), begun.elapsed());
        });
        // The next fault is for the next request.
        harness::eventually("the token endpoint is asked", || async { token_requests(&site) > asked }).await;
    }
    while let Some(joined) = asking.join_next().await {
        joined.expect("within twelve seconds");
    }
    sign_in_must_work(&site.browser(), "a provider that answers").await;
}

#[tokio::test]
async fn a_scope_that_was_not_granted_closes_the_routes_that_need_it_and_no_others() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    site.faults().set(Fault::Refresh(TokenFault::ScopeNarrower));
    let reply = browser.fetch("GET", "/api/todolist").await;
    assert!(matches!(reply.status.as_u16(), 401 | 403), "{} {}", reply.status, reply.text());
    browser.fetch("GET", "/plain").await.must_be(200);
    assert_eq!(browser.session().await["signed_in"], true);
    // Granted in full, the same route opens, in a new session.
    site.heal();
    site.signed_in(ALICE).await.fetch("GET", "/api/todolist").await.must_be(200);
}

#[tokio::test]
async fn the_search_for_secrets_knows_what_passed() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    let secrets = site.secrets();
    for kind in [
        Kind::AccessToken,
        Kind::RefreshToken,
        Kind::IdToken,
        Kind::Code,
        Kind::Verifier,
        Kind::ClientSecret,
        Kind::Cookie,
        Kind::Attempt,
    ] {
        assert!(secrets.count(kind) > 0, "{kind:?}");
    }
}
