//! Token exchange (RFC 8693): a token of a person for this client, or for its own API, becomes a token of that person for
//! another API. Impersonation only: there is no actor. Knows nothing of Entra, which does not have it.

use super::issue::{PersonGrant, person_tokens};
use super::presented::{Kind, presented};
use super::{Request, TokenError, target};
use crate::faults::Members;
use crate::random;
use crate::scopes::Ask;

pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

pub(super) fn exchange(request: &Request<'_>) -> Result<Members, TokenError> {
    let form = &request.call.form;
    if form.get("actor_token").is_some() || form.get("actor_token_type").is_some() {
        return Err(TokenError::invalid_request("There are no actors here."));
    }
    if !matches!(form.get("requested_token_type"), None | Some(ACCESS_TOKEN | JWT)) {
        return Err(TokenError::invalid_request("The requested_token_type must be an access token."));
    }
    let kind = match request.required("subject_token_type")? {
        ACCESS_TOKEN => Kind::Access,
        ID_TOKEN => Kind::Id,
        JWT => Kind::Either,
        _ => return Err(TokenError::invalid_request("This subject_token_type is not supported.")),
    };
    // Section 2.2.2: a subject token that will not do is an invalid request, not an invalid grant.
    let person = presented(request, request.required("subject_token")?, kind)
        .map_err(|unfit| TokenError::new("invalid_request", unfit.aadsts(), unfit.to_string()))?;
    let ask = target::granted(request, &person.account.oid, asked(request)?)?;
    let grant = person.grant.unwrap_or_else(random::token);
    let grant = PersonGrant {
        id: &grant,
        account: &person.account,
        sid: &person.sid,
        auth_time: person.auth_time,
        acr: "1",
        nonce: None,
        ask: &ask,
    };
    let mut response = person_tokens(request, &grant);
    response.insert("issued_token_type".to_owned(), ACCESS_TOKEN.into());
    Ok(response)
}

/// The API, by `audience` (its client id or URI), by `resource` or by its scopes; an exchange gives no ID token.
fn asked(request: &Request<'_>) -> Result<Ask, TokenError> {
    let form = &request.call.form;
    let scope = form.get("scope").unwrap_or_default();
    let audiences: Vec<&str> = form.all("audience").chain(target::resource(request)?).collect();
    let ids: std::collections::BTreeSet<_> = audiences
        .iter()
        .map(|name| request.tenant.api(name).map(|api| &api.client_id).ok_or_else(|| target::unknown(name)))
        .collect::<Result<_, _>>()?;
    if ids.len() > 1 {
        return Err(target::invalid("An access token has one audience: name one."));
    }
    let named = audiences.first().map(std::slice::from_ref).unwrap_or_default();
    let ask = Ask::parse_with(request.tenant, request.client, scope, named).map_err(target::scope_error)?;
    if ask.api.is_none() {
        return Err(target::invalid("Say for which API the token is to be: by audience, resource or scope."));
    }
    Ok(Ask { openid: false, profile: false, email: false, offline_access: false, ..ask })
}
