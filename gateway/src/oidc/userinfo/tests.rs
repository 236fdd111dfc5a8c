//! Sign-ins that ask the userinfo endpoint, against a provider on loopback.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::oidc::callback::Answer;
use crate::oidc::settings::{Algorithm, Settings, When};
use crate::oidc::testing::{Call, Canned, Fake, Signer};
use crate::oidc::{Provider, SignedIn};

fn jwt(text: String) -> Canned {
    Canned {
        headers: vec![("content-type", "application/jwt".to_owned())],
        body: text,
        ..Canned::json(200, &json!({}))
    }
}

async fn start(when: When, claims: &[&str]) -> (Fake, Arc<Provider>) {
    let fake = Fake::start().await;
    let claims = claims.iter().map(|&claim| claim.to_owned()).collect();
    let userinfo = Userinfo { when, claims };
    let provider = fake.provider_with(Settings { userinfo, ..fake.settings() });
    (fake, provider)
}

async fn sign_in(fake: &Fake, provider: &Arc<Provider>) -> Result<SignedIn, Stop> {
    let attempt = fake.begin(provider).await;
    let text = format!("code=c-1&state={}", attempt.state.expose());
    provider.finish(attempt, Answer::parse(text.as_bytes()).expect("well formed"), &[]).await
}

/// What a sign-in comes to when the endpoint answers that.
async fn answered(canned: Canned) -> Result<SignedIn, Reason> {
    let (fake, provider) = start(When::Always, &["groups", "name"]).await;
    fake.answer("/userinfo", canned);
    sign_in(&fake, &provider).await.map_err(|stop| stop.reason())
}

#[tokio::test]
async fn named_claims_are_taken_and_no_others() {
    let (fake, provider) = start(When::Always, &["groups", "name", "sid", "iss", "locale"]).await;
    let said = json!({
        "sub": "alice-sub", "groups": ["staff"], "name": "Alice B.", "roles": ["root"], "sid": "other",
        "iss": "http://evil.example",
    });
    fake.answer("/userinfo", Canned::json(200, &said));
    let identity = sign_in(&fake, &provider).await.expect("sound").identity;
    assert_eq!(identity.claims.get("groups"), Some(&json!(["staff"])));
    assert_eq!(identity.claims.get("name"), Some(&json!("Alice B.")), "in the place of the ID token's");
    assert_eq!(identity.claims.get("roles"), Some(&json!(["admin"])), "nobody named it");
    assert_eq!(
        identity.provider_session.as_deref(),
        Some("s-1"),
        "what the ID token says of the sign-in stays"
    );
    assert_eq!((&*identity.issuer, &*identity.subject), (&*fake.base, "alice-sub"));
    let calls = fake.calls("/userinfo");
    assert_eq!(
        calls.iter().map(|call| call.authorization.as_deref()).collect::<Vec<_>>(),
        [Some("Bearer at-1")]
    );
}

#[tokio::test]
async fn the_endpoint_is_asked_when_the_configuration_says_so() {
    for (when, claims, calls) in [
        (When::Never, &["groups"][..], 0),
        (When::WhenMissing, &["name", "roles"], 0),
        (When::WhenMissing, &["name", "groups"], 1),
        (When::Always, &["name"], 1),
    ] {
        let (fake, provider) = start(when, claims).await;
        fake.answer("/userinfo", Canned::json(200, &json!({"sub": "alice-sub"})));
        assert!(sign_in(&fake, &provider).await.is_ok(), "{when:?} {claims:?}");
        assert_eq!(fake.calls("/userinfo").len(), calls, "{when:?} {claims:?}");
    }
}

