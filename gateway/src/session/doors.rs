//! By which identifiers a session may be used. One at most times; two while a new one is on its way to the browser, and
//! for a moment after the browser has shown it, because requests with the old one may still be under way.

use std::time::Duration;

use crate::clock::Timestamp;

use super::id::Proof;
use super::vault::Wrap;

/// How long an identifier still works after its successor was shown for the first time.
pub const GRACE: Duration = Duration::from_secs(60);
/// How long a new identifier may stay unseen before the browser is given another: the answer that carried it is lost.
pub const ON_ITS_WAY: Duration = Duration::from_secs(30);

/// A new identifier leaves within this time or never: a slow answer must not bring the browser one that was replaced
/// meanwhile, which would take the place of a good one. The rest of [`ON_ITS_WAY`] is for the way itself.
pub const LEAVES_WITHIN: Duration = Duration::from_secs(15);

/// One identifier by which a session can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// What must be shown.
    pub proof: Proof,
    /// The data key, locked with the identifier. Nothing in a gateway whose sessions never leave its memory.
    pub wrap: Option<Box<Wrap>>,
}

/// Every identifier that is good at the moment.
#[derive(Clone, Debug)]
pub struct Doors {
    /// The newest that the browser has shown.
    pub current: Door,
    /// Since when.
    pub since: Timestamp,
    /// Its successor, and when that was sent.
    pub pending: Option<Box<(Door, Timestamp)>>,
    /// Its predecessor, and until when that is good.
    pub previous: Option<Box<(Door, Timestamp)>>,
}

/// What showing an identifier amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The session may be used.
    Open,
    /// The session may be used, and the browser has received its new identifier: [`Doors::confirmed`] is due.
    Pending,
    /// It is not, or no longer, an identifier of this session.
    Closed,
}

impl Doors {
    /// The doors of a new session.
    pub fn first(door: Door, now: Timestamp) -> Self {
        Self { current: door, since: now, pending: None, previous: None }
    }

    /// What `proof` amounts to.
    pub fn try_open(&self, proof: Proof, now: Timestamp) -> Through {
        if self.current.proof == proof {
            return Through::Open;
        }
        if self.pending.as_ref().is_some_and(|pending| pending.0.proof == proof) {
            return Through::Pending;
        }
        let is_in_grace =
            self.previous.as_ref().is_some_and(|previous| previous.0.proof == proof && now < previous.1);
        if is_in_grace { Through::Open } else { Through::Closed }
    }

    /// These doors with a new one on its way to the browser.
    #[must_use]
    pub fn with_pending(&self, door: Door, now: Timestamp) -> Self {
        Self { pending: Some(Box::new((door, now))), ..self.clone() }
    }

    /// These doors now that the browser has shown the new one: it is the current one, and the old one has its grace.
    #[must_use]
    pub fn confirmed(&self, now: Timestamp) -> Self {
        match &self.pending {
            None => self.clone(),
            Some(pending) => Self {
                current: pending.0.clone(),
                since: now,
                pending: None,
                previous: Some(Box::new((self.current.clone(), now.plus(GRACE)))),
            },
        }
    }

    /// Whether whoever shows `proof` should be given a new identifier. Only the current door leads there: requests that
    /// are late shall not bring one more.
    pub fn is_renewal_due(&self, proof: Proof, due: Timestamp, now: Timestamp) -> bool {
        let is_under_way = self.pending.as_ref().is_some_and(|pending| now < pending.1.plus(ON_ITS_WAY));
        due <= now && !is_under_way && self.current.proof == proof
    }

    /// Every door.
    pub fn all(&self) -> impl Iterator<Item = &Door> {
        let others = [&self.pending, &self.previous];
        std::iter::once(&self.current).chain(others.into_iter().flatten().map(|other| &other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::id::SessionId;

    fn door() -> Door {
        Door { proof: SessionId::generate().proof(), wrap: None }
    }

    #[test]
    fn the_old_identifier_works_until_the_browser_has_shown_the_new_one_and_a_moment_longer() {
        let (old, new) = (door(), door());
        let doors = Doors::first(old.clone(), Timestamp(0)).with_pending(new.clone(), Timestamp(100));
        assert_eq!(doors.try_open(old.proof, Timestamp(5_000)), Through::Open);
        assert_eq!(doors.try_open(new.proof, Timestamp(5_000)), Through::Pending);

        let doors = doors.confirmed(Timestamp(5_000));
        assert_eq!(doors.try_open(new.proof, Timestamp(5_000)), Through::Open);
        assert_eq!(doors.try_open(old.proof, Timestamp(5_059)), Through::Open);
        assert_eq!(doors.try_open(old.proof, Timestamp(5_060)), Through::Closed);
        assert_eq!(doors.try_open(door().proof, Timestamp(5_000)), Through::Closed);
    }

    #[test]
    fn a_new_identifier_that_got_lost_is_replaced() {
        let (old, lost) = (door(), door());
        let doors = Doors::first(old.clone(), Timestamp(0));
        assert!(!doors.is_renewal_due(old.proof, Timestamp(100), Timestamp(99)));
        assert!(doors.is_renewal_due(old.proof, Timestamp(100), Timestamp(100)));
        let doors = doors.with_pending(lost.clone(), Timestamp(100));
        assert!(!doors.is_renewal_due(old.proof, Timestamp(100), Timestamp(129)), "on its way");
        assert!(doors.is_renewal_due(old.proof, Timestamp(100), Timestamp(130)), "lost");
        let doors = doors.with_pending(door(), Timestamp(130));
        assert_eq!(doors.try_open(lost.proof, Timestamp(130)), Through::Closed);
        assert_eq!(doors.try_open(old.proof, Timestamp(130)), Through::Open);
    }

    #[test]
    fn a_late_request_brings_no_new_identifier() {
        let (old, new) = (door(), door());
        let doors =
            Doors::first(old.clone(), Timestamp(0)).with_pending(new, Timestamp(1)).confirmed(Timestamp(2));
        assert!(!doors.is_renewal_due(old.proof, Timestamp(0), Timestamp(10)));
    }
}
