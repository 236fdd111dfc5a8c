//! Who may refresh a session's tokens, and what came of it last time. One entry per session that refreshes or lately
//! failed to; entries that nobody needs go away by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::stop::{Reason, Stop, Whose};

/// A provider is asked for the same token of the same session at most once in this time (requirement TK-08).
pub(super) const PAUSE: Duration = Duration::from_secs(5);
/// How many entries there may be before the idle ones are cleared away.
const SWEEP_AT: usize = 256;

/// Every session's lease.
#[derive(Default)]
pub(super) struct Leases {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_session: HashMap<SessionKey, Arc<Entry>>,
    sweep_at: usize,
}

/// The lease itself: holding the lock is holding the lease.
type Entry = tokio::sync::Mutex<Lease>;

/// What the holder of a lease knows of the last tries.
#[derive(Default)]
pub(super) struct Lease {
    tries: HashMap<String, (Timestamp, Outcome)>,
    failed: Option<(Timestamp, Outcome)>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Refreshed,
    ConsentRequired,
    Failed(Whose, Reason),
}

/// The provider failed a moment ago and is left alone for now.
#[derive(Debug, thiserror::Error)]
#[error("the last try failed a moment ago, and the provider is left alone until a few seconds have passed")]
struct TooSoon;

/// The answer to a request that comes too soon after a failure.
pub(super) fn too_soon(whose: Whose, reason: Reason) -> Stop {
    Stop::failed(whose, reason, TooSoon)
}

impl Leases {
    /// The lease of a session.
    pub(super) fn of(&self, key: SessionKey, now: Timestamp) -> Arc<Entry> {
        // Never held while waiting for anything; nothing in here panics.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.by_session.len() >= entries.sweep_at.max(SWEEP_AT) {
            entries.by_session.retain(|_, entry| is_needed(entry, now));
            // Twice what is left, so that sweeping costs little however many sessions refresh at once.
            entries.sweep_at = entries.by_session.len() * 2;
        }
        Arc::clone(entries.by_session.entry(key).or_default())
    }
}

fn is_needed(entry: &Arc<Entry>, now: Timestamp) -> bool {
    let is_held = Arc::strong_count(entry) > 1;
    is_held || entry.try_lock().is_ok_and(|lease| lease.tries.values().any(|(at, _)| is_recent(*at, now)))
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    // A clock that was set back must not stop refreshes for as long as it was ahead.
    now.0.abs_diff(at.0) < PAUSE.as_secs()
}

impl Lease {
    /// Notes how a try for the token `name` ended.
    pub(super) fn note(&mut self, name: &str, now: Timestamp, outcome: Outcome) {
        self.tries.insert(name.to_owned(), (now, outcome));
        self.failed = matches!(outcome, Outcome::Failed(..)).then_some((now, outcome));
    }

    /// How a try ended that is so recent that there shall be no other: for this token, or for any token of the
    /// session if the provider itself failed.
    pub(super) fn recent(&self, name: &str, now: Timestamp) -> Option<Outcome> {
        let own = self.tries.get(name).copied();
        let recent = own.into_iter().chain(self.failed).find(|(at, _)| is_recent(*at, now));
        recent.map(|(_, outcome)| outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    const FAILED: Outcome = Outcome::Failed(Whose::Provider, Reason::ProviderUnavailable);

    #[test]
    fn a_failure_of_the_provider_holds_back_every_token_of_the_session_for_a_while() {
        let mut lease = Lease::default();
        assert_eq!(lease.recent("a", Timestamp(100)), None);
        lease.note("a", Timestamp(100), FAILED);
        assert_eq!(lease.recent("a", Timestamp(104)), Some(FAILED));
        assert_eq!(lease.recent("b", Timestamp(104)), Some(FAILED));
        assert_eq!(lease.recent("a", Timestamp(105)), None);
    }

    #[test]
    fn missing_consent_holds_back_its_own_token_only() {
        let mut lease = Lease::default();
        lease.note("a", Timestamp(100), Outcome::ConsentRequired);
        assert_eq!(lease.recent("a", Timestamp(101)), Some(Outcome::ConsentRequired));
        assert_eq!(lease.recent("b", Timestamp(101)), None);
    }

    #[test]
    fn a_session_has_one_lease_and_idle_leases_go_away() {
        let leases = Leases::default();
        let key = SessionId::generate().key();
        let held = leases.of(key, Timestamp(100));
        assert!(Arc::ptr_eq(&held, &leases.of(key, Timestamp(100))));
        for _ in 0..10 * SWEEP_AT {
            leases.of(SessionId::generate().key(), Timestamp(100));
        }
        let entries = leases.entries.lock().expect("not poisoned");
        assert!(entries.by_session.len() <= 2 * SWEEP_AT, "{}", entries.by_session.len());
        assert!(entries.by_session.contains_key(&key), "a lease that somebody holds stays");
    }

    #[test]
    fn a_lease_with_a_recent_failure_stays() {
        let leases = Leases::default();
        let key = SessionId::generate().key();
        leases.of(key, Timestamp(100)).try_lock().expect("free").note("a", Timestamp(100), FAILED);
        for _ in 0..2 * SWEEP_AT {
            leases.of(SessionId::generate().key(), Timestamp(102));
        }
        assert_eq!(
            leases.of(key, Timestamp(102)).try_lock().expect("free").recent("a", Timestamp(102)),
            Some(FAILED)
        );
    }
}
