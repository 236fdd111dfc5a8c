//! What the service manager is told of the process (systemd's notification protocol): that it serves, reloads, stops, and
//! that its threads are alive. Where no service manager asks for it, nothing is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// Whoever is asked for a sign of life in some time gives it so many times as often.
const OFTEN: u32 = 4;

/// It serves; `status` is for people.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads its configuration anew, until it is [`ready`] again.
pub(super) fn reloading() {
    // Without the time the manager would not know whether this answers its own request or an earlier one.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration")]);
    }
}

/// It will soon be gone.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: requests in flight may finish")]);
}

/// How often a sign of life is due; nothing if nobody waits for one.
pub(super) fn sign_of_life() -> Option<Duration> {
    let limit = sd_notify::watchdog_enabled()?;
    Some((limit / OFTEN).max(Duration::from_millis(10)))
}

/// One thread's heart: whoever else holds it can see whether it still beats.
pub(super) type Heart = Arc<AtomicU64>;

/// Has a heart beat for as long as its thread does its work.
pub(super) async fn beat(heart: Heart, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        heart.fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives signs of life for as long as every heart has beaten since the last one, and the thread that this runs on turns.
pub(super) async fn attest(hearts: Vec<Heart>, every: Duration) {
    let mut pulse = Pulse::of(hearts);
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        if pulse.has_moved() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

struct Pulse(Vec<(Heart, u64)>);

impl Pulse {
    fn of(hearts: Vec<Heart>) -> Self {
        // No heart stands at that.
        Self(hearts.into_iter().map(|heart| (heart, u64::MAX)).collect())
    }

    fn has_moved(&mut self) -> bool {
        let mut have_moved = true;
        for (heart, last) in &mut self.0 {
            let now = heart.load(Ordering::Relaxed);
            have_moved &= now != *last;
            *last = now;
        }
        have_moved
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(target: "gateway", %error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_heart_that_stands_still_is_noticed_and_forgiven_when_it_beats_again() {
        let hearts: Vec<Heart> = vec![Arc::default(), Arc::default()];
        let mut pulse = Pulse::of(hearts.clone());
        let beat = |index: usize| hearts[index].fetch_add(1, Ordering::Relaxed);
        assert!(pulse.has_moved());
        beat(0);
        beat(1);
        assert!(pulse.has_moved());
        beat(0);
        assert!(!pulse.has_moved(), "the second stands still");
        beat(0);
        beat(1);
        assert!(pulse.has_moved());
    }
}
