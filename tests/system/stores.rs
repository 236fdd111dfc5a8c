//! Where sessions are kept: what survives a restart, what happens while the store is away, what gateways share, and what
//! a thief of the store can read (requirements SE-13, SE-17, SE-18, SE-20).

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::{Ask, Browser, Echo, Kept, Kind, Plan, RedisServer, Site, eventually};

use crate::support::*;

/// The provider's session in the token that is sent upstream.
async fn sid(browser: &Browser) -> String {
    let claims = browser.fetch("GET", "/echo").await.must_be(200).json();
    claims["sid"].as_str().expect("a sid").to_owned()
}

/// Two gateways in this process on one Redis.
async fn two_gateways() -> (Site, RedisServer, Echo) {
    let (redis, echo) = (RedisServer::launch().await, Echo::start().await);
    let plan = Plan::new().store(Kept::Redis(redis.url())).keys(&["one"]).echo(&echo).gateways(2);
    (plan.start().await, redis, echo)
}

/// One gateway process.
async fn one_program(kept: Kept) -> (Site, Echo) {
    let echo = Echo::start().await;
    let plan = Plan::new().echo(&echo).programs(1);
    let plan = if kept == Kept::Memory { plan } else { plan.store(kept).keys(&["one"]) };
    (plan.start().await, echo)
}

async fn restarts_keep_everybody(kept: Kept) {
    let (mut site, _echo) = one_program(kept).await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let (alices, bobs) = (sid(&alice).await, sid(&bob).await);
    for killed in [false, true, true, false] {
        // Somebody who comes at the last moment is kept too: a session is written down before it is used.
        let late = site.signed_in(ALICE).await;
        if killed {
            site.program(0).kill().await;
        } else {
            site.program(0).terminate().await;
        }
        site.program(0).start().await;
        late.fetch("GET", "/who").await.must_be(200);
        for _ in 0..10 {
            assert_eq!((sid(&alice).await, sid(&bob).await), (alices.clone(), bobs.clone()));
        }
        late.fetch("POST", "/auth/sign-out").await.must_be(200);
    }
    // Who signed out is not brought back either.
    let gone = bob.copy();
    bob.fetch("POST", "/auth/sign-out").await.must_be(200);
    site.program(0).kill().await;
    site.program(0).start().await;
    gone.fetch("GET", "/who").await.must_be(401);
    assert_eq!(sid(&alice).await, alices);
}

#[tokio::test]
async fn a_file_keeps_people_signed_in_over_restarts_and_kills() {
    restarts_keep_everybody(Kept::File).await;
}

#[tokio::test]
async fn redis_keeps_people_signed_in_over_restarts_and_kills() {
    let redis = RedisServer::launch().await;
    restarts_keep_everybody(Kept::Redis(redis.url())).await;
}

#[tokio::test]
async fn redis_itself_may_be_restarted_or_killed() {
    let (site, mut redis, _echo) = two_gateways().await;
    let browser = site.signed_in(ALICE).await;
    let sign_in = sid(&browser).await;
    for killed in [false, true] {
        if killed {
            redis.kill().await;
        } else {
            redis.stop().await;
        }
        redis.start().await;
        for port in site.ports() {
            let tab = browser.at(port);
            eventually("back", || async { tab.fetch("GET", "/who").await.status == 200 }).await;
            assert_eq!(sid(&tab).await, sign_in);
        }
    }
}

#[tokio::test]
async fn memory_forgets_everybody_and_nothing_breaks() {
    let (mut site, _echo) = one_program(Kept::Memory).await;
    for killed in [false, true] {
        let browser = site.signed_in(ALICE).await;
        browser.fetch("GET", "/echo").await.must_be(200);
        if killed {
            site.program(0).kill().await;
        } else {
            site.program(0).terminate().await;
        }
        site.program(0).start().await;
        browser.copy().fetch("GET", "/echo").await.must_be(401);
        browser.fetch("GET", "/open").await.must_be(200);
        assert_eq!(browser.copy().session().await["signed_in"], false);
        browser.sign_in_at("/page", ALICE).await.must_show("/page");
        browser.fetch("GET", "/echo").await.must_be(200);
    }
}

