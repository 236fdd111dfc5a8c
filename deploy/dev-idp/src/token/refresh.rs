//! grant_type=refresh_token: rotation, reuse detection, and tokens for any API that was consented to. Knows nothing of
//! how the grant began.

use super::issue::{PersonGrant, person_tokens};
use super::{Request, TokenError, target};
use crate::faults::{Members, TokenFault};
use crate::grants::{Refreshed, Rotated};
use crate::scopes::Ask;

pub(super) fn refresh(request: &Request<'_>) -> Result<Members, TokenError> {
    let provider = request.provider;
    let now = provider.clock.now();
    let token = request.required("refresh_token")?;
    let not_valid = || TokenError::invalid_grant(700_082, "The refresh token is not valid or was revoked.");
    let lifetimes = request.tenant.lifetimes;
    let found = provider.grants.look(token, &request.client.client_id, now, lifetimes.refresh_overlap);
    let (id, approval) = match found {
        Refreshed::Good(id, approval) if approval.face == request.face => (id, approval),
        Refreshed::Expired => {
            return Err(TokenError::invalid_grant(700_082, "The refresh token has expired."));
        }
        Refreshed::Reused => {
            let what = "The refresh token was used before; the whole grant is revoked.";
            return Err(TokenError::invalid_grant(700_082, what));
        }
        Refreshed::Good(..) | Refreshed::Unknown => return Err(not_valid()),
    };
    let ask = asked(request, &approval.ask, &approval.oid)?;
    let account = provider.people.by_oid(&approval.oid).ok_or_else(not_valid)?;
    let successor = if request.edit.has(TokenFault::OmitRefreshToken) {
        provider.grants.kept(&id);
        None
    } else {
        match provider.grants.rotate(token, now, lifetimes.refresh_token, lifetimes.refresh_overlap) {
            Rotated::Successor(successor) => Some(successor),
            Rotated::Reused => return Err(not_valid()),
        }
    };
    let grant = PersonGrant {
        id: &id,
        account: &account,
        sid: &approval.sid,
        auth_time: approval.auth_time,
        acr: approval.acr,
        // OpenID Connect Core 12.2: a refreshed ID token should have no nonce.
        nonce: None,
        ask: &ask,
    };
    let mut response = person_tokens(request, &grant);
    if let Some(successor) = successor {
        response.insert("refresh_token".to_owned(), successor.into());
    }
    Ok(response)
}

/// What this refresh asks for: without `scope` and `resource`, what the sign-in asked for; with them, also another API,
/// if granted.
fn asked(request: &Request<'_>, before: &Ask, oid: &str) -> Result<Ask, TokenError> {
    let Some(ask) = target::asked(request, before)? else {
        return target::granted(request, oid, before.clone());
    };
    if ask.openid && !before.openid {
        return Err(TokenError::new("invalid_scope", 70_011, "The sign-in did not ask for openid."));
    }
    target::granted(request, oid, ask)
}
