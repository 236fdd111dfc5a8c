//! A token of this provider that a client shows to get another for the same person: what may be shown, by whom, and
//! whose it is. Knows nothing of what is asked for with it.

use serde_json::Value;

use super::Request;
use crate::faults::Members;
use crate::jwt;
use crate::people::Account;

/// The person whom a shown token stands for.
pub(super) struct Presented {
    pub(super) account: Account,
    pub(super) sid: String,
    pub(super) auth_time: i64,
    /// The grant it came of, unless it was minted outside any.
    pub(super) grant: Option<String>,
}

/// What kind of token may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Id,
    Either,
}

/// Why a token will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("The token was not issued here, or was changed.")]
    NotOurs,
    #[error("The token is not within its valid time range.")]
    Expired,
    #[error("The token's audience is not the client that shows it.")]
    OtherAudience,
    #[error("The token is of another kind than was said, or than may be shown here.")]
    OtherKind,
    #[error("The token stands for an app, not for a person.")]
    NotAPerson,
    #[error("The token was revoked.")]
    Revoked,
    #[error("The account does not exist.")]
    NoAccount,
}

impl Unfit {
    /// The number Entra gives it.
    pub(super) fn aadsts(self) -> u32 {
        match self {
            Self::NotOurs => 50_013,
            Self::Expired => 500_133,
            Self::OtherAudience => 500_131,
            Self::OtherKind => 240_002,
            Self::NotAPerson => 50_027,
            Self::Revoked => 50_173,
            Self::NoAccount => 50_034,
        }
    }
}

/// The person of a token that this client may show: one for itself (an ID token) or for its own API.
pub(super) fn presented(request: &Request<'_>, token: &str, kind: Kind) -> Result<Presented, Unfit> {
    let provider = request.provider;
    let claims = jwt::read_own(&provider.keys, token).ok_or(Unfit::NotOurs)?;
    if text(&claims, "iss") != provider.site.issuer(request.face) {
        return Err(Unfit::NotOurs);
    }
    let now = provider.clock.now();
    let moment = |name: &str| claims.get(name).and_then(Value::as_i64);
    let begun = moment("nbf").is_none_or(|nbf| nbf <= now);
    if !begun || moment("exp").is_none_or(|exp| exp <= now) {
        return Err(Unfit::Expired);
    }
    // An API of the client's own has the client's id, so both kinds have the same audience.
    if text(&claims, "aud") != request.client.client_id {
        return Err(Unfit::OtherAudience);
    }
    let is_access = claims.contains_key("azp");
    if (kind == Kind::Access && !is_access) || (kind == Kind::Id && is_access) {
        return Err(Unfit::OtherKind);
    }
    if is_access && !claims.contains_key("scp") {
        return Err(Unfit::NotAPerson);
    }
    let grant = provider.grants.grant_of(token).map_err(|()| Unfit::Revoked)?;
    let account = provider.people.by_oid(text(&claims, "oid")).ok_or(Unfit::NoAccount)?;
    let auth_time = moment("auth_time").or_else(|| moment("iat")).unwrap_or(now);
    Ok(Presented { account, sid: text(&claims, "sid").to_owned(), auth_time, grant })
}

fn text<'a>(claims: &'a Members, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}
