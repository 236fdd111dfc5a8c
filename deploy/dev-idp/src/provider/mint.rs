//! Minting tokens without a sign-in, for tests of services that verify them. They are what a sign-in would give, with
//! whatever the test changes. Knows nothing of HTTP.

use std::sync::Arc;

use super::Provider;
use crate::faces::Face;
use crate::faults::forge::{self, Context, Draft};
use crate::faults::{IdTokenFault, JwtEdit, Members};
use crate::keys::SigningKey;
use crate::people::Account;
use crate::scopes::Ask;
use crate::tenant::{Client, Tenant, WebApi};
use crate::token::{Subject, access_claims, id_claims};
use crate::{jwt, random};

/// A token to be minted. Begin with [`Mint::user`] or [`Mint::app`].
#[must_use]
pub struct Mint {
    email: Option<String>,
    client_id: String,
    face: Face,
    api: String,
    scopes: Vec<String>,
    roles: Vec<String>,
    audience: Option<String>,
    lifetime: Option<i64>,
    faults: Vec<IdTokenFault>,
    edit: Option<JwtEdit>,
}

/// Why a token cannot be minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// No account has this address.
    #[error("there is no account \"{0}\"")]
    NoAccount(String),
    /// No client has this id.
    #[error("there is no client \"{0}\"")]
    NoClient(String),
    /// No API has this id or URI.
    #[error("there is no web API \"{0}\"")]
    NoApi(String),
    /// An ID token always stands for a person.
    #[error("an ID token needs a person: begin with Mint::user or LogoutMint::person")]
    NoPerson,
    /// The client has no address for logout tokens.
    #[error("the client \"{0}\" has no backchannel_logout_uri in its registration")]
    NoLogoutUri(String),
}

impl Mint {
    /// A token for a person, by e-mail; by default from `todo-web`, for `api://todo-service`, with no scope, from the
    /// plain face.
    pub fn user(email: &str) -> Self {
        Self { email: Some(email.to_owned()), ..Self::app("todo-web") }
    }

    /// A token for an app on its own, by client id; by default for `api://todo-service`, with no role.
    pub fn app(client_id: &str) -> Self {
        Self {
            email: None,
            client_id: client_id.to_owned(),
            face: Face::Plain,
            api: "api://todo-service".to_owned(),
            scopes: Vec::new(),
            roles: Vec::new(),
            audience: None,
            lifetime: None,
            faults: Vec::new(),
            edit: None,
        }
    }

    /// Which client asked (`azp`; the audience of an ID token).
    pub fn client(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// Which face issues it.
    pub fn face(mut self, face: Face) -> Self {
        self.face = face;
        self
    }

    /// Which API it is for, by client id or Application ID URI.
    pub fn api(mut self, api: &str) -> Self {
        api.clone_into(&mut self.api);
        self
    }

    /// Short names for `scp`, whether the API has such scopes or not.
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// Values for `roles`.
    pub fn roles(mut self, roles: &[&str]) -> Self {
        self.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self
    }

    /// Any other `aud`.
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// Seconds until it expires; may be negative.
    pub fn lifetime(mut self, seconds: i64) -> Self {
        self.lifetime = Some(seconds);
        self
    }

    /// With this wrong; may be said more than once. For access tokens too.
    pub fn fault(mut self, fault: IdTokenFault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Changes header and claims last, before signing.
    pub fn edit(mut self, edit: impl Fn(&mut Members, &mut Members) + Send + Sync + 'static) -> Self {
        self.edit = Some(Arc::new(edit));
        self
    }
}

pub(crate) fn access_token(provider: &Provider, mint: Mint) -> Result<String, MintError> {
    let tenant = provider.tenant();
    let (client, api) = (client(&tenant, &mint)?, api(&tenant, &mint)?);
    let account = account(provider, &mint)?;
    let sid = random::guid();
    let subject = match &account {
        Some(account) => Subject::Person { account, sid: &sid },
        None => Subject::App { roles: mint.roles.clone() },
    };
    let ask = Ask {
        api: Some(api.client_id.clone()),
        scopes: mint.scopes.iter().cloned().collect(),
        ..Ask::default()
    };
    let now = provider.clock.now();
    let mut claims = access_claims(&tenant, &provider.site, mint.face, client, &subject, &ask, now);
    if !mint.roles.is_empty() {
        claims.insert("roles".to_owned(), mint.roles.clone().into());
    }
    let key = provider.keys.current();
    Ok(finish(provider, &key, client, mint, claims))
}

pub(crate) fn id_token(provider: &Provider, mint: Mint) -> Result<String, MintError> {
    let tenant = provider.tenant();
    let client = client(&tenant, &mint)?;
    let account = account(provider, &mint)?.ok_or(MintError::NoPerson)?;
    let now = provider.clock.now();
    let ask = Ask { openid: true, profile: true, email: true, ..Ask::default() };
    let mut claims = id_claims(&tenant, &provider.site, mint.face, client, &account, &ask, now);
    claims.insert("sid".to_owned(), random::guid().into());
    claims.insert("auth_time".to_owned(), now.into());
    let key = provider.keys.of(client.id_token_alg(mint.face));
    Ok(finish(provider, &key, client, mint, claims))
}

fn finish(provider: &Provider, key: &SigningKey, client: &Client, mint: Mint, mut claims: Members) -> String {
    let now = provider.clock.now();
    if let Some(audience) = mint.audience {
        claims.insert("aud".to_owned(), audience.into());
    }
    if let Some(lifetime) = mint.lifetime {
        claims.insert("exp".to_owned(), (now + lifetime).into());
    }
    let context = Context {
        key,
        client_secret: client.secret.expose(),
        now,
        access_token: None,
        canary: &provider.canary,
    };
    let draft = Draft { header: jwt::header(key), claims };
    forge::write(draft, &context, &mint.faults, mint.edit.as_ref())
}

fn client<'a>(tenant: &'a Tenant, mint: &Mint) -> Result<&'a Client, MintError> {
    tenant.client(&mint.client_id).ok_or_else(|| MintError::NoClient(mint.client_id.clone()))
}

fn api<'a>(tenant: &'a Tenant, mint: &Mint) -> Result<&'a WebApi, MintError> {
    tenant.api(&mint.api).ok_or_else(|| MintError::NoApi(mint.api.clone()))
}

fn account(provider: &Provider, mint: &Mint) -> Result<Option<Account>, MintError> {
    let Some(email) = &mint.email else { return Ok(None) };
    let account = provider.people.by_email(email);
    account.map(Some).ok_or_else(|| MintError::NoAccount(email.clone()))
}
