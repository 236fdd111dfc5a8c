//! Whole sign-ins against a provider on loopback.

use serde_json::{Value, json};

use super::*;
use crate::oidc::settings::{Algorithm, Pushing, RequestSettings, Settings};
use crate::oidc::testing::{Canned, Fake, Signer, want};
use crate::stop::Remedy;

fn answer(attempt: &LoginAttempt) -> Answer {
    parsed(&format!("code=c-1&state={}", attempt.state.expose()))
}

fn parsed(text: &str) -> Answer {
    Answer::parse(text.as_bytes()).expect("well formed")
}

/// What a sign-in comes to whose ID token has these claims.
async fn with_claims(change: impl FnOnce(&mut Value)) -> Result<SignedIn, Stop> {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let attempt = fake.begin(&provider).await;
    let mut claims = fake.claims(attempt.nonce.expose());
    change(&mut claims);
    fake.answer("/token", Canned::json(200, &fake.tokens(&claims)));
    let answer = answer(&attempt);
    provider.finish(attempt, answer, &[]).await
}

/// What a sign-in comes to when the token endpoint answers that.
async fn with_token_answer(canned: Canned) -> (Fake, Result<SignedIn, Stop>) {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let attempt = fake.begin(&provider).await;
    fake.answer("/token", canned);
    let answer = answer(&attempt);
    let result = provider.finish(attempt, answer, &[]).await;
    (fake, result)
}

fn reason(result: Result<SignedIn, Stop>) -> Reason {
    result.expect_err("must not sign in").reason()
}

#[tokio::test]
async fn a_sound_answer_signs_in() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let attempt = fake.begin(&provider).await;
    let verifier = attempt.verifier.clone();
    let answer = answer(&attempt);
    let signed_in = provider.finish(attempt, answer, &[]).await.expect("sound");
    assert_eq!(&*signed_in.identity.issuer, fake.base);
    assert_eq!(signed_in.identity.subject, "alice-sub");
    assert_eq!(signed_in.identity.display_name().as_deref(), Some("Alice Adams"));
    assert_eq!(signed_in.identity.provider_session.as_deref(), Some("s-1"));
    assert_eq!(signed_in.identity.granted.to_string(), "email offline_access openid profile");
    for kept in ["name", "sid", "roles", "sub"] {
        assert!(signed_in.identity.claims.get(kept).is_some(), "{kept}");
    }
    for dropped in ["iss", "aud", "exp", "iat", "nbf", "nonce"] {
        assert!(signed_in.identity.claims.get(dropped).is_none(), "{dropped}");
    }
    assert!(signed_in.credentials.refresh_token.is_some_and(|token| token.matches("rt-1")));
    assert!(signed_in.credentials.access.is_empty(), "no route asked for that token");
    let calls = fake.calls("/token");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].form["grant_type"], "authorization_code");
    assert_eq!(calls[0].form["code"], "c-1");
    assert_eq!(calls[0].form["redirect_uri"], "http://localhost:3000/auth/callback");
    assert!(verifier.matches(&calls[0].form["code_verifier"]));
    assert!(calls[0].authorization.as_deref().is_some_and(|value| value.starts_with("Basic ")));
}

#[tokio::test]
async fn an_answer_to_no_attempt_of_this_browser_is_refused_before_any_call() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    for text in ["code=c-1", "code=c-1&state=", "code=c-1&state=other"] {
        let attempt = fake.begin(&provider).await;
        let result = provider.finish(attempt, parsed(text), &[]).await;
        assert_eq!(reason(result), Reason::BadState, "{text}");
    }
    let attempt = fake.begin(&provider).await;
    let half = attempt.state.expose()[..20].to_owned();
    assert_eq!(
        reason(provider.finish(attempt, parsed(&format!("code=c&state={half}")), &[]).await),
        Reason::BadState
    );
    assert!(fake.calls("/token").is_empty());
}

#[tokio::test]
async fn an_answer_after_ten_minutes_is_refused_before_any_call() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let attempt = fake.begin(&provider).await;
    let answer = answer(&attempt);
    fake.pass(601);
    assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::AttemptExpired);
    assert!(fake.calls("/token").is_empty());
}

