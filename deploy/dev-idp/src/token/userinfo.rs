//! Userinfo (OpenID Connect Core 5.3). On the Entra face only a token for userinfo is taken, as there; on the plain
//! face any access token of a sign-in that asked for openid. Knows nothing of sessions.

use http::{Method, StatusCode, header};
use serde_json::Value;

use super::issue::pairwise;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::faces::Face;
use crate::faults::{IdTokenFault, Members, UserinfoFault, forge};
use crate::jwt;
use crate::keys::Algorithm;
use crate::provider::Provider;
use crate::tenant::Tenant;

pub(crate) fn userinfo(provider: &Provider, face: Face, call: &Call) -> Answer {
    if call.method != Method::GET && call.method != Method::POST {
        return answer::bytes(StatusCode::METHOD_NOT_ALLOWED, "application/json", "");
    }
    let Some(token) = bearer(call) else {
        return refusal("Bearer realm=\"dev-idp\"");
    };
    let tenant = provider.tenant();
    let issued = provider.grants.access(token, provider.clock.now());
    let issued = issued.filter(|issued| face == Face::Plain || issued.ask.api.is_none());
    let account =
        issued.as_ref().and_then(|issued| issued.oid.as_deref()).and_then(|oid| provider.people.by_oid(oid));
    let (Some(issued), Some(account)) = (issued, account) else {
        return refusal("Bearer realm=\"dev-idp\", error=\"invalid_token\"");
    };
    if !issued.ask.openid {
        let mut answer = refusal("Bearer realm=\"dev-idp\", error=\"insufficient_scope\", scope=\"openid\"");
        *answer.status_mut() = StatusCode::FORBIDDEN;
        return answer;
    }
    let mut claims = Members::new();
    claims.insert("sub".to_owned(), pairwise(&tenant, &issued.client_id, &account.oid).into());
    claims.insert("oid".to_owned(), account.oid.into());
    let asked = |name: &str, scope: bool| scope || issued.ask.claims.userinfo.contains(name);
    if asked("name", issued.ask.profile) {
        claims.insert("name".to_owned(), account.name.into());
    }
    if asked("preferred_username", issued.ask.profile) {
        claims.insert("preferred_username".to_owned(), account.email.as_str().into());
    }
    if asked("email", issued.ask.email) {
        claims.insert("email".to_owned(), account.email.into());
    }
    say(provider, &tenant, face, &issued.client_id, claims)
}

fn bearer(call: &Call) -> Option<&str> {
    let (scheme, token) = call.header(header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn refusal(challenge: &str) -> Answer {
    let mut answer = answer::bytes(StatusCode::UNAUTHORIZED, "application/json", "");
    answer::set(&mut answer, header::WWW_AUTHENTICATE, challenge);
    answer
}

fn say(provider: &Provider, tenant: &Tenant, face: Face, client_id: &str, claims: Members) -> Answer {
    let (document, faults) = provider.faults.on_userinfo(claims);
    let json = |text: String| answer::bytes(StatusCode::OK, "application/json", text);
    let registered = tenant.client(client_id).and_then(|client| client.registration.userinfo_alg);
    let as_registered = |fault| signed(provider, tenant, face, client_id, &document, fault);
    let mut answer = match registered {
        Some(_) => as_registered(None),
        None => json(document.to_string()),
    };
    for fault in faults {
        answer = match fault {
            UserinfoFault::Array => json(format!("[{document}]")),
            UserinfoFault::NotJson => json("{\"sub\":".to_owned()),
            UserinfoFault::Unsigned => json(document.to_string()),
            UserinfoFault::OtherSub | UserinfoFault::MissingSub => answer,
            UserinfoFault::Signed => as_registered(None),
            fault => as_registered(fault.of_any_token()),
        };
    }
    answer
}

/// A signed userinfo answer (OpenID Connect Core 5.3.2).
fn signed(
    provider: &Provider,
    tenant: &Tenant,
    face: Face,
    client_id: &str,
    document: &Value,
    fault: Option<IdTokenFault>,
) -> Answer {
    let mut claims = document.as_object().cloned().unwrap_or_default();
    claims.insert("iss".to_owned(), provider.site.issuer(face).into());
    claims.insert("aud".to_owned(), client_id.into());
    let client = tenant.client(client_id);
    let algorithm = client.and_then(|client| client.registration.userinfo_alg);
    let key = provider.keys.of(algorithm.unwrap_or(Algorithm::Rs256));
    let context = forge::Context {
        key: &key,
        client_secret: client.map_or("", |client| client.secret.expose()),
        now: provider.clock.now(),
        access_token: None,
        canary: &provider.canary,
    };
    let draft = forge::Draft { header: jwt::header(&key), claims };
    let token = forge::write(draft, &context, fault.as_slice(), None);
    answer::bytes(StatusCode::OK, "application/jwt", token)
}
