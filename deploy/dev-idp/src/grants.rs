//! Grants: everything that came of one sign-in or one client_credentials request, so that it can be revoked whole.
//! Refresh tokens rotate; one used twice ends its grant. Knows nothing of HTTP or of how tokens are written.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use crate::codes::Approval;
use crate::people::lock;
use crate::random;
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
}

struct Refresh {
    grant: String,
    expires: i64,
    used: bool,
}

#[derive(Default)]
struct Inner {
    grants: HashMap<String, Grant>,
    refresh: HashMap<String, Refresh>,
    access: HashMap<String, Issued>,
    revoked: std::collections::HashSet<String>,
}

/// What a refresh token is good for.
pub(crate) enum Refreshed {
    /// The grant's id and what was approved.
    Good(String, Box<Approval>),
    /// Used before: the grant has just been revoked.
    Reused,
    Expired,
    /// Unknown, revoked, or of another client.
    Unknown,
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
        self.inner().grants.insert(id.to_owned(), Grant { approval, revoked: false });
    }

    /// A new refresh token for a grant.
    pub(crate) fn refresh_token(&self, grant: &str, now: i64, lifetime: i64) -> String {
        let token = random::token();
        let refresh = Refresh { grant: grant.to_owned(), expires: now + lifetime, used: false };
        self.inner().refresh.insert(token.clone(), refresh);
        token
    }

    /// Looks at a refresh token without using it up; reuse ends the grant.
    pub(crate) fn look(&self, token: &str, client_id: &str, now: i64) -> Refreshed {
        let mut inner = self.inner();
        let Some(refresh) = inner.refresh.get(token) else {
            return Refreshed::Unknown;
        };
        let (id, used, expired) = (refresh.grant.clone(), refresh.used, now >= refresh.expires);
        let Some(grant) = inner.grants.get_mut(&id) else {
            return Refreshed::Unknown;
        };
        if grant.approval.client_id != client_id || grant.revoked {
            return Refreshed::Unknown;
        }
        if used {
            grant.revoked = true;
            return Refreshed::Reused;
        }
        if expired {
            return Refreshed::Expired;
        }
        Refreshed::Good(id, Box::new(grant.approval.clone()))
    }

    /// Uses a refresh token up; false if another request was faster.
    pub(crate) fn spend(&self, token: &str) -> bool {
        let mut inner = self.inner();
        let Some(refresh) = inner.refresh.get_mut(token) else {
            return false;
        };
        !std::mem::replace(&mut refresh.used, true)
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
        let dead = inner.grants.get(&issued.grant).is_some_and(|grant| grant.revoked);
        (!dead && !inner.revoked.contains(&issued.grant) && issued.expires > now).then(|| issued.clone())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faces::Face;

    fn begun() -> (Grants, String) {
        let grants = Grants::default();
        let approval = Approval {
            face: Face::Plain,
            client_id: "web".to_owned(),
            redirect_uri: String::new(),
            challenge: None,
            nonce: None,
            ask: Ask::default(),
            oid: "alice".to_owned(),
            sid: String::new(),
            auth_time: 0,
        };
        grants.begin("g", approval);
        let token = grants.refresh_token("g", 0, 100);
        (grants, token)
    }

    #[test]
    fn a_spent_refresh_token_ends_the_whole_grant() {
        let (grants, first) = begun();
        assert!(matches!(grants.look(&first, "web", 1), Refreshed::Good(..)));
        assert!(grants.spend(&first));
        let second = grants.refresh_token("g", 1, 100);
        assert!(matches!(grants.look(&first, "web", 2), Refreshed::Reused));
        assert!(matches!(grants.look(&second, "web", 2), Refreshed::Unknown), "the successor is dead too");
    }

    #[test]
    fn only_one_of_two_racing_requests_spends_a_token() {
        let (grants, token) = begun();
        assert!(grants.spend(&token));
        assert!(!grants.spend(&token));
    }

    #[test]
    fn another_client_neither_uses_nor_revokes_a_token() {
        let (grants, token) = begun();
        assert!(matches!(grants.look(&token, "other", 1), Refreshed::Unknown));
        assert_eq!(grants.revoke_token(&token, "other"), Revoked::NotYours);
        assert!(matches!(grants.look(&token, "web", 1), Refreshed::Good(..)));
        assert_eq!(grants.revoke_token(&token, "web"), Revoked::Done);
        assert!(matches!(grants.look(&token, "web", 1), Refreshed::Unknown));
        assert_eq!(grants.revoke_token("x", "web"), Revoked::Unknown);
    }

    #[test]
    fn a_refresh_token_expires() {
        let (grants, token) = begun();
        assert!(matches!(grants.look(&token, "web", 100), Refreshed::Expired));
        assert!(matches!(grants.look(&token, "web", 99), Refreshed::Good(..)));
    }
}
