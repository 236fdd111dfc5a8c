//! Which API a token request is about: by its scopes, or by `resource` (RFC 8707) and then one at a time, since an
//! access token has one audience. Knows nothing of who may have it, except what was granted.

use super::{Request, TokenError};
use crate::authorize::request::ENTRA_HAS_NO_RESOURCE;
use crate::faces::Face;
use crate::scopes::{Ask, ScopeError};

/// The one `resource` of this request, if there is one.
pub(super) fn resource<'a>(request: &Request<'a>) -> Result<Option<&'a str>, TokenError> {
    let mut resources = request.call.form.all("resource");
    let first = resources.next();
    if first.is_some() && request.face == Face::Entra {
        return Err(TokenError::new("invalid_request", 901_002, ENTRA_HAS_NO_RESOURCE));
    }
    match resources.next() {
        Some(_) => Err(invalid("An access token has one audience: name one resource.")),
        None => Ok(first),
    }
}

/// `scope` and `resource` together; nothing if neither is there. A resource alone keeps the OpenID scopes of `before`.
pub(super) fn asked(request: &Request<'_>, before: &Ask) -> Result<Option<Ask>, TokenError> {
    let (scope, resource) = (request.call.form.get("scope"), resource(request)?);
    let before = before.openid_names().join(" ");
    let text = match (scope, resource) {
        (None, None) => return Ok(None),
        (Some(scope), _) => scope,
        (None, Some(_)) => &before,
    };
    let ask = Ask::parse_with(request.tenant, request.client, text, resource.as_slice());
    ask.map(Some).map_err(scope_error)
}

/// Refuses what neither an administrator nor this person has granted.
pub(super) fn granted(request: &Request<'_>, oid: &str, ask: Ask) -> Result<Ask, TokenError> {
    let missing = request.provider.consents.missing(request.tenant, request.client, oid, &ask);
    if missing.is_empty() { Ok(ask) } else { Err(TokenError::consent_required(request.face, &missing)) }
}

/// `invalid_target` (RFC 8707, section 2).
pub(super) fn invalid(description: impl Into<String>) -> TokenError {
    TokenError::new("invalid_target", 500_011, description)
}

/// The name of an API that there is not.
pub(super) fn unknown(name: &str) -> TokenError {
    scope_error(ScopeError::UnknownResource(name.to_owned()))
}

/// A refused `scope` or `resource` parameter, as the token endpoint says it.
#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
pub(super) fn scope_error(error: ScopeError) -> TokenError {
    match error {
        ScopeError::Unknown(_) => TokenError::new("invalid_scope", 70_011, error.to_string()),
        ScopeError::UnknownResource(_) => invalid(error.to_string()),
        ScopeError::TwoResources => TokenError::new("invalid_request", 28_000, error.to_string()),
        ScopeError::Empty => TokenError::invalid_request(error.to_string()),
    }
}
