//! Which client is asking, as proved by its secret: client_secret_basic and client_secret_post. Knows nothing of
//! grants.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header;

use super::TokenError;
use crate::call::{Call, form_decode};
use crate::random;
use crate::tenant::{Client, Tenant};

/// The client, or why it is not believed.
pub(super) fn client<'a>(tenant: &'a Tenant, call: &Call) -> Result<&'a Client, TokenError> {
    let (id, secret) = credentials(call)?;
    let wrong = || TokenError::invalid_client("The client is not known or its secret is wrong.");
    let client = tenant.client(&id).ok_or_else(wrong)?;
    if random::same(&secret, client.secret.expose()) { Ok(client) } else { Err(wrong()) }
}

fn credentials(call: &Call) -> Result<(String, String), TokenError> {
    let (form_id, form_secret) = (call.form.get("client_id"), call.form.get("client_secret"));
    if let Some(header) = call.header(header::AUTHORIZATION) {
        let (id, secret) = basic_credentials(header).ok_or_else(|| {
            TokenError::invalid_client("The Authorization header is not Basic credentials.")
        })?;
        if form_secret.is_some() {
            return Err(TokenError::invalid_request("Use one way of client authentication, not two."));
        }
        if form_id.is_some_and(|form_id| form_id != id) {
            return Err(TokenError::invalid_request("client_id and the Authorization header differ."));
        }
        return Ok((id, secret));
    }
    match (form_id, form_secret) {
        (Some(id), Some(secret)) => Ok((id.to_owned(), secret.to_owned())),
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
