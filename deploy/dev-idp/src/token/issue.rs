//! Making tokens: the claims of access and ID tokens on either face, and the token response. Knows nothing of whether
//! they are deserved.

use aws_lc_rs::digest;
use serde_json::{Value, json};

use super::Request;
use crate::faces::{Endpoint, Face, Site};
use crate::faults::forge::{self, Context, Draft};
use crate::faults::{Members, TokenFault};
use crate::grants::Issued;
use crate::keys::Algorithm;
use crate::people::Account;
use crate::scopes::Ask;
use crate::tenant::{Client, Tenant};
use crate::{jwt, random};

/// Whom an access token stands for.
pub(crate) enum Subject<'a> {
    /// A person in a session.
    Person { account: &'a Account, sid: &'a str },
    /// An app on its own, with these app roles.
    App { roles: Vec<String> },
}

/// A person's grant, from which tokens are made.
pub(super) struct PersonGrant<'a> {
    pub(super) id: &'a str,
    pub(super) account: &'a Account,
    pub(super) sid: &'a str,
    pub(super) auth_time: i64,
    pub(super) acr: &'static str,
    /// Of a sign-in; a refreshed ID token has none.
    pub(super) nonce: Option<&'a str>,
    pub(super) ask: &'a Ask,
}

/// The response to a code or refresh request, without refresh token.
pub(super) fn person_tokens(request: &Request<'_>, grant: &PersonGrant<'_>) -> Members {
    let narrowed;
    let ask = if request.edit.has(TokenFault::ScopeNarrower) {
        narrowed = Ask { api: None, scopes: std::collections::BTreeSet::default(), ..grant.ask.clone() };
        &narrowed
    } else {
        grant.ask
    };
    let subject = Subject::Person { account: grant.account, sid: grant.sid };
    let mut response = access_response(request, grant.id, &subject, ask);
    response.insert("scope".to_owned(), ask.to_scope(request.tenant).into());
    if grant.ask.openid {
        let access = response.get("access_token").and_then(Value::as_str).unwrap_or_default();
        let id_token = id_token(request, grant, access);
        response.insert("id_token".to_owned(), id_token.into());
    }
    response
}

/// `token_type`, `expires_in` and `access_token`.
pub(super) fn access_response(
    request: &Request<'_>,
    grant: &str,
    subject: &Subject<'_>,
    ask: &Ask,
) -> Members {
    let (provider, tenant) = (request.provider, request.tenant);
    let now = provider.clock.now();
    let lifetime = tenant.lifetimes.access_token;
    let claims = access_claims(tenant, &provider.site, request.face, request.client, subject, ask, now);
    let key = provider.keys.current();
    let draft = Draft { header: jwt::header(&key), claims };
    let context = context(request, &key, None);
    let token = forge::write(draft, &context, &[], provider.faults.on_access_token().as_ref());
    let oid = match subject {
        Subject::Person { account, .. } => Some(account.oid.clone()),
        Subject::App { .. } => None,
    };
    let (grant, client_id) = (grant.to_owned(), request.client.client_id.clone());
    let issued = Issued { grant, client_id, oid, ask: ask.clone(), expires: now + lifetime };
    provider.grants.issued(&token, issued, now);

    let mut response = Members::new();
    response.insert("token_type".to_owned(), "Bearer".into());
    response.insert("expires_in".to_owned(), lifetime.into());
    response.insert("access_token".to_owned(), token.into());
    response
}

fn id_token(request: &Request<'_>, grant: &PersonGrant<'_>, access_token: &str) -> String {
    let provider = request.provider;
    let now = provider.clock.now();
    let mut claims = id_claims(
        request.tenant,
        &provider.site,
        request.face,
        request.client,
        grant.account,
        grant.ask,
        now,
    );
    claims.insert("sid".to_owned(), grant.sid.into());
    claims.insert("auth_time".to_owned(), grant.auth_time.into());
    set(&mut claims, "acr", grant.acr);
    if let Some(nonce) = grant.nonce {
        claims.insert("nonce".to_owned(), nonce.into());
    }
    let key = provider.keys.of(request.client.id_token_alg(request.face));
    if request.face == Face::Plain {
        claims.insert("at_hash".to_owned(), at_hash(key.algorithm, access_token).into());
    }
    let is_refresh = request.call.form.get("grant_type") == Some("refresh_token");
    let (faults, edit) = provider.faults.on_id_token(is_refresh);
    let draft = Draft { header: jwt::header(&key), claims };
    forge::write(draft, &context(request, &key, Some(access_token)), &faults, edit.as_ref())
}

fn context<'a>(
    request: &'a Request<'_>,
    key: &'a crate::keys::SigningKey,
    access_token: Option<&'a str>,
) -> Context<'a> {
    Context {
        key,
        client_secret: request.client.secret.expose(),
        now: request.provider.clock.now(),
        access_token,
        canary: &request.provider.canary,
    }
}

