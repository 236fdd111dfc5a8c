//! The provider says that a session there is over: back-channel logout (requirements BL-01 to BL-11).

use std::time::Duration;

use dev_idp::faults::HttpFault;
use dev_idp::{Endpoint, Mint};
use futures_util::{StreamExt as _, stream};
use gateway::session::store::Summary;
use harness::{Ask, Browser, Kept, Plan, RedisServer, Reply, Site, eventually};
use serde_json::{Value, json};

use crate::support::*;

const PATH: &str = "/auth/backchannel-logout";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn now(site: &Site) -> i64 {
    site.live()[0].clock.now().0
}

/// What the gateway knows of the sessions of a person, by their name.
async fn sessions_of(site: &Site, name: &str) -> Vec<Summary> {
    let (sessions, _) = site.live()[0].sessions.page(None, 1_000).await.expect("the store is there");
    let summaries = sessions.into_iter().map(|session| session.summary);
    summaries.filter(|summary| summary.name.as_deref() == Some(name)).collect()
}

/// The claims of a sound token about that session: by `sid` and `sub`.
fn about(site: &Site, session: &Summary, id: &str) -> Value {
    let now = now(site);
    json!({
        "iss": site.provider().issuer(), "aud": "todo-web", "iat": now, "exp": now + 120, "jti": id,
        "events": { EVENT: {} }, "sid": session.provider_session, "sub": session.subject,
    })
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

/// The claims, signed with the provider's current key, as a token of that `typ`.
fn signed_as(site: &Site, kind: Option<&str>, claims: &Value) -> String {
    let mut header = json!({ "alg": "RS256", "kid": site.provider().current_kid() });
    if let Some(kind) = kind {
        header["typ"] = json!(kind);
    }
    site.provider().sign(&header.to_string(), &claims.to_string())
}

fn signed(site: &Site, claims: &Value) -> String {
    signed_as(site, Some("logout+jwt"), claims)
}

fn post(token: &str) -> Ask {
    Ask::bare("POST", PATH).form(&[("logout_token", token)])
}

async fn tell(site: &Site, token: &str) -> Reply {
    site.browser().send(post(token)).await
}

#[track_caller]
fn must_be_done(reply: &Reply) {
    reply.must_be(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.set_cookies().is_empty());
}

#[track_caller]
fn must_be_refused(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 400, "{what}: {}", reply.text());
    assert_eq!(reply.json()["error"], "invalid_request", "{what}");
    assert!(reply.json()["error_description"].is_string(), "{what}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
    assert!(reply.set_cookies().is_empty(), "{what}");
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.session().await["signed_in"] == true
}

#[tokio::test]
async fn a_session_is_over_before_the_provider_has_its_answer() {
    let site = Site::start().await;
    let bob = site.signed_in(BOB).await;
    for named_by in ["sid", "sub", "both"] {
        let alice = site.signed_in(ALICE).await;
        alice.fetch("GET", "/api/todolist").await.must_be(200);
        let [session] = &sessions_of(&site, "Alice Adams").await[..] else { panic!("one session") };
        let claims = about(&site, session, named_by);
        let claims = match named_by {
            "sid" => without(claims, "sub"),
            "sub" => without(claims, "sid"),
            _ => claims,
        };
        must_be_done(&tell(&site, &signed(&site, &claims)).await);
        alice.fetch("GET", "/api/todolist").await.must_be(401);
        assert!(is_signed_in(&bob).await, "{named_by}");
    }
    // Whether a refresh token outlives the session is for the provider to say.
    assert_eq!(site.requests(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn a_session_that_nobody_knows_is_over_already() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let claims = about(&site, &session, "j");
    for (number, strange) in [
        with(without(claims.clone(), "sub"), "sid", json!("another")),
        with(without(claims.clone(), "sid"), "sub", json!("another")),
        with(claims.clone(), "sid", json!("another")),
        // The right session of the wrong person.
        with(claims.clone(), "sub", json!("another")),
    ]
    .into_iter()
    .enumerate()
    {
        let strange = with(strange, "jti", json!(format!("j-{number}")));
        must_be_done(&tell(&site, &signed(&site, &strange)).await);
        assert!(is_signed_in(&alice).await, "{strange}");
    }
    must_be_done(&tell(&site, &signed(&site, &claims)).await);
    assert!(!is_signed_in(&alice).await);
}

#[tokio::test]
async fn only_a_form_with_one_token_is_read() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let token = signed(&site, &about(&site, &session, "j"));
    let browser = site.browser();
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        browser.send(Ask::bare(method, &format!("{PATH}?logout_token={token}"))).await.must_be(405);
    }
    browser.send(Ask::bare("POST", PATH).json(&json!({ "logout_token": token }))).await.must_be(415);
    browser.send(Ask::bare("POST", PATH).body(format!("logout_token={token}"))).await.must_be(415);
    for fields in [
        &[][..],
        &[("logout_token", "")],
        &[("other", &token)],
        &[("logout_token", &token), ("logout_token", &token)],
        &[("logout_token", &token), ("logout_token", "x")],
    ] {
        must_be_refused(&browser.send(Ask::bare("POST", PATH).form(fields)).await, &format!("{fields:?}"));
    }
    let in_the_query = Ask::bare("POST", &format!("{PATH}?logout_token={token}")).form(&[]);
    must_be_refused(&browser.send(in_the_query).await, "the query");
    let huge = "a".repeat(64 * 1024);
    let reply = browser.send(post(&huge)).await;
    reply.must_be(413);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(is_signed_in(&alice).await);
    let fields = [("x", "1"), ("logout_token", &token), ("x", "2")];
    must_be_done(&browser.send(Ask::bare("POST", PATH).form(&fields)).await);
    assert!(!is_signed_in(&alice).await);
}

#[tokio::test]
async fn a_token_that_differs_from_a_sound_one_in_one_thing_ends_nothing() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let claims = about(&site, &session, "j");
    let now = now(&site);
    let other = json!({ "http://schemas.openid.net/event/other": {} });
    let mut bad = vec![
        with(claims.clone(), "iss", json!("http://localhost:1")),
        with(claims.clone(), "iss", json!(format!("{}/", site.provider().issuer()))),
        with(claims.clone(), "aud", json!("another")),
        with(claims.clone(), "aud", json!(["todo-web", "another"])),
        with(claims.clone(), "exp", json!(now - 61)),
        with(claims.clone(), "iat", json!(now + 120)),
        with(claims.clone(), "iat", json!(now - 3_600)),
        with(claims.clone(), "events", json!(EVENT)),
        with(claims.clone(), "events", json!([EVENT])),
        with(claims.clone(), "events", other),
        with(claims.clone(), "events", json!({ EVENT: null })),
        with(claims.clone(), "events", json!({ EVENT: "" })),
        with(claims.clone(), "nonce", json!("")),
        with(claims.clone(), "nonce", json!(null)),
        with(claims.clone(), "nonce", json!("x")),
        with(claims.clone(), "jti", json!("")),
        with(claims.clone(), "sid", json!(1)),
        without(without(claims.clone(), "sid"), "sub"),
    ];
    bad.extend(["iss", "aud", "exp", "iat", "jti", "events"].map(|name| without(claims.clone(), name)));
    for claims in bad {
        must_be_refused(&tell(&site, &signed(&site, &claims)).await, &claims.to_string());
    }
    let provider = site.provider();
    let headers = [
        json!({ "alg": "none", "kid": provider.current_kid() }),
        json!({ "alg": "HS256", "kid": provider.current_kid() }),
        json!({ "alg": "PS256", "kid": provider.current_kid() }),
        json!({ "alg": "RS256", "kid": "another" }),
        json!({ "alg": "RS256", "kid": provider.current_kid(), "crit": ["exp"] }),
    ];
    for header in headers {
        let token = provider.sign(&header.to_string(), &claims.to_string());
        must_be_refused(&tell(&site, &token).await, &header.to_string());
    }
    let token = signed(&site, &claims);
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for text in
        [format!("{head}."), head.to_owned(), format!("{head}.{flipped}{}", &signature[1..]), "x".to_owned()]
    {
        must_be_refused(&tell(&site, &text).await, "a broken token");
    }
    let text = claims.to_string();
    let doubled = format!("{},\"sid\":\"x\"}}", text.strip_suffix('}').expect("an object"));
    let header = json!({ "alg": "RS256", "kid": provider.current_kid() }).to_string();
    must_be_refused(&tell(&site, &provider.sign(&header, &doubled)).await, "a doubled claim");
    assert!(is_signed_in(&alice).await, "none of these ended anything");
    must_be_done(&tell(&site, &token).await);
    assert!(!is_signed_in(&alice).await);
}

