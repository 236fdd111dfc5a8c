//! Which client is asking, as proved in the one way it is registered for: its secret (by header or form), an assertion
//! (`assertion`), or nothing. Knows nothing of grants.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header;

use super::{TokenError, assertion};
use crate::call::{Call, form_decode};
use crate::provider::Provider;
use crate::random;
use crate::tenant::{AuthMethod, Client, Tenant};

/// What a request brings as proof.
enum Proof {
    Basic(String),
    Post(String),
    Assertion(String),
    Nothing,
}

impl Proof {
    fn name(&self) -> &'static str {
        match self {
            Self::Basic(_) => "client_secret_basic",
            Self::Post(_) => "client_secret_post",
            Self::Assertion(_) => "private_key_jwt",
            Self::Nothing => "none",
        }
    }
}

/// The client, or why it is not believed.
pub(crate) fn client<'a>(
    provider: &Provider,
    tenant: &'a Tenant,
    call: &Call,
) -> Result<&'a Client, TokenError> {
    let (id, proof) = presented(call)?;
    let wrong = || TokenError::invalid_client("The client is not known or its secret is wrong.");
    let client = tenant.client(&id).ok_or_else(wrong)?;
    match (client.registration.auth, &proof) {
        (AuthMethod::AnySecret | AuthMethod::SecretBasic, Proof::Basic(secret))
        | (AuthMethod::AnySecret | AuthMethod::SecretPost, Proof::Post(secret)) => {
            let known = client.secret.expose();
            if !known.is_empty() && random::same(secret, known) { Ok(client) } else { Err(wrong()) }
        }
        (AuthMethod::PrivateKeyJwt, Proof::Assertion(jwt)) => {
            assertion::check(provider, client, call, jwt)?;
            Ok(client)
        }
        (AuthMethod::None, Proof::Nothing) => Ok(client),
        (_, Proof::Nothing) => {
            Err(TokenError::invalid_client("The request must contain client_id and client_secret."))
        }
        (_, proof) => Err(TokenError::invalid_client(format!(
            "The client is not registered for {}; see token_endpoint_auth_method in tenant.toml.",
            proof.name()
        ))),
    }
}

fn presented(call: &Call) -> Result<(String, Proof), TokenError> {
    let (form_id, form_secret) = (call.form.get("client_id"), call.form.get("client_secret"));
    let assertion = call.form.get("client_assertion");
    let two = || TokenError::invalid_request("Use one way of client authentication, not two.");
    if let Some(header) = call.header(header::AUTHORIZATION) {
        let (id, secret) = basic_credentials(header).ok_or_else(|| {
            TokenError::invalid_client("The Authorization header is not Basic credentials.")
        })?;
        if form_secret.is_some() || assertion.is_some() {
            return Err(two());
        }
        if form_id.is_some_and(|form_id| form_id != id) {
            return Err(TokenError::invalid_request("client_id and the Authorization header differ."));
        }
        return Ok((id, Proof::Basic(secret)));
    }
    if let Some(jwt) = assertion {
        if form_secret.is_some() {
            return Err(two());
        }
        let subject = assertion::subject(call)
            .ok_or_else(|| TokenError::invalid_client("The client_assertion names no client."))?;
        if form_id.is_some_and(|form_id| form_id != subject) {
            return Err(TokenError::invalid_client("client_id and the client_assertion differ."));
        }
        return Ok((subject, Proof::Assertion(jwt.to_owned())));
    }
    match (form_id, form_secret) {
        (Some(id), Some(secret)) => Ok((id.to_owned(), Proof::Post(secret.to_owned()))),
        (Some(id), None) => Ok((id.to_owned(), Proof::Nothing)),
        _ => Err(TokenError::invalid_client("The request must contain client_id and client_secret.")),
    }
}

/// Id and secret of a Basic header, each form-urldecoded (RFC 6749 section 2.3.1).
pub(crate) fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decode(id)?, form_decode(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let header = format!("Basic {}", STANDARD.encode("todo-web:p%25%3A%2B+%C3%A9%26%3D"));
        assert_eq!(basic_credentials(&header), Some(("todo-web".to_owned(), "p%:+ é&=".to_owned())));
        assert_eq!(basic_credentials("Bearer x"), None);
        assert_eq!(basic_credentials("Basic !"), None);
    }
}
