//! Logout tokens that hold and logout tokens that do not: each differs from the sound one in one thing.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oidc::id_token::HeaderError;
use crate::oidc::settings::Algorithm;
use crate::oidc::testing::{Canned, Fake, Signer, settings};
use crate::stop::causes;

const NOW: i64 = 1_000_000;
const ISSUER: &str = "http://localhost:3002";

/// A sound token's claims.
fn sound() -> Value {
    json!({
        "iss": ISSUER, "aud": "todo-web", "iat": NOW, "exp": NOW + 120, "jti": "j-1",
        "events": { EVENT: {} }, "sid": "s-1", "sub": "alice-sub",
    })
}

fn read_claims(claims: &Value) -> Result<LogoutToken, TokenError> {
    read(claims.as_object().expect("an object"), &settings(ISSUER), Timestamp(NOW))
}

/// The sound token with one claim changed, or (with nothing) taken away.
fn with(name: &str, value: Option<Value>) -> Result<LogoutToken, TokenError> {
    let mut claims = sound();
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().expect("an object").remove(name)),
    }
    read_claims(&claims)
}

#[track_caller]
fn must_be(read: Result<LogoutToken, TokenError>, why: &str) {
    let error = read.map(|_| ()).expect_err(why);
    assert!(causes(&error).contains(why), "{why:?}: {}", causes(&error));
}

#[test]
fn a_sound_token_says_whose_sessions_end() {
    let token = read_claims(&sound()).expect("sound");
    assert_eq!(token.issuer, ISSUER);
    assert_eq!(token.issued, Timestamp(NOW));
    assert_eq!(token.over, Timestamp(NOW + 180), "a minute longer than it says, for clocks that differ");
    assert_eq!(token.whose, Whose::Session { sid: "s-1".into(), subject: Some("alice-sub".into()) });
    let session = with("sub", None).expect("sound").whose;
    assert_eq!(session, Whose::Session { sid: "s-1".into(), subject: None });
    let person = with("sid", None).expect("sound").whose;
    assert_eq!(person, Whose::Person { subject: "alice-sub".into() });
}

#[test]
fn a_token_about_nobody_is_refused() {
    let mut claims = sound();
    claims.as_object_mut().expect("an object").retain(|name, _| name != "sub" && name != "sid");
    must_be(read_claims(&claims), "neither a person nor a session");
    for (name, value, why) in [
        ("sid", json!(""), "\"sid\" is empty"),
        ("sid", json!(null), "\"sid\" is of the wrong type"),
        ("sid", json!(["s-1"]), "\"sid\" is of the wrong type"),
        ("sub", json!(""), "\"sub\" is not between"),
        ("sub", json!("a".repeat(256)), "\"sub\" is not between"),
        ("sub", json!(null), "\"sub\" is of the wrong type"),
    ] {
        must_be(with(name, Some(value)), why);
    }
}

#[test]
fn issuer_and_audience_are_judged_as_in_an_id_token() {
    for issuer in ["http://localhost:3002/", "http://LOCALHOST:3002", "https://evil.example", ""] {
        must_be(with("iss", Some(json!(issuer))), "\"iss\" is another issuer");
    }
    must_be(with("iss", None), "no \"iss\"");
    for audience in [json!("other"), json!([]), json!(["todo-web", "other"]), json!("todo-web ")] {
        must_be(with("aud", Some(audience)), "\"aud\" is not this client alone");
    }
    must_be(with("aud", None), "no \"aud\"");
    must_be(with("azp", Some(json!("other"))), "\"azp\" is not this client");
    assert!(with("aud", Some(json!(["todo-web"]))).is_ok());
}

#[test]
fn times_must_be_there_and_hold() {
    for name in ["exp", "iat", "jti"] {
        must_be(with(name, None), &format!("no \"{name}\""));
        must_be(with(name, Some(json!(null))), name);
    }
    must_be(with("exp", Some(json!(NOW - 60))), "\"exp\" has passed");
    must_be(with("iat", Some(json!(NOW + 61))), "\"iat\" is in the future");
    must_be(with("iat", Some(json!(NOW - 601))), "\"iat\" is too long ago");
    must_be(with("jti", Some(json!(""))), "\"jti\" is empty");
    must_be(with("jti", Some(json!(7))), "\"jti\" is of the wrong type");
    assert!(with("exp", Some(json!(NOW - 59))).is_ok() && with("iat", Some(json!(NOW + 60))).is_ok());
}