#[tokio::test]
async fn the_answers_issuer_must_be_the_one_that_was_asked() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let base = fake.base.clone();
    for other in ["http://evil.example", &format!("{base}/"), "", &base.to_uppercase()] {
        let attempt = fake.begin(&provider).await;
        let text = format!("code=c&state={}&iss={other}", attempt.state.expose());
        assert_eq!(
            reason(provider.finish(attempt, parsed(&text), &[]).await),
            Reason::WrongIssuer,
            "{other}"
        );
    }
    assert!(fake.calls("/token").is_empty());
    let attempt = fake.begin(&provider).await;
    let text = format!("code=c&state={}&iss={base}", attempt.state.expose());
    assert!(provider.finish(attempt, parsed(&text), &[]).await.is_ok());
}

#[tokio::test]
async fn a_provider_that_promises_its_issuer_must_send_it() {
    let fake = Fake::start().await;
    let mut metadata = fake.metadata();
    metadata["authorization_response_iss_parameter_supported"] = json!(true);
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
    let provider = fake.provider();
    let attempt = fake.begin(&provider).await;
    let sound = answer(&attempt);
    assert_eq!(reason(provider.finish(attempt, sound, &[]).await), Reason::WrongIssuer);
    let attempt = fake.begin(&provider).await;
    let text = format!("code=c&state={}&iss={}", attempt.state.expose(), fake.base);
    assert!(provider.finish(attempt, parsed(&text), &[]).await.is_ok());
}

#[tokio::test]
async fn a_no_of_the_provider_is_a_no_also_beside_a_code() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    for (text, expected) in [
        ("error=access_denied", Reason::AccessDenied),
        ("error=access_denied&code=c", Reason::AccessDenied),
        ("error=<script>alert(1)</script>&code=c", Reason::ProviderRefused),
        ("error=server_error&error_description=x", Reason::ProviderRefused),
        ("error=", Reason::ProviderRefused),
        ("code=", Reason::BadCallback),
        ("x=y", Reason::BadCallback),
    ] {
        let attempt = fake.begin(&provider).await;
        let answer = parsed(&format!("{text}&state={}", attempt.state.expose()));
        let stop = provider.finish(attempt, answer, &[]).await.expect_err("a no");
        assert_eq!(stop.reason(), expected, "{text}");
        let Stop::Refused(refusal) = stop else { panic!("a refusal") };
        assert!(matches!(refusal.remedy, Remedy::TryAgain(to) if to.as_str() == "/todos"), "{text}");
    }
    assert!(fake.calls("/token").is_empty());
}

#[tokio::test]
async fn an_attempt_of_another_issuer_is_refused() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let mut attempt = fake.begin(&provider).await;
    attempt.issuer = "http://localhost:1".to_owned();
    let answer = answer(&attempt);
    assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::WrongIssuer);
}

#[tokio::test]
async fn a_refused_code_is_sent_once() {
    for status in [400, 401, 403] {
        let (fake, result) =
            with_token_answer(Canned::json(status, &json!({"error": "invalid_grant"}))).await;
        assert_eq!(reason(result), Reason::CodeRefused, "{status}");
        assert_eq!(fake.calls("/token").len(), 1);
    }
}

#[tokio::test]
async fn a_provider_in_trouble_is_asked_once() {
    for status in [429, 500, 503] {
        let (fake, result) = with_token_answer(Canned::json(status, &json!({}))).await;
        assert_eq!(reason(result), Reason::ProviderUnavailable, "{status}");
        assert_eq!(fake.calls("/token").len(), 1);
    }
}

#[tokio::test]
async fn nonsense_of_the_token_endpoint_is_the_providers_fault() {
    let html = Canned {
        headers: vec![("content-type", "text/html".into())],
        body: "<html>".into(),
        ..Canned::json(200, &json!({}))
    };
    let gzip = Canned { headers: vec![("content-encoding", "gzip".into())], ..Canned::json(200, &json!({})) };
    let huge = Canned {
        body: format!("{{\"a\":\"{}\"}}", "a".repeat(1024 * 1024)),
        ..Canned::json(200, &json!({}))
    };
    let without_id_token = Canned::json(200, &json!({"access_token": "a", "token_type": "Bearer"}));
    for canned in
        [html, gzip, huge, without_id_token, Canned::json(200, &json!([])), Canned::json(204, &json!({}))]
    {
        let (fake, result) = with_token_answer(canned.clone()).await;
        assert_eq!(reason(result), Reason::ProviderBroken, "{:?}", canned.headers);
        assert_eq!(fake.calls("/token").len(), 1);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [301, 302, 307, 308] {
        let fake = Fake::start().await;
        let provider = fake.provider();
        let attempt = fake.begin(&provider).await;
        let headers = vec![("location", format!("{}/elsewhere", fake.base))];
        fake.answer("/token", Canned { headers, ..Canned::json(status, &json!({})) });
        let answer = answer(&attempt);
        assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::ProviderBroken);
        assert!(fake.calls("/elsewhere").is_empty());
    }
}

