//! Sessions in memory, in a map whose readers never wait.

use std::sync::Arc;

use papaya::HashMap;

use crate::clock::Timestamp;
use crate::session::{Session, SessionKey};

#[derive(Debug, Default)]
pub(super) struct Memory {
    sessions: HashMap<SessionKey, Arc<Session>>,
}

impl Memory {
    pub(super) fn insert(&self, session: Arc<Session>) {
        self.sessions.pin().insert(session.key(), session);
    }

    pub(super) fn find(&self, key: SessionKey) -> Option<Arc<Session>> {
        self.sessions.pin().get(&key).cloned()
    }

    pub(super) fn remove(&self, key: SessionKey) {
        self.sessions.pin().remove(&key);
    }

    pub(super) fn sweep(&self, now: Timestamp) -> usize {
        let sessions = self.sessions.pin();
        let over: Vec<_> =
            sessions.iter().filter(|(_, session)| !session.is_live(now)).map(|(key, _)| *key).collect();
        for key in &over {
            sessions.remove(key);
        }
        over.len()
    }

    pub(super) fn count(&self) -> usize {
        self.sessions.len()
    }
}