#[test]
fn a_token_is_remembered_no_longer_than_it_could_be_used() {
    let late = |exp: i64, iat: i64| {
        let mut claims = sound();
        (claims["exp"], claims["iat"]) = (json!(exp), json!(iat));
        read_claims(&claims).expect("sound").over
    };
    assert_eq!(late(NOW + 10_000_000, NOW), Timestamp(NOW + 601), "its age ends it");
    assert_eq!(late(NOW + 10_000_000, NOW - 300), Timestamp(NOW + 301));
    assert_eq!(late(NOW + 30, NOW), Timestamp(NOW + 90));
}

#[test]
fn the_event_is_an_object_in_an_object() {
    let why = "not a back-channel logout";
    must_be(with("events", None), why);
    for events in [
        json!(null),
        json!("http://schemas.openid.net/event/backchannel-logout"),
        json!([EVENT]),
        json!({}),
        json!({ "http://schemas.openid.net/event/other": {} }),
        json!({ EVENT: null }),
        json!({ EVENT: true }),
        json!({ EVENT: "" }),
        json!({ EVENT: [] }),
    ] {
        must_be(with("events", Some(events)), why);
    }
    let more = json!({ EVENT: { "reason": "x" }, "http://schemas.openid.net/event/other": 1 });
    assert!(with("events", Some(more)).is_ok());
}

#[test]
fn a_nonce_is_refused_whatever_its_value() {
    for nonce in [json!(""), json!(null), json!("x"), json!(0), json!({})] {
        must_be(with("nonce", Some(nonce)), "has a \"nonce\"");
    }
}

#[test]
fn the_type_is_judged_by_the_configuration() {
    for (kind, lenient, strict) in [
        (Some("logout+jwt"), true, true),
        (Some("application/logout+jwt"), true, true),
        (Some("LOGOUT+JWT"), true, true),
        (Some("JWT"), true, false),
        (None, true, false),
        (Some("at+jwt"), false, false),
        (Some("application/at+jwt"), false, false),
        (Some("JOSE"), false, false),
        (Some("secevent+jwt"), false, false),
        (Some(""), false, false),
    ] {
        assert_eq!(is_wanted(kind, LogoutTokenType::Lenient), lenient, "{kind:?}");
        assert_eq!(is_wanted(kind, LogoutTokenType::Strict), strict, "{kind:?}");
    }
}

#[test]
fn tokens_of_one_issuer_have_names_by_their_ids_alone() {
    let named = |name: &str, value: Value| with(name, Some(value)).expect("sound").name;
    let this = read_claims(&sound()).expect("sound").name;
    assert_eq!(named("sub", json!("bob-sub")), this);
    assert_ne!(named("jti", json!("j-2")), this);
    assert_ne!(name("ab", "c"), name("a", "bc"));
}

/// A provider on loopback, and what it says of Alice's session.
async fn ready() -> (Fake, Arc<Provider>) {
    let fake = Fake::start().await;
    let provider = fake.ready_provider().await;
    (fake, provider)
}

fn claims_of(fake: &Fake) -> Value {
    let now = fake.clock().now().0;
    let mut claims = sound();
    (claims["iss"], claims["iat"], claims["exp"]) = (json!(fake.base), json!(now), json!(now + 120));
    claims
}

async fn verify(provider: &Arc<Provider>, text: String) -> Result<LogoutToken, LogoutTokenError> {
    provider.verify_logout_token(Secret::new(text)).await
}

#[track_caller]
fn must_be_refused(verified: &Result<LogoutToken, LogoutTokenError>, what: &str) {
    assert!(matches!(verified, Err(LogoutTokenError::Refused(_))), "{what}: {verified:?}");
}

#[tokio::test]
async fn a_token_counts_only_when_the_provider_signed_it() {
    let (fake, provider) = ready().await;
    let claims = claims_of(&fake);
    let text = fake.signer.token(&claims);
    let verified = verify(&provider, text.clone()).await.expect("sound");
    assert_eq!(verified.issuer, fake.base);
    let (signed, signature) = text.rsplit_once('.').expect("three parts");
    let mut changed = signature.to_owned();
    changed.replace_range(..1, if signature.starts_with('A') { "B" } else { "A" });
    must_be_refused(&verify(&provider, format!("{signed}.{changed}")).await, "a changed signature");
    must_be_refused(&verify(&provider, format!("{signed}.")).await, "no signature");
    must_be_refused(&verify(&provider, signed.to_owned()).await, "two parts");
    let stranger = Signer::new(Algorithm::RS256, Some("key-1"));
    must_be_refused(&verify(&provider, stranger.token(&claims)).await, "another key of that name");
    let other = Signer::new(Algorithm::ES256, Some("key-1"));
    must_be_refused(&verify(&provider, other.token(&claims)).await, "an algorithm that is not accepted");
    for algorithm in ["none", "None", "HS256"] {
        let header = json!({ "alg": algorithm, "kid": "key-1" }).to_string();
        must_be_refused(&verify(&provider, fake.signer.sign(&header, &claims.to_string())).await, algorithm);
    }
}

