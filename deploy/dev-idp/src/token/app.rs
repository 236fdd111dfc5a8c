//! grant_type=client_credentials: an app on its own, with the app roles an administrator granted it. Knows nothing of
//! people.

use super::issue::{Subject, access_response};
use super::{Request, TokenError};
use crate::faults::Members;
use crate::random;
use crate::scopes::{Ask, ScopeError};

pub(super) fn app_token(request: &Request<'_>) -> Result<Members, TokenError> {
    let scope = request.required("scope")?;
    let not_default = || {
        let what = "With client_credentials the scope must be <app_id_uri>/.default of one API.";
        TokenError::new("invalid_scope", 1_002_012, what)
    };
    let resource = scope.strip_suffix("/.default").ok_or_else(not_default)?;
    if resource.contains(' ') {
        return Err(not_default());
    }
    let api =
        request.tenant.api(resource).ok_or_else(|| scope_error(ScopeError::Unknown(scope.to_owned())))?;
    let granted = |role: &&crate::tenant::Permission| {
        request.client.granted_app_roles.contains(&api.full_name(&role.name))
    };
    let roles = api.app_roles.iter().filter(granted).map(|role| role.name.clone()).collect();
    let ask = Ask { api: Some(api.client_id.clone()), ..Ask::default() };
    Ok(access_response(request, &random::token(), &Subject::App { roles }, &ask))
}

/// A refused `scope` parameter, as the token endpoint says it.
#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
pub(super) fn scope_error(error: ScopeError) -> TokenError {
    match error {
        ScopeError::Unknown(_) => TokenError::new("invalid_scope", 70_011, error.to_string()),
        ScopeError::TwoResources => TokenError::new("invalid_request", 28_000, error.to_string()),
        ScopeError::Empty => TokenError::invalid_request(error.to_string()),
    }
}