#[tokio::test]
async fn an_id_token_that_does_not_hold_is_refused() {
    assert!(with_claims(|_| ()).await.is_ok());
    assert_eq!(reason(with_claims(|claims| claims["nonce"] = json!("x")).await), Reason::BadIdToken);
    assert_eq!(
        reason(with_claims(|claims| claims["iss"] = json!("http://evil.example")).await),
        Reason::BadIdToken
    );
    assert_eq!(reason(with_claims(|claims| claims["aud"] = json!("other")).await), Reason::BadIdToken);
}

#[tokio::test]
async fn a_token_signed_by_a_stranger_is_refused() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let stranger = Signer::new(Algorithm::RS256, Some("key-1"));
    let attempt = fake.begin(&provider).await;
    let mut tokens = fake.tokens(&json!({}));
    tokens["id_token"] = stranger.token(&fake.claims(attempt.nonce.expose())).into();
    fake.answer("/token", Canned::json(200, &tokens));
    let answer = answer(&attempt);
    assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::BadIdToken);
}

#[tokio::test]
async fn a_new_signing_key_is_found_without_a_restart_and_strange_keys_cause_one_fetch() {
    let mut fake = Fake::start().await;
    let provider = fake.provider();
    fake.begin(&provider).await;
    assert_eq!(fake.calls("/keys").len(), 1);
    fake.signer = Signer::new(Algorithm::RS256, Some("key-2"));
    fake.answer("/keys", Canned::json(200, &json!({"keys": [fake.signer.jwk()]})));
    let attempt = fake.begin(&provider).await;
    let sound = answer(&attempt);
    assert!(provider.finish(attempt, sound, &[]).await.is_ok(), "the new key was fetched");
    assert_eq!(fake.calls("/keys").len(), 2);
    fake.signer = Signer::new(Algorithm::RS256, Some("never-published"));
    for _ in 0..5 {
        let attempt = fake.begin(&provider).await;
        let answer = answer(&attempt);
        assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::BadIdToken);
    }
    assert_eq!(fake.calls("/keys").len(), 2, "the last fetch was less than thirty seconds ago");
    fake.pass(31);
    let attempt = fake.begin(&provider).await;
    let answer = answer(&attempt);
    assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::BadIdToken);
    assert_eq!(fake.calls("/keys").len(), 3);
}

#[tokio::test]
async fn known_keys_serve_while_the_keys_cannot_be_fetched_but_not_for_ever() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    fake.begin(&provider).await;
    fake.answer("/keys", Canned::json(500, &json!({})));
    fake.pass(3_700);
    let attempt = fake.begin(&provider).await;
    let sound = answer(&attempt);
    assert!(provider.finish(attempt, sound, &[]).await.is_ok(), "old keys, provider in trouble");
    fake.pass(24 * 3_600);
    let attempt = fake.begin(&provider).await;
    let answer = answer(&attempt);
    assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::ProviderUnavailable);
    assert!(provider.readiness().is_err());
}

#[tokio::test]
async fn a_key_that_is_taken_back_stops_verifying_within_an_hour() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    fake.begin(&provider).await;
    let other = Signer::new(Algorithm::RS256, Some("key-2"));
    fake.answer("/keys", Canned::json(200, &json!({"keys": [other.jwk()]})));
    fake.pass(3_700);
    let attempt = fake.begin(&provider).await;
    let answer = answer(&attempt);
    assert_eq!(reason(provider.finish(attempt, answer, &[]).await), Reason::BadIdToken);
}

