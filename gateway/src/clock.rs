//! The one place that reads the system clock. It knows nothing of what the time is used for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// System time plus an offset, in seconds, that tests can move while the gateway runs.
#[derive(Clone, Debug)]
pub struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The system's own time.
    pub fn system() -> Self {
        Self::shifted(Arc::new(AtomicI64::new(0)))
    }

    /// System time plus `offset` seconds, read anew at each call.
    pub fn shifted(offset: Arc<AtomicI64>) -> Self {
        Self { offset }
    }

    /// The present, in whole seconds.
    #[expect(clippy::disallowed_methods, reason = "the one caller: everybody else asks a Clock")]
    pub fn now(&self) -> Timestamp {
        // A clock before 1970 is a machine whose tokens are all "not yet valid"; zero says the same.
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let offset = self.offset.load(Ordering::Relaxed);
        Timestamp(i64::try_from(system).unwrap_or(i64::MAX).saturating_add(offset))
    }

    /// The present as exactly as the machine knows it, since 1970: for what is measured, not for what is decided.
    #[expect(clippy::disallowed_methods, reason = "the other caller: everybody else asks a Clock")]
    pub fn precise(&self) -> Duration {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let offset = self.offset.load(Ordering::Relaxed);
        let span = Duration::from_secs(offset.unsigned_abs());
        if offset < 0 { system.saturating_sub(span) } else { system.saturating_add(span) }
    }
}

/// A moment: whole seconds since 1970-01-01T00:00:00Z (the `NumericDate` of RFC 7519, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment and `span` more; saturates instead of wrapping.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// This moment and so many seconds more; saturates instead of wrapping.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(i64::from(seconds)))
    }

    /// The time from `earlier` until this moment; none if it was later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment less `span`; saturates instead of wrapping.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// As people and JSON write it: `2026-11-22T17:00:00Z` (RFC 3339).
    pub fn rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp(self.0)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .unwrap_or_else(|| self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_moves_with_its_offset() {
        let offset = Arc::new(AtomicI64::new(0));
        let clock = Clock::shifted(Arc::clone(&offset));
        let before = clock.now();
        offset.store(3_600, Ordering::Relaxed);
        assert!(clock.now() >= before.plus(Duration::from_secs(3_600)));
        let seconds = i64::try_from(clock.precise().as_secs()).expect("not yet");
        assert!((clock.now().0 - seconds).abs() <= 1);
    }

    #[test]
    fn a_moment_is_written_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp(0).rfc3339(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(i64::MAX).plus(Duration::from_secs(1)), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).minus(Duration::from_secs(2)), Timestamp(3));
    }
}
