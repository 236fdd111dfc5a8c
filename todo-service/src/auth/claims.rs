//! What a verified token says, checked claim by claim against the issuer's settings. Pure: the time is an argument.
//! Knows nothing of keys, and nothing of which permission a request needs.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::fault::TokenFault;
use super::issuer::{Issuer, ScopeClaim};
use super::token::Verified;
use crate::owner::guid;

/// How far two clocks may be apart, in seconds, in either direction. Requirement RS-06 allows no more.
pub(crate) const LEEWAY: f64 = 60.0;

/// The last second of the year 9999: a larger number is a mistake or an attack, not a time.
const LATEST_TIME: f64 = 253_402_300_799.0;

/// Claims that mark other kinds of token: ID tokens (`nonce`, `at_hash`, `c_hash`) and security events (`events`).
const FOREIGN_CLAIMS: [&str; 4] = ["nonce", "at_hash", "c_hash", "events"];

/// The claims of an access token that is meant for this API and valid now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessClaims {
    pub(crate) subject: String,
    pub(crate) tenant: Option<Uuid>,
    /// As sent; whether it is a usable object id depends on who asks.
    pub(crate) object_id: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) principal: Principal,
}

/// On whose behalf the client calls, with the permissions that count in that case. The other kind of permission is
/// dropped here, so nothing later can mistake a user's role for an app's permission (RS-12, RS-13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    User { scopes: Vec<String> },
    App { roles: Vec<String> },
}

/// Checks, in this order: kind, audience, times, subject, tenant, version, client, principal and permissions.
/// (Signature, algorithm, type and issuer were checked on the way to `Verified`.)
pub(crate) fn check(token: &Verified, issuer: &Issuer, now: i64) -> Result<AccessClaims, TokenFault> {
    let claims = token.claims();
    if FOREIGN_CLAIMS.iter().any(|name| claims.contains_key(*name)) {
        return Err(TokenFault::Kind);
    }
    check_audience(claims, &issuer.audiences)?;
    check_times(claims, now)?;
    let subject = subject(claims)?;
    let tenant = tenant(claims, issuer)?;
    check_version(claims, issuer.version.as_deref())?;
    Ok(AccessClaims {
        subject,
        tenant,
        object_id: text(claims, "oid", TokenFault::Subject)?,
        client: client(claims)?,
        principal: principal(claims, issuer.scope_claim)?,
    })
}

/// `aud` is a text or a list of texts, and one of them is this API, to the letter.
fn check_audience(claims: &Map<String, Value>, accepted: &[String]) -> Result<(), TokenFault> {
    let audiences = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(_)) => texts(&claims["aud"]).ok_or(TokenFault::Audience)?,
        _ => return Err(TokenFault::Audience),
    };
    let ours = audiences.iter().any(|audience| accepted.iter().any(|name| name == audience));
    if ours { Ok(()) } else { Err(TokenFault::Audience) }
}

fn check_times(claims: &Map<String, Value>, now: i64) -> Result<(), TokenFault> {
    #[expect(clippy::cast_precision_loss, reason = "seconds stay far below 2^52 for millions of years")]
    let now = now as f64;
    let expires = time(claims, "exp")?.ok_or(TokenFault::Time)?;
    if now >= expires + LEEWAY {
        return Err(TokenFault::Expired);
    }
    for start in ["nbf", "iat"] {
        if time(claims, start)?.is_some_and(|start| start > now + LEEWAY) {
            return Err(TokenFault::NotYet);
        }
    }
    Ok(())
}

/// A NumericDate (RFC 7519 section 2): a number, possibly with a fraction, that is a plausible time.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, TokenFault> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().ok_or(TokenFault::Time)?;
    if (0.0..=LATEST_TIME).contains(&seconds) { Ok(Some(seconds)) } else { Err(TokenFault::Time) }
}

fn subject(claims: &Map<String, Value>) -> Result<String, TokenFault> {
    let subject = text(claims, "sub", TokenFault::Subject)?.ok_or(TokenFault::Subject)?;
    if (1..=255).contains(&subject.chars().count()) { Ok(subject) } else { Err(TokenFault::Subject) }
}

fn tenant(claims: &Map<String, Value>, issuer: &Issuer) -> Result<Option<Uuid>, TokenFault> {
    match text(claims, "tid", TokenFault::Tenant)? {
        None if issuer.needs_tenant() => Err(TokenFault::Tenant),
        None => Ok(None),
        // A `tid` means nothing at an issuer without tenants; there the owner comes from `sub`.
        Some(_) if !issuer.needs_tenant() => Ok(None),
        Some(tenant) => {
            let tenant = guid(&tenant).ok_or(TokenFault::Tenant)?;
            if issuer.allows_tenant(tenant) { Ok(Some(tenant)) } else { Err(TokenFault::Tenant) }
        }
    }
}

fn check_version(claims: &Map<String, Value>, expected: Option<&str>) -> Result<(), TokenFault> {
    match expected {
        Some(_) if claims.get("ver").and_then(Value::as_str) != expected => Err(TokenFault::Version),
        _ => Ok(()),
    }
}

/// Who obtained the token: `azp` (Entra v2), `appid` (Entra v1) or `client_id` (RFC 9068). They may not disagree.
fn client(claims: &Map<String, Value>) -> Result<Option<String>, TokenFault> {
    let mut client = None;
    for name in ["azp", "appid", "client_id"] {
        let Some(named) = text(claims, name, TokenFault::Client)? else {
            continue;
        };
        if client.as_ref().is_some_and(|client| *client != named) {
            return Err(TokenFault::Client);
        }
        client = Some(named);
    }
    Ok(client)
}

/// A token is an app's only if it says so outright: `idtyp` is `app`. "Roles but no scopes" proves nothing, since an
/// ID token or a user's token looks just like that.
fn principal(claims: &Map<String, Value>, scope_claim: ScopeClaim) -> Result<Principal, TokenFault> {
    let scope_claim = match scope_claim {
        ScopeClaim::Scp => "scp",
        ScopeClaim::Scope => "scope",
    };
    let scopes = text(claims, scope_claim, TokenFault::Permissions)?;
    let roles = match claims.get("roles") {
        None => Vec::new(),
        Some(value) => texts(value).ok_or(TokenFault::Permissions)?,
    };
    match text(claims, "idtyp", TokenFault::Principal)?.as_deref() {
        None | Some("user") => {
            let scopes = scopes.as_deref().unwrap_or_default();
            Ok(Principal::User { scopes: scopes.split(' ').map(str::to_owned).collect() })
        }
        // Delegated permissions in an app's own token: it contradicts itself.
        Some("app") if scopes.is_some() => Err(TokenFault::Principal),
        Some("app") => Ok(Principal::App { roles: roles.into_iter().map(str::to_owned).collect() }),
        Some(_) => Err(TokenFault::Principal),
    }
}

/// A claim that is a text or absent; anything else is the given fault.
fn text(claims: &Map<String, Value>, name: &str, fault: TokenFault) -> Result<Option<String>, TokenFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(fault),
    }
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests;
