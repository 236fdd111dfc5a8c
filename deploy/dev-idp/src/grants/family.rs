//! Refresh tokens: each is spent once and gives a successor; one that comes again ends the whole family, and with it the
//! grant. An overlap may forgive the one case that is no theft: the answer was lost, so nobody has used the successor.
//! Knows nothing of scopes or of what the tokens are good for.

use super::{Grants, Inner};
use crate::codes::Approval;
use crate::random;

/// The refresh tokens that came of one sign-in, as far as a test may know of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The grant's id; no secret.
    pub id: String,
    /// Whose grant.
    pub client_id: String,
    /// The person's object id.
    pub oid: String,
    /// The provider's session, as in the ID token's `sid`.
    pub sid: String,
    /// Refreshes that gave new tokens, each of a token not used before.
    pub refreshes: u32,
    /// Refreshes within the overlap, which gave the same successor again.
    pub repeats: u32,
    /// Uses of a spent token. The first of them ended the family.
    pub reuses: u32,
    /// Refreshes refused because the family had ended or the token had expired.
    pub refused: u32,
    /// Whether the family has ended.
    pub revoked: bool,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    refreshes: u32,
    repeats: u32,
    reuses: u32,
    refused: u32,
}

pub(super) struct Refresh {
    pub(super) grant: String,
    expires: i64,
    spent: Option<Spent>,
}

struct Spent {
    at: i64,
    successor: String,
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

/// What came of using a refresh token up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rotated {
    /// The token to use from now on.
    Successor(String),
    /// Another request was faster: the grant has just been revoked.
    Reused,
}

/// What a token is at this moment.
enum State {
    Fresh,
    /// Spent a moment ago, and nobody has used what it gave.
    Repeatable(String),
    Spent,
}

impl Grants {
    /// A first refresh token for a grant.
    pub(crate) fn refresh_token(&self, grant: &str, now: i64, lifetime: i64) -> String {
        self.inner().new_refresh_token(grant, now, lifetime)
    }

    /// Looks at a refresh token without using it up; reuse ends the grant.
    pub(crate) fn look(&self, token: &str, client_id: &str, now: i64, overlap: i64) -> Refreshed {
        let mut inner = self.inner();
        let Some(refresh) = inner.refresh.get(token) else {
            return Refreshed::Unknown;
        };
        let (id, expired) = (refresh.grant.clone(), now >= refresh.expires);
        let spent = matches!(inner.state(token, now, overlap), Some(State::Spent));
        let Some(grant) = inner.grants.get_mut(&id) else {
            return Refreshed::Unknown;
        };
        if grant.approval.client_id != client_id {
            return Refreshed::Unknown;
        }
        if spent {
            grant.counts.reuses += 1;
        }
        if grant.revoked {
            grant.counts.refused += 1;
            return Refreshed::Unknown;
        }
        if spent {
            grant.revoked = true;
            return Refreshed::Reused;
        }
        if expired {
            grant.counts.refused += 1;
            return Refreshed::Expired;
        }
        Refreshed::Good(id, Box::new(grant.approval.clone()))
    }

    /// Uses a refresh token up. Of two requests at once one gets the successor, and the other is reuse or, within the
    /// overlap, gets the same.
    pub(crate) fn rotate(&self, token: &str, now: i64, lifetime: i64, overlap: i64) -> Rotated {
        let mut inner = self.inner();
        let Some(id) = inner.refresh.get(token).map(|refresh| refresh.grant.clone()) else {
            return Rotated::Reused;
        };
        match inner.state(token, now, overlap) {
            Some(State::Fresh) => {
                let successor = inner.new_refresh_token(&id, now, lifetime);
                if let Some(refresh) = inner.refresh.get_mut(token) {
                    refresh.spent = Some(Spent { at: now, successor: successor.clone() });
                }
                inner.count(&id, |counts| counts.refreshes += 1);
                Rotated::Successor(successor)
            }
            Some(State::Repeatable(successor)) => {
                inner.count(&id, |counts| counts.repeats += 1);
                Rotated::Successor(successor)
            }
            Some(State::Spent) | None => {
                inner.count(&id, |counts| counts.reuses += 1);
                if let Some(grant) = inner.grants.get_mut(&id) {
                    grant.revoked = true;
                }
                Rotated::Reused
            }
        }
    }

    /// A refresh that leaves its token as it is.
    pub(crate) fn kept(&self, grant: &str) {
        self.inner().count(grant, |counts| counts.refreshes += 1);
    }

