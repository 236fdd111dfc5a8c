//! Many sign-ins at once in one browser, and attempts that end up in another (requirements SI-04 to SI-07).

use harness::{Ask, Site};

use crate::support::*;

#[tokio::test]
async fn five_tabs_finish_in_reverse_and_each_ends_where_it_began() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.browser();
    let mut callbacks = Vec::new();
    for tab in 1..=5 {
        let path = format!("/app/tab?number={tab}");
        callbacks.push((browser.callback_address(&path, ALICE).await, path));
    }
    for (callback, path) in callbacks.into_iter().rev() {
        let reply = browser.send(Ask::page(callback.as_str())).await;
        assert_eq!(reply.must_redirect(), path);
        browser.send(Ask::page(&path)).await.must_be(200);
    }
    assert_eq!(token_requests(&site), 5);
}

#[tokio::test]
async fn two_hundred_pages_in_one_browser_leave_few_login_cookies_and_the_last_signs_in() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.browser();
    for number in 0..200 {
        let reply = browser.send(Ask::page(&format!("/app/page?number={number}"))).await;
        reply.must_redirect();
        let cookies = browser.cookies_like(LOGIN).len();
        assert!(cookies <= 10, "{cookies} login cookies after {number}");
        let bytes = browser.cookie_header().len();
        assert!(bytes <= 8 * 1024, "{bytes} bytes of cookies after {number}");
    }
    browser.sign_in_at("/app/page?number=last", ALICE).await.must_show("/app/page?number=last");
}

#[tokio::test]
async fn long_return_paths_do_not_fill_the_cookie_header_either() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.browser();
    let long = "x".repeat(1_900);
    for number in 0..30 {
        browser.send(Ask::page(&format!("/app/{number}?{long}"))).await.must_redirect();
        assert!(browser.cookie_header().len() <= 8 * 1024, "{} bytes", browser.cookie_header().len());
    }
    let last = format!("/app/last?{long}");
    browser.sign_in_at(&last, ALICE).await.must_show(&last);
}

#[tokio::test]
async fn a_callback_in_a_browser_that_did_not_begin_it_is_refused() {
    let site = Site::start().await;
    let (victim, thief) = (site.browser(), site.browser());
    let of_victim = victim.callback_address("/auth/sign-in", ALICE).await;
    let of_thief = thief.callback_address("/auth/sign-in", BOB).await;
    let asked = token_requests(&site);
    // The thief uses the victim's code; the victim is lured to the thief's callback (login CSRF).
    must_be_refused(&thief.send(Ask::page(of_victim.as_str())).await, &[400], "a stolen address");
    must_be_refused(&victim.send(Ask::page(of_thief.as_str())).await, &[400], "login CSRF");
    // Without any cookie, and with the other browser's cookies under this state's name.
    let bare = victim.send(Ask::page(of_victim.as_str()).without_cookies()).await;
    must_be_refused(&bare, &[400], "no login cookie");
    assert_eq!(token_requests(&site), asked);
    // Each in its own browser works.
    victim.send(Ask::page(of_victim.as_str())).await.must_be(303);
    thief.send(Ask::page(of_thief.as_str())).await.must_be(303);
    assert_eq!(victim.session().await["name"], "Alice Adams");
    assert_eq!(thief.session().await["name"], "Bob Baker");
}

#[tokio::test]
async fn a_login_cookie_opens_its_own_attempt_only() {
    let site = Site::start().await;
    let browser = site.browser();
    let first = browser.callback_address("/auth/sign-in", ALICE).await;
    let names_before = browser.cookies_like(LOGIN);
    let second = browser.callback_address("/auth/sign-in", ALICE).await;
    let own = names_before.first().expect("a login cookie").clone();
    let other = browser.cookies_like(LOGIN).into_iter().find(|name| *name != own).expect("another");
    let saved = browser.copy();
    // The first attempt's cookie under the second's name, and with a bit flipped under its own.
    let value = browser.cookie(&own).expect("a value");
    browser.set_cookie(&other, &value);
    must_be_refused(&browser.send(Ask::page(second.as_str())).await, &[400], "another attempt's cookie");
    let mut flipped = value.clone().into_bytes();
    flipped[20] = if flipped[20] == b'A' { b'B' } else { b'A' };
    browser.set_cookie(&own, &String::from_utf8(flipped).expect("ASCII"));
    must_be_refused(&browser.send(Ask::page(first.as_str())).await, &[400], "a tampered cookie");
    assert_eq!(token_requests(&site), 0);
    saved.send(Ask::page(first.as_str())).await.must_be(303);
    saved.send(Ask::page(second.as_str())).await.must_be(303);
}