#[tokio::test]
async fn tokens_of_other_kinds_end_nothing() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let id_token = site.provider().mint_id_token(Mint::user(ALICE)).expect("minted");
    must_be_refused(&tell(&site, &id_token).await, "an ID token");
    let access_token = site.provider().mint_access_token(Mint::user(ALICE)).expect("minted");
    must_be_refused(&tell(&site, &access_token).await, "an access token");
    let claims = about(&site, &session, "j");
    for kind in ["at+jwt", "application/at+jwt", "secevent+jwt"] {
        must_be_refused(&tell(&site, &signed_as(&site, Some(kind), &claims)).await, kind);
    }
    assert!(is_signed_in(&alice).await);
    for (number, kind) in [Some("logout+jwt"), Some("JWT"), None].into_iter().enumerate() {
        let claims = with(claims.clone(), "jti", json!(format!("j-{number}")));
        must_be_done(&tell(&site, &signed_as(&site, kind, &claims)).await);
    }
    assert!(!is_signed_in(&alice).await);
}

#[tokio::test]
async fn a_strict_gateway_takes_tokens_that_say_what_they_are() {
    let site = Plan::new().set("provider", "logout_token_type", "\"strict\"").start().await;
    let alice = site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let claims = about(&site, &session, "j");
    for kind in [Some("JWT"), None, Some("at+jwt")] {
        must_be_refused(&tell(&site, &signed_as(&site, kind, &claims)).await, &format!("{kind:?}"));
    }
    assert!(is_signed_in(&alice).await);
    must_be_done(&tell(&site, &signed(&site, &claims)).await);
    assert!(!is_signed_in(&alice).await);
}

