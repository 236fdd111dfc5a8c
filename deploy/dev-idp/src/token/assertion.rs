//! private_key_jwt: a client proves who it is by a JWT signed with its own key (RFC 7523; OpenID Connect Core 9). Each
//! assertion is good once, for a few minutes, and for this provider only. Knows nothing of other proofs.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::TokenError;
use crate::call::Call;
use crate::faces::{Endpoint, Face};
use crate::keys::{self, Algorithm};
use crate::people::lock;
use crate::provider::Provider;
use crate::tenant::{Client, ClientKeys};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest life of an assertion, in seconds.
const LONGEST_LIFE: i64 = 300;

/// The assertions seen that have not expired, by client and jti.
#[derive(Default)]
pub(crate) struct SeenAssertions(Mutex<HashMap<(String, String), i64>>);

impl SeenAssertions {
    /// Whether it is the first of its name.
    fn first(&self, client_id: &str, jti: &str, exp: i64, now: i64) -> bool {
        let mut seen = lock(&self.0);
        seen.retain(|_, exp| *exp > now);
        seen.insert((client_id.to_owned(), jti.to_owned()), exp).is_none()
    }
}

/// Whom the assertion of a request is about, by its own word.
pub(crate) fn subject(call: &Call) -> Option<String> {
    let payload = call.form.get("client_assertion")?.split('.').nth(1)?;
    part(payload)?["sub"].as_str().map(str::to_owned)
}

/// The keys of the client that the assertion of a request is about, when they have to be fetched. No keys, if that does
/// not work: then no assertion fits.
pub(crate) async fn fetch_keys(provider: &Provider, call: &Call) -> Vec<Value> {
    let tenant = provider.tenant();
    let client = subject(call).and_then(|id| tenant.client(&id));
    let Some(ClientKeys::At(uri)) = client.and_then(|client| client.registration.keys.as_ref()) else {
        return Vec::new();
    };
    let set = match provider.outside.get(uri).await {
        Ok(reply) if reply.status == 200 => serde_json::from_slice::<Value>(&reply.body).unwrap_or_default(),
        Ok(reply) => {
            tracing::warn!(uri, status = reply.status, "a client's keys could not be fetched");
            return Vec::new();
        }
        Err(error) => {
            tracing::warn!(uri, %error, "a client's keys could not be fetched");
            return Vec::new();
        }
    };
    set["keys"].as_array().cloned().unwrap_or_default()
}

/// Checks an assertion whose client is known.
pub(super) fn check(provider: &Provider, client: &Client, call: &Call, jwt: &str) -> Result<(), TokenError> {
    let wrong = |why: &str| TokenError::invalid_client(format!("The client_assertion {why}."));
    if call.form.get("client_assertion_type") != Some(TYPE) {
        return Err(wrong("has no client_assertion_type, or another than for a JWT"));
    }
    let keys = match &client.registration.keys {
        Some(ClientKeys::Inline(keys)) => keys,
        _ => &call.client_keys,
    };
    let claims = verified(jwt, keys).ok_or_else(|| wrong("is not signed with a key of the client"))?;
    let id = client.client_id.as_str();
    if claims["iss"] != id || claims["sub"] != id {
        return Err(wrong("must have the client_id as iss and as sub"));
    }
    let named = match &claims["aud"] {
        Value::String(audience) => Some(audience.as_str()),
        Value::Array(list) if list.len() == 1 => list[0].as_str(),
        _ => None,
    };
    if !named.is_some_and(|audience| audiences(provider).iter().any(|own| own == audience)) {
        return Err(wrong("must have one aud: this issuer, or the token endpoint"));
    }
    let now = provider.clock.now();
    let exp = claims["exp"].as_i64().ok_or_else(|| wrong("has no exp"))?;
    if exp <= now || exp - now > LONGEST_LIFE {
        return Err(wrong("has expired, or lives longer than five minutes"));
    }
    let moment = |name: &str| claims[name].as_i64();
    if moment("nbf").is_some_and(|nbf| nbf > now) || moment("iat").is_some_and(|iat| iat > now) {
        return Err(wrong("is of the future"));
    }
    let jti = claims["jti"].as_str().filter(|jti| !jti.is_empty()).ok_or_else(|| wrong("has no jti"))?;
    if provider.assertions.first(id, jti, exp, now) { Ok(()) } else { Err(wrong("was used before")) }
}

/// What an assertion may be for: either issuer, the token endpoints, and the endpoint for pushed requests.
fn audiences(provider: &Provider) -> [String; 5] {
    let site = &provider.site;
    [
        site.issuer(Face::Plain),
        site.issuer(Face::Entra),
        site.url(Face::Plain, Endpoint::Token),
        site.url(Face::Entra, Endpoint::Token),
        site.url(Face::Plain, Endpoint::Par),
    ]
}

/// The claims, if one of the keys signed them. A `kid` must be that of the key.
fn verified(jwt: &str, keys: &[Value]) -> Option<Value> {
    let (input, signature) = jwt.rsplit_once('.')?;
    let (header, payload) = input.split_once('.')?;
    let header = part(header)?;
    let algorithm = Algorithm::from_name(header["alg"].as_str()?)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let kid = header["kid"].as_str();
    let fits = |key: &&Value| {
        kid.is_none_or(|kid| key["kid"] == kid)
            && keys::verifies(key, algorithm, input.as_bytes(), &signature)
    };
    keys.iter().find(fits)?;
    part(payload)
}

fn part(encoded: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_good_once_until_it_expires() {
        let seen = SeenAssertions::default();
        assert!(seen.first("a", "1", 10, 0));
        assert!(!seen.first("a", "1", 10, 5));
        assert!(seen.first("b", "1", 10, 5), "another client's");
        assert!(seen.first("a", "1", 20, 10), "the first has expired, and so nobody takes it any more");
    }
}
