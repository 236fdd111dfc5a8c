//! A place in memory that several stores of one test share, as several gateways share a server. Can be told to fail.

#![expect(clippy::unused_async, reason = "it stands in for places that are waited for")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::session::SessionKey;

use super::backend::{Holder, IndexKey, Listed, Listener, News, Page, StoreError, Stored};

/// The map, and who hears of changes.
#[derive(Default)]
pub(in crate::session) struct Shared {
    inner: Mutex<Inner>,
    is_down: AtomicBool,
    is_silent: AtomicBool,
    is_full: AtomicBool,
    loads: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<SessionKey, Stored>,
    leases: HashMap<SessionKey, (Holder, Instant)>,
    claims: HashSet<[u8; 32]>,
    listeners: Vec<Listener>,
}

impl Shared {
    /// Has a store hear of changes, which begin with [`News::Live`].
    pub(in crate::session) fn subscribe(&self, listener: Listener) {
        listener(News::Live);
        self.lock().listeners.push(listener);
    }

    /// Takes the place away, or brings it back; everybody hears of it.
    pub(in crate::session) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
        self.tell(&[if is_down { News::Lost } else { News::Live }]);
    }

    /// Changes are heard by nobody, as where a process stands still; or are heard again.
    pub(in crate::session) fn set_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// Takes nothing that needs room, or takes it again; sessions can be ended all the same.
    pub(in crate::session) fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::SeqCst);
    }

    pub(super) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::SeqCst)
    }

    /// How often a session was looked up.
    pub(in crate::session) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// Everything that a thief of the place would have.
    pub(in crate::session) fn dump(&self) -> Vec<Stored> {
        self.lock().sessions.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn up(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unreachable("the test took it away".into()));
        }
        Ok(self.lock())
    }

    fn tell(&self, news: &[News]) {
        if self.is_silent() {
            return;
        }
        let listeners = self.lock().listeners.clone();
        for (listener, news) in
            listeners.iter().flat_map(|listener| news.iter().map(move |news| (listener, news)))
        {
            listener(*news);
        }
    }

    pub(super) async fn create(&self, key: SessionKey, stored: &Stored) -> Result<(), StoreError> {
        self.up()?.sessions.insert(key, stored.clone());
        Ok(())
    }

    pub(super) async fn load(&self, key: SessionKey) -> Result<Option<Stored>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Ok(self.up()?.sessions.get(&key).cloned())
    }

    pub(super) async fn replace(&self, key: SessionKey, stored: &Stored) -> Result<bool, StoreError> {
        {
            let mut inner = self.up()?;
            let Some(known) =
                inner.sessions.get_mut(&key).filter(|known| known.version + 1 == stored.version)
            else {
                return Ok(false);
            };
            let last_used = known.last_used.max(stored.last_used);
            *known = Stored { last_used, ..stored.clone() };
        }
        self.tell(&[News::Changed(key)]);
        Ok(true)
    }

    pub(super) async fn touch(&self, uses: &[(SessionKey, Timestamp)]) -> Result<(), StoreError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::Unwritable("the test left no room".into()));
        }
        let mut inner = self.up()?;
        for (key, at) in uses {
            if let Some(stored) = inner.sessions.get_mut(key) {
                stored.last_used = stored.last_used.max(*at);
            }
        }
        Ok(())
    }

    pub(super) async fn end(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        let ended = {
            let mut inner = self.up()?;
            keys.iter().copied().filter(|key| inner.sessions.remove(key).is_some()).collect()
        };
        self.tell(&keys.iter().copied().map(News::Ended).collect::<Vec<_>>());
        Ok(ended)
    }

    pub(super) async fn of(&self, index: IndexKey) -> Result<Vec<SessionKey>, StoreError> {
        let inner = self.up()?;
        let found = inner
            .sessions
            .iter()
            .filter(|(_, stored)| stored.subject == index || stored.provider_session == Some(index));
        Ok(found.map(|(key, _)| *key).collect())
    }

    pub(super) async fn listed(&self, keys: &[SessionKey]) -> Result<Vec<Listed>, StoreError> {
        let inner = self.up()?;
        Ok(keys.iter().filter_map(|key| Some(listed(*key, inner.sessions.get(key)?))).collect())
    }

    pub(super) async fn page(&self, from: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let from = from.and_then(SessionKey::from_text);
        let inner = self.up()?;
        let behind = inner.sessions.iter().filter(|(key, _)| from.is_none_or(|from| **key > from));
        let sessions: Vec<_> = behind.take(limit).map(|(key, stored)| listed(*key, stored)).collect();
        let next = sessions.last().filter(|_| sessions.len() == limit).map(|last| last.key.to_text());
        Ok(Page { sessions, next })
    }

    pub(super) async fn expire(&self, now: Timestamp, max: usize) -> Result<Vec<Listed>, StoreError> {
        let mut inner = self.up()?;
        let over: Vec<_> = inner
            .sessions
            .iter()
            .filter(|(_, stored)| stored.end() <= now)
            .take(max)
            .map(|(key, stored)| listed(*key, stored))
            .collect();
        for listed in &over {
            inner.sessions.remove(&listed.key);
        }
        Ok(over)
    }

    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        Ok(self.up()?.sessions.len() as u64)
    }

    pub(super) async fn lease(
        &self,
        key: SessionKey,
        holder: Holder,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let (mut inner, now) = (self.up()?, Instant::now());
        let known = inner.leases.get(&key).filter(|(_, until)| now < *until);
        let is_free = known.is_none_or(|(known, _)| *known == holder);
        if is_free {
            inner.leases.insert(key, (holder, now + ttl));
        }
        Ok(is_free)
    }

    pub(super) async fn release(&self, key: SessionKey, holder: Holder) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.leases.get(&key).is_some_and(|(known, _)| *known == holder) {
            inner.leases.remove(&key);
        }
        Ok(())
    }

    pub(super) async fn claim(&self, name: &[u8; 32], _: Duration) -> Result<bool, StoreError> {
        Ok(self.up()?.claims.insert(*name))
    }

    pub(super) async fn unclaim(&self, name: &[u8; 32]) -> Result<(), StoreError> {
        self.up()?.claims.remove(name);
        Ok(())
    }
}

fn listed(key: SessionKey, stored: &Stored) -> Listed {
    Listed { key, summary: stored.summary.clone(), last_used: stored.last_used, end: stored.end() }
}