#[tokio::test]
async fn extra_scopes_are_asked_for_and_bring_the_routes_token() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let spec = |name: &str, scopes: &str| Arc::new(TokenSpec::user(name, scopes.parse().expect("valid")));
    let (read, write) = (spec("read", "api://x/Read"), spec("write", "api://x/Write"));
    let specs = [Arc::clone(&read), Arc::clone(&write)];
    for (granted, expected) in [(None, 1), (Some("openid api://x/Read"), 1), (Some("openid profile"), 0)] {
        let extra = Some(read.scopes.clone());
        let begun = provider.begin(Want { extra_scopes: extra, ..want() }, None).await.expect("ready");
        assert!(begun.location.contains("api%3A%2F%2Fx%2FRead"));
        let mut tokens = fake.tokens(&fake.claims(begun.attempt.nonce.expose()));
        if let Some(granted) = granted {
            tokens["scope"] = granted.into();
        }
        fake.answer("/token", Canned::json(200, &tokens));
        let answer = answer(&begun.attempt);
        let signed_in = provider.finish(begun.attempt, answer, &specs).await.expect("sound");
        assert_eq!(signed_in.credentials.access.len(), expected, "{granted:?}");
        assert!(
            signed_in
                .credentials
                .access
                .iter()
                .all(|held| held.spec == read && held.authorization == "Bearer at-1")
        );
    }
}

#[tokio::test]
async fn a_tenant_that_is_not_on_the_list_is_denied() {
    for (tenant, expected) in
        [("t-1", None), ("t-2", Some(Reason::TenantNotAllowed)), ("", Some(Reason::TenantNotAllowed))]
    {
        let fake = Fake::start().await;
        let issuer = format!("{}/{{tenantid}}/v2.0", fake.base);
        let mut metadata = fake.metadata();
        metadata["issuer"] = issuer.clone().into();
        fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
        let settings = Settings { issuer: issuer.into(), tenants: vec!["t-1".into()], ..fake.settings() };
        let provider = fake.provider_with(settings);
        let attempt = fake.begin(&provider).await;
        let mut claims = fake.claims(attempt.nonce.expose());
        claims["tid"] = tenant.into();
        claims["iss"] = format!("{}/{tenant}/v2.0", fake.base).into();
        fake.answer("/token", Canned::json(200, &fake.tokens(&claims)));
        let answer = answer(&attempt);
        let result = provider.finish(attempt, answer, &[]).await;
        assert_eq!(result.as_ref().err().map(Stop::reason), expected, "{tenant}");
        if let Ok(signed_in) = result {
            assert_eq!(&*signed_in.identity.issuer, format!("{}/t-1/v2.0", fake.base));
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_away_can_be_signed_in_with_as_soon_as_it_is_back() {
    let fake = Fake::start().await;
    fake.answer("/.well-known/openid-configuration", Canned::json(503, &json!({})));
    let provider = fake.provider();
    let stop = provider.begin(want(), None).await.expect_err("away");
    assert_eq!(stop.reason(), Reason::ProviderUnavailable);
    assert!(provider.readiness().expect_err("away").to_string().contains("503"));
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &fake.metadata()));
    provider.renew().await.expect("back");
    assert_eq!(provider.readiness(), Ok(()));
    assert!(provider.begin(want(), None).await.is_ok());
}

#[tokio::test]
async fn a_provider_that_names_no_session_is_taken_as_it_is() {
    for odd in [json!(null), json!(7), json!(["s-1"])] {
        let signed_in = with_claims(|claims| claims["sid"] = odd).await.expect("sound");
        assert_eq!(signed_in.identity.provider_session, None);
    }
}

#[tokio::test]
async fn a_code_is_redeemed_for_the_first_resource_and_its_token_stands_in_for_no_other() {
    let fake = Fake::start().await;
    let named = vec!["api://x".to_owned(), "api://y".to_owned()];
    let scopes = "openid Read".parse::<ScopeSet>().expect("valid");
    let specs = [Arc::new(TokenSpec::user("read", "Read".parse().expect("valid")))];
    for (resources, sent, held) in [(Vec::new(), vec![], 1), (named, vec!["api://x"], 0)] {
        let provider = fake.provider_with(Settings { resources, scopes: scopes.clone(), ..fake.settings() });
        let attempt = fake.begin(&provider).await;
        let answer = answer(&attempt);
        let signed_in = provider.finish(attempt, answer, &specs).await.expect("sound");
        assert_eq!(signed_in.credentials.access.len(), held);
        let call = fake.calls("/token").pop().expect("a call");
        let found: Vec<_> = call.pairs.iter().filter(|(name, _)| name == "resource").collect();
        assert_eq!(found.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), sent);
    }
}