    /// Every family, in no order.
    pub(crate) fn families(&self) -> Vec<Family> {
        let inner = self.inner();
        let family = |(id, grant): (&String, &super::Grant)| Family {
            id: id.clone(),
            client_id: grant.approval.client_id.clone(),
            oid: grant.approval.oid.clone(),
            sid: grant.approval.sid.clone(),
            refreshes: grant.counts.refreshes,
            repeats: grant.counts.repeats,
            reuses: grant.counts.reuses,
            refused: grant.counts.refused,
            revoked: inner.is_dead(id),
        };
        inner.grants.iter().map(family).collect()
    }
}

impl Inner {
    fn new_refresh_token(&mut self, grant: &str, now: i64, lifetime: i64) -> String {
        let token = random::token();
        let refresh = Refresh { grant: grant.to_owned(), expires: now + lifetime, spent: None };
        self.refresh.insert(token.clone(), refresh);
        token
    }

    fn state(&self, token: &str, now: i64, overlap: i64) -> Option<State> {
        let Some(spent) = &self.refresh.get(token)?.spent else {
            return Some(State::Fresh);
        };
        let is_untouched = self.refresh.get(&spent.successor).is_some_and(|next| next.spent.is_none());
        let is_recent = now < spent.at + overlap;
        Some(if is_untouched && is_recent {
            State::Repeatable(spent.successor.clone())
        } else {
            State::Spent
        })
    }

    fn count(&mut self, grant: &str, change: impl FnOnce(&mut Counts)) {
        if let Some(grant) = self.grants.get_mut(grant) {
            change(&mut grant.counts);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::faces::Face;
    use crate::scopes::Ask;

    pub(in crate::grants) fn begun() -> (Grants, String) {
        let grants = Grants::default();
        let approval = Approval {
            face: Face::Plain,
            client_id: "web".to_owned(),
            redirect_uri: String::new(),
            challenge: None,
            nonce: None,
            ask: Ask::default(),
            resources: Vec::new(),
            oid: "alice".to_owned(),
            sid: String::new(),
            auth_time: 0,
            acr: "1",
        };
        grants.begin("g", approval);
        let token = grants.refresh_token("g", 0, 100);
        (grants, token)
    }

    fn successor(rotated: Rotated) -> String {
        let Rotated::Successor(token) = rotated else { panic!("a successor") };
        token
    }

    #[test]
    fn a_spent_refresh_token_ends_the_whole_grant() {
        let (grants, first) = begun();
        assert!(matches!(grants.look(&first, "web", 1, 0), Refreshed::Good(..)));
        let second = successor(grants.rotate(&first, 1, 100, 0));
        assert!(matches!(grants.look(&first, "web", 1, 0), Refreshed::Reused));
        assert!(matches!(grants.look(&second, "web", 2, 0), Refreshed::Unknown), "the successor is dead too");
        let family = &grants.families()[0];
        assert_eq!((family.refreshes, family.reuses, family.refused, family.revoked), (1, 1, 1, true));
    }

    #[test]
    fn of_two_racing_requests_one_gets_the_successor_and_the_other_ends_the_family() {
        let (grants, token) = begun();
        assert!(matches!(grants.rotate(&token, 1, 100, 0), Rotated::Successor(_)));
        assert_eq!(grants.rotate(&token, 1, 100, 0), Rotated::Reused);
        assert!(grants.families()[0].revoked);
    }

    #[test]
    fn within_the_overlap_a_lost_answer_is_given_again() {
        let (grants, first) = begun();
        let second = successor(grants.rotate(&first, 1, 100, 10));
        assert!(matches!(grants.look(&first, "web", 5, 10), Refreshed::Good(..)));
        assert_eq!(grants.rotate(&first, 5, 100, 10), Rotated::Successor(second));
        let family = &grants.families()[0];
        assert_eq!((family.refreshes, family.repeats, family.reuses, family.revoked), (1, 1, 0, false));
    }

    #[test]
    fn the_overlap_ends_with_its_time_and_with_the_successors_use() {
        let (grants, first) = begun();
        assert!(matches!(grants.rotate(&first, 1, 100, 10), Rotated::Successor(_)));
        assert!(matches!(grants.look(&first, "web", 11, 10), Refreshed::Reused));

        let (grants, first) = begun();
        let second = successor(grants.rotate(&first, 1, 100, 10));
        let third = successor(grants.rotate(&second, 2, 100, 10));
        assert!(matches!(grants.look(&first, "web", 3, 10), Refreshed::Reused), "its successor was used");
        assert!(matches!(grants.look(&third, "web", 3, 10), Refreshed::Unknown));
    }

    #[test]
    fn a_refresh_token_expires() {
        let (grants, token) = begun();
        assert!(matches!(grants.look(&token, "web", 100, 0), Refreshed::Expired));
        assert!(matches!(grants.look(&token, "web", 99, 0), Refreshed::Good(..)));
    }
}
