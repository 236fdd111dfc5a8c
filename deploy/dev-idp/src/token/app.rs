//! grant_type=client_credentials: an app on its own, with the app roles an administrator granted it. The API is named by
//! `<app_id_uri>/.default` or by `resource`. Knows nothing of people.

use super::issue::{Subject, access_response};
use super::{Request, TokenError, target};
use crate::faults::Members;
use crate::random;
use crate::scopes::{Ask, ScopeError};
use crate::tenant::WebApi;

pub(super) fn app_token(request: &Request<'_>) -> Result<Members, TokenError> {
    let api = api(request)?;
    let granted = |role: &&crate::tenant::Permission| {
        request.client.granted_app_roles.contains(&api.full_name(&role.name))
    };
    let roles = api.app_roles.iter().filter(granted).map(|role| role.name.clone()).collect();
    let ask = Ask { api: Some(api.client_id.clone()), ..Ask::default() };
    Ok(access_response(request, &random::token(), &Subject::App { roles }, &ask))
}

fn api<'a>(request: &Request<'a>) -> Result<&'a WebApi, TokenError> {
    let unknown = |name: &str| target::scope_error(ScopeError::Unknown(name.to_owned()));
    let by_resource = match target::resource(request)? {
        Some(uri) => Some(request.tenant.api(uri).ok_or_else(|| target::unknown(uri))?),
        None => None,
    };
    let Some(scope) = request.call.form.get("scope") else {
        return by_resource.ok_or_else(|| TokenError::invalid_request("The scope parameter is missing."));
    };
    let not_default = || {
        let what = "With client_credentials the scope must be <app_id_uri>/.default of one API.";
        TokenError::new("invalid_scope", 1_002_012, what)
    };
    let uri = scope.strip_suffix("/.default").filter(|uri| !uri.contains(' ')).ok_or_else(not_default)?;
    let by_scope = request.tenant.api(uri).ok_or_else(|| unknown(scope))?;
    match by_resource {
        Some(api) if api.client_id != by_scope.client_id => {
            Err(target::scope_error(ScopeError::TwoResources))
        }
        _ => Ok(by_scope),
    }
}
