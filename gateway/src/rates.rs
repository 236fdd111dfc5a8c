//! Rates by the generic cell rate algorithm: of each client only one number is known, the moment at which it will have
//! used up what it asked for. One bounded table for the whole process, shared by its workers and kept across reloads.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

use crate::limits::Rate;

/// Workers rarely want the same part of the table.
const SHARDS: usize = 16;
/// How many clients are known at once, in each part. About 6 MiB in all.
const MOST: usize = 8_192;
/// How often an offender is spoken of.
const SPOKEN_OF: Duration = Duration::from_mins(1);

/// Whose requests under which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The limit.
    pub limit: u64,
    /// The client, or nobody for all clients together.
    pub who: u128,
}

/// Who asked how much. Bounded: where more clients than that are known to be busy, another one is let pass, and what
/// limits all clients together still holds.
#[derive(Debug)]
pub struct Rates {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    /// In nanoseconds since 1970.
    used_up: HashMap<Key, u64>,
    swept: i64,
}

/// Too much was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// When the next request will be taken.
    pub wait: Duration,
    /// Whether this client was not spoken of in the last minute.
    pub is_news: bool,
}

impl Rates {
    /// Nobody asked anything.
    pub fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }

    /// Counts a request, or says when it may come again. A request that is refused does not count.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn take(&self, key: Key, rate: Rate, now: Timestamp) -> Result<(), TooMany> {
        self.judge(key, rate, now, true)
    }

    /// As [`Rates::take`], but counts nothing: for what counts only once it has failed.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn look(&self, key: Key, rate: Rate, now: Timestamp) -> Result<(), TooMany> {
        self.judge(key, rate, now, false)
    }

    fn judge(&self, key: Key, rate: Rate, now: Timestamp, counts: bool) -> Result<(), TooMany> {
        let wait = self.shard(key).pass(key, rate, now, counts);
        wait.map_err(|wait| TooMany { wait, is_news: self.is_news(key, now) })
    }

    fn is_news(&self, key: Key, now: Timestamp) -> bool {
        // Another limit of the same client, of one word a minute.
        let key = Key { limit: !key.limit, ..key };
        let rate = Rate { requests: std::num::NonZeroU32::MIN, per: SPOKEN_OF };
        self.shard(key).pass(key, rate, now, true).is_ok()
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        let place = usize::try_from(self.hasher.hash_one(key) >> 60).unwrap_or(0);
        self.shards[place % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::new()
    }
}

impl Shard {
    /// How long the client must wait, if it must.
    fn pass(&mut self, key: Key, rate: Rate, now: Timestamp, counts: bool) -> Result<(), Duration> {
        let present = nanoseconds(now);
        let span = u64::try_from(rate.per.as_nanos()).unwrap_or(u64::MAX);
        let cost = (span / u64::from(rate.requests.get())).max(1);
        let known = self.used_up.get(&key).copied();
        let until = known.map_or(present, |until| until.max(present)).saturating_add(cost);
        let over = (until - present).saturating_sub(span);
        if over > 0 {
            return Err(Duration::from_nanos(over));
        }
        if counts && (known.is_some() || self.used_up.len() < MOST || self.sweep(now)) {
            self.used_up.insert(key, until);
        }
        Ok(())
    }

    /// Forgets clients whose requests are long past, at most once a second. Whether there is room then.
    fn sweep(&mut self, now: Timestamp) -> bool {
        if self.swept != now.0 {
            self.swept = now.0;
            let present = nanoseconds(now);
            self.used_up.retain(|_, until| *until > present);
        }
        self.used_up.len() < MOST
    }
}

fn nanoseconds(moment: Timestamp) -> u64 {
    u64::try_from(moment.0).unwrap_or(0).saturating_mul(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    const START: Timestamp = Timestamp(1_800_000_000);

    fn rate(requests: u32, seconds: u64) -> Rate {
        Rate { requests: NonZeroU32::new(requests).expect("some"), per: Duration::from_secs(seconds) }
    }

    fn key(who: u128) -> Key {
        Key { limit: 7, who }
    }

    #[test]
    fn as_many_as_the_rate_says_pass_at_once_and_then_one_by_one() {
        let (rates, rate) = (Rates::new(), rate(3, 60));
        for _ in 0..3 {
            assert_eq!(rates.take(key(1), rate, START), Ok(()));
        }
        let refused = rates.take(key(1), rate, START).expect_err("the fourth");
        assert_eq!(refused, TooMany { wait: Duration::from_secs(20), is_news: true });
        assert!(rates.take(key(1), rate, START.plus_seconds(19)).is_err(), "a refused one does not count");
        assert!(rates.take(key(1), rate, START.plus_seconds(20)).is_ok());
        assert!(rates.take(key(1), rate, START.plus_seconds(20)).is_err());
        let later = START.plus_seconds(300);
        assert_eq!((0..9).filter(|_| rates.take(key(1), rate, later).is_ok()).count(), 3);
    }

    #[test]
    fn clients_and_limits_are_counted_apart() {
        let (rates, rate) = (Rates::new(), rate(1, 60));
        assert!(rates.take(key(1), rate, START).is_ok());
        assert!(rates.take(key(2), rate, START).is_ok());
        assert!(rates.take(Key { limit: 8, who: 1 }, rate, START).is_ok());
        assert!(rates.take(key(1), rate, START).is_err());
    }

    #[test]
    fn looking_counts_nothing() {
        let (rates, rate) = (Rates::new(), rate(1, 60));
        assert!((0..5).all(|_| rates.look(key(1), rate, START).is_ok()));
        assert!(rates.take(key(1), rate, START).is_ok());
        assert!(rates.look(key(1), rate, START).is_err());
    }

    #[test]
    fn an_offender_is_news_once_a_minute() {
        let (rates, rate) = (Rates::new(), rate(1, 3_600));
        assert!(rates.take(key(1), rate, START).is_ok());
        let news =
            |seconds| rates.take(key(1), rate, START.plus_seconds(seconds)).expect_err("spent").is_news;
        assert_eq!([0, 1, 59, 60, 61].map(news), [true, false, false, true, false]);
    }

    #[test]
    fn the_table_has_a_bound_and_room_again_when_clients_are_quiet() {
        let (rates, rate) = (Rates::new(), rate(1, 60));
        let known =
            || rates.shards.iter().map(|shard| shard.lock().expect("whole").used_up.len()).sum::<usize>();
        for who in 0..(2 * SHARDS * MOST) as u128 {
            assert!(rates.take(key(who), rate, START).is_ok(), "nobody is refused for want of room");
        }
        assert_eq!(known(), SHARDS * MOST);
        let later = START.plus_seconds(61);
        for who in 0..10_000 {
            assert!(rates.take(key(u128::MAX - who), rate, later).is_ok());
        }
        assert!(known() < SHARDS * MOST);
        assert!(rates.take(key(u128::MAX), rate, later).is_err(), "and they are counted");
    }

    #[test]
    fn workers_share_one_count() {
        let (rates, rate) = (Rates::new(), rate(1_000, 3_600));
        let passed: usize = std::thread::scope(|scope| {
            let of_one = || (0..1_000).filter(|_| rates.take(key(1), rate, START).is_ok()).count();
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(of_one)).collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
        });
        assert_eq!(passed, 1_000);
    }
}