#[tokio::test]
async fn a_token_that_comes_again_does_not_end_the_next_session() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let token = signed(&site, &without(about(&site, &session, "j"), "sid"));
    must_be_done(&tell(&site, &token).await);
    assert!(!is_signed_in(&browser).await);
    // In the same second, and by a sign-in that the provider gives the same name.
    browser.sign_in(ALICE).await.must_show("/");
    must_be_refused(&tell(&site, &token).await, "a replay");
    assert!(is_signed_in(&browser).await);
    site.advance(Duration::from_secs(100));
    must_be_refused(&tell(&site, &token).await, "a late replay");
    assert!(is_signed_in(&browser).await);
    // Twin: a new token about the same person.
    let token = signed(&site, &without(about(&site, &session, "j-2"), "sid"));
    must_be_done(&tell(&site, &token).await);
    assert!(!is_signed_in(&browser).await);
}

#[tokio::test]
async fn a_token_that_was_under_way_for_long_does_not_end_a_younger_session() {
    let site = Site::start().await;
    let (early, late) = (site.signed_in(ALICE).await, site.browser());
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let token = signed(&site, &without(about(&site, &session, "j"), "sid"));
    site.advance(Duration::from_secs(5));
    late.sign_in(ALICE).await.must_show("/");
    must_be_done(&tell(&site, &token).await);
    assert!(!is_signed_in(&early).await && is_signed_in(&late).await);
}

#[tokio::test]
async fn all_sessions_of_a_person_end_also_when_an_older_one_ended_before() {
    let site = Site::start().await;
    let (first, second, third) =
        (site.signed_in(ALICE).await, site.signed_in(ALICE).await, site.signed_in(ALICE).await);
    let bob = site.signed_in(BOB).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    first.send(Ask::submit("/auth/sign-out", &[])).await.must_redirect();
    assert!(is_signed_in(&second).await && is_signed_in(&third).await);
    must_be_done(&tell(&site, &signed(&site, &without(about(&site, &session, "j"), "sid"))).await);
    assert!(!is_signed_in(&second).await && !is_signed_in(&third).await && is_signed_in(&bob).await);
}