#[tokio::test]
async fn another_person_ends_the_sign_in() {
    assert!(answered(Canned::json(200, &json!({"sub": "alice-sub"}))).await.is_ok());
    for said in
        [json!({"sub": "bob-sub"}), json!({"sub": "Alice-sub"}), json!({}), json!({"sub": ["alice-sub"]})]
    {
        let result = answered(Canned::json(200, &said)).await;
        assert_eq!(result.expect_err("another"), Reason::BadUserinfo, "{said}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_had_ends_the_sign_in_too() {
    let html =
        Canned { headers: vec![("content-type", "text/html".into())], ..Canned::json(200, &json!({})) };
    let elsewhere = Canned { headers: vec![("location", "/keys".into())], ..Canned::json(302, &json!({})) };
    let doubled =
        Canned { body: r#"{"sub":"alice-sub","sub":"bob"}"#.into(), ..Canned::json(200, &json!({})) };
    let huge = Canned { body: format!("[\"{}\"]", "a".repeat(1 << 20)), ..Canned::json(200, &json!({})) };
    for (canned, expected) in [
        (Canned::json(200, &json!([{"sub": "alice-sub"}])), Reason::ProviderBroken),
        (html, Reason::ProviderBroken),
        (doubled, Reason::ProviderBroken),
        (huge, Reason::ProviderBroken),
        (elsewhere, Reason::ProviderBroken),
        (Canned::json(401, &json!({})), Reason::ProviderBroken),
        (Canned::json(500, &json!({})), Reason::ProviderUnavailable),
        (Canned::broken(), Reason::ProviderUnavailable),
    ] {
        assert_eq!(answered(canned.clone()).await.expect_err("nothing"), expected, "{canned:?}");
    }
}

/// What a sign-in comes to when the endpoint answers with a signed statement made of sound claims.
async fn signed(make: impl Fn(&Fake, Value) -> String) -> Result<SignedIn, Reason> {
    let (fake, provider) = start(When::Always, &["groups"]).await;
    let sound = json!({"iss": fake.base, "aud": "todo-web", "sub": "alice-sub", "groups": ["staff"]});
    let text = make(&fake, sound);
    fake.answer_by("/userinfo", move |_: &Call| jwt(text.clone()));
    sign_in(&fake, &provider).await.map_err(|stop| stop.reason())
}

#[tokio::test]
async fn a_signed_answer_is_verified_like_an_id_token() {
    let sound = signed(|fake, claims| fake.signer.token(&claims)).await.expect("sound");
    assert_eq!(sound.identity.claims.get("groups"), Some(&json!(["staff"])));
    assert!(
        signed(|fake, mut claims| {
            claims["aud"] = json!(["todo-web", "todo-api"]);
            fake.signer.token(&claims)
        })
        .await
        .is_ok()
    );
    for (name, value) in [
        ("iss", json!("http://evil.example")),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("sub", json!("bob-sub")),
        ("exp", json!(1_000)),
        ("exp", json!("soon")),
    ] {
        let result = signed(|fake, mut claims| {
            claims[name] = value.clone();
            fake.signer.token(&claims)
        });
        assert_eq!(result.await.expect_err("not ours"), Reason::BadUserinfo, "{name} {value}");
    }
}

#[tokio::test]
async fn a_signature_of_a_stranger_or_none_is_refused() {
    let stranger = Signer::new(Algorithm::RS256, Some("key-1"));
    let other = Signer::new(Algorithm::ES256, Some("key-1"));
    let refused = [
        signed(|_, claims| stranger.token(&claims)).await,
        signed(|_, claims| other.token(&claims)).await,
        signed(|fake, claims| fake.signer.sign(r#"{"alg":"none"}"#, &claims.to_string())).await,
        signed(|fake, claims| fake.signer.token(&claims).replace('.', "..")).await,
        signed(|fake, claims| {
            let text = fake.signer.token(&claims);
            format!("{}.", text.rsplit_once('.').expect("parts").0)
        })
        .await,
        signed(|_, _| String::new()).await,
    ];
    for result in refused {
        assert_eq!(result.expect_err("not the provider's"), Reason::BadUserinfo);
    }
}

#[tokio::test]
async fn a_provider_without_the_endpoint_is_not_ready_where_it_is_needed() {
    let (fake, provider) = start(When::WhenMissing, &["groups"]).await;
    let mut metadata = fake.metadata();
    metadata.as_object_mut().expect("an object").remove("userinfo_endpoint");
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
    assert!(provider.renew().await.is_err());
    assert!(provider.readiness().expect_err("not ready").to_string().contains("userinfo_endpoint"));
    let (fake, provider) = start(When::Never, &[]).await;
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
    assert!(matches!(provider.renew().await, Err(error) if !error.to_string().contains("userinfo")));
}

#[tokio::test]
async fn a_refresh_keeps_what_userinfo_said() {
    use crate::oidc::ask::Ask;
    let (fake, provider) = start(When::WhenMissing, &["groups"]).await;
    fake.answer("/userinfo", Canned::json(200, &json!({"sub": "alice-sub", "groups": ["staff"]})));
    let signed_in = sign_in(&fake, &provider).await.expect("sound");
    let mut claims = fake.claims("x");
    claims.as_object_mut().expect("an object").remove("nonce");
    claims["roles"] = json!(["reader"]);
    fake.answer("/token", Canned::json(200, &fake.tokens(&claims)));
    let scopes = "api://x/Read".parse().expect("valid");
    let refreshed = provider.refresh(&signed_in.credentials, &signed_in.identity, &Ask::of(&scopes)).await;
    let claims = refreshed.expect("refreshed").identity_claims.expect("a newer ID token");
    assert_eq!((&claims["groups"], &claims["roles"]), (&json!(["staff"]), &json!(["reader"])));
    assert_eq!(fake.calls("/userinfo").len(), 1, "asked at the sign-in only");
}
