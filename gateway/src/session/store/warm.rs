//! The sessions that this process holds in memory, in a map whose readers never wait; and how far they can be relied on
//! where other gateways may change or end them.

use std::collections::BTreeMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use papaya::HashMap;

use crate::clock::Timestamp;
use crate::session::{Session, SessionKey};

use super::backend::News;

/// News is counted in this many lots, by a session's key: enough that what concerns one session rarely makes another be
/// looked up twice.
const LOTS: usize = 1024;
/// What is due is looked at in steps of this many seconds.
const STEP: i64 = 8;

/// The map, and what is needed to trust it.
#[derive(Debug)]
pub(super) struct Warm {
    sessions: HashMap<SessionKey, Arc<Session>, BuildHasherDefault<KeyHasher>>,
    /// The present epoch of the store's news; 0 while news may be missed. A session is relied on only while it was
    /// looked up in this epoch.
    epoch: AtomicU64,
    /// How many epochs there were.
    epochs: AtomicU64,
    /// How many news there were of sessions of each lot.
    news: Box<[AtomicU64]>,
    /// Sessions that were dropped from the map just when a request may have taken hold of them: it must hear of their
    /// end all the same.
    dropped: Mutex<Dropped>,
    /// Which sessions to look at when.
    due: Mutex<BTreeMap<i64, Vec<Weak<Session>>>>,
}

type Dropped = std::collections::HashMap<SessionKey, Weak<Session>>;

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

/// The state of the news when a session was begun to be looked up.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    epoch: u64,
    news: u64,
}

impl Warm {
    /// A map that is relied on from the start, or only once there is [`News::Live`].
    pub(super) fn new(is_live: bool) -> Self {
        Self {
            sessions: HashMap::default(),
            epoch: AtomicU64::new(u64::from(is_live)),
            epochs: AtomicU64::new(1),
            news: (0..LOTS).map(|_| AtomicU64::new(0)).collect(),
            dropped: Mutex::default(),
            due: Mutex::default(),
        }
    }

    /// The session of that key, as this process knows it.
    pub(super) fn get(&self, key: SessionKey) -> Option<Arc<Session>> {
        self.sessions.pin().get(&key).cloned()
    }

    /// Whether what is in memory of a session is what the store has.
    pub(super) fn is_reliable(&self, session: &Session) -> bool {
        let epoch = self.epoch.load(Ordering::Acquire);
        epoch != 0 && session.seen.load(Ordering::Acquire) == epoch
    }

    /// To be taken before a session is looked up in the store.
    pub(super) fn reading(&self, key: SessionKey) -> Reading {
        // In this order: news that comes between the two makes the reading older than it is, never newer.
        let epoch = self.epoch.load(Ordering::SeqCst);
        Reading { epoch, news: self.lot(key).load(Ordering::SeqCst) }
    }

    /// Keeps a session that was looked up, or the one that is kept already. `due` is when to look at it again.
    pub(super) fn keep(&self, session: Session, due: Timestamp) -> Arc<Session> {
        let sessions = self.sessions.pin();
        let fresh = Arc::new(session);
        let kept = Arc::clone(sessions.get_or_insert_with(fresh.key(), || Arc::clone(&fresh)));
        if Arc::ptr_eq(&kept, &fresh) {
            self.look_again(&kept, due);
        }
        kept
    }

    /// Relies on a session from now on, unless there was news of it since `reading`: then false, and the caller looks it
    /// up once more.
    pub(super) fn rely_on(&self, session: &Session, reading: Reading) -> bool {
        session.seen.store(reading.epoch, Ordering::SeqCst);
        // Looked at after storing: whoever brings news either sees the session as relied on, or is seen here.
        if self.lot(session.key()).load(Ordering::SeqCst) == reading.news {
            return true;
        }
        session.seen.store(0, Ordering::SeqCst);
        false
    }

    /// Forgets a session. What still holds it is told by [`Session::end`].
    pub(super) fn forget(&self, key: SessionKey) -> Option<Arc<Session>> {
        self.sessions.pin().remove(&key).cloned()
    }

    /// Drops a session that nobody uses; it comes back when somebody does.
    pub(super) fn drop_idle(&self, session: &Arc<Session>) {
        self.dropped().insert(session.key(), Arc::downgrade(session));
        self.forget(session.key());
    }

    /// Forgets sessions that were dropped and that nobody held.
    pub(super) fn clear_dropped(&self) {
        self.dropped().retain(|_, session| session.strong_count() > 0);
    }

    /// Hears the store's news.
    pub(super) fn hear(&self, news: News) {
        match news {
            News::Ended(key) => {
                self.lot(key).fetch_add(1, Ordering::SeqCst);
                let dropped = self.dropped().remove(&key).and_then(|session| session.upgrade());
                for session in self.forget(key).into_iter().chain(dropped) {
                    session.end();
                }
            }
            News::Changed(key) => {
                self.lot(key).fetch_add(1, Ordering::SeqCst);
                if let Some(session) = self.get(key) {
                    session.seen.store(0, Ordering::SeqCst);
                }
            }
            News::Live => self.epoch.store(self.epochs.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst),
            News::Lost => self.epoch.store(0, Ordering::SeqCst),
        }
    }

    /// Has [`Self::take_due`] return the session at `due`.
    pub(super) fn look_again(&self, session: &Arc<Session>, due: Timestamp) {
        let step = due.0.div_euclid(STEP).saturating_add(1);
        self.due().entry(step).or_default().push(Arc::downgrade(session));
    }

    /// At most `max` sessions that it is time to look at.
    pub(super) fn take_due(&self, now: Timestamp, max: usize) -> Vec<Weak<Session>> {
        let mut due = self.due();
        let Some(mut first) = due.first_entry().filter(|entry| *entry.key() <= now.0.div_euclid(STEP)) else {
            return Vec::new();
        };
        let sessions = first.get_mut();
        let taken = sessions.split_off(sessions.len().saturating_sub(max));
        if sessions.is_empty() {
            first.remove();
        }
        taken
    }

    /// How many sessions are in memory.
    pub(super) fn count(&self) -> usize {
        self.sessions.len()
    }

    fn lot(&self, key: SessionKey) -> &AtomicU64 {
        let [first, second, ..] = *key.as_bytes();
        &self.news[usize::from(u16::from_le_bytes([first, second])) % LOTS]
    }

    fn dropped(&self) -> MutexGuard<'_, Dropped> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing in here panics while it holds the lock.
    fn due(&self) -> MutexGuard<'_, BTreeMap<i64, Vec<Weak<Session>>>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
