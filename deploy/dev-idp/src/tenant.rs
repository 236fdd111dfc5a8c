//! The tenant as data: who may ask for what. Knows nothing of HTTP, of tokens, or of who is signed in.
//! Reading it from a file is `tenant/file.rs`; the fields are plain so that a test can change them before the start.

mod file;
mod registration;

use std::collections::BTreeMap;
use std::path::Path;

pub use file::TenantError;
pub use registration::{AuthMethod, ClientKeys, LogoutNames, Registration};

/// One tenant: its apps, APIs, user flows and the people who exist when it starts.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Directory (tenant) ID, a GUID.
    pub id: String,
    /// Name shown on the pages.
    pub name: String,
    /// The registered web APIs.
    pub apis: Vec<WebApi>,
    /// The registered client applications, web apps and daemons.
    pub clients: Vec<Client>,
    /// The user flows that web apps are associated with.
    pub user_flows: Vec<UserFlow>,
    /// Accounts that exist at the start.
    pub accounts: Vec<SeedAccount>,
    /// How long things live, in seconds.
    pub lifetimes: Lifetimes,
    /// Whether every client must push its authorization requests (RFC 9126). On the plain face only.
    pub require_pushed_authorization_requests: bool,
}

/// A registered web API.
#[derive(Clone, Debug)]
pub struct WebApi {
    /// Display name.
    pub name: String,
    /// Application (client) ID: the `aud` of its access tokens. An API with a client's ID is that client's own: tokens
    /// for it are what the client may exchange for tokens to APIs further on.
    pub client_id: String,
    /// Application ID URI: the prefix of its scopes.
    pub app_id_uri: String,
    /// Delegated permissions it exposes.
    pub scopes: Vec<Permission>,
    /// Application permissions it exposes.
    pub app_roles: Vec<Permission>,
    /// Whether its access tokens carry the optional claim `idtyp`.
    pub idtyp: bool,
}

/// A scope or an app role of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Short name, as it stands in `scp` or `roles`.
    pub name: String,
    /// What the consent page says.
    pub description: String,
}

/// A registered client application.
#[derive(Clone, Debug)]
pub struct Client {
    /// Display name.
    pub name: String,
    /// Application (client) ID.
    pub client_id: String,
    /// The client secret; empty if the client proves who it is in another way.
    pub secret: ClientSecret,
    /// Where authorization answers may go; compared byte for byte.
    pub redirect_uris: Vec<String>,
    /// Where the browser may go after sign-out; compared byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// Scopes granted with admin consent, by full name (`api://…/Name`).
    pub granted_scopes: Vec<String>,
    /// App roles granted with admin consent, by full name.
    pub granted_app_roles: Vec<String>,
    /// The user flow by which people sign in to it; a daemon has none.
    pub user_flow: Option<String>,
    /// What it is registered for beyond the guide.
    pub registration: Registration,
}

/// A client secret: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Wraps the secret's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for comparing and for tests that sign with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

/// What people may do in a user flow.
#[derive(Clone, Debug)]
pub struct UserFlow {
    /// Name by which web apps refer to it.
    pub name: String,
    /// People may create an account.
    pub sign_up: bool,
    /// People may set a new password with a passcode.
    pub password_reset: bool,
}

/// An account that exists at the start.
#[derive(Clone)]
pub struct SeedAccount {
    /// E-mail address, the sign-in name.
    pub email: String,
    /// Display name.
    pub name: String,
    /// Password in the clear; hashed at the start.
    pub password: String,
    /// Object ID; when absent it is derived from tenant and e-mail, the same at every start.
    pub oid: Option<String>,
    /// App roles by application (client id or Application ID URI).
    pub app_roles: BTreeMap<String, Vec<String>>,
    /// Object IDs of the groups it is a member of.
    pub groups: Vec<String>,
}

impl std::fmt::Debug for SeedAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeedAccount")
            .field("email", &self.email)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How long things live, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Authorization codes.
    pub authorization_code: i64,
    /// Access tokens.
    pub access_token: i64,
    /// ID tokens.
    pub id_token: i64,
    /// Refresh tokens, counted from their own issue.
    pub refresh_token: i64,
    /// How long a spent refresh token still gives the successor it gave before, for answers that were lost on the way
    /// (Okta and Auth0 have it as rotation overlap), as long as nobody has used that successor. Zero: not at all.
    pub refresh_overlap: i64,
    /// Single sign-on in one browser.
    pub session: i64,
    /// One-time passcodes.
    pub passcode: i64,
    /// Pushed authorization requests.
    pub pushed_request: i64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            authorization_code: 300,
            access_token: 3600,
            id_token: 3600,
            refresh_token: 86400,
            refresh_overlap: 0,
            session: 86400,
            passcode: 600,
            pushed_request: 60,
        }
    }
}

impl Tenant {
    /// Reads a tenant file; paths in it are relative to its folder.
    pub fn load(path: &Path) -> Result<Self, TenantError> {
        file::load(path)
    }

    /// Reads a tenant from text; paths in it are relative to `base_dir`.
    pub fn parse(text: &str, base_dir: &Path) -> Result<Self, TenantError> {
        file::parse(text, base_dir)
    }

    /// The client with this id.
    pub fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.client_id == client_id)
    }

    /// The client with this id, to change it.
    pub fn client_mut(&mut self, client_id: &str) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.client_id == client_id)
    }

    /// The API with this client id or Application ID URI.
    pub fn api(&self, id_or_uri: &str) -> Option<&WebApi> {
        self.apis.iter().find(|api| api.client_id == id_or_uri || api.app_id_uri == id_or_uri)
    }

    /// The user flow of a client.
    pub(crate) fn flow_of(&self, client: &Client) -> Option<&UserFlow> {
        let name = client.user_flow.as_deref()?;
        self.user_flows.iter().find(|flow| flow.name == name)
    }
}

impl WebApi {
    /// The full name of one of its scopes or roles.
    pub fn full_name(&self, short: &str) -> String {
        format!("{}/{short}", self.app_id_uri)
    }
}
