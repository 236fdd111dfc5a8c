//! The session's identifier changes, at sign-in, with what a person agrees to, and by itself; nobody notices (section 4).

use std::time::Duration;

use harness::{Ask, Browser, Echo, Kept, Plan, RedisServer, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A site with `/echo` whose identifiers change every hour.
async fn site(echo: &Echo) -> Site {
    plan(echo).start().await
}

fn plan(echo: &Echo) -> Plan {
    Plan::new().echo(echo).set("session", "rotate", "\"1h\"").set("session", "idle", "\"4h\"")
}

fn id(browser: &Browser) -> String {
    browser.cookie(SESSION).expect("a session")
}

/// The provider's session in the token that is sent upstream: the same as long as the sign-in is.
async fn sid(browser: &Browser) -> String {
    let claims = browser.fetch("GET", "/echo").await.must_be(200).json();
    claims["sid"].as_str().expect("a sid").to_owned()
}

#[tokio::test]
async fn the_identifier_changes_by_itself_and_the_session_goes_on() {
    let echo = Echo::start().await;
    let site = site(&echo).await;
    let browser = site.signed_in(ALICE).await;
    let (first, before, sign_in) = (id(&browser), browser.session().await, sid(&browser).await);
    site.advance(59 * MINUTE);
    browser.session().await;
    assert_eq!(id(&browser), first, "not yet");
    site.advance(2 * MINUTE);
    let reply = browser.fetch("GET", "/auth/session").await;
    assert!(reply.sets(SESSION), "{:?}", reply.headers);
    let second = id(&browser);
    assert_ne!(second, first);
    assert_eq!(second.len(), first.len());
    // The same session in every other way: its end does not move.
    assert_eq!(browser.session().await["expires_at"], before["expires_at"]);
    assert_eq!(sid(&browser).await, sign_in);
    assert_eq!(id(&browser), second, "once an hour");
    site.advance(61 * MINUTE);
    browser.fetch("GET", "/who").await.must_be(200);
    assert_ne!(id(&browser), second, "on every route, not only the gateway's own");
}

/// `Max-Age` in seconds, and everything else.
fn split(attributes: &[String]) -> (u64, Vec<&str>) {
    let (age, rest): (Vec<&str>, Vec<&str>) =
        attributes.iter().map(String::as_str).partition(|attribute| attribute.starts_with("Max-Age="));
    (age[0]["Max-Age=".len()..].parse().expect("seconds"), rest)
}

#[tokio::test]
async fn a_new_cookie_looks_like_the_first() {
    let echo = Echo::start().await;
    let site = site(&echo).await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let session = |reply: &harness::Reply| {
        reply.set_cookies().into_iter().find(|cookie| cookie.name == SESSION).expect("a session cookie")
    };
    let first = session(&browser.send(Ask::page(callback.as_str())).await);
    site.advance(61 * MINUTE);
    let reply = browser.fetch("GET", "/who").await;
    let second = session(&reply);
    // It lasts as long as the session: eight hours at first, one hour and one minute less now.
    let (lasts, rest) = split(&first.attributes);
    let (lasts_now, rest_now) = split(&second.attributes);
    assert_eq!(rest_now, rest);
    assert_eq!(lasts, 8 * 3_600);
    assert!((lasts_now + 61 * 60).abs_diff(lasts) <= 5, "{lasts_now} s of {lasts} s");
    assert_eq!(reply.set_cookies().len(), 1);
    // What carries a cookie must not be kept by a cache.
    assert!(
        reply.header("cache-control").is_some_and(|value| value.contains("no-store")),
        "{:?}",
        reply.headers
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_with_the_old_identifier_succeed_and_later_it_is_dead() {
    let echo = Echo::start().await;
    let site = site(&echo).await;
    let browser = site.signed_in(ALICE).await;
    let old = browser.copy();
    let (first, sign_in) = (id(&browser), sid(&browser).await);
    site.advance(61 * MINUTE);
    browser.session().await;
    browser.session().await;
    assert_ne!(id(&browser), first);
    // Fifty that left before the new cookie arrived.
    let mut late = JoinSet::new();
    for _ in 0..50 {
        let tab = old.copy();
        late.spawn(async move { sid(&tab).await });
    }
    assert!(late.join_all().await.into_iter().all(|sid| sid == sign_in));
    // Five minutes later nobody who holds the old one is let in; who holds the new one notices nothing.
    site.advance(5 * MINUTE);
    let stale = old.copy();
    stale.set_cookie(SESSION, &first);
    stale.fetch("GET", "/echo").await.must_be(401);
    assert_eq!(sid(&browser).await, sign_in);
}

#[tokio::test]
async fn a_new_cookie_that_is_lost_on_the_way_comes_again() {
    let echo = Echo::start().await;
    let site = site(&echo).await;
    let browser = site.signed_in(ALICE).await;
    let (first, sign_in) = (id(&browser), sid(&browser).await);
    site.advance(61 * MINUTE);
    for minutes in [0, 1, 10, 30] {
        // Each answer is lost, however late the browser comes again with what it has.
        site.advance(minutes * MINUTE);
        let lost = browser.copy();
        let reply = lost.fetch("GET", "/echo").await;
        reply.must_be(200);
        assert!(reply.sets(SESSION), "after {minutes} minutes: {:?}", reply.headers);
        assert_eq!(id(&browser), first);
    }
    // Until half a minute later it may yet arrive, and nothing else is sent. Then comes another, which does arrive.
    assert_eq!(sid(&browser).await, sign_in);
    assert_eq!(id(&browser), first);
    site.advance(MINUTE);
    assert_eq!(sid(&browser).await, sign_in);
    assert_ne!(id(&browser), first);
    site.advance(10 * MINUTE);
    assert_eq!(sid(&browser).await, sign_in);
}

#[tokio::test]
async fn signing_in_again_and_agreeing_to_more_make_a_new_identifier() {
    let echo = Echo::start().await;
    let plan = plan(&echo).tenant(|tenant| {
        let web = tenant.client_mut("todo-web").expect("the web app");
        web.granted_scopes.retain(|scope| !scope.ends_with("ReadWrite"));
    });
    let site = plan.start().await;
    let browser = site.signed_in(ALICE).await;
    let (first, before) = (id(&browser), browser.copy());
    let question = browser.open("/auth/sign-in?token=todo-write").await;
    browser.finish_sign_in(question, ALICE).await.must_show("/");
    let second = id(&browser);
    assert_ne!(second, first);
    before.fetch("GET", "/who").await.must_be(401);
    let before = browser.copy();
    browser.sign_in(ALICE).await.must_show("/");
    assert_ne!(id(&browser), second);
    before.fetch("GET", "/who").await.must_be(401);
    browser.fetch("GET", "/who").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_that_change_at_two_gateways_under_load_never_mix_people_up() {
    let (redis, echo) = (RedisServer::launch().await, Echo::start().await);
    let plan = plan(&echo).store(Kept::Redis(redis.url())).keys(&["one"]).gateways(2);
    let site = plan.start().await;
    let mut people = Vec::new();
    for email in [ALICE, BOB, ALICE, BOB] {
        let browser = site.signed_in(email).await;
        people.push((sid(&browser).await, id(&browser), browser));
    }
    for hour in 1..=2 {
        site.advance(61 * MINUTE);
        let mut asking = JoinSet::new();
        for number in 0..200 {
            let (sign_in, _, browser) = people[number % people.len()].clone();
            let tab = browser.at(site.ports()[number / people.len() % 2]);
            asking.spawn(async move { assert_eq!(sid(&tab).await, sign_in) });
        }
        asking.join_all().await;
        for (sign_in, first, browser) in &mut people {
            // All may have left before the new one came; the hour begins when it is shown.
            assert_eq!(sid(browser).await, *sign_in);
            assert_ne!(id(browser), *first, "hour {hour}");
            *first = id(browser);
        }
    }
}

/// What the gateway sends for the session's cookie: its value, empty where it is cleared.
fn session_cookies(reply: &harness::Reply) -> Vec<String> {
    let all = reply.set_cookies().into_iter().filter(|cookie| cookie.name == SESSION);
    all.map(|cookie| cookie.value.clone()).collect()
}

#[tokio::test]
async fn signing_out_just_when_the_identifier_is_due_clears_the_cookie() {
    let echo = Echo::start().await;
    let site = site(&echo).await;
    for minutes in [1, 61] {
        let browser = site.signed_in(ALICE).await;
        site.advance(minutes * MINUTE);
        let reply = browser.fetch("POST", "/auth/sign-out").await;
        reply.must_be(200);
        assert_eq!(session_cookies(&reply), [""], "after {minutes} minutes");
    }
}

#[tokio::test]
async fn signing_in_again_just_when_the_identifier_is_due_leaves_the_new_session() {
    let echo = Echo::start().await;
    let plan = Plan::new().echo(&echo).set("session", "rotate", "\"1m\"");
    let site = plan.start().await;
    let browser = site.signed_in(ALICE).await;
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    site.advance(2 * MINUTE);
    let reply = browser.send(Ask::page(callback.as_str())).await;
    assert_eq!(session_cookies(&reply).len(), 1);
    browser.fetch("GET", "/who").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_brings_no_identifier_that_another_has_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let echo = Echo::start().await;
    let slow = format!(
        "[upstreams.slow]\nservers = [\"http://{address}\"]\n\
         [[routes]]\npath = \"/slow\"\nupstream = \"slow\"\nallow = \"signed-in\"\n"
    );
    let site = plan(&echo).append(slow).start().await;
    let browser = site.signed_in(ALICE).await;
    site.advance(61 * MINUTE);
    // A page that waits for news of its own, as many do, is the first to come.
    let waiting = browser.copy();
    let waiting = tokio::spawn(async move { waiting.fetch("GET", "/slow").await });
    let (mut upstream, _) = listener.accept().await.expect("the gateway connects");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(upstream.read_buf(&mut head).await.expect("it goes on"), 0);
    }
    site.advance(MINUTE);
    browser.fetch("GET", "/who").await.must_be(200);
    browser.fetch("GET", "/who").await.must_be(200);
    upstream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("it reads");
    let reply = waiting.await.expect("answered");
    reply.must_be(204);
    for late in session_cookies(&reply) {
        browser.set_cookie(SESSION, &late);
    }
    browser.fetch("GET", "/who").await.must_be(200);
}
