//! Refreshes against a provider on loopback.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::oidc::testing::{Canned, Fake};
use crate::session::claims::Claims;

async fn ready() -> (Fake, Arc<Provider>) {
    let fake = Fake::start().await;
    let provider = fake.ready_provider().await;
    (fake, provider)
}

fn identity(fake: &Fake) -> Identity {
    Identity {
        provider: fake.base.as_str().into(),
        issuer: fake.base.as_str().into(),
        subject: "alice-sub".to_owned(),
        claims: Claims::default(),
        granted: ScopeSet::default(),
        provider_session: None,
        asserted: Timestamp(0),
    }
}

fn credentials(fake: &Fake) -> Credentials {
    Credentials {
        id_token: Secret::new(fake.signer.token(&fake.claims("n-1"))),
        refresh_token: Some(Secret::new("rt-0".to_owned())),
        access: Vec::new(),
    }
}

async fn refresh(fake: &Fake, provider: &Arc<Provider>) -> Result<Refreshed, RefreshError> {
    let scopes = "api://x/Read".parse().expect("valid");
    provider.refresh(&credentials(fake), &identity(fake), &Ask::of(&scopes)).await
}

#[tokio::test]
async fn a_refresh_sends_the_scopes_and_brings_what_is_new() {
    let (fake, provider) = ready().await;
    fake.answer("/token", Canned::json(200, &fake.tokens(&fake.claims("n-1"))));
    let refreshed = refresh(&fake, &provider).await.expect("sound");
    assert_eq!(refreshed.authorization, "Bearer at-1");
    assert!(refreshed.refresh_token.is_some_and(|token| token.matches("rt-1")));
    assert!(refreshed.id_token.is_some());
    assert_eq!(refreshed.granted.to_string(), "api://x/Read", "as asked, where the answer does not say");
    let call = &fake.calls("/token")[0];
    assert_eq!(call.form["grant_type"], "refresh_token");
    assert_eq!(call.form["refresh_token"], "rt-0");
    let expected = "api://x/Read email offline_access openid profile";
    assert_eq!(call.form["scope"], expected, "the ID token and the successor are asked for too");
    assert!(!call.form.contains_key("resource") && !call.form.contains_key("audience"));
}

#[tokio::test]
async fn a_refresh_may_ask_by_resource_with_scopes_or_without() {
    let (fake, provider) = ready().await;
    fake.answer("/token", Canned::json(200, &fake.tokens(&fake.claims("n-1"))));
    let resources = ["api://x".to_owned()];
    for (scopes, expected) in
        [("", None), ("Read", Some("Read email offline_access openid profile".to_owned()))]
    {
        let scopes = scopes.parse().unwrap_or_default();
        let ask = Ask { scopes: &scopes, resources: &resources, audience: None };
        let refreshed = provider.refresh(&credentials(&fake), &identity(&fake), &ask).await.expect("sound");
        assert_eq!(refreshed.granted, scopes);
        let call = fake.calls("/token").pop().expect("a call");
        assert_eq!(call.form.get("scope").cloned(), expected, "without, it is as at the sign-in");
        assert_eq!(call.form["resource"], "api://x");
    }
}

#[tokio::test]
async fn a_refresh_tells_what_is_said_of_the_person_today() {
    let (fake, provider) = ready().await;
    let mut claims = fake.claims("n-1");
    claims["roles"] = json!(["reader"]);
    fake.answer("/token", Canned::json(200, &fake.tokens(&claims)));
    let said = refresh(&fake, &provider).await.expect("sound").identity_claims.expect("there is an ID token");
    assert_eq!((&said["roles"], &said["name"]), (&json!(["reader"]), &json!("Alice Adams")));
    assert!(!said.contains_key("iss") && !said.contains_key("exp") && said.contains_key("sub"));
}

#[tokio::test]
async fn what_the_provider_leaves_out_stays() {
    let (fake, provider) = ready().await;
    let answer = json!({"access_token": "at-2", "token_type": "bearer", "scope": "api://x/Other"});
    fake.answer("/token", Canned::json(200, &answer));
    let refreshed = refresh(&fake, &provider).await.expect("sound");
    assert!(refreshed.refresh_token.is_none() && refreshed.id_token.is_none());
    assert!(refreshed.identity_claims.is_none());
    assert_eq!(refreshed.granted.to_string(), "api://x/Other", "what was granted, not what was asked");
}

