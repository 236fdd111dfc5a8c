//! Sign-outs that begin at the provider and reach the gateway as the development provider itself sends them: by
//! back-channel, with everything that can be wrong with a logout token, and by a frame in its page.

use dev_idp::faults::LogoutFault;
use dev_idp::{Endpoint, Face, LogoutMint};
use harness::{Ask, Browser, Site, Visit};

use crate::support::*;

/// The gateway, registered with the provider for all of it.
async fn registered() -> Site {
    let site = Site::start().await;
    let [back, front, initiate] = ["/auth/backchannel-logout", "/auth/frontchannel-logout", "/auth/initiate"]
        .map(|path| site.url(path));
    site.provider().edit_tenant(|tenant| {
        let client = tenant.clients.iter_mut().find(|client| client.client_id == "todo-web");
        let registration = &mut client.expect("the gateway's own").registration;
        registration.backchannel_logout_uri = Some(back);
        registration.frontchannel_logout_uri = Some(front);
        registration.initiate_login_uri = Some(initiate);
    });
    site
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.session().await["signed_in"] == true
}

#[tokio::test]
async fn an_administrator_of_the_provider_ends_every_session_here() {
    let site = registered().await;
    let (one, other, bob) =
        (site.signed_in(ALICE).await, site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let told = site.provider().end_sessions(ALICE).await;
    assert_eq!(told.len(), 2);
    for delivery in told {
        assert_eq!((delivery.status, delivery.body.as_str()), (Some(200), ""));
        assert_eq!(delivery.cache_control.as_deref(), Some("no-store"));
    }
    assert!(!is_signed_in(&one).await && !is_signed_in(&other).await && is_signed_in(&bob).await);
}

/// What the gateway makes of a token with that fault.
fn verdict(fault: LogoutFault) -> (u16, bool) {
    match fault {
        LogoutFault::AudienceArray
        | LogoutFault::MoreEvents
        | LogoutFault::EventMember
        | LogoutFault::TypJwt
        | LogoutFault::TypAbsent
        | LogoutFault::TypLong => (200, false),
        // Sound tokens about somebody else.
        LogoutFault::ForeignSid | LogoutFault::OtherSub => (200, true),
        _ => (400, true),
    }
}

#[tokio::test]
async fn everything_that_can_be_wrong_with_a_logout_token() {
    let site = registered().await;
    for fault in LogoutFault::ALL.iter().copied() {
        let before = site.provider().sessions(ALICE);
        let alice = site.signed_in(ALICE).await;
        let sid = site.provider().sessions(ALICE).into_iter().find(|sid| !before.contains(sid));
        let mint = LogoutMint::session(&sid.expect("she is signed in there")).with_sub(ALICE).fault(fault);
        let token = site.provider().logout_token(&mint).expect("minted");
        let (status, lives) = verdict(fault);
        let told = site.provider().send_logout_token("todo-web", &token).await.expect("registered");
        assert_eq!(told.status, Some(status), "{}: {}", fault.name(), told.body);
        assert_eq!(told.cache_control.as_deref(), Some("no-store"), "{}", fault.name());
        assert_eq!(is_signed_in(&alice).await, lives, "{}", fault.name());
        // The same without the fault, about the person.
        let token = site.provider().logout_token(&LogoutMint::person(ALICE)).expect("minted");
        let told = site.provider().send_logout_token("todo-web", &token).await.expect("registered");
        assert_eq!(told.status, Some(200), "{}: {}", fault.name(), told.body);
        assert!(!is_signed_in(&alice).await, "{}", fault.name());
    }
}

#[tokio::test]
async fn who_signs_out_here_is_signed_out_everywhere_and_the_echo_does_no_harm() {
    let site = registered().await;
    let browser = site.signed_in(ALICE).await;
    let elsewhere = site.signed_in(BOB).await;
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let visit = browser.open(reply.must_redirect()).await;
    if let Some(form) = visit.forms().into_iter().next() {
        browser.submit(&visit, &form, &[]).await;
    }
    // The provider tells the gateway what the gateway told it.
    let told = site.provider().logout_deliveries();
    assert_eq!(told.iter().map(|delivery| delivery.status).collect::<Vec<_>>(), [Some(200)]);
    assert!(!is_signed_in(&browser).await && is_signed_in(&elsewhere).await);
    browser.sign_in(ALICE).await.must_show("/");
    assert!(is_signed_in(&browser).await);
}

/// The addresses that a page has in its frames.
fn frames(visit: &Visit) -> Vec<String> {
    let text = visit.reply.text();
    let sources =
        text.split("<iframe").skip(1).filter_map(|frame| frame.split("src=\"").nth(1)?.split('"').next());
    sources.map(|source| source.replace("&amp;", "&")).collect()
}

#[tokio::test]
async fn the_frame_in_the_providers_page_ends_the_session_without_any_cookie() {
    let site = registered().await;
    let browser = site.signed_in(ALICE).await;
    // Only the frame shall do it.
    site.provider().edit_tenant(|tenant| {
        for client in &mut tenant.clients {
            client.registration.backchannel_logout_uri = None;
        }
    });
    let sid = site.provider().sessions(ALICE).pop().expect("she is signed in there");
    let end_session = site.provider().endpoint(Face::Plain, Endpoint::EndSession);
    let mut visit = browser.open(&end_session).await;
    if let Some(form) = visit.forms().into_iter().next() {
        visit = browser.submit(&visit, &form, &[]).await;
    }
    let frames = frames(&visit);
    assert_eq!(frames.len(), 1, "{}", visit.reply.text());
    assert!(frames[0].contains(&sid));
    assert!(is_signed_in(&browser).await);
    let frame = Ask::page(&frames[0]).set("sec-fetch-dest", "iframe").set("sec-fetch-site", "cross-site");
    browser.send(frame.without_cookies()).await.must_be(200);
    assert!(!is_signed_in(&browser).await);
}

#[tokio::test]
async fn the_link_on_the_providers_home_page_signs_in() {
    let site = registered().await;
    let more = [("target_link_uri", "/todos"), ("login_hint", ALICE)];
    let link = site.provider().initiate_login_url("todo-web", Face::Plain, &more).expect("registered");
    let browser = site.browser();
    let visit = browser.sign_in_at(&link, ALICE).await;
    visit.must_show("/todos");
    assert!(is_signed_in(&browser).await);
}
