//! Whose turn it is, within this process, to get a session's tokens: one at a time, because all of them share one refresh
//! token. Knows nothing of other gateways; that is `lease`'s matter.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::stop::{Reason, Whose};

use super::failure::NoToken;
use super::pace::Pace;

/// How many queues there may be before the idle ones are cleared away.
const SWEEP_AT: usize = 256;

/// Every session's queue. One exists while somebody uses it or a failure is remembered in it.
#[derive(Default)]
pub(super) struct Queues {
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    by_session: HashMap<SessionKey, Arc<Queue>>,
    sweep_at: usize,
}

impl Queues {
    /// The queue of a session.
    pub(super) fn of(&self, key: SessionKey, now: Timestamp) -> Arc<Queue> {
        // Never held while waiting for anything; nothing in here panics.
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.by_session.len() >= all.sweep_at.max(SWEEP_AT) {
            all.by_session.retain(|_, queue| queue.is_needed(now));
            // Twice what is left, so that sweeping costs little however many sessions refresh at once.
            all.sweep_at = all.by_session.len() * 2;
        }
        Arc::clone(all.by_session.entry(key).or_default())
    }
}

/// Those who wait for their turn.
pub(super) struct Queue {
    pace: Arc<tokio::sync::Mutex<Pace>>,
    /// Whether whoever has the turn holds something that the store did not take yet.
    is_unsaved: watch::Sender<bool>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { pace: Arc::default(), is_unsaved: watch::Sender::new(false) }
    }
}

impl Queue {
    /// The turn, if nobody has it.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Turn> {
        let pace = Arc::clone(&self.pace).try_lock_owned().ok()?;
        Some(Turn { queue: Arc::clone(self), pace })
    }

    /// The turn, when it comes. Nobody waits for somebody who waits for the store.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Turn, NoToken> {
        tokio::select! {
            biased;
            pace = Arc::clone(&self.pace).lock_owned() => Ok(Turn { queue: Arc::clone(self), pace }),
            refused = self.unsaved() => Err(refused),
        }
    }

    /// Waits until whoever has the turn cannot save what it got; then, that there is no token to be had.
    pub(super) async fn unsaved(&self) -> NoToken {
        // Fails only when the sender is gone, and that is in here.
        let _ = self.is_unsaved.subscribe().wait_for(|is_unsaved| *is_unsaved).await;
        NoToken::fault(Whose::Store, Reason::StoreUnavailable, Unsaved)
    }

    fn is_needed(self: &Arc<Self>, now: Timestamp) -> bool {
        Arc::strong_count(self) > 1 || self.pace.try_lock().is_ok_and(|pace| pace.matters(now))
    }
}

/// The right to ask the provider for a session's tokens. Dropped, it is the next one's.
pub(super) struct Turn {
    queue: Arc<Queue>,
    /// What came of the last tries.
    pub(super) pace: OwnedMutexGuard<Pace>,
}

impl Turn {
    /// Tells whoever waits not to: the store does not take what was got.
    pub(super) fn tell_unsaved(&self) {
        self.queue.is_unsaved.send_replace(true);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.is_unsaved.send_replace(false);
    }
}

/// A renewed refresh token exists only in this process's memory.
#[derive(Debug, thiserror::Error)]
#[error("the session store did not take a renewed token yet, and without that it must not be used")]
struct Unsaved;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    fn key() -> SessionKey {
        SessionId::generate().key()
    }

    #[test]
    fn a_session_has_one_queue_and_idle_ones_go_away() {
        let queues = Queues::default();
        let (key, now) = (key(), Timestamp(100));
        let held = queues.of(key, now);
        assert!(Arc::ptr_eq(&held, &queues.of(key, now)));
        for _ in 0..10 * SWEEP_AT {
            queues.of(self::key(), now);
        }
        let all = queues.all.lock().expect("not poisoned");
        assert!(all.by_session.len() <= 2 * SWEEP_AT, "{}", all.by_session.len());
        assert!(all.by_session.contains_key(&key), "a queue that somebody holds stays");
    }

    #[test]
    fn a_queue_that_remembers_a_failure_stays() {
        let queues = Queues::default();
        let (key, now) = (key(), Timestamp(100));
        let mut turn = queues.of(key, now).try_take().expect("free");
        turn.pace.note::<()>("a", now, &Err(NoToken::ConsentRequired));
        drop(turn);
        for _ in 0..2 * SWEEP_AT {
            queues.of(self::key(), now);
        }
        let turn = queues.of(key, now).try_take().expect("free");
        assert!(turn.pace.check("a", now).is_err());
    }

    #[tokio::test]
    async fn there_is_one_turn_and_nobody_waits_for_the_store() {
        let queue = Arc::new(Queue::default());
        let turn = queue.take().await.expect("free");
        assert!(queue.try_take().is_none());
        turn.tell_unsaved();
        assert!(matches!(queue.take().await, Err(NoToken::Fault(_))));
        drop(turn);
        assert!(queue.take().await.is_ok());
    }
}
