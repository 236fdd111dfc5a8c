//! Token revocation (RFC 7009), on the plain face only. Knows nothing of how tokens are made.

use http::StatusCode;

use super::{TokenError, client_auth, form_only};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::faces::Face;
use crate::grants::Revoked;
use crate::provider::Provider;

pub(crate) fn revoke(provider: &Provider, call: &Call) -> Answer {
    answer_to(provider, call).unwrap_or_else(|error| error.into_answer(provider, Face::Plain, call))
}

fn answer_to(provider: &Provider, call: &Call) -> Result<Answer, TokenError> {
    form_only(call)?;
    let tenant = provider.tenant();
    let client = client_auth::client(provider, &tenant, call)?;
    let token = call
        .form
        .get("token")
        .ok_or_else(|| TokenError::invalid_request("The token parameter is missing."))?;
    match provider.grants.revoke_token(token, &client.client_id) {
        Revoked::NotYours => Err(TokenError::invalid_grant(70_000, "The token was given to another client.")),
        // RFC 7009 section 2.2: an unknown token is as good as revoked.
        Revoked::Done | Revoked::Unknown => Ok(answer::bytes(StatusCode::OK, "application/json", "")),
    }
}