#[tokio::test]
async fn while_the_store_is_away_people_are_told_to_wait_and_public_pages_go_on() {
    let (site, mut redis, _echo) = two_gateways().await;
    let browser = site.signed_in(ALICE).await;
    let (sign_in, cookie) = (sid(&browser).await, browser.cookie(SESSION));
    for port in site.ports() {
        sid(&browser.at(port)).await;
    }
    redis.stop().await;
    for port in site.ports() {
        let tab = browser.at(port);
        eventually("it is noticed", || async { tab.fetch("GET", "/who").await.status == 503 }).await;
        for ask in [
            Ask::fetch("GET", "/who"),
            Ask::fetch("GET", "/echo"),
            Ask::fetch("GET", "/auth/session"),
            Ask::page("/page"),
            Ask::fetch("POST", "/auth/sign-out"),
        ] {
            let reply = tab.send(ask.clone()).await;
            reply.must_be(503);
            let wait = reply.header("retry-after").and_then(|text| text.parse::<u32>().ok());
            assert!(wait.is_some_and(|seconds| (1..=60).contains(&seconds)), "{:?}", reply.headers);
            assert!(reply.set_cookies().is_empty(), "the session is not over: {ask:?}");
        }
        // With and without a cookie.
        tab.fetch("GET", "/open").await.must_be(200);
        tab.open("/").await.must_show("/");
        let stranger = site.browser().at(port);
        stranger.fetch("GET", "/open").await.must_be(200);
        stranger.fetch("GET", "/who").await.must_be(401);
        // Nobody can be signed in now, and is told so before being sent away or after.
        let begun = stranger.send(Ask::page("/auth/sign-in")).await;
        assert!([303, 503].contains(&begun.status.as_u16()), "{}", begun.status);
    }
    assert_eq!(site.admin("/healthz").await.status, 200);
    let ready = site.admin("/readyz").await;
    assert!(ready.status == 503 && ready.text().contains("store"), "{}", ready.text());
    redis.start().await;
    for port in site.ports() {
        let tab = browser.at(port);
        eventually("back", || async { tab.fetch("GET", "/who").await.status == 200 }).await;
        assert_eq!(sid(&tab).await, sign_in);
    }
    assert_eq!(browser.cookie(SESSION), cookie);
    site.ready().await;
}

#[tokio::test]
async fn who_signs_out_at_one_gateway_is_signed_out_at_the_other_within_a_second() {
    let (site, _redis, _echo) = two_gateways().await;
    for _ in 0..5 {
        let (browser, other) = (site.signed_in(ALICE).await, site.signed_in(ALICE).await);
        let thief = browser.copy().at(site.ports()[1]);
        // Warm there, so that it must be told.
        thief.fetch("GET", "/who").await.must_be(200);
        other.at(site.ports()[1]).fetch("GET", "/who").await.must_be(200);
        browser.fetch("POST", "/auth/sign-out").await.must_be(200);
        let signed_out = Instant::now();
        loop {
            let status = thief.fetch("GET", "/who").await.status.as_u16();
            if status == 401 {
                break;
            }
            assert_eq!(status, 200);
            assert!(signed_out.elapsed() < Duration::from_secs(1), "still let in after a second");
        }
        other.at(site.ports()[1]).fetch("GET", "/who").await.must_be(200);
    }
}

#[tokio::test]
async fn a_session_begun_at_one_gateway_is_known_at_the_other_at_once() {
    let (site, _redis, _echo) = two_gateways().await;
    for number in 0..10 {
        let (here, there) = (site.ports()[number % 2], site.ports()[(number + 1) % 2]);
        let browser = site.browser().at(here);
        browser.sign_in(ALICE).await.must_show("/");
        browser.at(there).fetch("GET", "/who").await.must_be(200);
    }
}

