//! How fast an endpoint is: delays, and requests held until a test lets them go. Before the work, so that nothing has
//! happened yet; or after it, so that everything has but the answer. Knows nothing of what the endpoints do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Faults;
use crate::faces::Endpoint;

/// When a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Before the work: no code is redeemed, no token rotated yet.
    Before,
    /// After the work, before the answer.
    After,
}

/// Requests wait as long as this exists.
#[must_use = "what is held goes on when this is dropped"]
pub struct Hold {
    waiting: watch::Receiver<usize>,
    /// Dropped with the handle, which lets everybody go.
    _release: watch::Sender<()>,
}

/// The requests' side of a [`Hold`].
#[derive(Clone)]
struct Held {
    waiting: Arc<watch::Sender<usize>>,
    released: watch::Receiver<()>,
}

impl Hold {
    /// How many requests have come to wait so far.
    pub fn waiting(&self) -> usize {
        *self.waiting.borrow()
    }

    /// Waits until that many requests have come.
    ///
    /// # Panics
    /// If the hold was cleared or replaced, so that no more can come.
    pub async fn until_waiting(&self, count: usize) {
        let reached = self.waiting.clone().wait_for(|waiting| *waiting >= count).await.is_ok();
        assert!(reached, "what was held was cleared before {count} requests had come");
    }
}

/// The delays and holds that are set.
#[derive(Default)]
pub(super) struct Pace {
    delays: HashMap<(Endpoint, When), Duration>,
    holds: HashMap<(Endpoint, When), Held>,
}

impl Faults {
    /// Every request to this endpoint takes that much longer, until [`Faults::clear`]. Zero ends it.
    pub fn delay(&self, endpoint: Endpoint, when: When, time: Duration) {
        self.inner().pace.delays.insert((endpoint, when), time);
    }

    /// Every request to this endpoint waits until the handle is dropped (or [`Faults::clear`] is called, for requests
    /// that come later).
    pub fn hold(&self, endpoint: Endpoint, when: When) -> Hold {
        let ((counter, waiting), (release, released)) = (watch::channel(0), watch::channel(()));
        let held = Held { waiting: Arc::new(counter), released };
        self.inner().pace.holds.insert((endpoint, when), held);
        Hold { waiting, _release: release }
    }

    pub(crate) async fn pause(&self, endpoint: Endpoint, when: When) {
        let (delay, hold) = {
            let pace = &self.inner().pace;
            (pace.delays.get(&(endpoint, when)).copied(), pace.holds.get(&(endpoint, when)).cloned())
        };
        // A handle that is gone already holds nobody.
        if let Some(mut held) = hold.filter(|held| held.released.has_changed().is_ok()) {
            held.waiting.send_modify(|waiting| *waiting += 1);
            while held.released.changed().await.is_ok() {}
        }
        if let Some(delay) = delay.filter(|delay| !delay.is_zero()) {
            tokio::time::sleep(delay).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_request_goes_on_when_the_handle_is_dropped() {
        let faults = Faults::default();
        let hold = faults.hold(Endpoint::Token, When::After);
        faults.pause(Endpoint::Token, When::Before).await;
        faults.pause(Endpoint::Keys, When::After).await;
        let waiter = tokio::spawn({
            let faults = faults.clone();
            async move { faults.pause(Endpoint::Token, When::After).await }
        });
        hold.until_waiting(1).await;
        assert!(!waiter.is_finished() && hold.waiting() == 1);
        drop(hold);
        waiter.await.expect("it goes on");
        faults.pause(Endpoint::Token, When::After).await;
    }

    #[tokio::test]
    async fn a_delay_takes_its_time_and_ends_with_clear() {
        let faults = Faults::default();
        faults.delay(Endpoint::Token, When::Before, Duration::from_millis(30));
        let start = tokio::time::Instant::now();
        faults.pause(Endpoint::Token, When::Before).await;
        assert!(start.elapsed() >= Duration::from_millis(30));
        faults.delay(Endpoint::Token, When::Before, Duration::from_hours(1));
        faults.clear();
        let pause = faults.pause(Endpoint::Token, When::Before);
        assert!(tokio::time::timeout(Duration::from_mins(1), pause).await.is_ok());
    }
}
