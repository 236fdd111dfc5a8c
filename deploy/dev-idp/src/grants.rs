//! Grants: everything that came of one sign-in or one client_credentials request, so that it can be revoked whole.
//! Refresh tokens rotate (`family`); one used twice ends its grant. Knows nothing of HTTP or of how tokens are written.

mod family;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

pub use family::Family;
pub(crate) use family::{Refreshed, Rotated};

use family::Refresh;

use crate::codes::Approval;
use crate::people::lock;
use crate::scopes::Ask;

/// An access token that this provider gave out, for userinfo and revocation.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) grant: String,
    pub(crate) client_id: String,
    pub(crate) oid: Option<String>,
    pub(crate) ask: Ask,
    pub(crate) expires: i64,
}

struct Grant {
    approval: Approval,
    revoked: bool,
    /// What became of its refresh tokens.
    counts: family::Counts,
}

#[derive(Default)]
struct Inner {
    grants: HashMap<String, Grant>,
    refresh: HashMap<String, Refresh>,
    access: HashMap<String, Issued>,
    revoked: HashSet<String>,
}

/// What was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    Done,
    /// The token belongs to another client.
    NotYours,
    Unknown,
}

/// All grants.
#[derive(Default)]
pub(crate) struct Grants(Mutex<Inner>);

impl Grants {
    pub(crate) fn begin(&self, id: &str, approval: Approval) {
        let grant = Grant { approval, revoked: false, counts: family::Counts::default() };
        self.inner().grants.insert(id.to_owned(), grant);
    }

    pub(crate) fn revoke(&self, grant: &str) {
        let mut inner = self.inner();
        inner.revoked.insert(grant.to_owned());
        if let Some(grant) = inner.grants.get_mut(grant) {
            grant.revoked = true;
        }
    }

    /// Ends every grant of one person.
    pub(crate) fn revoke_person(&self, oid: &str) {
        for grant in self.inner().grants.values_mut().filter(|grant| grant.approval.oid == oid) {
            grant.revoked = true;
        }
    }

    /// Remembers an access token as it was sent.
    pub(crate) fn issued(&self, token: &str, issued: Issued, now: i64) {
        let mut inner = self.inner();
        inner.access.retain(|_, issued| issued.expires > now);
        inner.access.insert(token.to_owned(), issued);
    }

    /// A live access token of a live grant.
    pub(crate) fn access(&self, token: &str, now: i64) -> Option<Issued> {
        let inner = self.inner();
        let issued = inner.access.get(token)?;
        (!inner.is_dead(&issued.grant) && issued.expires > now).then(|| issued.clone())
    }

    /// The grant of an access token that was given out here; `Err` if it was revoked since.
    pub(crate) fn grant_of(&self, token: &str) -> Result<Option<String>, ()> {
        let inner = self.inner();
        match inner.access.get(token) {
            Some(issued) if inner.is_dead(&issued.grant) => Err(()),
            issued => Ok(issued.map(|issued| issued.grant.clone())),
        }
    }

    /// RFC 7009: a refresh token ends its grant, an access token ends itself.
    pub(crate) fn revoke_token(&self, token: &str, client_id: &str) -> Revoked {
        let mut inner = self.inner();
        if let Some(refresh) = inner.refresh.get(token) {
            let id = refresh.grant.clone();
            let Some(grant) = inner.grants.get_mut(&id) else {
                return Revoked::Unknown;
            };
            if grant.approval.client_id != client_id {
                return Revoked::NotYours;
            }
            grant.revoked = true;
            return Revoked::Done;
        }
        match inner.access.get(token) {
            Some(issued) if issued.client_id != client_id => Revoked::NotYours,
            Some(_) => {
                inner.access.remove(token);
                Revoked::Done
            }
            None => Revoked::Unknown,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }
}

impl Inner {
    fn is_dead(&self, grant: &str) -> bool {
        self.revoked.contains(grant) || self.grants.get(grant).is_some_and(|grant| grant.revoked)
    }
}

#[cfg(test)]
mod tests {
    use super::family::tests::begun;
    use super::*;

    #[test]
    fn another_client_neither_uses_nor_revokes_a_token() {
        let (grants, token) = begun();
        assert!(matches!(grants.look(&token, "other", 1, 0), Refreshed::Unknown));
        assert_eq!(grants.revoke_token(&token, "other"), Revoked::NotYours);
        assert!(matches!(grants.look(&token, "web", 1, 0), Refreshed::Good(..)));
        assert_eq!(grants.revoke_token(&token, "web"), Revoked::Done);
        assert!(matches!(grants.look(&token, "web", 1, 0), Refreshed::Unknown));
        assert_eq!(grants.revoke_token("x", "web"), Revoked::Unknown);
    }

    #[test]
    fn an_access_token_dies_with_its_grant() {
        let (grants, _) = begun();
        let issued = Issued {
            grant: "g".to_owned(),
            client_id: "web".to_owned(),
            oid: None,
            ask: Ask::default(),
            expires: 100,
        };
        grants.issued("a", issued, 0);
        assert!(grants.access("a", 1).is_some() && grants.grant_of("a") == Ok(Some("g".to_owned())));
        assert_eq!(grants.grant_of("minted elsewhere"), Ok(None));
        grants.revoke("g");
        assert!(grants.access("a", 1).is_none() && grants.grant_of("a").is_err());
    }
}
