//! Numbers that one thread writes and any thread reads. Writing one is a load and a store, without a lock or a bus cycle
//! that other cores would feel.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One such number. Two threads that wrote it would lose each other's counts; so each thread has its own.
#[derive(Debug, Default)]
pub(super) struct Cell(AtomicU64);

impl Cell {
    pub(super) fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    pub(super) fn take(&self, count: u64) {
        self.0.store(self.get().wrapping_sub(count), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper bounds of the buckets of answers' durations, in microseconds; what takes longer is in none of them. Few, since
/// each worker has them for each route.
pub(super) const BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// How many cells a histogram takes: one for the sum, one for each bucket.
pub(super) const HISTOGRAM: usize = 1 + BOUNDS.len();

/// Counts one duration into the cells of a histogram. Whoever calls it counts the number of calls.
pub(super) fn observe(cells: &[Cell], took: Duration) {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let Some((sum, buckets)) = cells.split_first() else {
        return;
    };
    sum.add(micros);
    // Most answers are fast, so most end in one of the first rounds.
    if let Some(bucket) =
        BOUNDS.iter().position(|bound| micros <= *bound).and_then(|index| buckets.get(index))
    {
        bucket.add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let cells: [Cell; HISTOGRAM] = Default::default();
        for micros in [0, 500, 501, 9_999_999, 10_000_000, 10_000_001] {
            observe(&cells, Duration::from_micros(micros));
        }
        assert_eq!(cells[0].get(), 30_001_001);
        let buckets: Vec<u64> = cells[1..].iter().map(Cell::get).collect();
        assert_eq!(buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn a_cell_goes_up_and_down() {
        let cell = Cell::default();
        cell.add(3);
        cell.take(1);
        assert_eq!(cell.get(), 2);
    }
}
