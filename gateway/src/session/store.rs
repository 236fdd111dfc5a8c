//! Where sessions are kept. Callers see one `Store`; which backend is behind it is a private matter.

pub mod backend;
mod memory;
pub mod redis;
pub mod used;

use std::sync::Arc;

use crate::clock::Timestamp;

use super::{Session, SessionKey};

/// The sessions of this gateway.
#[derive(Debug)]
pub struct Store {
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Memory(memory::Memory),
}

impl Store {
    /// Sessions in this process's memory: fast, and gone when it ends.
    pub fn in_memory() -> Self {
        Self { backend: Backend::Memory(memory::Memory::default()) }
    }

    /// Keeps a session.
    pub fn insert(&self, session: Arc<Session>) {
        match &self.backend {
            Backend::Memory(memory) => memory.insert(session),
        }
    }

    /// The live session of that key. Called once per request: no lock, no copy.
    pub fn find(&self, key: SessionKey, now: Timestamp) -> Option<Arc<Session>> {
        match &self.backend {
            Backend::Memory(memory) => memory.find(key),
        }
        .filter(|session| session.is_live(now))
    }

    /// Ends a session for everybody, at once. True for the one call that ended it.
    pub fn end(&self, session: &Session) -> bool {
        match &self.backend {
            Backend::Memory(memory) => memory.remove(session.key()),
        }
        session.end()
    }

    /// Forgets sessions that are over. Returns how many there were.
    pub fn sweep(&self, now: Timestamp) -> usize {
        match &self.backend {
            Backend::Memory(memory) => memory.sweep(now),
        }
    }

    /// How many sessions are kept, over or not.
    pub fn count(&self) -> usize {
        match &self.backend {
            Backend::Memory(memory) => memory.count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::started;

    /// What every backend must do; each backend's test calls it.
    fn conforms(store: &Store) {
        let (id, alice) = started(1_000);
        let (other_id, bob) = started(1_000);
        store.insert(Arc::new(alice));
        store.insert(Arc::new(bob));

        let found = store.find(id.key(), Timestamp(1_001)).expect("alice is signed in");
        assert_eq!(found.key(), id.key());
        assert!(
            store.find(super::super::SessionId::generate().key(), Timestamp(1_001)).is_none(),
            "an unknown key"
        );
        assert!(store.find(id.key(), Timestamp(1_060)).is_none(), "idle too long");

        assert!(store.end(&found), "the first to end it");
        assert!(!store.end(&found), "already ended");
        assert!(store.find(id.key(), Timestamp(1_001)).is_none());
        assert!(!found.is_live(Timestamp(1_001)), "also for requests that already held it");
        assert!(store.find(other_id.key(), Timestamp(1_001)).is_some(), "another's session lives on");

        assert_eq!(store.sweep(Timestamp(1_001)), 0);
        assert_eq!(store.sweep(Timestamp(1_060)), 1);
        assert_eq!(store.count(), 0);
    }

    #[test]
    fn memory_conforms() {
        conforms(&Store::in_memory());
    }
}
