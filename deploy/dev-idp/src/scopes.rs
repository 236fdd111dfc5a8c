//! What a request asks for: OpenID scopes and the scopes of at most one API. Knows nothing of who may have them;
//! that is `consent.rs`.

use std::collections::BTreeSet;

use crate::tenant::{Client, Tenant};

/// A parsed `scope` parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) openid: bool,
    pub(crate) profile: bool,
    pub(crate) email: bool,
    pub(crate) offline_access: bool,
    /// The API whose scopes are asked for, by client id.
    pub(crate) api: Option<String>,
    /// Short names of that API's scopes.
    pub(crate) scopes: BTreeSet<String>,
}

/// Why a `scope` parameter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScopeError {
    #[error("The scope '{0}' is not known. Scopes of an API are asked for as <app_id_uri>/<scope>.")]
    Unknown(String),
    #[error(
        "Provided value for the input parameter scope is not valid because it contains more than one resource. \
         Ask for one API's scopes here, and for another's with the refresh token."
    )]
    TwoResources,
    #[error("The scope parameter is missing or empty.")]
    Empty,
}

impl Ask {
    /// Reads a `scope` parameter. `<app_id_uri>/.default` stands for every scope the client was granted of that API.
    pub(crate) fn parse(tenant: &Tenant, client: &Client, text: &str) -> Result<Self, ScopeError> {
        let mut ask = Self::default();
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            match name {
                "openid" => ask.openid = true,
                "profile" => ask.profile = true,
                "email" => ask.email = true,
                "offline_access" => ask.offline_access = true,
                name => ask.add(tenant, client, name)?,
            }
        }
        if ask == Self::default() { Err(ScopeError::Empty) } else { Ok(ask) }
    }

    fn add(&mut self, tenant: &Tenant, client: &Client, name: &str) -> Result<(), ScopeError> {
        let unknown = || ScopeError::Unknown(name.to_owned());
        let (prefix, short) = name.rsplit_once('/').ok_or_else(unknown)?;
        let api = tenant.api(prefix).ok_or_else(unknown)?;
        if self.api.get_or_insert_with(|| api.client_id.clone()) != &api.client_id {
            return Err(ScopeError::TwoResources);
        }
        if short == ".default" {
            let granted =
                api.scopes.iter().filter(|s| client.granted_scopes.contains(&api.full_name(&s.name)));
            self.scopes.extend(granted.map(|scope| scope.name.clone()));
        } else if api.scopes.iter().any(|scope| scope.name == short) {
            self.scopes.insert(short.to_owned());
        } else {
            return Err(unknown());
        }
        Ok(())
    }

    /// The API's scopes by full name.
    pub(crate) fn full_names(&self, tenant: &Tenant) -> Vec<String> {
        let Some(api) = self.api.as_deref().and_then(|id| tenant.api(id)) else {
            return Vec::new();
        };
        self.scopes.iter().map(|scope| api.full_name(scope)).collect()
    }

    /// The OpenID scopes.
    pub(crate) fn openid_names(&self) -> Vec<&'static str> {
        let all = [
            (self.openid, "openid"),
            (self.profile, "profile"),
            (self.email, "email"),
            (self.offline_access, "offline_access"),
        ];
        all.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name).collect()
    }

    /// What the token response's `scope` says.
    pub(crate) fn to_scope(&self, tenant: &Tenant) -> String {
        let mut names: Vec<String> = self.openid_names().into_iter().map(str::to_owned).collect();
        names.extend(self.full_names(tenant));
        names.join(" ")
    }

    /// What the access token's `scp` says.
    pub(crate) fn to_scp(&self) -> String {
        if self.api.is_some() {
            self.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
        } else {
            self.openid_names().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::tenant::{Permission, WebApi};

    fn tenant() -> Tenant {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut tenant = Tenant::load(&folder.join("tenant.toml")).expect("the shipped tenant is right");
        tenant.apis.push(WebApi {
            name: "other".to_owned(),
            client_id: "other-id".to_owned(),
            app_id_uri: "api://other".to_owned(),
            scopes: vec![Permission { name: "Do".to_owned(), description: "Do it".to_owned() }],
            app_roles: Vec::new(),
            idtyp: false,
        });
        tenant
    }

    fn parse(text: &str) -> Result<Ask, ScopeError> {
        let tenant = tenant();
        let client = tenant.client("todo-web").expect("registered").clone();
        Ask::parse(&tenant, &client, text)
    }

    #[test]
    fn one_apis_scopes_are_understood_by_either_name() {
        let ask = parse("openid api://todo-service/ToDoList.Read offline_access").expect("known scopes");
        assert_eq!(ask.to_scope(&tenant()), "openid offline_access api://todo-service/ToDoList.Read");
        assert_eq!(ask.to_scp(), "ToDoList.Read");
        let by_id = parse("11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f/ToDoList.Read").expect("known scope");
        assert_eq!(by_id.full_names(&tenant()), ["api://todo-service/ToDoList.Read"]);
    }

    #[test]
    fn default_means_what_was_granted() {
        assert_eq!(
            parse("api://todo-service/.default").expect("known").to_scp(),
            "ToDoList.Read ToDoList.ReadWrite"
        );
    }

    #[test]
    fn two_resources_unknown_names_and_nothing_are_refused() {
        assert_eq!(parse("api://todo-service/ToDoList.Read api://other/Do"), Err(ScopeError::TwoResources));
        for wrong in ["ToDoList.Read", "api://todo-service/Nope", "api://nobody/Do", "openid x"] {
            assert!(matches!(parse(wrong), Err(ScopeError::Unknown(_))), "{wrong}");
        }
        assert_eq!(parse("  "), Err(ScopeError::Empty));
        assert!(parse("api://other/Do").is_ok());
    }
}
