//! Entra's on-behalf-of: a web API shows the access token that it was called with, and gets one of the same person for an
//! API behind it (the JWT bearer grant of RFC 7523 with `requested_token_use`). Knows nothing of RFC 8693.

use super::issue::{PersonGrant, person_tokens};
use super::presented::{Kind, Presented, presented};
use super::{Request, TokenError, target};
use crate::codes::Approval;
use crate::faults::{Members, TokenFault};
use crate::random;
use crate::scopes::Ask;

pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) fn on_behalf_of(request: &Request<'_>) -> Result<Members, TokenError> {
    if request.required("requested_token_use")? != "on_behalf_of" {
        return Err(TokenError::invalid_request("The requested_token_use must be on_behalf_of."));
    }
    let person = presented(request, request.required("assertion")?, Kind::Access)
        .map_err(|unfit| TokenError::invalid_grant(unfit.aadsts(), unfit.to_string()))?;
    let scope = request.required("scope")?;
    let ask = Ask::parse(request.tenant, request.client, scope).map_err(target::scope_error)?;
    let ask = target::granted(request, &person.account.oid, ask)?;
    let keeps = ask.offline_access && !request.edit.has(TokenFault::OmitRefreshToken);
    // With a refresh token it is a grant of its own; without, it lives and dies with the one it came of.
    let id = match &person.grant {
        Some(grant) if !keeps => grant.clone(),
        _ => random::token(),
    };
    let grant = PersonGrant {
        id: &id,
        account: &person.account,
        sid: &person.sid,
        auth_time: person.auth_time,
        acr: "1",
        nonce: None,
        ask: &ask,
    };
    let mut response = person_tokens(request, &grant);
    if keeps {
        let provider = request.provider;
        provider.grants.begin(&id, approval(request, &person, &ask));
        let lifetime = request.tenant.lifetimes.refresh_token;
        let token = provider.grants.refresh_token(&id, provider.clock.now(), lifetime);
        response.insert("refresh_token".to_owned(), token.into());
    }
    Ok(response)
}

fn approval(request: &Request<'_>, person: &Presented, ask: &Ask) -> Approval {
    Approval {
        face: request.face,
        client_id: request.client.client_id.clone(),
        redirect_uri: String::new(),
        challenge: None,
        nonce: None,
        ask: ask.clone(),
        resources: Vec::new(),
        oid: person.account.oid.clone(),
        sid: person.sid.clone(),
        auth_time: person.auth_time,
        acr: "1",
    }
}
