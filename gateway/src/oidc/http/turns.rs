//! How many calls there are at a time: a provider that is slow must not collect everything that people do meanwhile.
//! Who finds too many waiting is told so at once (requirement RL-03). Knows nothing of what is called.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Turns at something of which there is only so much.
pub(super) struct Turns {
    free: Semaphore,
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
}

impl Turns {
    /// `at_once` at a time, `most_waiting` behind them, none of those for longer than `patience`.
    pub(super) fn new(at_once: usize, most_waiting: usize, patience: Duration) -> Self {
        Self { free: Semaphore::new(at_once), waiting: AtomicUsize::new(0), most_waiting, patience }
    }

    /// A turn, which ends when it is dropped; nothing if there are too many before this one.
    pub(super) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.free.try_acquire() {
            return Some(turn);
        }
        let _waiting = Waiting::join(&self.waiting, self.most_waiting)?;
        timeout(self.patience, self.free.acquire()).await.ok()?.ok()
    }
}

/// One who waits, however the wait ends.
struct Waiting<'t>(&'t AtomicUsize);

impl<'t> Waiting<'t> {
    fn join(waiting: &'t AtomicUsize, most: usize) -> Option<Self> {
        let joined = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < most).then_some(joined)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn who_waits_gets_the_turn_that_ends_and_nobody_waits_behind_a_full_line() {
        let turns = Arc::new(Turns::new(1, 1, LONG));
        let first = turns.take().await.expect("nobody is before it");
        let other = Arc::clone(&turns);
        let second = tokio::spawn(async move { other.take().await.is_some() });
        while turns.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(turns.take().await.is_none(), "the line is full");
        drop(first);
        assert!(second.await.expect("no panic"), "its turn came");
        assert!(turns.take().await.is_some(), "and the next one's");
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_its_patience() {
        let turns = Turns::new(1, 8, Duration::from_millis(1));
        let _first = turns.take().await.expect("nobody is before it");
        assert!(turns.take().await.is_none());
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0, "it left the line");
    }
}
