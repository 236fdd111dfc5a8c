//! Documents and answers that nobody signed: the callback, metadata, keys, and what endpoints answer.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::oidc::callback::{Answer, loggable};
use crate::oidc::discovery::{self, Metadata};
use crate::oidc::id_token::Unverified;
use crate::oidc::keys;
use crate::oidc::settings::{Algorithm, Pushing, RequestSettings, Settings};
use crate::oidc::sign_in::pushed;
use crate::oidc::testing::{self, Signer};
use crate::oidc::token_endpoint::{Denial, answer};
use crate::secret::Secret;
use crate::stop::Reason;

const ISSUER: &str = "http://localhost:3002";
const SECURE_ISSUER: &str = "https://login.example/tenant/v2.0";

/// What this flow never brings to the browser.
const TOKENS: [&str; 3] = ["access_token", "id_token", "refresh_token"];

fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

fn values(seeds: &[Value]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.to_string().into_bytes()).collect()
}

/// Each parameter that counts is there once, as another reader of forms sees it; the same answer written anew is read
/// the same.
pub(crate) fn callback(data: &[u8]) -> bool {
    let answer = match Answer::parse(data) {
        Ok(answer) => answer,
        Err(reason) => {
            assert!(matches!(reason, Reason::BadState | Reason::BadCallback));
            return false;
        }
    };
    let pairs: Vec<_> = form_urlencoded::parse(data).into_owned().collect();
    let code = answer.code.as_ref().map(|code| code.expose().as_str());
    let said = [
        ("state", answer.state()),
        ("code", code),
        ("iss", answer.issuer.as_deref()),
        ("error", answer.error.as_deref()),
    ];
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in said {
        let there: Vec<_> =
            pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value).collect();
        assert_eq!(there, Vec::from_iter(value));
        form.extend_pairs(value.map(|value| (name, value)));
    }
    assert!(!pairs.iter().any(|(name, _)| TOKENS.contains(&&**name)), "a token on the callback");
    let again = Answer::parse(form.finish().as_bytes());
    // Escapes may make it longer than an answer may be.
    assert!(
        again.is_err()
            || again.is_ok_and(|again| again.state() == answer.state() && again.issuer == answer.issuer)
    );
    let logged = loggable(answer.error.as_deref().unwrap_or_default());
    assert!(logged.len() <= 64 && logged.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    true
}

pub(crate) fn callbacks() -> Vec<Vec<u8>> {
    texts(&[
        "code=a%2Fb&state=s%2B1&iss=http%3A%2F%2Flocalhost%3A3002&session_state=x",
        "error=access_denied&error_description=no+thanks&state=s",
        "state=a&state=a",
        "code=a&state=s&%63ode=b",
        "code=a&state=s&access_token=x",
        "code=a&state=s&token_type=x&response=y",
        "%&=&&;a=%00%ff%zz+",
    ])
}

static REALMS: LazyLock<[Settings; 3]> = LazyLock::new(|| {
    let plain = Settings { algorithms: Algorithm::ALL.to_vec(), ..testing::settings(ISSUER) };
    let metadata_url = Url::parse("https://login.example/.well-known/openid-configuration").expect("valid");
    let secure = Settings { issuer: SECURE_ISSUER.into(), metadata_url, ..plain.clone() };
    let request = RequestSettings { par: Pushing::Always, ..secure.request.clone() };
    let pushing = Settings { request, ..secure.clone() };
    [plain, secure, pushing]
});

/// The issuer is the configured one; secrets go to https addresses, or to this machine where the metadata came from here.
pub(crate) fn metadata(data: &[u8]) -> bool {
    let mut accepted = false;
    for settings in &*REALMS {
        let Ok(metadata) = discovery::read(data, settings) else {
            continue;
        };
        accepted = true;
        let document: Value = serde_json::from_slice(data).expect("it was read before");
        assert_eq!(document["issuer"].as_str(), Some(&*settings.issuer));
        for url in endpoints(&metadata) {
            let is_secure = url.scheme() == "https" && url.has_host();
            let is_here =
                url.scheme() == "http" && settings.metadata_url.scheme() == "http" && is_loopback(url);
            assert!(is_secure || is_here, "{url}");
            assert!(
                url.username().is_empty() && url.password().is_none() && url.fragment().is_none(),
                "{url}"
            );
        }
        assert!(!metadata.algorithms.is_empty());
        assert!(metadata.algorithms.iter().all(|one| settings.algorithms.contains(one)));
        assert!(settings.request.par != Pushing::Always || metadata.push_to.is_some());
    }
    accepted
}

