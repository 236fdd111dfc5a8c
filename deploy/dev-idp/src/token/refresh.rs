//! grant_type=refresh_token: rotation, reuse detection, and tokens for any API that was consented to. Knows nothing of
//! how the grant began.

use super::issue::{PersonGrant, person_tokens};
use super::{Request, TokenError};
use crate::faults::{Members, TokenFault};
use crate::grants::Refreshed;
use crate::scopes::Ask;

pub(super) fn refresh(request: &Request<'_>) -> Result<Members, TokenError> {
    let provider = request.provider;
    let now = provider.clock.now();
    let token = request.required("refresh_token")?;
    let not_valid = || TokenError::invalid_grant(700_082, "The refresh token is not valid or was revoked.");
    let (id, approval) = match provider.grants.look(token, &request.client.client_id, now) {
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
    let keep = request.edit.has(TokenFault::OmitRefreshToken);
    if !keep && !provider.grants.spend(token) {
        provider.grants.revoke(&id);
        return Err(not_valid());
    }
    let grant = PersonGrant {
        id: &id,
        account: &account,
        sid: &approval.sid,
        auth_time: approval.auth_time,
        // OpenID Connect Core 12.2: a refreshed ID token should have no nonce.
        nonce: None,
        ask: &ask,
    };
    let mut response = person_tokens(request, &grant);
    if !keep {
        let token = provider.grants.refresh_token(&id, now, request.tenant.lifetimes.refresh_token);
        response.insert("refresh_token".to_owned(), token.into());
    }
    Ok(response)
}

/// What this refresh asks for: without `scope`, what the sign-in asked for; with it, also another API, if granted.
fn asked(request: &Request<'_>, before: &Ask, oid: &str) -> Result<Ask, TokenError> {
    let ask = match request.call.form.get("scope") {
        None => before.clone(),
        Some(scope) => {
            let ask = Ask::parse(request.tenant, request.client, scope).map_err(super::app::scope_error)?;
            if ask.openid && !before.openid {
                return Err(TokenError::new("invalid_scope", 70_011, "The sign-in did not ask for openid."));
            }
            ask
        }
    };
    let missing = request.provider.consents.missing(request.tenant, request.client, oid, &ask);
    if missing.is_empty() { Ok(ask) } else { Err(TokenError::consent_required(request.face, &missing)) }
}
