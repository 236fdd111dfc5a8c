//! Who the gateway is to the provider, and how it proves that: by the configured method and no other, in the same way
//! to every endpoint that asks (RFC 6749, section 2.3; OpenID Connect Core 1.0, section 9; RFC 8705).

pub mod assertion;
pub mod certificate;
pub mod key;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::clock::Timestamp;
use crate::oidc::Provider;
use crate::oidc::discovery::Metadata;
use crate::oidc::http::{CallError, Reply};
use crate::oidc::settings::{ClientAuthentication, Settings};

impl Provider {
    /// POSTs a form, once, as the client that the gateway is. What proves it is made anew for each call.
    pub(super) async fn post_as_client(
        &self,
        metadata: &Metadata,
        url: &Url,
        parameters: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Reply, CallError> {
        let (headers, form) = prepare(&self.settings, metadata, parameters, self.clock.now());
        self.client.post(url, headers, form, limit).await
    }
}

/// The keys that the gateway signs with, as it publishes them: a set without keys where it signs nothing (RFC 7517).
pub fn public_jwks(providers: &[Settings]) -> Value {
    let mut keys: Vec<Value> = Vec::new();
    for settings in providers {
        let of_this = match &settings.authentication {
            ClientAuthentication::PrivateKeyJwt(assertions) => assertions.keys(),
            ClientAuthentication::SecretBasic(_)
            | ClientAuthentication::SecretPost(_)
            | ClientAuthentication::TlsClient(_)
            | ClientAuthentication::None => continue,
        };
        // One key may serve at several providers.
        let new = of_this.iter().map(key::SigningKey::public_jwk).filter(|key| !keys.contains(key));
        keys.extend(new.collect::<Vec<_>>());
    }
    json!({ "keys": keys })
}

/// The form and the headers of an authenticated request.
fn prepare(
    settings: &Settings,
    metadata: &Metadata,
    parameters: &[(&str, &str)],
    now: Timestamp,
) -> (HeaderMap, String) {
    let mut headers = HeaderMap::new();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    // A pushed authorization request names the client itself; twice would be once too often (RFC 6749, section 3.2).
    let is_named = parameters.iter().any(|(name, _)| *name == "client_id");
    let is_basic = matches!(settings.authentication, ClientAuthentication::SecretBasic(_));
    if !is_named && !is_basic {
        form.append_pair("client_id", &settings.client_id);
    }
    match &settings.authentication {
        ClientAuthentication::SecretBasic(secret) => {
            headers.insert(AUTHORIZATION, basic(&settings.client_id, secret.expose()));
        }
        ClientAuthentication::SecretPost(secret) => {
            form.append_pair("client_secret", secret.expose());
        }
        ClientAuthentication::PrivateKeyJwt(assertions) => {
            let (issuer, endpoint) = (&settings.issuer, metadata.token_endpoint.as_str());
            let assertion = assertions.make(&settings.client_id, issuer, endpoint, now);
            form.append_pair("client_assertion_type", assertion::TYPE);
            form.append_pair("client_assertion", assertion.expose());
        }
        // The certificate of the connection, or PKCE, does the rest.
        ClientAuthentication::TlsClient(_) | ClientAuthentication::None => {}
    }
    (headers, form.finish())
}

/// Both halves are form-encoded before they are joined, so that a colon in one cannot move the border (RFC 6749,
/// section 2.3.1; requirement CB-13).
fn basic(client_id: &str, secret: &str) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret)));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests;
