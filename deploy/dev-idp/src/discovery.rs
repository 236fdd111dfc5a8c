//! Discovery documents and the key set, one of each per face. Knows nothing of requests beyond "give me the document".

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::authorize::level::LEVELS;
use crate::faces::{Endpoint, Face};
use crate::keys::Algorithm;
use crate::provider::Provider;
use crate::tenant::AuthMethod;

pub(crate) fn metadata(provider: &Provider, face: Face) -> Answer {
    let document = match face {
        Face::Plain => plain(provider),
        Face::Entra => entra(provider),
    };
    answer::bytes(StatusCode::OK, "application/json", provider.faults.on_metadata(document))
}

pub(crate) fn keys(provider: &Provider, face: Face) -> Answer {
    let issuer = provider.site.issuer(face);
    let keys = provider.keys.published();
    let keys = keys.iter().map(|key| {
        let mut jwk = key.jwk();
        if face == Face::Entra
            && let Some(members) = jwk.as_object_mut()
        {
            // An Entra key names no algorithm, but whose it is.
            members.remove("alg");
            members.insert("issuer".to_owned(), issuer.as_str().into());
        }
        jwk
    });
    let set = json!({"keys": keys.collect::<Vec<_>>()});
    let text = provider.faults.on_jwks(set, &provider.keys.current().kid);
    answer::bytes(StatusCode::OK, "application/json", text)
}

const CLAIMS: [&str; 17] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "name",
    "preferred_username",
    "email",
    "oid",
    "tid",
    "ver",
    "sid",
    "roles",
];

fn plain(provider: &Provider) -> Value {
    let url = |endpoint| provider.site.url(Face::Plain, endpoint);
    json!({
        "issuer": provider.site.issuer(Face::Plain),
        "authorization_endpoint": url(Endpoint::Authorize),
        "token_endpoint": url(Endpoint::Token),
        "userinfo_endpoint": url(Endpoint::Userinfo),
        "jwks_uri": url(Endpoint::Keys),
        "end_session_endpoint": url(Endpoint::EndSession),
        "revocation_endpoint": url(Endpoint::Revoke),
        "pushed_authorization_request_endpoint": url(Endpoint::Par),
        "require_pushed_authorization_requests": provider.tenant().require_pushed_authorization_requests,
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": Algorithm::names(),
        "userinfo_signing_alg_values_supported": Algorithm::names(),
        "token_endpoint_auth_methods_supported": AuthMethod::NAMES,
        "token_endpoint_auth_signing_alg_values_supported": Algorithm::names(),
        "revocation_endpoint_auth_methods_supported": AuthMethod::NAMES,
        "revocation_endpoint_auth_signing_alg_values_supported": Algorithm::names(),
        "acr_values_supported": LEVELS,
        "ui_locales_supported": ["en"],
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account", "create"],
        "authorization_response_iss_parameter_supported": true,
        "claims_supported": CLAIMS,
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}

/// As an Entra External ID tenant says it: no revocation endpoint, nothing about PKCE, prompts or `iss`.
fn entra(provider: &Provider) -> Value {
    let url = |endpoint| provider.site.url(Face::Entra, endpoint);
    json!({
        "token_endpoint": url(Endpoint::Token),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "jwks_uri": url(Endpoint::Keys),
        "response_modes_supported": ["query", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": provider.site.issuer(Face::Entra),
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": url(Endpoint::Userinfo),
        "authorization_endpoint": url(Endpoint::Authorize),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": url(Endpoint::EndSession),
        "claims_supported": CLAIMS,
    })
}
