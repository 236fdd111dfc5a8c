//! Signing out against a provider on loopback.

use serde_json::json;
use url::Url;

use super::*;
use crate::oidc::testing::{Canned, Fake};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn the_browser_is_sent_with_exactly_what_the_standard_asks() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    assert!(provider.end_session(&secret("i.d.t"), "s", None).is_none(), "nothing is known yet");
    provider.renew().await.expect("sound");
    let end_session = provider.end_session(&secret("i.d.t"), "s&=", None).expect("there is one");
    let Carriage::Address(url) = end_session.carriage() else { panic!("a short address") };
    assert_eq!(end_session.address_for_scripts(), url);
    let url = Url::parse(&url).expect("valid");
    assert_eq!(url.path(), "/end_session");
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("id_token_hint", "i.d.t"),
        pair("client_id", "todo-web"),
        pair("post_logout_redirect_uri", "http://localhost:3000/auth/signed-out"),
        pair("state", "s&="),
    ];
    assert_eq!(pairs, expected);
}

#[tokio::test]
async fn what_is_too_long_for_an_address_travels_in_a_form_or_without_the_id_token() {
    let fake = Fake::start().await;
    let provider = fake.ready_provider().await;
    let address = |length: usize| {
        let end_session =
            provider.end_session(&secret(&"a".repeat(length)), "s", None).expect("there is one");
        let Carriage::Address(address) = end_session.carriage() else { return None };
        Some(address.len())
    };
    let around = address(0).expect("short");
    assert_eq!(address(2_048 - around), Some(2_048));
    assert_eq!(address(2_049 - around), None);
    let hint = "a".repeat(8_192);
    let end_session = provider.end_session(&secret(&hint), "s-1", None).expect("there is one");
    let Carriage::Form(to, fields) = end_session.carriage() else { panic!("too long for an address") };
    assert_eq!(to.as_str(), format!("{}/end_session", fake.base));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.expose().as_str())).collect();
    let expected = [
        ("id_token_hint", hint.as_str()),
        ("client_id", "todo-web"),
        ("post_logout_redirect_uri", "http://localhost:3000/auth/signed-out"),
        ("state", "s-1"),
    ];
    assert_eq!(fields, expected);
    let url = Url::parse(&end_session.address_for_scripts()).expect("valid");
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let rest = expected[1..].iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    assert_eq!(pairs, rest.collect::<Vec<_>>());
}

#[tokio::test]
async fn the_providers_own_origins_are_those_of_its_pages() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    assert_eq!(provider.origins(), [&*fake.base], "nothing but the issuer is known yet");
    let mut metadata = fake.metadata();
    metadata["authorization_endpoint"] = json!("http://localhost:1/authorize");
    metadata["end_session_endpoint"] = json!("http://localhost:2/end");
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
    provider.renew().await.expect("sound");
    assert_eq!(provider.origins(), [&*fake.base, "http://localhost:1", "http://localhost:2"]);
}

#[tokio::test]
async fn a_refresh_token_is_taken_back_once() {
    let fake = Fake::start().await;
    fake.answer(
        "/revoke",
        Canned {
            headers: vec![("content-type", "text/html".into())],
            body: "ok".into(),
            ..Canned::json(200, &json!({}))
        },
    );
    let provider = fake.provider();
    provider.renew().await.expect("sound");
    provider.revoke(&secret("rt-1")).await.expect("taken back");
    let calls = fake.calls("/revoke");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].form["token"], "rt-1");
    assert_eq!(calls[0].form["token_type_hint"], "refresh_token");
    assert!(calls[0].authorization.is_some());
}

#[tokio::test]
async fn a_provider_that_does_not_take_it_back_is_a_fault_for_the_log() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    provider.renew().await.expect("sound");
    let headers = vec![("location", format!("{}/elsewhere", fake.base))];
    for canned in [Canned::json(503, &json!({})), Canned { headers, ..Canned::json(302, &json!({})) }] {
        fake.answer("/revoke", canned);
        let fault = provider.revoke(&secret("rt-1")).await.expect_err("not taken back");
        assert_eq!(fault.whose, Whose::Provider);
        assert!(!format!("{fault:?}").contains("rt-1"));
    }
    assert!(fake.calls("/elsewhere").is_empty());
}

#[tokio::test]
async fn without_a_revocation_endpoint_there_is_nothing_to_do() {
    let fake = Fake::start().await;
    let mut metadata = fake.metadata();
    metadata.as_object_mut().expect("an object").remove("revocation_endpoint");
    fake.answer("/.well-known/openid-configuration", Canned::json(200, &metadata));
    let provider = fake.provider();
    provider.revoke(&secret("rt-1")).await.expect("nothing is known yet");
    provider.renew().await.expect("sound");
    provider.revoke(&secret("rt-1")).await.expect("nothing to do");
    assert!(fake.calls("/revoke").is_empty());
}
