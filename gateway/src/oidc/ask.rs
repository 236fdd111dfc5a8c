//! What an access token is asked to be good for: scopes, `resource`s (RFC 8707) and an audience, as the configuration
//! says. Knows nothing of whose token it is or how it is got.

use crate::scope::ScopeSet;
use crate::session::TokenSpec;

/// What an access token is to be good for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The scopes; without any, the provider decides by the rest.
    pub scopes: &'a ScopeSet,
    /// The APIs, as absolute URIs.
    pub resources: &'a [String],
    /// The API by a name that the provider knows; some take this instead of `resource`.
    pub audience: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// Asks by scopes alone.
    pub fn of(scopes: &'a ScopeSet) -> Self {
        Self { scopes, resources: &[], audience: None }
    }

    /// Asks as the configuration says of this token.
    pub fn for_token(spec: &'a TokenSpec) -> Self {
        Self { scopes: &spec.scopes, resources: &spec.resources, audience: spec.audience.as_deref() }
    }

    /// Adds what is asked to a request's parameters, with `scope` in the place of the scopes. An empty one is left out.
    pub(super) fn add_to(&self, parameters: &mut Vec<(&'a str, &'a str)>, scope: &'a str) {
        if !scope.is_empty() {
            parameters.push(("scope", scope));
        }
        parameters.extend(self.resources.iter().map(|resource| ("resource", resource.as_str())));
        parameters.extend(self.audience.map(|audience| ("audience", audience)));
    }
}

/// Scopes that ask about the person or the sign-in, not for an API (OpenID Connect Core 1.0, sections 5.4 and 11).
pub(super) fn is_about_sign_in(scope: &str) -> bool {
    matches!(scope, "openid" | "profile" | "email" | "address" | "phone" | "offline_access")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_is_not_said() {
        let (scopes, resources) = (ScopeSet::default(), ["api://x".to_owned(), "api://y".to_owned()]);
        let mut parameters = Vec::new();
        Ask::of(&scopes).add_to(&mut parameters, "");
        assert!(parameters.is_empty());
        let ask = Ask { scopes: &scopes, resources: &resources, audience: Some("z") };
        ask.add_to(&mut parameters, "a b");
        let expected =
            [("scope", "a b"), ("resource", "api://x"), ("resource", "api://y"), ("audience", "z")];
        assert_eq!(parameters, expected);
    }
}