#[tokio::test]
async fn tokens_of_other_kinds_are_no_logout_tokens() {
    let (fake, provider) = ready().await;
    must_be_refused(&verify(&provider, fake.signer.token(&fake.claims("n-1"))).await, "an ID token");
    let header = json!({ "alg": "RS256", "kid": "key-1", "typ": "at+jwt" }).to_string();
    let text = fake.signer.sign(&header, &claims_of(&fake).to_string());
    let refused = verify(&provider, text).await.expect_err("an access token");
    assert!(causes(&refused).contains(&HeaderError::Type.to_string()), "{}", causes(&refused));
}

#[tokio::test]
async fn a_doubled_member_is_refused() {
    let (fake, provider) = ready().await;
    let header = fake.signer.header().to_string();
    let payload = claims_of(&fake).to_string();
    assert!(verify(&provider, fake.signer.sign(&header, &payload)).await.is_ok());
    for more in ["\"sid\":\"s-1\"", "\"aud\":\"todo-web\"", "\"nonce\":1,\"nonce\":1"] {
        let doubled = format!("{},{more}}}", payload.strip_suffix('}').expect("an object"));
        must_be_refused(&verify(&provider, fake.signer.sign(&header, &doubled)).await, more);
    }
    let header = format!("{},\"alg\":\"RS256\"}}", header.strip_suffix('}').expect("an object"));
    must_be_refused(&verify(&provider, fake.signer.sign(&header, &payload)).await, "two algorithms");
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_the_provider_once_and_keeps_nobody_waiting() {
    let (fake, provider) = ready().await;
    let claims = claims_of(&fake);
    // The provider takes the question and says nothing.
    let never = Arc::default();
    fake.answer("/keys", Canned { after: Some(Arc::clone(&never)), ..Canned::json(200, &json!({})) });
    let stranger = Signer::new(Algorithm::RS256, Some("strange"));
    let text = stranger.token(&claims);
    let flood: Vec<_> = (0..MAX_WAITING + 20)
        .map(|_| {
            let (provider, text) = (Arc::clone(&provider), text.clone());
            tokio::spawn(async move { verify(&provider, text).await })
        })
        .collect();
    fake.until_called("/keys", 2).await;
    assert!(verify(&provider, fake.signer.token(&claims)).await.is_ok(), "a known key is never waited for");
    // Everybody has been polled by now, or has found no place.
    while provider.waiting.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let late = verify(&provider, text).await;
    assert!(matches!(late, Err(LogoutTokenError::Busy)), "{late:?}");
    never.notify_one();
    for one in futures_util::future::join_all(flood).await {
        let refused = one.expect("no panic").expect_err("nobody knows the key");
        assert!(matches!(refused, LogoutTokenError::Refused(_) | LogoutTokenError::Busy), "{refused:?}");
    }
    assert_eq!(fake.calls("/keys").len(), 2, "one for the start and one for the flood");
}

#[tokio::test]
async fn before_the_provider_was_ever_reached_nothing_is_judged_and_nobody_asked() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let unknown = verify(&provider, fake.signer.token(&claims_of(&fake))).await;
    assert!(matches!(unknown, Err(LogoutTokenError::NoKeys)), "{unknown:?}");
    assert!(fake.calls("/keys").is_empty() && fake.calls("/.well-known/openid-configuration").is_empty());
}

#[tokio::test]
async fn why_a_token_is_refused_quotes_nothing_of_it() {
    let (fake, provider) = ready().await;
    for (name, value) in
        [("iss", "https://secret-text.example"), ("aud", "secret-text"), ("events", "secret-text")]
    {
        let mut claims = claims_of(&fake);
        claims[name] = json!(value);
        let refused = verify(&provider, fake.signer.token(&claims)).await.expect_err("wrong");
        assert!(!format!("{refused:?} {}", causes(&refused)).contains("secret-text"), "{refused:?}");
    }
}

proptest! {
    #[test]
    fn no_claims_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(claims) = json::object(&bytes) {
            let _ = read(&claims, &settings(ISSUER), Timestamp(NOW));
        }
    }
}