#[tokio::test]
async fn cookies_play_no_part() {
    let site = Site::start().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let claims = about(&site, &session, "j");
    // From another site, with the session of somebody else, with two sessions at once, with one that is over.
    let foreign = |ask: Ask| ask.set("origin", "https://evil.example").set("sec-fetch-site", "cross-site");
    must_be_refused(&bob.send(foreign(post("x"))).await, "no token");
    must_be_done(&bob.send(foreign(post(&signed(&site, &claims)))).await);
    assert!(is_signed_in(&bob).await && !is_signed_in(&alice).await);
    let token = signed(&site, &with(claims, "jti", json!("j-2")));
    let two = format!("{SESSION}={}; {SESSION}={}", "a".repeat(64), "b".repeat(64));
    must_be_done(&site.browser().send(post(&token).header("cookie", &two)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tokens_with_unknown_keys_make_the_gateway_ask_three_times_a_minute() {
    for broken in [None, Some(HttpFault::Status500), Some(HttpFault::Close)] {
        let site = Plan::new().quiet().start().await;
        let alice = site.signed_in(ALICE).await;
        let session = sessions_of(&site, "Alice Adams").await.remove(0);
        let claims = about(&site, &session, "j");
        if let Some(fault) = broken {
            site.faults().set((Endpoint::Keys, fault));
        }
        let before = site.requests(Endpoint::Keys);
        for quarter in 0..4 {
            let tokens = stream::iter(0..850).map(|number| {
                let header = json!({ "alg": "RS256", "kid": format!("{quarter}-{number}") });
                let token = format!("{}.{}.AAAA", base64url(&header), base64url(&claims));
                let site = &site;
                async move { must_be_refused(&tell(site, &token).await, "an unknown key") }
            });
            tokens.buffer_unordered(16).collect::<Vec<_>>().await;
            site.advance(Duration::from_secs(15));
        }
        let fetches = site.requests(Endpoint::Keys) - before;
        assert!(fetches <= 3, "{fetches} fetches at {broken:?}");
        assert!(is_signed_in(&alice).await);
        must_be_done(&tell(&site, &signed(&site, &about(&site, &session, "sound"))).await);
        assert!(!is_signed_in(&alice).await, "the known key serves all the while");
    }
}

fn base64url(value: &Value) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_at_every_gateway_whichever_is_told() {
    let redis = RedisServer::launch().await;
    let site = Plan::new().store(Kept::Redis(redis.url())).keys(&["one"]).gateways(2).start().await;
    let ports = site.ports();
    let (one, other) = (site.signed_in(ALICE).await.at(ports[0]), site.signed_in(ALICE).await.at(ports[1]));
    let crossed = [one.at(ports[1]), other.at(ports[0])];
    for browser in [&one, &other, &crossed[0], &crossed[1]] {
        assert!(is_signed_in(browser).await);
    }
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let token = signed(&site, &without(about(&site, &session, "j"), "sid"));
    must_be_done(&site.browser().at(ports[0]).send(post(&token)).await);
    assert!(!is_signed_in(&one).await && !is_signed_in(&crossed[1]).await);
    assert!(!is_signed_in(&other).await && !is_signed_in(&crossed[0]).await, "before the answer, everywhere");
    // What came to one gateway came to all.
    must_be_refused(&site.browser().at(ports[1]).send(post(&token)).await, "a replay elsewhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_sessions_cannot_be_looked_up_the_provider_may_try_again() {
    let mut redis = RedisServer::launch().await;
    let site = Plan::new().store(Kept::Redis(redis.url())).keys(&["one"]).start().await;
    let alice = site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let token = signed(&site, &about(&site, &session, "j"));
    redis.stop().await;
    let reply = tell(&site, &token).await;
    reply.must_be_problem(503, "store_unavailable");
    assert!(reply.header("retry-after").is_some());
    redis.start().await;
    eventually("it heals", || async { alice.fetch("GET", "/auth/session").await.status == 200 }).await;
    must_be_done(&tell(&site, &token).await);
    assert!(!is_signed_in(&alice).await);
}

#[tokio::test]
async fn the_log_says_what_was_done_and_nothing_of_the_token() {
    let site = Site::start().await;
    site.signed_in(ALICE).await;
    let session = sessions_of(&site, "Alice Adams").await.remove(0);
    let claims = about(&site, &session, "an-id-that-nobody-else-has");
    let wrong = with(claims.clone(), "aud", json!("an-audience-that-nobody-else-has"));
    must_be_refused(&tell(&site, &signed(&site, &wrong)).await, "another audience");
    must_be_done(&tell(&site, &signed(&site, &claims)).await);
    let logs = site.into_logs().await;
    for event in ["\"backchannel_logout\"", "\"backchannel_logout_refused\"", "\"back_channel\""] {
        assert!(logs.events.contains(event), "{event}");
    }
    assert!(logs.access.contains("bad_logout_token"));
    for secret in ["an-id-that-nobody-else-has", "an-audience-that-nobody-else-has"] {
        assert!(!logs.events.contains(secret) && !logs.access.contains(secret), "{secret}");
    }
}