#[tokio::test]
async fn a_refreshed_id_token_must_be_the_same_persons() {
    let (fake, provider) = ready().await;
    for (name, value) in [
        ("sub", json!("mallory")),
        ("iss", json!("http://evil.example")),
        ("aud", json!("other")),
        ("nonce", json!("n-2")),
        ("exp", json!(1)),
    ] {
        let mut claims = fake.claims("n-1");
        claims[name] = value;
        fake.answer("/token", Canned::json(200, &fake.tokens(&claims)));
        let result = refresh(&fake, &provider).await;
        assert!(
            matches!(&result, Err(RefreshError::IdentityMismatch(Some(token))) if token.matches("rt-1")),
            "{name}: {result:?}"
        );
    }
    let mut claims = fake.claims("n-1");
    claims.as_object_mut().expect("an object").remove("nonce");
    fake.answer("/token", Canned::json(200, &fake.tokens(&claims)));
    assert!(refresh(&fake, &provider).await.is_ok(), "a refreshed ID token need not have a nonce");
}

#[tokio::test]
async fn refusals_say_what_to_do_with_the_session() {
    let (fake, provider) = ready().await;
    let answer = async |status: u16, body: Value| {
        fake.answer("/token", Canned::json(status, &body));
        refresh(&fake, &provider).await.expect_err("a refusal")
    };
    assert!(matches!(answer(400, json!({"error": "invalid_grant"})).await, RefreshError::InvalidGrant));
    for error in ["consent_required", "interaction_required", "login_required", "invalid_scope"] {
        assert!(
            matches!(answer(400, json!({"error": error})).await, RefreshError::ConsentRequired),
            "{error}"
        );
    }
    let consent = json!({"error": "invalid_grant", "suberror": "consent_required", "error_codes": [65_001]});
    assert!(matches!(answer(400, consent).await, RefreshError::ConsentRequired));
    for status in [429, 500, 502, 503] {
        assert!(matches!(answer(status, json!({})).await, RefreshError::Transient(_, None)), "{status}");
    }
    assert!(matches!(answer(401, json!({"error": "invalid_client"})).await, RefreshError::Broken(_)));
    assert!(matches!(answer(400, json!({"error": "invalid_request"})).await, RefreshError::Broken(_)));
    assert!(matches!(answer(200, json!({"access_token": "a"})).await, RefreshError::Broken(_)));
}

#[tokio::test]
async fn without_a_refresh_token_the_person_must_come() {
    let (fake, provider) = ready().await;
    let credentials = Credentials { refresh_token: None, ..credentials(&fake) };
    let result = provider.refresh(&credentials, &identity(&fake), &Ask::of(&ScopeSet::default())).await;
    assert!(matches!(result, Err(RefreshError::ConsentRequired)));
    assert!(fake.calls("/token").is_empty());
}

#[tokio::test]
async fn a_busy_provider_may_say_for_how_long() {
    let (fake, provider) = ready().await;
    let headers = vec![("retry-after", "7".to_owned())];
    for status in [429, 503] {
        fake.answer("/token", Canned { headers: headers.clone(), ..Canned::json(status, &json!({})) });
        let pause = Some(Duration::from_secs(7));
        let result = refresh(&fake, &provider).await;
        assert!(matches!(&result, Err(RefreshError::Transient(_, said)) if *said == pause), "{result:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_came_is_told_from_a_provider_that_was_never_reached() {
    let (fake, provider) = ready().await;
    fake.answer("/token", Canned::broken());
    let result = refresh(&fake, &provider).await;
    assert!(matches!(result, Err(RefreshError::Lost(_))), "{result:?}");
    assert_eq!(fake.calls("/token").len(), 1, "it is not sent again by itself");

    // Bound, but nobody listens: refused, and nobody else gets the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let mut metadata = fake.metadata();
    metadata["token_endpoint"] = format!("http://{}/token", socket.local_addr().expect("bound")).into();
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
    let provider = fake.ready_provider().await;
    let result = refresh(&fake, &provider).await;
    assert!(matches!(result, Err(RefreshError::Transient(_, None))), "{result:?}");
}
