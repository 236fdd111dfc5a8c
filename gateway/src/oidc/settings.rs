//! What the gateway must know of one identity provider: the resolved `[provider]` section.

use std::sync::Arc;

use url::Url;

use crate::scope::ScopeSet;
use crate::secret::Secret;

/// One OpenID provider, and how this gateway is registered with it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Compared byte for byte with metadata, ID tokens and callbacks (OpenID Connect Discovery, section 4.3).
    pub issuer: Arc<str>,
    /// Where the metadata is; by default the issuer and `/.well-known/openid-configuration`. Entra External ID
    /// publishes it under another host than the issuer's.
    pub metadata_url: Url,
    /// The client identifier of the registration.
    pub client_id: String,
    /// How the gateway proves to the token endpoint that it is that client.
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
    /// `public_url` and `/auth/callback`.
    pub redirect_uri: Url,
    /// `public_url` and `/auth/signed-out`.
    pub post_logout_redirect_uri: Url,
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

/// Client authentication at the token endpoint: by configuration, never guessed.
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// HTTP Basic with form-encoded identifier and secret (RFC 6749, section 2.3.1).
    SecretBasic(Secret<String>),
    /// The secret in the request's body.
    SecretPost(Secret<String>),
    /// A public client: PKCE alone.
    None,
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
