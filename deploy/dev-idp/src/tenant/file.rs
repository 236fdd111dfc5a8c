//! tenant.toml: the file's own shape, and turning it into a `Tenant` whose names all resolve. Unknown keys are refused,
//! each problem names the thing and the fix. Knows nothing of what the provider does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::registration::RegistrationTable;
use super::{
    Client, ClientSecret, Lifetimes, Permission, Registration, SeedAccount, Tenant, UserFlow, WebApi,
};

/// Why a tenant file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// The file cannot be read.
    #[error("cannot read the tenant file {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("the tenant file is not right: {0}")]
    Syntax(#[from] toml::de::Error),
    /// The tenant id is not a GUID.
    #[error(
        "tenant.id \"{0}\" is not a GUID; write 32 hex digits as 8-4-4-4-12, like 7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0"
    )]
    TenantId(String),
    /// A client secret's file cannot be read.
    #[error("client \"{client}\": cannot read client_secret file {}: {source}; create it with a random value", path.display())]
    SecretFile {
        /// Which client.
        client: String,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A client secret is too short to be one.
    #[error("client \"{0}\": client_secret has fewer than 16 characters; use a long random value")]
    ShortSecret(String),
    /// A client that proves who it is by a secret and has none.
    #[error("client \"{0}\": client_secret is missing; name a file, or another token_endpoint_auth_method")]
    MissingSecret(String),
    /// A value of the registration that is not known.
    #[error("client \"{client}\": {key} \"{value}\" is not supported; write one of {expected}")]
    Unsupported {
        /// Which client.
        client: String,
        /// Which key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is supported.
        expected: &'static str,
    },
    /// Keys for private_key_jwt that are missing, or cannot be used.
    #[error("client \"{client}\": {why}")]
    ClientKeys {
        /// Which client.
        client: String,
        /// What is wrong with them.
        why: &'static str,
    },
    /// The same name twice.
    #[error("{what} \"{name}\" is there twice; names must be unique")]
    Duplicate {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A redirect URI that cannot be used.
    #[error("client \"{client}\": redirect URI \"{uri}\" {why}")]
    RedirectUri {
        /// Which client.
        client: String,
        /// Which URI.
        uri: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A granted permission that no API exposes.
    #[error(
        "client \"{client}\": granted permission \"{permission}\" is not a {kind} of any web API; write <app_id_uri>/<name>"
    )]
    UnknownPermission {
        /// Which client.
        client: String,
        /// Which permission.
        permission: String,
        /// "scope" or "app role".
        kind: &'static str,
    },
    /// A user flow that does not exist.
    #[error("web app \"{client}\": user_flow \"{flow}\" is not among [[user_flows]]")]
    UnknownUserFlow {
        /// Which client.
        client: String,
        /// Which flow.
        flow: String,
    },
    /// An optional claim that is not supported.
    #[error("web API \"{api}\": optional claim \"{claim}\" is not supported; only \"idtyp\" is")]
    OptionalClaim {
        /// Which API.
        api: String,
        /// Which claim.
        claim: String,
    },
    /// A name that cannot stand in a space-separated list.
    #[error(
        "web API \"{api}\": \"{name}\" cannot be a scope or role name; use letters, digits, dot, dash and underscore"
    )]
    PermissionName {
        /// Which API.
        api: String,
        /// Which name.
        name: String,
    },
    /// A lifetime that is too short.
    #[error("lifetimes.{0} must be at least {1} seconds")]
    Lifetime(&'static str, i64),
    /// An account that cannot sign in.
    #[error("account \"{email}\": {why}")]
    Account {
        /// Which account.
        email: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tenant: TenantTable,
    #[serde(default)]
    web_apis: Vec<WebApiTable>,
    #[serde(default)]
    web_apps: Vec<WebAppTable>,
    #[serde(default)]
    daemon_apps: Vec<DaemonAppTable>,
    #[serde(default)]
    user_flows: Vec<UserFlowTable>,
    #[serde(default)]
    accounts: Vec<AccountTable>,
    #[serde(default)]
    lifetimes: LifetimesTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantTable {
    id: String,
    name: String,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebApiTable {
    name: String,
    client_id: String,
    app_id_uri: String,
    #[serde(default)]
    scopes: Vec<PermissionTable>,
    #[serde(default)]
    app_roles: Vec<PermissionTable>,
    #[serde(default)]
    optional_claims: OptionalClaimsTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionalClaimsTable {
    #[serde(default)]
    access_token: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PermissionTable {
    name: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebAppTable {
    name: String,
    client_id: String,
    client_secret: Option<SecretTable>,
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    #[serde(default)]
    granted_permissions: Vec<String>,
    #[serde(default)]
    granted_app_roles: Vec<String>,
    user_flow: String,
    #[serde(default)]
    registration: RegistrationTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DaemonAppTable {
    name: String,
    client_id: String,
    client_secret: Option<SecretTable>,
    #[serde(default)]
    granted_permissions: Vec<String>,
    #[serde(default)]
    registration: RegistrationTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretTable {
    file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserFlowTable {
    name: String,
    sign_up: bool,
    password_reset: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    email: String,
    name: String,
    password: String,
    oid: Option<uuid::Uuid>,
    #[serde(default)]
    app_roles: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimesTable {
    authorization_code: Option<i64>,
    access_token: Option<i64>,
    id_token: Option<i64>,
    refresh_token: Option<i64>,
    refresh_overlap: Option<i64>,
    session: Option<i64>,
    passcode: Option<i64>,
    pushed_request: Option<i64>,
}

pub(super) fn load(path: &Path) -> Result<Tenant, TenantError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| TenantError::Read { path: path.to_owned(), source })?;
    parse(&text, path.parent().unwrap_or(Path::new(".")))
}

pub(super) fn parse(text: &str, base_dir: &Path) -> Result<Tenant, TenantError> {
    let file: File = toml::from_str(text)?;
    if uuid::Uuid::try_parse(&file.tenant.id).is_err() || file.tenant.id.len() != 36 {
        return Err(TenantError::TenantId(file.tenant.id));
    }
    let apis = file.web_apis.into_iter().map(web_api).collect::<Result<Vec<_>, _>>()?;
    let mut clients = Vec::new();
    for app in file.web_apps {
        clients.push(web_app(app, base_dir)?);
    }
    for app in file.daemon_apps {
        clients.push(daemon_app(app, base_dir)?);
    }
    let tenant = Tenant {
        id: file.tenant.id.to_ascii_lowercase(),
        name: file.tenant.name,
        apis,
        clients,
        user_flows: file.user_flows.into_iter().map(user_flow).collect(),
        accounts: file.accounts.into_iter().map(account).collect::<Result<_, _>>()?,
        lifetimes: lifetimes(&file.lifetimes)?,
        require_pushed_authorization_requests: file.tenant.require_pushed_authorization_requests,
    };
    names_are_unique(&tenant)?;
    names_resolve(&tenant)?;
    Ok(tenant)
}

fn web_api(table: WebApiTable) -> Result<WebApi, TenantError> {
    let permission = |permission: PermissionTable| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if permission.name.is_empty() || !permission.name.bytes().all(plain) {
            return Err(TenantError::PermissionName { api: table.name.clone(), name: permission.name });
        }
        Ok(Permission { name: permission.name, description: permission.description })
    };
    let scopes = table.scopes.into_iter().map(permission).collect::<Result<_, _>>()?;
    let app_roles = table.app_roles.into_iter().map(permission).collect::<Result<_, _>>()?;
    if let Some(claim) = table.optional_claims.access_token.iter().find(|claim| *claim != "idtyp") {
        return Err(TenantError::OptionalClaim { api: table.name, claim: claim.clone() });
    }
    Ok(WebApi {
        idtyp: !table.optional_claims.access_token.is_empty(),
        name: table.name,
        client_id: table.client_id,
        app_id_uri: table.app_id_uri,
        scopes,
        app_roles,
    })
}

fn web_app(table: WebAppTable, base_dir: &Path) -> Result<Client, TenantError> {
    for uri in table.redirect_uris.iter().chain(&table.post_logout_redirect_uris) {
        redirect_uri(&table.client_id, uri)?;
    }
    let registration = table.registration.read(&table.client_id)?;
    Ok(Client {
        secret: secret(&table.client_id, table.client_secret.as_ref(), &registration, base_dir)?,
        registration,
        name: table.name,
        client_id: table.client_id,
        redirect_uris: table.redirect_uris,
        post_logout_redirect_uris: table.post_logout_redirect_uris,
        granted_scopes: table.granted_permissions,
        granted_app_roles: table.granted_app_roles,
        user_flow: Some(table.user_flow),
    })
}

fn daemon_app(table: DaemonAppTable, base_dir: &Path) -> Result<Client, TenantError> {
    let registration = table.registration.read(&table.client_id)?;
    Ok(Client {
        secret: secret(&table.client_id, table.client_secret.as_ref(), &registration, base_dir)?,
        registration,
        name: table.name,
        client_id: table.client_id,
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        granted_scopes: Vec::new(),
        granted_app_roles: table.granted_permissions,
        user_flow: None,
    })
}

/// An address of a client: where browsers or this provider itself may go.
pub(super) fn redirect_uri(client: &str, uri: &str) -> Result<(), TenantError> {
    let wrong = |why| TenantError::RedirectUri { client: client.to_owned(), uri: uri.to_owned(), why };
    let parsed = url::Url::parse(uri).map_err(|_| wrong("is not an absolute URL"))?;
    if parsed.fragment().is_some() {
        return Err(wrong("has a fragment; remove the part from #"));
    }
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(wrong("must begin with https:// or http:// and name a host"));
    }
    Ok(())
}

fn secret(
    client: &str,
    table: Option<&SecretTable>,
    registration: &Registration,
    base_dir: &Path,
) -> Result<ClientSecret, TenantError> {
    let Some(table) = table else {
        if registration.auth.needs_secret() {
            return Err(TenantError::MissingSecret(client.to_owned()));
        }
        return Ok(ClientSecret::new(""));
    };
    let path = base_dir.join(&table.file);
    let text = std::fs::read_to_string(&path).map_err(|source| TenantError::SecretFile {
        client: client.to_owned(),
        path,
        source,
    })?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.chars().count() < 16 {
        return Err(TenantError::ShortSecret(client.to_owned()));
    }
    Ok(ClientSecret::new(secret))
}

fn user_flow(table: UserFlowTable) -> UserFlow {
    UserFlow { name: table.name, sign_up: table.sign_up, password_reset: table.password_reset }
}

fn account(table: AccountTable) -> Result<SeedAccount, TenantError> {
    let wrong = |why| TenantError::Account { email: table.email.clone(), why };
    let email = crate::people::email(&table.email).ok_or_else(|| wrong("is not an e-mail address"))?;
    if table.password.chars().count() < crate::people::SHORTEST_PASSWORD {
        return Err(wrong("the password has fewer than 8 characters"));
    }
    Ok(SeedAccount {
        email,
        name: table.name,
        password: table.password,
        oid: table.oid.map(|oid| oid.to_string()),
        app_roles: table.app_roles,
        groups: table.groups,
    })
}

fn lifetimes(table: &LifetimesTable) -> Result<Lifetimes, TenantError> {
    let standard = Lifetimes::default();
    let at_least = |least, name, given: Option<i64>, standard| match given.unwrap_or(standard) {
        seconds if seconds >= least => Ok(seconds),
        _ => Err(TenantError::Lifetime(name, least)),
    };
    let pick = |name, given, standard| at_least(1, name, given, standard);
    Ok(Lifetimes {
        authorization_code: pick(
            "authorization_code",
            table.authorization_code,
            standard.authorization_code,
        )?,
        access_token: pick("access_token", table.access_token, standard.access_token)?,
        id_token: pick("id_token", table.id_token, standard.id_token)?,
        refresh_token: pick("refresh_token", table.refresh_token, standard.refresh_token)?,
        refresh_overlap: at_least(0, "refresh_overlap", table.refresh_overlap, standard.refresh_overlap)?,
        session: pick("session", table.session, standard.session)?,
        passcode: pick("passcode", table.passcode, standard.passcode)?,
        pushed_request: pick("pushed_request", table.pushed_request, standard.pushed_request)?,
    })
}

fn names_are_unique(tenant: &Tenant) -> Result<(), TenantError> {
    fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), TenantError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(TenantError::Duplicate { what, name: name.to_owned() });
            }
        }
        Ok(())
    }
    // An API may have a client's ID, and is then that client's own.
    unique("client_id", tenant.clients.iter().map(|client| &*client.client_id))?;
    unique("client_id", tenant.apis.iter().map(|api| &*api.client_id))?;
    unique("app_id_uri", tenant.apis.iter().map(|api| &*api.app_id_uri))?;
    unique("user flow", tenant.user_flows.iter().map(|flow| &*flow.name))?;
    unique("account", tenant.accounts.iter().map(|account| &*account.email))?;
    for api in &tenant.apis {
        unique("scope", api.scopes.iter().map(|scope| &*scope.name))?;
        unique("app role", api.app_roles.iter().map(|role| &*role.name))?;
    }
    Ok(())
}

fn names_resolve(tenant: &Tenant) -> Result<(), TenantError> {
    let names = |pick: fn(&WebApi) -> &[Permission]| -> BTreeSet<String> {
        let all = |api: &WebApi| pick(api).iter().map(|p| api.full_name(&p.name)).collect::<Vec<_>>();
        tenant.apis.iter().flat_map(all).collect()
    };
    let (scopes, roles) = (names(|api| &api.scopes), names(|api| &api.app_roles));
    for client in &tenant.clients {
        let unknown = |permission: &String, kind| TenantError::UnknownPermission {
            client: client.client_id.clone(),
            permission: permission.clone(),
            kind,
        };
        if let Some(scope) = client.granted_scopes.iter().find(|scope| !scopes.contains(*scope)) {
            return Err(unknown(scope, "scope"));
        }
        if let Some(role) = client.granted_app_roles.iter().find(|role| !roles.contains(*role)) {
            return Err(unknown(role, "app role"));
        }
        if let Some(flow) = &client.user_flow
            && tenant.flow_of(client).is_none()
        {
            return Err(TenantError::UnknownUserFlow {
                client: client.client_id.clone(),
                flow: flow.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{AuthMethod, ClientKeys, LogoutNames};

    fn shipped() -> (String, PathBuf) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(folder.join("tenant.toml"))
            .expect("tenant.toml stands beside Cargo.toml");
        (text, folder)
    }

    fn problem(from: &str, to: &str) -> String {
        let (text, folder) = shipped();
        assert!(text.contains(from), "the shipped file has {from}");
        parse(&text.replacen(from, to, 1), &folder).expect_err("the change is refused").to_string()
    }

    #[test]
    fn the_shipped_tenant_is_accepted() {
        let (text, folder) = shipped();
        let tenant = parse(&text, &folder).expect("the shipped tenant is right");
        let web = tenant.client("todo-web").expect("the web app is registered");
        assert!(web.secret.expose().len() >= 40);
        assert_eq!((web.granted_scopes.len(), web.granted_app_roles.len()), (4, 1));
        assert!(tenant.api("api://todo-web").is_some_and(|api| api.client_id == web.client_id));
        assert!(tenant.api("api://todo-service").is_some_and(|api| api.idtyp && api.scopes.len() == 2));
        assert!(!format!("{tenant:?}").contains(web.secret.expose()));
        assert!(!format!("{tenant:?}").contains("correct-horse-battery"));
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        assert!(problem("sign_up  ", "signup").contains("signup"));
    }

    #[test]
    fn a_permission_that_no_api_exposes_is_refused() {
        let message =
            problem("  \"api://todo-service/ToDoList.Read\",", "  \"api://todo-service/ToDoList.Raed\",");
        assert!(message.contains("ToDoList.Raed"), "{message}");
    }

    #[test]
    fn a_missing_secret_file_is_refused_with_its_path() {
        assert!(problem("todo-web.secret", "nothing.secret").contains("nothing.secret"));
    }

    #[test]
    fn an_empty_secret_file_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["todo-web.secret", "todo-daemon.secret"] {
            std::fs::write(folder.path().join(name), "\n").expect("written");
        }
        let message = parse(&shipped().0, folder.path()).expect_err("empty is no secret").to_string();
        assert!(message.contains("todo-web"), "{message}");
    }

    #[test]
    fn a_registration_is_read_and_its_mistakes_are_named() {
        let (text, folder) = shipped();
        let with = |lines: &str| {
            let flow = "user_flow = \"sign-up-and-sign-in\"\n";
            parse(&text.replacen(flow, &format!("{flow}{lines}\n"), 1), &folder)
        };
        let tenant = with(
            "registration.token_endpoint_auth_method = \"private_key_jwt\"
             registration.jwks_uri = \"http://localhost:3000/auth/jwks\"
             registration.id_token_signed_response_alg = \"ES256\"
             registration.backchannel_logout_uri = \"http://localhost:3000/auth/backchannel-logout\"
             registration.backchannel_logout_claims = [\"sub\"]",
        );
        let tenant = tenant.expect("a right registration");
        let registration = &tenant.client("todo-web").expect("registered").registration;
        assert_eq!(registration.auth, AuthMethod::PrivateKeyJwt);
        assert_eq!(registration.keys, Some(ClientKeys::At("http://localhost:3000/auth/jwks".to_owned())));
        assert_eq!(registration.id_token_alg, crate::Algorithm::Es256);
        assert_eq!(registration.backchannel_logout_names, LogoutNames::SubOnly);
        for (lines, named) in [
            ("registration.token_endpoint_auth_method = \"magic\"", "magic"),
            ("registration.token_endpoint_auth_method = \"private_key_jwt\"", "jwks"),
            ("registration.id_token_signed_response_alg = \"HS256\"", "HS256"),
            ("registration.backchannel_logout_uri = \"nowhere\"", "nowhere"),
            ("registration.backchannel_logout_claims = []", "backchannel_logout_claims"),
            ("registration.surprise = 1", "surprise"),
        ] {
            let message = with(lines).expect_err("refused").to_string();
            assert!(message.contains(named), "{message}");
        }
        assert!(problem("client_secret = { file = \"todo-web.secret\" }", "").contains("client_secret"));
    }

    #[test]
    fn wrong_ids_uris_flows_and_lifetimes_are_refused() {
        assert!(problem("7f3c1a52-9d0e", "7f3c1a529d0e").contains("GUID"));
        assert!(
            problem("http://localhost:3000/auth/callback", "http://localhost:3000/#x").contains("fragment")
        );
        assert!(problem("user_flow = \"sign-up", "user_flow = \"sign-upp").contains("sign-upp"));
        assert!(problem("passcode           = 600", "passcode = 0").contains("lifetimes.passcode"));
        assert!(
            problem("refresh_overlap    = 0", "refresh_overlap = -1").contains("lifetimes.refresh_overlap")
        );
        assert!(problem("Reports.Read.All\"]", "Reports.Raed.All\"]").contains("Reports.Raed.All"));
        assert!(problem("[\"idtyp\"]", "[\"groups\"]").contains("groups"));
        assert!(problem("bob@example.com", "alice@example.com").contains("twice"));
    }
}
