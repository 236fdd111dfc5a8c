//! What the gateway must know of one identity provider: the resolved `[provider]` section.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use crate::oidc::client::assertion::Assertions;
use crate::oidc::client::certificate::ClientCertificate;
use crate::origin::Localhost;
use crate::scope::ScopeSet;
use crate::secret::Secret;

/// One OpenID provider, and how this gateway is registered with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `NAME` of `[providers.NAME]`; `default` for `[provider]`.
    pub name: Arc<str>,
    /// What people read where they choose.
    pub label: String,
    /// Compared byte for byte with metadata, ID tokens and callbacks (OpenID Connect Discovery, section 4.3).
    pub issuer: Arc<str>,
    /// Where the metadata is; by default the issuer and `/.well-known/openid-configuration`. Entra External ID
    /// publishes it under another host than the issuer's.
    pub metadata_url: Url,
    /// The client identifier of the registration.
    pub client_id: String,
    /// How the gateway proves that it is that client, to every endpoint that asks.
    pub authentication: ClientAuthentication,
    /// Scopes asked for at every sign-in; `openid` is always among them.
    pub scopes: ScopeSet,
    /// APIs that every sign-in names by `resource` (RFC 8707), for providers that want it besides scopes. The access
    /// token that comes with the sign-in is for the first; tokens for the others are got when a route asks.
    pub resources: Vec<String>,
    /// How the provider's answer comes back.
    pub response_mode: ResponseMode,
    /// Signature algorithms accepted on ID tokens.
    pub algorithms: Vec<Algorithm>,
    /// What the header of a logout token must say of its kind.
    pub logout_token_type: LogoutTokenType,
    /// For a multi-tenant Entra issuer holding `{tenantid}`: the tenants that may sign in. Otherwise empty, or a
    /// further restriction on `tid`.
    pub tenants: Vec<String>,
    /// Query parameters of `/auth/sign-in` that are passed on to the provider; all others are ignored.
    pub pass_parameters: Vec<String>,
    /// What every request for a sign-in says besides, and how it gets to the provider.
    pub request: RequestSettings,
    /// What is asked of the userinfo endpoint.
    pub userinfo: Userinfo,
    /// `public_url` and `/auth/callback`; with the name behind it where there are several providers, so that one's answer
    /// is never taken for another's (RFC 9700, section 4.4.2.2).
    pub redirect_uri: Url,
    /// `public_url` and `/auth/signed-out`.
    pub post_logout_redirect_uri: Url,
    /// Where a provider under `localhost` is.
    pub localhost: Localhost,
}

impl Settings {
    /// The issuers of people who may sign in: one, or one for each tenant where the issuer names the tenant.
    pub fn issuers(&self) -> Vec<String> {
        if self.issuer.contains(TENANT_PLACE) {
            self.tenants.iter().map(|tenant| self.issuer.replace(TENANT_PLACE, tenant)).collect()
        } else {
            vec![self.issuer.to_string()]
        }
    }
}

/// Where a multi-tenant issuer has the tenant (Entra ID).
pub(super) const TENANT_PLACE: &str = "{tenantid}";

/// Client authentication: by configuration, never guessed.
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// HTTP Basic with form-encoded identifier and secret (RFC 6749, section 2.3.1).
    SecretBasic(Secret<String>),
    /// The secret in the request's body.
    SecretPost(Secret<String>),
    /// `private_key_jwt`: an assertion signed for each request (RFC 7523).
    PrivateKeyJwt(Arc<Assertions>),
    /// `tls_client_auth`: the certificate of the connection (RFC 8705).
    TlsClient(ClientCertificate),
    /// A public client: PKCE alone.
    None,
}

/// So that a generation of the configuration can tell whether the next one means the same client.
impl PartialEq for ClientAuthentication {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::SecretBasic(one), Self::SecretBasic(other))
            | (Self::SecretPost(one), Self::SecretPost(other)) => one.matches(other.expose()),
            (Self::PrivateKeyJwt(one), Self::PrivateKeyJwt(other)) => one.is_same(other),
            (Self::TlsClient(one), Self::TlsClient(other)) => one.is_same(other),
            (Self::None, Self::None) => true,
            (
                Self::SecretBasic(_)
                | Self::SecretPost(_)
                | Self::PrivateKeyJwt(_)
                | Self::TlsClient(_)
                | Self::None,
                _,
            ) => false,
        }
    }
}

/// What the configuration adds to every authorization request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestSettings {
    /// Whether it goes to the provider directly, and not through the browser.
    pub par: Pushing,
    /// How people may prove who they are, the best way first; nothing to leave that to the provider.
    pub acr_values: Vec<String>,
    /// Whether a sign-in in another way is refused.
    pub acr_required: bool,
    /// How long ago they may have proved it.
    pub max_age: Option<Duration>,
    /// Which page the provider shows in any case.
    pub prompt: Option<String>,
    /// The `claims` parameter, a JSON object (OpenID Connect Core 1.0, section 5.5).
    pub claims: Option<String>,
    /// Fixed parameters. One that a link may pass on is what is said where the link says nothing.
    pub parameters: Vec<(String, String)>,
}

/// What is asked of the userinfo endpoint, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Userinfo {
    /// When it is asked.
    pub when: When,
    /// The claims that are taken from there, in the place of the ID token's.
    pub claims: Vec<String>,
}

/// When the userinfo endpoint is asked, at a sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Never.
    #[default]
    Never,
    /// When the ID token lacks one of the claims.
    WhenMissing,
    /// At every sign-in.
    Always,
}

impl Userinfo {
    /// Whether it must be asked for a person of whom the ID token says this.
    pub(super) fn is_needed(&self, claims: &Map<String, Value>) -> bool {
        match self.when {
            When::Never => false,
            When::WhenMissing => self.claims.iter().any(|name| !claims.contains_key(name)),
            When::Always => true,
        }
    }
}

/// Claims that say who it is and how they signed in: the ID token alone says them.
pub const SIGN_IN_CLAIMS: [&str; 19] = [
    "acr",
    "amr",
    "aud",
    "at_hash",
    "auth_time",
    "azp",
    "c_hash",
    "events",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "oid",
    "sid",
    "sub",
    "tid",
    "s_hash",
];

/// When authorization requests are pushed (RFC 9126).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pushing {
    /// Where the provider requires it.
    #[default]
    Auto,
    /// Always; a provider that cannot take them is not used.
    Always,
    /// Never; a provider that requires them is not used.
    Never,
}

/// Which `typ` a logout token may have (OpenID Connect Back-Channel Logout 1.0, section 2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogoutTokenType {
    /// `logout+jwt`, or `JWT`, or none: many providers do not say the kind.
    #[default]
    Lenient,
    /// `logout+jwt`.
    Strict,
}

/// `response_mode` of the authorization request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// Parameters in the callback's query.
    Query,
    /// Parameters in a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// An asymmetric JWS algorithm (RFC 7518, section 3.1; RFC 8037). There is no variant for `none` or HMAC, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256; the default.
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    /// The name in a JOSE header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Every algorithm, in the order of preference.
    pub const ALL: [Self; 5] = [Self::RS256, Self::PS256, Self::ES256, Self::ES384, Self::EdDSA];
}