#[tokio::test]
async fn a_sign_ins_token_stands_in_for_none_that_is_got_in_another_way() {
    let fake = Fake::start().await;
    let settings = Settings { scopes: "openid Read".parse().expect("valid"), ..fake.settings() };
    let provider = fake.provider_with(settings);
    let user = || TokenSpec::user("user", "Read".parse().expect("valid"));
    let subject = Arc::new(user());
    let named = |name: &str, spec: TokenSpec| Arc::new(TokenSpec { name: name.to_owned(), ..spec });
    let specs = [
        named("user", user()),
        named("user-or-client", TokenSpec { kind: TokenKind::UserOrClient, ..user() }),
        named("client", TokenSpec { kind: TokenKind::Client, ..user() }),
        named("exchange", TokenSpec { kind: TokenKind::Exchange(Arc::clone(&subject)), ..user() }),
        named("on-behalf-of", TokenSpec { kind: TokenKind::OnBehalfOf(subject), ..user() }),
        named("resource", TokenSpec { resources: vec!["api://x".to_owned()], ..user() }),
        named("audience", TokenSpec { audience: Some("x".to_owned()), ..user() }),
    ];
    let attempt = fake.begin(&provider).await;
    let answer = answer(&attempt);
    let signed_in = provider.finish(attempt, answer, &specs).await.expect("sound");
    let held: Vec<_> = signed_in.credentials.access.iter().map(|held| held.spec.name.as_str()).collect();
    assert_eq!(held, ["user", "user-or-client"]);
}

/// A provider that takes pushed requests, and what the configuration says of them.
async fn pushing(par: Pushing, is_required: bool, answer: Canned) -> (Fake, Arc<Provider>) {
    let fake = Fake::start().await;
    let mut metadata = fake.metadata();
    metadata["pushed_authorization_request_endpoint"] = json!(format!("{}/par", fake.base));
    metadata["require_pushed_authorization_requests"] = json!(is_required);
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
    fake.answer("/par", answer);
    let request = RequestSettings { par, ..RequestSettings::default() };
    let provider = fake.provider_with(Settings { request, ..fake.settings() });
    (fake, provider)
}

fn named() -> Canned {
    Canned::json(201, &json!({"request_uri": "urn:example:1", "expires_in": 60}))
}

#[tokio::test]
async fn a_pushed_request_is_authenticated_and_the_browser_carries_its_name_alone() {
    for (par, is_required) in [(Pushing::Auto, true), (Pushing::Always, false)] {
        let (fake, provider) = pushing(par, is_required, named()).await;
        let begun = provider.begin(want(), None).await.expect("taken");
        let expected = format!("{}/authorize?client_id=todo-web&request_uri=urn%3Aexample%3A1", fake.base);
        assert_eq!(begun.location, expected);
        let calls = fake.calls("/par");
        let [call] = &calls[..] else { panic!("one call: {calls:?}") };
        assert!(call.authorization.as_deref().is_some_and(|value| value.starts_with("Basic ")));
        assert!(begun.attempt.state.matches(&call.form["state"]));
        assert!(begun.attempt.nonce.matches(&call.form["nonce"]));
        assert_eq!((&*call.form["response_type"], &*call.form["client_id"]), ("code", "todo-web"));
        assert_eq!(call.form["code_challenge_method"], "S256");
        assert_eq!(call.form.len(), call.pairs.len(), "nothing is said twice");
        assert!(!call.form.contains_key("code_verifier") && !call.form.contains_key("client_secret"));
    }
    let (fake, provider) = pushing(Pushing::Auto, false, named()).await;
    assert!(provider.begin(want(), None).await.expect("ready").location.contains("state="), "not required");
    assert!(fake.calls("/par").is_empty());
}

