//! A caller: who the items belong to, or which app is at work. Made only from checked claims. Knows nothing of HTTP.

use super::claims::{AccessClaims, Principal};
use super::fault::Refusal;
use super::issuer::{Issuer, OwnerClaim};
use crate::owner::{Owner, Realm, Subject, guid};

/// Who is calling, as proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A person, through some client, with delegated permissions.
    User { owner: Owner, scopes: Vec<String> },
    /// A program on its own account, with application permissions.
    App { realm: Realm, client: String, roles: Vec<String> },
}

impl Caller {
    /// Applies the list of clients and finds the owner: (tid, oid) or (iss, sub), never an e-mail address or a name.
    pub(crate) fn of(claims: AccessClaims, issuer: &Issuer) -> Result<Self, Refusal> {
        check_client(claims.client.as_deref(), &issuer.allowed_clients)?;
        let realm = match (issuer.owner_claim, claims.tenant) {
            (OwnerClaim::Oid, Some(tenant)) => Realm::tenant(tenant),
            (OwnerClaim::Oid, None) => return Err(Refusal::NoOwner),
            (OwnerClaim::Sub, _) => Realm::issuer(&issuer.issuer),
        };
        match claims.principal {
            Principal::App { roles } => {
                Ok(Self::App { realm, client: claims.client.unwrap_or(claims.subject), roles })
            }
            Principal::User { scopes } => {
                let subject = match issuer.owner_claim {
                    OwnerClaim::Oid => claims.object_id.as_deref().and_then(guid).map(Subject::object),
                    OwnerClaim::Sub => Subject::plain(&claims.subject),
                };
                Ok(Self::User { owner: Owner { realm, subject: subject.ok_or(Refusal::NoOwner)? }, scopes })
            }
        }
    }
}

fn check_client(client: Option<&str>, allowed: &[String]) -> Result<(), Refusal> {
    let listed = client.is_some_and(|client| allowed.iter().any(|name| name == client));
    if allowed.is_empty() || listed { Ok(()) } else { Err(Refusal::ClientNotAllowed) }
}
