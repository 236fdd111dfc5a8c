//! The provider has the browser say that a session there is over: front-channel logout (requirements FL-01 to FL-03).

use dev_idp::Endpoint;
use harness::{Ask, Browser, Plan, Reply, Site};

use crate::support::*;

const PATH: &str = "/auth/frontchannel-logout";

/// `sid` of the only session there is.
async fn sid(site: &Site) -> String {
    let (sessions, _) = site.live()[0].sessions.page(None, 10).await.expect("the store is there");
    assert_eq!(sessions.len(), 1);
    sessions[0].summary.provider_session.clone().expect("the provider names its sessions")
}

/// As a browser loads it into a frame of the provider's page: without the cookies of this site.
async fn framed(site: &Site, pairs: &[(&str, &str)]) -> Reply {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let ask = Ask::page(&format!("{PATH}?{query}"))
        .set("sec-fetch-dest", "iframe")
        .set("sec-fetch-site", "cross-site")
        .without_cookies();
    let reply = site.browser().send(ask).await;
    reply.must_be(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.set_cookies().is_empty());
    reply
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.session().await["signed_in"] == true
}

#[tokio::test]
async fn issuer_and_sid_together_end_their_session_and_nothing_else_does() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let (issuer, sid) = (site.provider().issuer(), sid(&site).await);
    let slash = format!("{issuer}/");
    let mut answers = Vec::new();
    for pairs in [
        &[][..],
        &[("iss", &*issuer)],
        &[("sid", &*sid)],
        &[("iss", &*issuer), ("sid", "another")],
        &[("iss", &*issuer), ("sid", "")],
        &[("iss", &*slash), ("sid", &*sid)],
        &[("iss", "https://evil.example"), ("sid", &*sid)],
        &[("iss", &*issuer), ("iss", &*issuer), ("sid", &*sid)],
        &[("iss", &*issuer), ("sid", &*sid), ("sid", "x")],
    ] {
        answers.push(framed(&site, pairs).await);
        assert!(is_signed_in(&alice).await, "{pairs:?}");
    }
    answers.push(framed(&site, &[("iss", &issuer), ("sid", &sid), ("other", "x")]).await);
    assert!(!is_signed_in(&alice).await);
    answers.push(framed(&site, &[("iss", &issuer), ("sid", &sid)]).await);
    // Nobody can tell by the answer whether there was such a session.
    let said = |reply: &Reply| (reply.text(), reply.header("content-security-policy").map(str::to_owned));
    assert!(answers.iter().all(|answer| said(answer) == said(&answers[0])));
    for method in ["POST", "HEAD", "PUT"] {
        site.browser().send(Ask::bare(method, PATH)).await.must_be(405);
    }
}

#[tokio::test]
async fn a_frame_never_has_anything_revoked_at_the_provider() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let (issuer, sid) = (site.provider().issuer(), sid(&site).await);
    framed(&site, &[("iss", &issuer), ("sid", &sid)]).await;
    assert!(!is_signed_in(&alice).await);
    assert_eq!(site.requests(Endpoint::Revoke), 0);
    assert_eq!(site.requests(Endpoint::EndSession), 0);
}

#[tokio::test]
async fn the_session_that_a_request_brings_along_plays_no_part() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let issuer = site.provider().issuer();
    let own = Ask::page(&format!("{PATH}?iss={issuer}&sid=another"));
    assert!(alice.send(own).await.must_be(200).set_cookies().is_empty());
    assert!(is_signed_in(&alice).await);
    let stale = Ask::page(PATH).header("cookie", &format!("{SESSION}={}", "a".repeat(64)));
    assert!(site.browser().send(stale).await.must_be(200).set_cookies().is_empty());
}

#[tokio::test]
async fn the_provider_alone_may_frame_the_answer() {
    for entra in [false, true] {
        let plan = Plan::new();
        let site = if entra { plan.entra() } else { plan }.start().await;
        site.signed_in(ALICE).await;
        let reply = site.browser().send(Ask::page(PATH)).await;
        let policy = reply.must_be(200).header("content-security-policy").expect("a policy").to_owned();
        let ancestors = policy.rsplit_once("frame-ancestors ").expect("who may frame it").1;
        assert!(ancestors.split(' ').any(|origin| origin == site.addresses().provider), "{policy}");
        let local =
            |origin: &str| origin.starts_with("http://localhost:") || origin.starts_with("http://") && entra;
        assert!(ancestors.split(' ').all(local), "{policy}");
        assert!(reply.header("x-frame-options").is_none());
        // Every other page is framed by nobody.
        let other = site.browser().send(Ask::page("/auth/signed-out")).await;
        let other = other.header("content-security-policy").expect("a policy");
        assert!(other.contains("frame-ancestors 'none'"), "{other}");
    }
}
