//! What a request asks for: OpenID scopes and the scopes of at most one API, named by the scopes themselves or by a
//! `resource` (RFC 8707). Knows nothing of who may have them; that is `consent.rs`.

use std::collections::BTreeSet;

use crate::claims::ClaimsAsk;
use crate::tenant::{Client, Tenant, WebApi};

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
    /// The API was named by a `resource`, so its scopes are called by their short names in the answer too.
    pub(crate) by_resource: bool,
    /// Single claims asked for by name.
    pub(crate) claims: ClaimsAsk,
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
    #[error("The resource '{0}' is not known. Resources are named by their Application ID URI.")]
    UnknownResource(String),
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

    /// Reads a `scope` parameter beside `resource` parameters. The first of these is asked for now; scopes of the others
    /// may stand there too and are for later. Scopes may have their short names. Without any, a resource stands for
    /// what the client was granted of it, or else for all of it, so that the person decides.
    pub(crate) fn parse_with(
        tenant: &Tenant,
        client: &Client,
        text: &str,
        resources: &[&str],
    ) -> Result<Self, ScopeError> {
        let find = |uri: &&str| tenant.api(uri).ok_or_else(|| ScopeError::UnknownResource((*uri).to_owned()));
        let apis = resources.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let Some((first, others)) = apis.split_first() else {
            return Self::parse(tenant, client, text);
        };
        let mut ask = Self { api: Some(first.client_id.clone()), by_resource: true, ..Self::default() };
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            match name {
                "openid" => ask.openid = true,
                "profile" => ask.profile = true,
                "email" => ask.email = true,
                "offline_access" => ask.offline_access = true,
                name if first.has_scope(name) => drop(ask.scopes.insert(name.to_owned())),
                name if others.iter().any(|api| api.names_scope(name)) => {}
                name => {
                    ask.add(tenant, client, name)?;
                    ask.by_resource = false;
                }
            }
        }
        if ask.scopes.is_empty() {
            ask.scopes = granted(client, first);
        }
        if ask.scopes.is_empty() {
            ask.scopes = first.scopes.iter().map(|scope| scope.name.clone()).collect();
        }
        Ok(ask)
    }

    fn add(&mut self, tenant: &Tenant, client: &Client, name: &str) -> Result<(), ScopeError> {
        let unknown = || ScopeError::Unknown(name.to_owned());
        let (prefix, short) = name.rsplit_once('/').ok_or_else(unknown)?;
        let api = tenant.api(prefix).ok_or_else(unknown)?;
        if self.api.get_or_insert_with(|| api.client_id.clone()) != &api.client_id {
            return Err(ScopeError::TwoResources);
        }
        if short == ".default" {
            self.scopes.extend(granted(client, api));
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
        if self.by_resource {
            names.extend(self.scopes.iter().cloned());
        } else {
            names.extend(self.full_names(tenant));
        }
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

/// The scopes of an API that an administrator granted to the client.
fn granted(client: &Client, api: &WebApi) -> BTreeSet<String> {
    let names = api.scopes.iter().map(|scope| scope.name.clone());
    names.filter(|name| client.granted_scopes.contains(&api.full_name(name))).collect()
}

impl WebApi {
    fn has_scope(&self, short: &str) -> bool {
        self.scopes.iter().any(|scope| scope.name == short)
    }

    /// Whether `name` is one of its scopes, by either name.
    fn names_scope(&self, name: &str) -> bool {
        let full = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
        let short = full(&self.app_id_uri).or_else(|| full(&self.client_id)).unwrap_or(name);
        self.has_scope(short)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::tenant::Permission;

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

    fn with(text: &str, resources: &[&str]) -> Result<Ask, ScopeError> {
        let tenant = tenant();
        let client = tenant.client("todo-web").expect("registered").clone();
        Ask::parse_with(&tenant, &client, text, resources)
    }

    #[test]
    fn a_resource_names_the_api_and_its_scopes_are_short() {
        let ask = with("openid ToDoList.Read", &["api://todo-service"]).expect("known");
        assert_eq!(
            (ask.to_scp().as_str(), ask.to_scope(&tenant()).as_str()),
            ("ToDoList.Read", "openid ToDoList.Read")
        );
        let full = with("api://todo-service/ToDoList.Read", &["api://todo-service"]).expect("known");
        assert_eq!(
            full.to_scope(&tenant()),
            "api://todo-service/ToDoList.Read",
            "called as it was asked for"
        );
    }

    #[test]
    fn a_resource_alone_is_what_was_granted_of_it_or_all() {
        assert_eq!(
            with("", &["api://todo-service"]).expect("known").to_scp(),
            "ToDoList.Read ToDoList.ReadWrite"
        );
        assert_eq!(with("openid", &["api://other"]).expect("known").to_scp(), "Do");
    }

    #[test]
    fn of_several_resources_the_first_is_asked_for_now() {
        let ask = with("Do ToDoList.Read", &["api://todo-service", "api://other"]).expect("known");
        assert_eq!(
            (ask.api.as_deref(), ask.to_scp().as_str()),
            (tenant().api("api://todo-service").map(|a| &*a.client_id), "ToDoList.Read")
        );
    }

    #[test]
    fn strange_resources_and_their_scopes_are_refused() {
        assert!(matches!(with("", &["api://nobody"]), Err(ScopeError::UnknownResource(_))));
        assert!(matches!(with("", &["api://other", "api://nobody"]), Err(ScopeError::UnknownResource(_))));
        assert!(matches!(with("Nope", &["api://other"]), Err(ScopeError::Unknown(_))));
        assert_eq!(with("api://todo-service/ToDoList.Read", &["api://other"]), Err(ScopeError::TwoResources));
    }
}
