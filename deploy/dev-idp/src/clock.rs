//! The crate's only reader of the system clock. Knows nothing of time zones or of what times are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// System time plus an offset in seconds. Clones share the offset, so a test moves every holder at once.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The system's time, unmoved.
    pub fn system() -> Self {
        Self::default()
    }

    /// The system's time plus whatever `offset` (seconds) holds when it is read.
    pub fn shifted(offset: Arc<AtomicI64>) -> Self {
        Self { offset }
    }

    /// Unix time in seconds.
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the system clock")]
    pub fn now(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        i64::try_from(since_epoch).unwrap_or(i64::MAX).saturating_add(self.offset.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_the_offset_moves_every_clone() {
        let offset = Arc::new(AtomicI64::new(0));
        let clock = Clock::shifted(Arc::clone(&offset));
        let copy = clock.clone();
        let before = copy.now();
        offset.store(3600, Ordering::Relaxed);
        assert!((3600..3605).contains(&(copy.now() - before)));
        assert!((0..5).contains(&(clock.now() - copy.now()).abs()));
    }
}
