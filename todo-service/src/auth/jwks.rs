//! One issuer's signing keys, fetched when needed and kept while useful. Knows when to fetch; how is in `fetch`, what
//! a usable key is in `key`. No lock is ever held while something is fetched.
//!
//! - Younger than `FRESH`: used as they are. Up to `TOLERATED`: used, and renewed behind the request's back. Older:
//!   the request waits for a renewal. So a key that the issuer withdrew stops working within `TOLERATED`.
//! - While the issuer cannot be reached, the last good keys serve for up to `LAST_GOOD`. After that, and before the
//!   first success, there are no keys: tokens are answered with 503, never believed.
//! - Whatever the reason, one fetch per `PAUSE`, counted from the start of the last one, good or bad; those who want
//!   one while it runs wait for that one.

mod fetch;
mod key;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use self::fetch::KeySource;
pub use self::fetch::TlsSetup;
pub(crate) use self::fetch::{HttpClient, http_client};
pub(crate) use self::key::VerifyingKey;
use super::issuer::Issuer;
use super::token::Header;
use crate::clock::Clock;

/// Seconds between the starts of two fetches. Requirement JW-01: strangers with invented key ids cannot buy more.
const PAUSE: i64 = 30;
/// Seconds for which keys are used without asking again.
const FRESH: i64 = 5 * 60;
/// Seconds for which keys are used while a renewal runs behind the request.
const TOLERATED: i64 = 15 * 60;
/// Seconds for which the last good keys are used while the issuer does not answer.
const LAST_GOOD: i64 = 24 * 60 * 60;

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// The issuer has no such key, or it is not for this algorithm.
    Unknown,
    /// Several keys fit. Documented choice: refuse rather than try one after the other.
    Ambiguous,
    /// There are no keys at all; seconds until the next attempt.
    Unavailable { retry_after: u64 },
}

/// The keys of one issuer.
pub(crate) struct KeyCache {
    source: KeySource,
    clock: Clock,
    keys: ArcSwapOption<KeySet>,
    schedule: Mutex<Schedule>,
}

struct KeySet {
    keys: Vec<Arc<VerifyingKey>>,
    fetched: i64,
}

#[derive(Default)]
struct Schedule {
    last_start: Option<i64>,
    /// Closed when the running fetch has landed, whatever became of it.
    running: Option<watch::Receiver<()>>,
}

enum Selection {
    One(Arc<VerifyingKey>),
    Ambiguous,
    /// The key id is known, but the key is for something else. Asking the issuer again would not help.
    Unsuitable,
    Unknown,
}

impl KeyCache {
    pub(crate) fn new(issuer: &Issuer, client: HttpClient, timeout: Duration, clock: Clock) -> Self {
        Self {
            source: KeySource::new(issuer, client, timeout),
            clock,
            keys: ArcSwapOption::empty(),
            schedule: Mutex::new(Schedule::default()),
        }
    }

    /// The one key that a token with this header may be verified with.
    pub(crate) async fn key_for(self: &Arc<Self>, header: &Header) -> Result<Arc<VerifyingKey>, KeyFault> {
        let mut selection = self.ensure().await?.select(header);
        if matches!(selection, Selection::Unknown) {
            self.renew().await;
            selection = self.last_good()?.select(header);
        }
        match selection {
            Selection::One(key) => Ok(key),
            Selection::Ambiguous => Err(KeyFault::Ambiguous),
            Selection::Unsuitable | Selection::Unknown => Err(KeyFault::Unknown),
        }
    }

    /// Some keys, as fresh as can be had.
    async fn ensure(self: &Arc<Self>) -> Result<Arc<KeySet>, KeyFault> {
        if let Ok(set) = self.last_good() {
            match self.clock.now() - set.fetched {
                0..FRESH => return Ok(set),
                FRESH..TOLERATED => {
                    self.start();
                    return Ok(set);
                }
                // Too old; or from the future, because the clock was set back. Both need a look.
                _ => {}
            }
        }
        self.renew().await;
        self.last_good()
    }

    /// Whether tokens of this issuer can be checked; fetches if need be, within the throttle.
    pub(crate) async fn ready(self: &Arc<Self>) -> bool {
        self.ensure().await.is_ok()
    }

    /// Drops everything known, the throttle included.
    pub(crate) fn forget(&self) {
        self.keys.store(None);
        self.schedule().last_start = None;
    }

    fn last_good(&self) -> Result<Arc<KeySet>, KeyFault> {
        let now = self.clock.now();
        let usable = self.keys.load_full().filter(|set| now - set.fetched < LAST_GOOD);
        usable.ok_or_else(|| KeyFault::Unavailable { retry_after: self.retry_after(now) })
    }

    fn retry_after(&self, now: i64) -> u64 {
        let next = self.schedule().last_start.map_or(now, |start| start + PAUSE);
        u64::try_from((next - now).clamp(1, PAUSE)).unwrap_or(1)
    }

    /// Takes part in the running fetch, or starts one if it is time; returns when it has landed.
    async fn renew(self: &Arc<Self>) {
        if let Some(mut landed) = self.start() {
            // Nothing is ever sent: the channel closes when the fetch is over.
            while landed.changed().await.is_ok() {}
        }
    }

    /// The running fetch, started now if none runs and the last one began long enough ago. It runs in a task of its
    /// own, so that a caller who hangs up does not take it down.
    fn start(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let mut schedule = self.schedule();
        if let Some(running) = &schedule.running {
            return Some(running.clone());
        }
        let now = self.clock.now();
        // A start in the future means that the clock was set back; waiting for it could take for ever.
        let too_soon = schedule.last_start.is_some_and(|start| (start..start + PAUSE).contains(&now));
        if too_soon {
            return None;
        }
        let (landing, landed) = watch::channel(());
        schedule.last_start = Some(now);
        schedule.running = Some(landed.clone());
        drop(schedule);
        let flight = Flight { cache: Arc::clone(self), _landing: landing };
        tokio::spawn(async move { flight.fly().await });
        Some(landed)
    }

    fn schedule(&self) -> std::sync::MutexGuard<'_, Schedule> {
        // The schedule is valid after any panic: it is only ever replaced field by field.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch under way. Dropping it, even by a panic, makes room for the next one and wakes who waits.
struct Flight {
    cache: Arc<KeyCache>,
    _landing: watch::Sender<()>,
}

impl Flight {
    async fn fly(self) {
        let cache = &self.cache;
        let issuer = cache.source.issuer();
        match cache.source.fetch().await {
            Ok(keys) => {
                tracing::info!(target: "keys", issuer, count = keys.len(), "signing keys fetched");
                let keys = keys.into_iter().map(Arc::new).collect();
                cache.keys.store(Some(Arc::new(KeySet { keys, fetched: cache.clock.now() })));
            }
            Err(error) => {
                let error = crate::describe(&error);
                tracing::warn!(target: "keys", issuer, error, "signing keys not fetched");
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.cache.schedule().running = None;
    }
}

impl KeySet {
    fn select(&self, header: &Header) -> Selection {
        let named = |key: &VerifyingKey| header.key_id.is_none() || key.id() == header.key_id.as_deref();
        let mut fitting = self.keys.iter().filter(|key| named(key) && key.fits(header.algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Selection::One(Arc::clone(key)),
            (Some(_), Some(_)) => Selection::Ambiguous,
            (None, _) if header.key_id.is_some() && self.keys.iter().any(|key| named(key)) => {
                Selection::Unsuitable
            }
            (None, _) => Selection::Unknown,
        }
    }
}
