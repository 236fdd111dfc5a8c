//! How one server is doing, as all workers know it: left out after failures in a row, for longer each time; unwell when
//! checks say so; back with a part of its share first. No lock: every fact is one atomic, and none needs another to be
//! as old as itself. It asks nobody and reads no clock.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::settings::Ejection;

/// The weight of a server that is well, in parts; one that came back just now has [`LEAST`].
pub(super) const FULL: u32 = 100;
const LEAST: u32 = 10;

/// What is known of one server.
#[derive(Debug)]
pub(super) struct Health {
    /// Moments are kept as milliseconds since this.
    epoch: Instant,
    /// Failures in a row.
    failures: AtomicU32,
    /// How often it was left out lately.
    ejections: AtomicU32,
    /// Until when it is left out; 0 for never yet.
    ejected_until: AtomicU64,
    /// Whether checks found it unwell.
    is_unwell: AtomicBool,
    /// Since when checks find it well again; 0 if they always did.
    well_since: AtomicU64,
}

impl Health {
    /// A server of which nothing bad is known.
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            is_unwell: AtomicBool::new(false),
            well_since: AtomicU64::new(0),
        }
    }

    /// It answered as it should. True if it had failed before.
    pub(super) fn succeeded(&self) -> bool {
        // Nearly always nothing is to be forgotten, and a line that nobody writes stays in every core's cache.
        self.failures.load(Ordering::Relaxed) != 0 && self.failures.swap(0, Ordering::Relaxed) != 0
    }

    /// It failed. Tells for how long it is left out from now on, if it is.
    pub(super) fn failed(&self, now: Instant, rules: &Ejection) -> Option<Duration> {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let (now, until) = (self.millis(now), self.ejected_until.load(Ordering::Relaxed));
        if failures < rules.failures || now < until {
            return None;
        }
        let is_long_ago = until != 0 && now - until >= millis(rules.longest);
        let before = if is_long_ago { 0 } else { self.ejections.load(Ordering::Relaxed) };
        let doubled = rules.time.saturating_mul(1_u32.checked_shl(before).unwrap_or(u32::MAX));
        let span = doubled.min(rules.longest);
        let next = now.saturating_add(millis(span)).max(1);
        // Of workers that see the same failures at the same time one ejects.
        let swapped =
            self.ejected_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        swapped.then(|| {
            self.ejections.store(before.saturating_add(1), Ordering::Relaxed);
            span
        })
    }

    /// Checks find it well, or not. True if that is news.
    pub(super) fn checked(&self, now: Instant, is_well: bool) -> bool {
        let is_news = self.is_unwell.swap(!is_well, Ordering::Relaxed) == is_well;
        if is_news && is_well {
            self.well_since.store(self.millis(now).max(1), Ordering::Relaxed);
        }
        is_news
    }

    /// Whether it is left out now, for whatever reason.
    pub(super) fn is_out(&self, now: Instant) -> bool {
        self.is_unwell.load(Ordering::Relaxed)
            || self.millis(now) < self.ejected_until.load(Ordering::Relaxed)
    }

    /// Its share of the requests, in parts of [`FULL`].
    pub(super) fn weight(&self, now: Instant, slow_start: Option<Duration>) -> u32 {
        if self.is_out(now) {
            return 0;
        }
        let back = self.well_since.load(Ordering::Relaxed).max(self.ejected_until.load(Ordering::Relaxed));
        let Some(slow_start) = slow_start.filter(|_| back != 0) else {
            return FULL;
        };
        // A worker's time may be a tick older than that of whoever found the server well.
        let parts =
            self.millis(now).saturating_sub(back).saturating_mul(u64::from(FULL)) / millis(slow_start).max(1);
        u32::try_from(parts).unwrap_or(FULL).clamp(LEAST, FULL)
    }

    fn millis(&self, moment: Instant) -> u64 {
        millis(moment.saturating_duration_since(self.epoch))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Ejection = Ejection {
        failures: 3,
        time: Duration::from_secs(10),
        longest: Duration::from_secs(60),
        server_errors: false,
    };

    struct Bench {
        health: Health,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            Self { health: Health::new(start), start }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn fail(&self, seconds: u64) -> Option<Duration> {
            self.health.failed(self.at(seconds), &RULES)
        }
    }

    #[test]
    fn failures_in_a_row_leave_a_server_out_and_others_do_not() {
        let bench = Bench::new();
        assert_eq!((bench.fail(0), bench.fail(0)), (None, None));
        assert!(bench.health.succeeded());
        assert!(!bench.health.succeeded(), "nothing is left to forget");
        assert_eq!((bench.fail(1), bench.fail(1)), (None, None));
        assert!(!bench.health.is_out(bench.at(1)));
        assert_eq!(bench.fail(1), Some(RULES.time));
        assert!(bench.health.is_out(bench.at(10)));
        assert!(!bench.health.is_out(bench.at(11)));
    }

    #[test]
    fn who_fails_again_is_left_out_for_longer_up_to_a_limit() {
        let bench = Bench::new();
        let mut now = 0;
        let mut spans = Vec::new();
        assert_eq!((bench.fail(now), bench.fail(now)), (None, None));
        for _ in 0..5 {
            let span = bench.fail(now).expect("left out").as_secs();
            assert_eq!(bench.fail(now), None, "it is left out already");
            spans.push(span);
            now += span;
        }
        assert_eq!(spans, [10, 20, 40, 60, 60]);
        // After a good time it begins anew.
        bench.health.succeeded();
        now += 100;
        assert_eq!((bench.fail(now), bench.fail(now)), (None, None));
        assert_eq!(bench.fail(now), Some(RULES.time));
    }

    #[test]
    fn who_comes_back_gets_more_little_by_little() {
        let bench = Bench::new();
        let slow = Some(Duration::from_secs(100));
        assert_eq!(bench.health.weight(bench.at(0), slow), FULL, "it was never away");
        assert!(bench.health.checked(bench.at(1), false));
        assert!(!bench.health.checked(bench.at(2), false), "no news");
        assert_eq!(bench.health.weight(bench.at(2), slow), 0);
        assert!(bench.health.checked(bench.at(10), true));
        let weights = [10, 60, 109, 110, 500].map(|second| bench.health.weight(bench.at(second), slow));
        assert_eq!(weights, [LEAST, 50, 99, FULL, FULL]);
        assert_eq!(bench.health.weight(bench.at(10), None), FULL);
        assert_eq!(bench.health.weight(bench.at(9), slow), LEAST, "whose clock is a tick behind");
    }
}