fn endpoints(metadata: &Metadata) -> impl Iterator<Item = &Url> {
    [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri]
        .into_iter()
        .chain(&metadata.revocation_endpoint)
        .chain(&metadata.end_session_endpoint)
        .chain(&metadata.push_to)
        .chain(&metadata.userinfo_endpoint)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(crate) fn metadatas() -> Vec<Vec<u8>> {
    let document = |issuer: &str, base: &str| {
        let at = |path: &str| format!("{base}{path}");
        json!({
            "issuer": issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "revocation_endpoint": at("/revoke"),
            "end_session_endpoint": at("/end_session"),
            "userinfo_endpoint": at("/me"),
            "pushed_authorization_request_endpoint": at("/par"),
            "require_pushed_authorization_requests": true,
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256"],
            "authorization_response_iss_parameter_supported": true,
            "prompt_values_supported": ["none", "login", "create"],
            "mtls_endpoint_aliases": { "token_endpoint": at("/mtls") },
        })
    };
    values(&[
        document(ISSUER, ISSUER),
        document(ISSUER, "http://127.0.0.1:3002"),
        document(SECURE_ISSUER, "https://login.example"),
        document(SECURE_ISSUER, "http://localhost:3002"),
        document(ISSUER, "https://user@login.example"),
        json!([]),
    ])
}

/// No key of a set makes the verifying libraries stumble, or takes a signature that nobody made.
pub(crate) fn jwks(data: &[u8]) -> bool {
    let Ok(keys) = keys::read(data) else {
        return false;
    };
    assert!((1..=100).contains(&keys.len()));
    // A few are enough to look at: the largest take a while.
    for key in keys.iter().take(3) {
        for algorithm in Algorithm::ALL {
            for length in [64, 96, 256] {
                let signature = vec![7; length];
                assert!(!key.verifies(algorithm, b"message", &signature));
                let token = Secret::new(compact(algorithm, &signature));
                let token = Unverified::parse(&token, &Algorithm::ALL).expect("well formed");
                assert!(token.verify_signature(key).is_err());
            }
        }
    }
    true
}

/// An empty token with that signature.
fn compact(algorithm: Algorithm, signature: &[u8]) -> String {
    let header = json!({ "alg": algorithm.as_str() }).to_string();
    [header.as_bytes(), b"{}", signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}

pub(crate) fn key_sets() -> Vec<Vec<u8>> {
    let kinds = [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    let jwks: Vec<Value> = kinds.map(|algorithm| Signer::new(algorithm, Some("k")).jwk()).to_vec();
    let mut seeds: Vec<Value> = jwks.iter().map(|jwk| json!({ "keys": [jwk] })).collect();
    let mut bare = jwks[1].clone();
    bare.as_object_mut().expect("an object").retain(|name, _| !["use", "alg", "kid"].contains(&&**name));
    bare["key_ops"] = json!(["verify"]);
    bare["x5c"] = json!(["AAAA"]);
    let mut private = jwks[3].clone();
    private["d"] = json!("AAAA");
    seeds.push(json!({ "keys": [bare, private, { "kty": "oct", "k": "AAAA" }, 7] }));
    seeds.push(json!({ "keys": [private] }));
    values(&seeds)
}

/// A token fits into a header and lives for a second to a day; what is logged of a refusal is short and plain.
pub(crate) fn token_answer(data: &[u8]) -> bool {
    let denial = Denial::read(data);
    let logged = denial.to_string();
    assert!(logged.len() <= 256 && logged.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{logged}");
    assert!(!(denial.is_invalid_grant() && denial.needs_the_person()));
    assert!(!denial.asks_for_the_person() || denial.needs_the_person());
    let Ok(granted) = answer::read(data) else {
        return false;
    };
    let document: Value = serde_json::from_slice(data).expect("it was read before");
    assert_eq!(document["access_token"].as_str(), Some(granted.access_token.expose().as_str()));
    let authorization = granted.authorization();
    assert!(authorization.is_sensitive() && authorization.as_bytes().starts_with(b"Bearer "));
    assert!((Duration::from_secs(1)..=Duration::from_hours(24)).contains(&granted.life));
    for token in granted.refresh_token.iter().chain(&granted.id_token) {
        assert!(!token.expose().is_empty() && token.expose().bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
    let scopes = granted.scopes.as_ref().filter(|scopes| !scopes.is_empty());
    assert!(scopes.is_none_or(|scopes| scopes.to_string().parse().as_ref() == Ok(scopes)));
    true
}

pub(crate) fn token_answers() -> Vec<Vec<u8>> {
    values(&[
        json!({
            "access_token": "aaa.bbb-_~+/==", "token_type": "Bearer", "expires_in": 3_599,
            "scope": "openid api://todo-service/ToDoList.Read", "refresh_token": "r", "id_token": "i",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }),
        json!({ "access_token": "a", "token_type": "bearer", "expires_in": 1e30, "scope": " a  b " }),
        json!({ "access_token": "a\r\nX: 1", "token_type": "Bearer" }),
        json!({ "access_token": "a", "token_type": "mac", "expires_in": -1 }),
        json!({ "error": "invalid_grant", "suberror": "consent_required", "error_codes": [65_001, 1] }),
        json!({ "error": "a\nb", "error_description": "x" }),
    ])
}

/// The name of a pushed request fits into an address as it is.
pub(crate) fn pushed_answer(data: &[u8]) -> bool {
    let Ok(name) = pushed::read(data) else {
        return false;
    };
    assert!((1..=2_048).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'!'..=b'~')));
    let mut url = Url::parse(ISSUER).expect("valid");
    url.query_pairs_mut().append_pair("request_uri", &name);
    assert!(url.query_pairs().eq([("request_uri".into(), name.as_str().into())]));
    true
}

pub(crate) fn pushed_answers() -> Vec<Vec<u8>> {
    values(&[
        json!({ "request_uri": "urn:ietf:params:oauth:request_uri:6esc&x=1#", "expires_in": 60 }),
        json!({ "request_uri": "a\nb" }),
        json!({ "request_uri": "" }),
    ])
}
