//! grant_type=authorization_code. A code is spent by the first client that may use it; used again, everything that came
//! of it is revoked. Knows nothing of how it was earned.

use super::issue::{PersonGrant, person_tokens};
use super::{Request, TokenError, target};
use crate::codes::{Approval, Redeemed};
use crate::faults::{Members, TokenFault};
use crate::participants::Participant;
use crate::random;
use crate::scopes::Ask;

pub(super) fn redeem(request: &Request<'_>) -> Result<Members, TokenError> {
    let provider = request.provider;
    let now = provider.clock.now();
    let (id, approval) = match provider.codes.redeem(request.required("code")?, now) {
        Redeemed::Once(id, approval) => (id, approval),
        Redeemed::Again(id) => {
            provider.grants.revoke(&id);
            return Err(TokenError::invalid_grant(
                54_005,
                "The code was already redeemed; its tokens are revoked.",
            ));
        }
        Redeemed::Expired => return Err(TokenError::invalid_grant(70_008, "The code has expired.")),
        Redeemed::Unknown => return Err(TokenError::invalid_grant(70_000, "The code is not valid.")),
    };
    is_allowed(request, &approval)?;
    let ask = asked(request, &approval)?;
    let gone = || TokenError::invalid_grant(50_034, "The account does not exist.");
    let account = provider.people.by_oid(&approval.oid).ok_or_else(gone)?;
    provider.grants.begin(&id, Approval::clone(&approval));
    let (client_id, oid) = (approval.client_id.clone(), approval.oid.clone());
    provider.participants.join(&approval.sid, Participant { client_id, face: approval.face, oid });
    let grant = PersonGrant {
        id: &id,
        account: &account,
        sid: &approval.sid,
        auth_time: approval.auth_time,
        acr: approval.acr,
        nonce: approval.nonce.as_deref(),
        ask: &ask,
    };
    let mut response = person_tokens(request, &grant);
    if approval.ask.offline_access && !request.edit.has(TokenFault::OmitRefreshToken) {
        let token = provider.grants.refresh_token(&id, now, request.tenant.lifetimes.refresh_token);
        response.insert("refresh_token".to_owned(), token.into());
    }
    Ok(response)
}

/// What the sign-in asked for; or the API that `resource` names now, one of those that the sign-in named (RFC 8707,
/// section 2.2).
fn asked(request: &Request<'_>, approval: &Approval) -> Result<Ask, TokenError> {
    let Some(uri) = target::resource(request)? else {
        return Ok(approval.ask.clone());
    };
    let api = request.tenant.api(uri).ok_or_else(|| target::unknown(uri))?;
    if approval.ask.api.as_ref() == Some(&api.client_id) {
        return Ok(approval.ask.clone());
    }
    if !approval.resources.contains(&api.client_id) {
        return Err(target::invalid("The sign-in did not name this resource."));
    }
    let openid = approval.ask.openid_names().join(" ");
    let ask =
        Ask::parse_with(request.tenant, request.client, &openid, &[uri]).map_err(target::scope_error)?;
    target::granted(request, &approval.oid, ask)
}

fn is_allowed(request: &Request<'_>, approval: &Approval) -> Result<(), TokenError> {
    if approval.client_id != request.client.client_id || approval.face != request.face {
        return Err(TokenError::invalid_grant(70_000, "The code was given to somebody else."));
    }
    if request.required("redirect_uri")? != approval.redirect_uri {
        return Err(TokenError::invalid_grant(
            50_011,
            "The redirect_uri is not that of the authorization request.",
        ));
    }
    match (&approval.challenge, request.call.form.get("code_verifier")) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if is_verifier(verifier) => {
            if random::same(&random::sha256_base64url(verifier.as_bytes()), challenge) {
                Ok(())
            } else {
                Err(TokenError::invalid_grant(
                    501_481,
                    "The code_verifier does not match the code_challenge.",
                ))
            }
        }
        (Some(_), Some(_)) => {
            Err(TokenError::invalid_grant(501_481, "The code_verifier is not 43 to 128 characters."))
        }
        (Some(_), None) => Err(TokenError::invalid_grant(501_481, "The code_verifier is missing.")),
        (None, Some(_)) => Err(TokenError::invalid_grant(
            501_481,
            "There is a code_verifier, but there was no code_challenge.",
        )),
    }
}

/// RFC 7636 section 4.1.
fn is_verifier(text: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}