/// The claims of an access token: for the API that `ask` names, or else for userinfo.
pub(crate) fn access_claims(
    tenant: &Tenant,
    site: &Site,
    face: Face,
    client: &Client,
    subject: &Subject<'_>,
    ask: &Ask,
    now: i64,
) -> Members {
    let api = ask.api.as_deref().and_then(|id| tenant.api(id));
    let audience = api.map_or_else(|| site.userinfo_audience(), |api| api.client_id.clone());
    let mut claims = base(tenant, site, face, &audience, now, tenant.lifetimes.access_token);
    set(&mut claims, "azp", &client.client_id);
    set(&mut claims, "azpacr", "1");
    set(&mut claims, "uti", &random::sha256_base64url(&random::bytes::<16>())[..22]);
    set(&mut claims, "jti", &random::guid());
    let idtyp = api.is_some_and(|api| api.idtyp);
    match subject {
        Subject::Person { account, sid } => {
            // Like Entra, the subject of an API's token is not the app's: it is pairwise to who reads the token.
            let reader = api.map_or(&client.client_id, |api| &api.client_id);
            set(&mut claims, "sub", &pairwise(tenant, reader, &account.oid));
            set(&mut claims, "oid", &account.oid);
            set(&mut claims, "sid", sid);
            set(&mut claims, "name", &account.name);
            set(&mut claims, "preferred_username", &account.email);
            set(&mut claims, "scp", &ask.to_scp());
            let names = api.map(|api| [api.app_id_uri.as_str(), api.client_id.as_str()]).unwrap_or_default();
            set_roles(&mut claims, account, &names);
            if idtyp {
                set(&mut claims, "idtyp", "user");
            }
        }
        Subject::App { roles } => {
            let principal = random::stable_guid(&[&tenant.id, "service principal", &client.client_id]);
            set(&mut claims, "sub", &principal);
            set(&mut claims, "oid", &principal);
            if !roles.is_empty() {
                claims.insert("roles".to_owned(), roles.clone().into());
            }
            if idtyp {
                set(&mut claims, "idtyp", "app");
            }
        }
    }
    claims
}

/// The claims of an ID token, without those of the session: sid, auth_time, nonce, at_hash.
pub(crate) fn id_claims(
    tenant: &Tenant,
    site: &Site,
    face: Face,
    client: &Client,
    account: &Account,
    ask: &Ask,
    now: i64,
) -> Members {
    let mut claims = base(tenant, site, face, &client.client_id, now, tenant.lifetimes.id_token);
    set(&mut claims, "sub", &pairwise(tenant, &client.client_id, &account.oid));
    set(&mut claims, "oid", &account.oid);
    set(&mut claims, "acr", "1");
    set(&mut claims, "name", &account.name);
    set(&mut claims, "preferred_username", &account.email);
    if ask.email || ask.claims.id_token.contains("email") {
        set(&mut claims, "email", &account.email);
    }
    set_roles(&mut claims, account, &[&client.client_id]);
    set_groups(&mut claims, site, face, account);
    claims
}

fn base(tenant: &Tenant, site: &Site, face: Face, audience: &str, now: i64, lifetime: i64) -> Members {
    let mut claims = Members::new();
    set(&mut claims, "iss", &site.issuer(face));
    set(&mut claims, "aud", audience);
    set(&mut claims, "tid", &tenant.id);
    set(&mut claims, "ver", "2.0");
    claims.insert("iat".to_owned(), now.into());
    claims.insert("nbf".to_owned(), now.into());
    claims.insert("exp".to_owned(), (now + lifetime).into());
    claims
}

fn set(claims: &mut Members, name: &str, value: &str) {
    claims.insert(name.to_owned(), value.into());
}

fn set_roles(claims: &mut Members, account: &Account, apps: &[&str]) {
    let roles = apps.iter().filter_map(|app| account.app_roles.get(*app)).flatten().cloned();
    let roles: Vec<String> = roles.collect();
    if !roles.is_empty() {
        claims.insert("roles".to_owned(), roles.into());
    }
}

/// Most groups that an Entra token lists; with more, it only says where they can be asked for.
const MOST_GROUPS: usize = 200;

fn set_groups(claims: &mut Members, site: &Site, face: Face, account: &Account) {
    if face == Face::Entra && account.groups.len() > MOST_GROUPS {
        group_overage(claims, &site.url(Face::Plain, Endpoint::Canary));
    } else if !account.groups.is_empty() {
        claims.insert("groups".to_owned(), account.groups.clone().into());
    }
}

/// What stands in a token instead of too many groups (OpenID Connect Core 5.6.2). The address is one that nobody should
/// ask unless told to.
pub(crate) fn group_overage(claims: &mut Members, endpoint: &str) {
    claims.remove("groups");
    claims.insert("_claim_names".to_owned(), json!({"groups": "src1"}));
    claims.insert("_claim_sources".to_owned(), json!({"src1": {"endpoint": endpoint}}));
}

/// A subject that two readers cannot compare.
pub(crate) fn pairwise(tenant: &Tenant, reader: &str, oid: &str) -> String {
    random::sha256_base64url([tenant.id.as_str(), reader, oid].join("\u{0}").as_bytes())
}

/// The left half of the hash of an access token (OpenID Connect Core 3.1.3.6): the hash of the ID token's algorithm. For
/// Ed25519, which names none, it is the one inside: SHA-512.
pub(crate) fn at_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &digest::SHA256,
        Algorithm::Es384 => &digest::SHA384,
        Algorithm::EdDsa => &digest::SHA512,
    };
    let hash = digest::digest(hash, access_token.as_bytes());
    jwt::encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_token_hash_is_the_left_half() {
        // The example of OpenID Connect Core, appendix A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(at_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(at_hash(Algorithm::Es384, token).len(), 32);
        assert_eq!(at_hash(Algorithm::EdDsa, token).len(), 43);
    }
}
