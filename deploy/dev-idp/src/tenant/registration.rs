//! What a client is registered for beyond the guide: how it proves who it is, which algorithms its tokens are signed
//! with, and where it hears of sign-outs. Named as in OpenID Connect Dynamic Client Registration. Knows nothing of how any
//! of it is done.

use serde::Deserialize;
use serde_json::Value;

use super::file::redirect_uri;
use super::{Client, TenantError};
use crate::faces::Face;
use crate::keys::Algorithm;

/// The registration of one client. The default is what a client of the guide has: a secret, and nothing else.
#[derive(Clone, Debug)]
pub struct Registration {
    /// How the client proves who it is.
    pub auth: AuthMethod,
    /// Its public keys, for [`AuthMethod::PrivateKeyJwt`].
    pub keys: Option<ClientKeys>,
    /// What its ID tokens and logout tokens are signed with.
    pub id_token_alg: Algorithm,
    /// What its userinfo answers are signed with; plain JSON if nothing.
    pub userinfo_alg: Option<Algorithm>,
    /// Whether it must push its authorization requests (RFC 9126).
    pub require_pushed_authorization_requests: bool,
    /// Where logout tokens are posted.
    pub backchannel_logout_uri: Option<String>,
    /// Whom its logout tokens name.
    pub backchannel_logout_names: LogoutNames,
    /// What the end-session page loads in a frame.
    pub frontchannel_logout_uri: Option<String>,
    /// Where others may send people to begin a sign-in.
    pub initiate_login_uri: Option<String>,
}

/// How a client proves who it is. Another way than the registered one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMethod {
    /// By its secret, in the header or in the form: Entra takes either.
    #[default]
    AnySecret,
    /// By its secret in the header.
    SecretBasic,
    /// By its secret in the form.
    SecretPost,
    /// By a JWT signed with its own key (RFC 7523).
    PrivateKeyJwt,
    /// Not at all: a public client, with PKCE.
    None,
}

/// A client's public keys.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientKeys {
    /// JSON Web Keys.
    Inline(Vec<Value>),
    /// Where the key set is fetched from when an assertion comes.
    At(String),
}

/// Whom a logout token names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogoutNames {
    /// The person and the session.
    #[default]
    Both,
    /// The session only.
    SidOnly,
    /// The person only, which means all their sessions.
    SubOnly,
}

impl AuthMethod {
    pub(crate) const NAMES: [&'static str; 4] =
        ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "client_secret" => Self::AnySecret,
            "client_secret_basic" => Self::SecretBasic,
            "client_secret_post" => Self::SecretPost,
            "private_key_jwt" => Self::PrivateKeyJwt,
            "none" => Self::None,
            _ => return None,
        })
    }

    pub(super) fn needs_secret(self) -> bool {
        matches!(self, Self::AnySecret | Self::SecretBasic | Self::SecretPost)
    }
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            auth: AuthMethod::default(),
            keys: None,
            id_token_alg: Algorithm::Rs256,
            userinfo_alg: None,
            require_pushed_authorization_requests: false,
            backchannel_logout_uri: None,
            backchannel_logout_names: LogoutNames::default(),
            frontchannel_logout_uri: None,
            initiate_login_uri: None,
        }
    }
}

impl Client {
    /// What its ID tokens and logout tokens are signed with. Entra signs everything with RS256.
    pub(crate) fn id_token_alg(&self, face: Face) -> Algorithm {
        match face {
            Face::Plain => self.registration.id_token_alg,
            Face::Entra => Algorithm::Rs256,
        }
    }
}

/// The table `registration` of an app in tenant.toml.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationTable {
    token_endpoint_auth_method: Option<String>,
    jwks: Option<JwksTable>,
    jwks_uri: Option<String>,
    id_token_signed_response_alg: Option<String>,
    userinfo_signed_response_alg: Option<String>,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    backchannel_logout_uri: Option<String>,
    backchannel_logout_claims: Option<Vec<String>>,
    frontchannel_logout_uri: Option<String>,
    initiate_login_uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JwksTable {
    keys: Vec<Value>,
}

