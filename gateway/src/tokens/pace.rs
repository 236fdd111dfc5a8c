//! How often the provider is asked: after a failure it is left alone for a while, longer each time. Pure.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::entropy;
use crate::stop::{Fault, Reason, Whose};

use super::failure::NoToken;

/// The shortest time between two tries that bring nothing (requirement TK-08).
const SHORTEST: Duration = Duration::from_secs(5);
/// However often it failed, the provider is tried again after this, unless it asked for more itself: with what
/// [`jitter`] adds, nobody waits for more than half a minute once it is back.
const LONGEST: Duration = Duration::from_secs(20);

/// What is known of the last tries for the tokens of one session, or for one token of the gateway's own.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The provider is away, whatever it is asked for.
    away: Option<Pause>,
    /// By the token's name: it cannot be had, others may.
    refused: HashMap<String, Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Timestamp,
    span: Duration,
    failures: u32,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    ConsentRequired,
    Fault(Whose, Reason),
}

impl Pace {
    /// Whether the provider may be asked for the token of that name; otherwise what came of the last try.
    pub(super) fn check(&self, name: &str, now: Timestamp) -> Result<(), NoToken> {
        let pauses = self.away.iter().chain(self.refused.get(name));
        match pauses.into_iter().find(|pause| pause.lasts(now)).map(|pause| pause.why) {
            None => Ok(()),
            Some(Why::ConsentRequired) => Err(NoToken::ConsentRequired),
            Some(Why::Fault(whose, reason)) => {
                Err(NoToken::Fault(Fault { whose, reason, cause: TooSoon.into() }))
            }
        }
    }

    /// Notes what came of a try for the token of that name.
    pub(super) fn note<T>(&mut self, name: &str, now: Timestamp, outcome: &Result<T, NoToken>) {
        match outcome {
            Ok(_) | Err(NoToken::ScopeNotGranted) => {
                self.away = None;
                self.refused.remove(name);
            }
            Err(NoToken::Away(fault, asked)) => {
                let why = Why::Fault(fault.whose, fault.reason);
                self.away = Some(Pause::after(self.away, now, why, *asked));
            }
            // Providers give a lost answer again for seconds only, so this is no time for patience.
            Err(NoToken::Lost(fault)) => {
                let why = Why::Fault(fault.whose, fault.reason);
                self.away = Some(Pause::after(None, now, why, None));
            }
            Err(NoToken::Refused(fault)) => {
                self.refuse(name, now, Why::Fault(fault.whose, fault.reason));
            }
            Err(NoToken::ConsentRequired) => self.refuse(name, now, Why::ConsentRequired),
            // The provider was not asked, or there is nobody to ask for.
            Err(NoToken::SessionOver(_) | NoToken::Fault(_)) => {}
        }
    }

    fn refuse(&mut self, name: &str, now: Timestamp, why: Why) {
        let earlier = self.refused.get(name).copied();
        self.refused.insert(name.to_owned(), Pause::after(earlier, now, why, None));
    }

    /// Whether to remember this: a pause lasts, or was so lately that the next should be longer.
    pub(super) fn matters(&self, now: Timestamp) -> bool {
        self.away.iter().chain(self.refused.values()).any(|pause| pause.is_within(now, pause.span * 2))
    }
}

impl Pause {
    /// The pause after one more failure. What the provider asks for counts, if it is more.
    fn after(earlier: Option<Self>, now: Timestamp, why: Why, asked: Option<Duration>) -> Self {
        let failures = earlier.map_or(0, |earlier| earlier.failures.saturating_add(1));
        let span = (SHORTEST * 2_u32.pow(failures.min(4))).min(LONGEST);
        let span = (span + jitter(span)).max(asked.unwrap_or_default());
        Self { since: now, span, failures, why }
    }

    fn lasts(&self, now: Timestamp) -> bool {
        self.is_within(now, self.span)
    }

    /// A clock that was set back must not hold back tries for as long as it was ahead.
    fn is_within(&self, now: Timestamp, span: Duration) -> bool {
        now.0.abs_diff(self.since.0) < span.as_secs()
    }
}

/// So that sessions which failed together do not come back together: up to a quarter more. And one second, because the
/// clock counts whole ones.
fn jitter(span: Duration) -> Duration {
    let [random] = entropy::bytes::<1>();
    Duration::from_secs(1 + u64::from(random) % (span.as_secs() / 4 + 1))
}

/// The provider failed a moment ago and is left alone for now.
#[derive(Debug, thiserror::Error)]
#[error("the last try failed a moment ago, and the provider is left alone for a while")]
struct TooSoon;

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> Fault {
        Fault { whose: Whose::Provider, reason: Reason::ProviderUnavailable, cause: TooSoon.into() }
    }

    fn away(asked: Option<Duration>) -> Result<(), NoToken> {
        Err(NoToken::Away(fault(), asked))
    }

    /// For how long the token `name` is not asked for from `now` on.
    fn pause(pace: &Pace, name: &str, now: i64) -> i64 {
        (now..now + 10_000).find(|at| pace.check(name, Timestamp(*at)).is_ok()).expect("it ends") - now
    }

    #[test]
    fn a_provider_that_is_away_holds_back_every_token_and_longer_each_time() {
        let mut pace = Pace::default();
        assert_eq!(pause(&pace, "a", 100), 0);
        let mut now = 100;
        for (least, most) in [(6, 7), (11, 13), (21, 26), (21, 26), (21, 26)] {
            pace.note("a", Timestamp(now), &away(None));
            assert!((least..=most).contains(&pause(&pace, "b", now)), "{least} to {most}");
            now += pause(&pace, "a", now);
        }
        pace.note("b", Timestamp(now), &Ok(()));
        assert_eq!(pause(&pace, "a", now), 0);
        pace.note("a", Timestamp(now), &away(None));
        assert!(pause(&pace, "a", now) <= 7, "a success begins anew");
    }

    #[test]
    fn the_providers_own_wish_counts_if_it_is_longer() {
        let mut pace = Pace::default();
        pace.note("a", Timestamp(100), &away(Some(Duration::from_secs(300))));
        assert_eq!(pause(&pace, "a", 100), 300);
        let mut pace = Pace::default();
        pace.note("a", Timestamp(100), &away(Some(Duration::from_secs(1))));
        assert!(pause(&pace, "a", 100) >= 6);
    }

    #[test]
    fn after_a_lost_answer_the_pause_is_short_however_often_it_failed_before() {
        let mut pace = Pace::default();
        for _ in 0..5 {
            pace.note("a", Timestamp(100), &away(None));
        }
        assert!(pause(&pace, "a", 100) > 20);
        pace.note::<()>("a", Timestamp(200), &Err(NoToken::Lost(fault())));
        assert!((6..=7).contains(&pause(&pace, "a", 200)));
    }

    #[test]
    fn what_is_refused_holds_back_its_own_token_only() {
        let mut pace = Pace::default();
        pace.note::<()>("a", Timestamp(100), &Err(NoToken::ConsentRequired));
        assert!(matches!(pace.check("a", Timestamp(101)), Err(NoToken::ConsentRequired)));
        assert!(pace.check("b", Timestamp(101)).is_ok());
        pace.note::<()>("b", Timestamp(100), &Err(NoToken::Refused(fault())));
        assert!(matches!(pace.check("b", Timestamp(101)), Err(NoToken::Fault(_))));
        assert!(pace.check("c", Timestamp(101)).is_ok());
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_back() {
        let mut pace = Pace::default();
        pace.note("a", Timestamp(10_000), &away(None));
        assert!(pace.check("a", Timestamp(100)).is_ok());
    }
}
