//! The only caller of the system clock, so that a test can move time. Knows nothing of what the time is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// System time plus an offset that whoever holds the other end of the `Arc` may change at any moment.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// The plain system clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The system clock moved by `offset` seconds, read anew at each call.
    pub fn shifted(offset: Arc<AtomicI64>) -> Self {
        Self { offset_seconds: offset }
    }

    /// Unix seconds.
    pub fn now(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }

    /// Unix milliseconds.
    pub fn now_millis(&self) -> i64 {
        let offset = self.offset_seconds.load(Ordering::Relaxed).saturating_mul(1000);
        system_millis().saturating_add(offset)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
fn system_millis() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        // A machine whose clock stands before 1970 gets refusals (`nbf`), not a panic.
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_the_offset_moves_the_clock() {
        let offset = Arc::new(AtomicI64::new(0));
        let clock = Clock::shifted(Arc::clone(&offset));
        let before = clock.now();
        offset.store(3600, Ordering::Relaxed);
        let moved = clock.now() - before;
        assert!((3600..3660).contains(&moved), "{moved}");
    }
}
