//! Which apps got tokens in which session: whom a sign-out concerns. Knows nothing of how they are told.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use crate::faces::Face;
use crate::people::lock;

/// Most sessions remembered.
const MOST: usize = 20_000;

/// An app in a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Participant {
    pub(crate) client_id: String,
    pub(crate) face: Face,
    pub(crate) oid: String,
}

/// The apps of every session, by session id.
#[derive(Default)]
pub(crate) struct Participants(Mutex<HashMap<String, BTreeSet<Participant>>>);

impl Participants {
    pub(crate) fn join(&self, sid: &str, participant: Participant) {
        let mut sessions = lock(&self.0);
        if sessions.len() >= MOST {
            sessions.clear();
        }
        sessions.entry(sid.to_owned()).or_default().insert(participant);
    }

    /// The apps of a session that is over.
    pub(crate) fn leave(&self, sid: &str) -> BTreeSet<Participant> {
        lock(&self.0).remove(sid).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_each_app_once_and_ends_once() {
        let participants = Participants::default();
        let web = Participant { client_id: "web".to_owned(), face: Face::Plain, oid: "o".to_owned() };
        participants.join("s", web.clone());
        participants.join("s", web.clone());
        assert!(participants.leave("other").is_empty());
        assert_eq!(participants.leave("s"), BTreeSet::from([web]));
        assert!(participants.leave("s").is_empty());
    }
}