#[tokio::test]
async fn a_sign_in_begun_at_one_gateway_is_finished_at_the_other() {
    let (site, _redis, _echo) = two_gateways().await;
    let browser = site.browser();
    let [here, there] = [0, 1].map(|number| browser.at(site.ports()[number]));
    let callback = here.callback_address("/page", ALICE).await;
    let reply = there.send(Ask::page(callback.as_str())).await;
    assert_eq!(reply.must_redirect(), "/page");
    assert_eq!(sid(&here).await, sid(&there).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_replayed_at_both_gateways_makes_one_session_and_one_token_request() {
    let (site, _redis, _echo) = two_gateways().await;
    for round in 1..=5 {
        let browser = site.browser();
        let callback = browser.callback_address("/page", ALICE).await;
        let mut replays = tokio::task::JoinSet::new();
        for number in 0..10 {
            // A copy each: what one answer sets is not sent with the next.
            let tab = browser.copy().at(site.ports()[number % 2]);
            let ask = Ask::page(callback.as_str());
            replays.spawn(async move { (tab.send(ask).await.sets(SESSION), tab) });
        }
        let signed_in: Vec<Browser> =
            replays.join_all().await.into_iter().filter_map(|(set, tab)| set.then_some(tab)).collect();
        assert_eq!(signed_in.len(), 1, "round {round}");
        let codes = site.faults().seen(dev_idp::Endpoint::Token);
        let codes = codes.iter().filter(|seen| seen.map().contains_key("code")).count();
        assert_eq!(codes, round);
        sid(&signed_in[0]).await;
    }
}

/// Everything about a person and a session that must not be readable, and nothing else, in what the store holds.
async fn must_be_unreadable(site: &Site, browser: &Browser, bytes: &[u8]) {
    assert!(bytes.len() > 1_000, "something is kept");
    let kinds = [
        Kind::AccessToken,
        Kind::RefreshToken,
        Kind::IdToken,
        Kind::Cookie,
        Kind::Code,
        Kind::Verifier,
        Kind::Attempt,
        Kind::ClientSecret,
        Kind::ServerKey,
    ];
    assert!(site.secrets().count(Kind::RefreshToken) >= 3 && site.secrets().count(Kind::AccessToken) >= 3);
    assert_eq!(site.secrets().find(&kinds, bytes), None);
    let session = browser.session().await;
    let claims = browser.fetch("GET", "/echo").await.must_be(200).json();
    let person = [&session["claims"], &claims].map(|claims| claims.as_object().expect("claims").clone());
    let texts = person.iter().flat_map(|claims| claims.values()).filter_map(|value| value.as_str());
    for text in texts.filter(|text| text.len() >= 8) {
        assert!(!holds(bytes, text.as_bytes()), "{text} can be read");
    }
    // The cookie names the session by one part and opens it with the other: the store knows neither.
    let cookie = URL_SAFE_NO_PAD.decode(browser.cookie(SESSION).expect("a session")).expect("base64url");
    for part in cookie.chunks(16) {
        assert!(!holds(bytes, part), "a part of the cookie is there");
    }
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test]
async fn whoever_reads_redis_reads_nothing_of_anybody() {
    let (site, redis, _echo) = two_gateways().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/echo").await.must_be(200);
    browser.fetch("GET", "/reports").await.must_be(200);
    must_be_unreadable(&site, &browser, &redis.written()).await;
    for key in redis.keys() {
        assert!(redis.lifetime(&key).is_some(), "{key} lives for ever");
    }
}

#[tokio::test]
async fn sign_ins_that_nobody_finishes_leave_nothing_in_a_shared_store() {
    let (site, redis, _echo) = two_gateways().await;
    let before = redis.keys();
    for number in 0..200 {
        begin(&site.browser().at(site.ports()[number % 2]), "/auth/sign-in").await;
    }
    assert_eq!(redis.keys(), before);
}

#[tokio::test]
async fn whoever_reads_the_file_reads_nothing_of_anybody() {
    let echo = Echo::start().await;
    let plan = Plan::new().store(Kept::File).keys(&["one"]).echo(&echo);
    let database = plan.database();
    let site = plan.start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/echo").await.must_be(200);
    browser.fetch("GET", "/reports").await.must_be(200);
    must_be_unreadable(&site, &browser, &std::fs::read(database).expect("the file")).await;
}

#[tokio::test]
async fn a_store_opens_nothing_without_the_gateways_key_or_without_the_cookie() {
    let (mut site, _echo) = one_program(Kept::File).await;
    let browser = site.signed_in(ALICE).await;
    let sign_in = sid(&browser).await;
    let other_key = site.server_keys(&["other"]);
    site.program(0).terminate().await;
    site.program(0).set("session", "keys", &other_key);
    site.program(0).start().await;
    browser.copy().fetch("GET", "/echo").await.must_be(401);
    browser.copy().send(Ask::page("/page")).await.must_redirect();
    let right_key = site.server_keys(&["one"]);
    site.program(0).terminate().await;
    site.program(0).set("session", "keys", &right_key);
    site.program(0).start().await;
    // The right key, and a cookie that names the session but does not open it.
    let cookie = browser.cookie(SESSION).expect("a session");
    for from in [22, 40, cookie.len() - 1] {
        let mut changed = cookie.clone().into_bytes();
        changed[from] = if changed[from] == b'A' { b'B' } else { b'A' };
        let thief = browser.copy();
        thief.set_cookie(SESSION, &String::from_utf8(changed).expect("ASCII"));
        thief.fetch("GET", "/echo").await.must_be(401);
    }
    assert_eq!(sid(&browser).await, sign_in);
}

#[tokio::test]
async fn server_keys_are_replaced_by_overlap_and_nobody_notices_until_the_old_one_goes() {
    let redis = RedisServer::launch().await;
    let (mut site, _echo) = one_program(Kept::Redis(redis.url())).await;
    let (used, unused) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let sign_in = sid(&used).await;
    for (keys, works) in
        [(&["two", "one"][..], true), (&["two"][..], false), (&["three", "two", "one"][..], true)]
    {
        let keys_value = site.server_keys(keys);
        site.program(0).terminate().await;
        site.program(0).set("session", "keys", &keys_value);
        site.program(0).start().await;
        if works {
            assert_eq!(sid(&used).await, sign_in, "{keys:?}");
            let newcomer = site.signed_in(BOB).await;
            newcomer.fetch("GET", "/echo").await.must_be(200);
        } else {
            // Nobody came by during the overlap, so the old key was the only one.
            unused.copy().fetch("GET", "/echo").await.must_be(401);
        }
    }
    unused.fetch("GET", "/who").await.must_be(200);
}