impl RegistrationTable {
    pub(super) fn read(self, client: &str) -> Result<Registration, TenantError> {
        let addresses = [
            &self.jwks_uri,
            &self.backchannel_logout_uri,
            &self.frontchannel_logout_uri,
            &self.initiate_login_uri,
        ];
        for uri in addresses.into_iter().flatten() {
            redirect_uri(client, uri)?;
        }
        let auth = match &self.token_endpoint_auth_method {
            None => AuthMethod::default(),
            Some(name) => AuthMethod::from_name(name).ok_or_else(|| TenantError::Unsupported {
                client: client.to_owned(),
                key: "token_endpoint_auth_method",
                value: name.clone(),
                expected: "client_secret (either way), client_secret_basic, client_secret_post, private_key_jwt, none",
            })?,
        };
        Ok(Registration {
            auth,
            keys: keys(client, auth, self.jwks, self.jwks_uri)?,
            id_token_alg: alg(client, "id_token_signed_response_alg", self.id_token_signed_response_alg)?
                .unwrap_or(Algorithm::Rs256),
            userinfo_alg: alg(client, "userinfo_signed_response_alg", self.userinfo_signed_response_alg)?,
            require_pushed_authorization_requests: self.require_pushed_authorization_requests,
            backchannel_logout_uri: self.backchannel_logout_uri,
            backchannel_logout_names: names(client, self.backchannel_logout_claims.as_deref())?,
            frontchannel_logout_uri: self.frontchannel_logout_uri,
            initiate_login_uri: self.initiate_login_uri,
        })
    }
}

fn keys(
    client: &str,
    auth: AuthMethod,
    inline: Option<JwksTable>,
    uri: Option<String>,
) -> Result<Option<ClientKeys>, TenantError> {
    let wrong = |why| TenantError::ClientKeys { client: client.to_owned(), why };
    match (inline, uri) {
        (Some(_), Some(_)) => Err(wrong("jwks and jwks_uri are both there; keep one")),
        (Some(set), None) if set.keys.is_empty() => Err(wrong("jwks has no keys; list the public keys")),
        (Some(set), None) => Ok(Some(ClientKeys::Inline(set.keys))),
        (None, Some(uri)) => Ok(Some(ClientKeys::At(uri))),
        (None, None) if auth == AuthMethod::PrivateKeyJwt => {
            Err(wrong("private_key_jwt needs jwks or jwks_uri: the client's public keys"))
        }
        (None, None) => Ok(None),
    }
}

fn alg(client: &str, key: &'static str, name: Option<String>) -> Result<Option<Algorithm>, TenantError> {
    let Some(name) = name else { return Ok(None) };
    let unsupported = || TenantError::Unsupported {
        client: client.to_owned(),
        key,
        value: name.clone(),
        expected: "RS256, PS256, ES256, ES384, EdDSA",
    };
    Algorithm::from_name(&name).map(Some).ok_or_else(unsupported)
}

fn names(client: &str, claims: Option<&[String]>) -> Result<LogoutNames, TenantError> {
    let Some(claims) = claims else { return Ok(LogoutNames::default()) };
    let (sub, sid) = (claims.iter().any(|name| name == "sub"), claims.iter().any(|name| name == "sid"));
    match (sub, sid, claims.len()) {
        (true, true, 2) => Ok(LogoutNames::Both),
        (false, true, 1) => Ok(LogoutNames::SidOnly),
        (true, false, 1) => Ok(LogoutNames::SubOnly),
        _ => Err(TenantError::Unsupported {
            client: client.to_owned(),
            key: "backchannel_logout_claims",
            value: claims.join(" "),
            expected: "[\"sub\", \"sid\"], [\"sid\"], [\"sub\"]",
        }),
    }
}