#[tokio::test]
async fn a_request_that_cannot_be_pushed_is_not_made_at_all() {
    let html = Canned { headers: vec![("content-type", "text/html".into())], ..named() };
    let elsewhere =
        Canned { headers: vec![("location", "/elsewhere".into())], ..Canned::json(307, &json!({})) };
    for (answer, expected) in [
        (Canned::json(400, &json!({"error": "invalid_request"})), Reason::ProviderBroken),
        (Canned::json(401, &json!({"error": "invalid_client"})), Reason::ProviderBroken),
        (Canned::json(500, &json!({})), Reason::ProviderUnavailable),
        (Canned::json(429, &json!({})), Reason::ProviderUnavailable),
        (Canned::broken(), Reason::ProviderUnavailable),
        (Canned::json(201, &json!({"expires_in": 60})), Reason::ProviderBroken),
        (Canned::json(204, &json!({})), Reason::ProviderBroken),
        (html, Reason::ProviderBroken),
        (elsewhere, Reason::ProviderBroken),
    ] {
        let (fake, provider) = pushing(Pushing::Always, false, answer.clone()).await;
        let stop = provider.begin(want(), None).await.expect_err("no request");
        assert_eq!(stop.reason(), expected, "{answer:?}");
        assert_eq!(fake.calls("/par").len(), 1);
        assert!(fake.calls("/elsewhere").is_empty());
    }
}

#[tokio::test]
async fn a_provider_that_requires_what_is_forbidden_is_not_ready_and_says_why() {
    let (_fake, provider) = pushing(Pushing::Never, true, named()).await;
    assert_eq!(
        provider.begin(want(), None).await.expect_err("impossible").reason(),
        Reason::ProviderUnavailable
    );
    let why = provider.readiness().expect_err("not ready").to_string();
    assert!(why.contains("par = \"never\""), "{why}");
}

/// A silent attempt, and an answer to it.
async fn silently(fake: &Fake, provider: &Arc<Provider>, said: &str) -> Result<SignedIn, Stop> {
    let begun = provider.begin(Want { purpose: Purpose::Silent, ..want() }, None).await.expect("ready");
    assert!(begun.location.contains("prompt=none"));
    let tokens = fake.tokens(&fake.claims(begun.attempt.nonce.expose()));
    fake.answer("/token", Canned::json(200, &tokens));
    let answer = parsed(&format!("{said}&state={}", begun.attempt.state.expose()));
    provider.finish(begun.attempt, answer, &[]).await
}

#[tokio::test]
async fn a_silent_attempt_signs_in_or_goes_on_quietly() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    for error in ["login_required", "interaction_required", "consent_required", "account_selection_required"]
    {
        let stop = silently(&fake, &provider, &format!("error={error}")).await.expect_err("nobody");
        assert_eq!(stop.reason(), Reason::NobodySignedIn, "{error}");
        let attempt = fake.begin(&provider).await;
        let loud = parsed(&format!("error={error}&state={}", attempt.state.expose()));
        assert_eq!(reason(provider.finish(attempt, loud, &[]).await), Reason::ProviderRefused, "{error}");
    }
    assert_eq!(reason(silently(&fake, &provider, "error=server_error").await), Reason::ProviderRefused);
    assert_eq!(reason(silently(&fake, &provider, "error=access_denied").await), Reason::AccessDenied);
    assert!(fake.calls("/token").is_empty());
    assert!(silently(&fake, &provider, "code=c-1").await.is_ok());
}

#[tokio::test]
async fn a_sign_in_weaker_or_older_than_asked_is_refused() {
    for (claim, value, expected) in [
        ("acr", json!("gold"), None),
        ("acr", json!("bronze"), Some(Reason::AcrNotMet)),
        ("acr", json!(null), Some(Reason::AcrNotMet)),
        ("auth_time", json!(1), Some(Reason::AuthenticationTooOld)),
        ("auth_time", json!(null), Some(Reason::AuthenticationTooOld)),
    ] {
        let fake = Fake::start().await;
        let request = RequestSettings {
            acr_values: vec!["gold".to_owned()],
            acr_required: true,
            max_age: Some(std::time::Duration::from_mins(5)),
            ..RequestSettings::default()
        };
        let provider = fake.provider_with(Settings { request, ..fake.settings() });
        let attempt = fake.begin(&provider).await;
        let mut claims = fake.claims(attempt.nonce.expose());
        (claims["acr"], claims["auth_time"]) = (json!("gold"), claims["iat"].clone());
        claims[claim] = value.clone();
        fake.answer("/token", Canned::json(200, &fake.tokens(&claims)));
        let answer = answer(&attempt);
        let result = provider.finish(attempt, answer, &[]).await;
        assert_eq!(result.err().map(|stop| stop.reason()), expected, "{claim} {value}");
    }
}
