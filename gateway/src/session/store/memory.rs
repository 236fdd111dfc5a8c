//! Sessions in memory, in a map whose readers never wait.

use std::sync::Arc;

use std::hash::{BuildHasherDefault, Hasher};

use papaya::HashMap;

use crate::clock::Timestamp;
use crate::session::{Session, SessionKey};

#[derive(Debug, Default)]
pub(super) struct Memory {
    sessions: HashMap<SessionKey, Arc<Session>, BuildHasherDefault<KeyHasher>>,
}

/// A key is a SHA-256 already, and nobody chooses the keys that are inserted: any eight of its bytes are a hash.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }
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
