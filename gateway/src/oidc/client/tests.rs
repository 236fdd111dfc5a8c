//! Each way to prove who the gateway is, as it stands on the wire.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::json;

use super::assertion::{Assertions, Audience};
use super::key::SigningKey;
use super::key::tests::pem;
use super::*;
use crate::oidc::ask::Ask;
use crate::oidc::keys::Key;
use crate::oidc::settings::Algorithm;
use crate::oidc::testing::{self, Canned, Fake};
use crate::scope::ScopeSet;
use crate::secret::Secret;

const ISSUER: &str = "http://localhost:3002";

fn prepared(authentication: ClientAuthentication) -> (HeaderMap, String) {
    let settings = Settings { authentication, ..testing::settings(ISSUER) };
    let parameters = [("grant_type", "authorization_code"), ("code", "a b&c")];
    prepare(&settings, &testing::metadata(ISSUER), &parameters, Timestamp(1_000))
}

fn assertions(algorithms: &[Algorithm]) -> ClientAuthentication {
    let key = |algorithm: &Algorithm| SigningKey::parse(&pem(*algorithm), *algorithm).expect("sound");
    let keys = algorithms.iter().map(key).collect();
    let assertions = Assertions::new(keys, Audience::Issuer, None).expect("a key");
    ClientAuthentication::PrivateKeyJwt(Arc::new(assertions))
}

#[test]
fn basic_authentication_encodes_both_halves() {
    let (headers, form) = prepared(ClientAuthentication::SecretBasic(Secret::new("p%:+ é&=".to_owned())));
    let sent = headers[AUTHORIZATION].to_str().expect("ASCII").strip_prefix("Basic ").expect("the scheme");
    let pair = STANDARD.decode(sent).expect("base64");
    assert_eq!(pair, b"todo-web:p%25%3A%2B+%C3%A9%26%3D");
    assert_eq!(form, "grant_type=authorization_code&code=a+b%26c", "the secret is not in the body");
    assert!(headers[AUTHORIZATION].is_sensitive());
}

#[test]
fn the_secret_goes_where_the_configuration_says_and_nowhere_else() {
    let (headers, form) = prepared(ClientAuthentication::SecretPost(Secret::new("p&=".to_owned())));
    assert!(headers.is_empty());
    assert!(form.ends_with("&client_id=todo-web&client_secret=p%26%3D"));
    let (headers, form) = prepared(ClientAuthentication::None);
    assert!(headers.is_empty());
    assert!(form.ends_with("&client_id=todo-web"));
}

#[test]
fn an_assertion_takes_the_secrets_place() {
    let (headers, form) = prepared(assertions(&[Algorithm::ES256]));
    assert!(headers.is_empty());
    let sent: HashMap<String, String> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    assert_eq!(sent["client_id"], "todo-web");
    assert_eq!(sent["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!(sent["client_assertion"].split('.').count(), 3);
    assert!(!sent.contains_key("client_secret"));
}

#[test]
fn the_client_is_named_once() {
    for authentication in [
        ClientAuthentication::SecretPost(Secret::new("s".to_owned())),
        assertions(&[Algorithm::EdDSA]),
        ClientAuthentication::None,
    ] {
        let settings = Settings { authentication, ..testing::settings(ISSUER) };
        let parameters = [("client_id", "todo-web"), ("state", "s")];
        let (_, form) = prepare(&settings, &testing::metadata(ISSUER), &parameters, Timestamp(0));
        assert_eq!(form.matches("client_id=").count(), 1, "{form}");
    }
}

#[tokio::test]
async fn every_try_at_every_endpoint_has_an_assertion_of_its_own() {
    let fake = Fake::start().await;
    let authentication = assertions(&[Algorithm::ES256]);
    let published = public_jwks(&[Settings { authentication: authentication.clone(), ..fake.settings() }]);
    let provider = fake.provider_with(Settings { authentication, ..fake.settings() });
    fake.answer("/token", Canned::json(503, &json!({})));
    fake.answer("/revoke", Canned::json(200, &json!({})));
    let scopes: ScopeSet = "api://x/.default".parse().expect("valid");
    for _ in 0..5 {
        assert!(provider.client_credentials(&Ask::of(&scopes)).await.is_err(), "the provider is busy");
    }
    provider.revoke(&Secret::new("rt".to_owned())).await.expect("revoked");
    let calls = [fake.calls("/token"), fake.calls("/revoke")].concat();
    let key = Key::read(&published["keys"][0]).expect("published");
    let mut names = HashSet::new();
    for call in &calls {
        let (signed, signature) = call.form["client_assertion"].rsplit_once('.').expect("three parts");
        let decode =
            |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url");
        assert!(key.verifies(Algorithm::ES256, signed.as_bytes(), &decode(signature)));
        let claims: Value =
            serde_json::from_slice(&decode(signed.split('.').nth(1).expect("claims"))).expect("JSON");
        assert_eq!(claims["aud"], json!(fake.base));
        names.insert(claims["jti"].to_string());
        assert_eq!(call.authorization, None);
    }
    assert_eq!((calls.len(), names.len()), (6, 6));
}

#[test]
fn every_key_is_published_and_nothing_private_is() {
    let authentication = assertions(&[Algorithm::PS256, Algorithm::ES384]);
    let settings = Settings { authentication, ..testing::settings(ISSUER) };
    let published = public_jwks(std::slice::from_ref(&settings));
    let keys = published["keys"].as_array().expect("a list");
    assert_eq!((&keys[0]["alg"], &keys[1]["alg"]), (&json!("PS256"), &json!("ES384")));
    for key in keys {
        assert!(Key::read(key).is_ok(), "which refuses private members");
    }
    assert_eq!(
        public_jwks(&[testing::settings(ISSUER)]),
        json!({ "keys": [] }),
        "there is nothing to publish"
    );
}
