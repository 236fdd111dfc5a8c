//! Time-outs of a route that go on after the head of an answer: nothing for too long, or too long in all. What happens
//! then is `body`'s and the tunnel's matter: what was begun is broken off, visibly (requirement H1-14).

use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use crate::body::{Body, BrokenOff, Progress};
use crate::routing::Timeouts;

use super::deadline::Deadlines;

/// What holds from the head of an answer on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    idle: Option<Duration>,
    until: Option<Instant>,
}

impl Rest {
    /// What a route's time-outs leave for an exchange that began at `began`; nothing if they leave all the time there is.
    pub(super) fn of(timeouts: &Timeouts, began: Instant) -> Option<Self> {
        let until = timeouts.total.map(|total| began + total);
        (timeouts.idle.is_some() || until.is_some()).then_some(Self { idle: timeouts.idle, until })
    }

    /// Is done when one of the time-outs is over. `passed` counts what comes and goes.
    pub(super) async fn over(self, deadlines: Rc<Deadlines>, passed: impl Fn() -> u64) -> BrokenOff {
        let idle = pin!(async {
            match self.idle {
                Some(span) => nothing_for(&deadlines, span, passed).await,
                None => pending().await,
            }
        });
        let total = pin!(async {
            match self.until {
                Some(until) => deadlines.sleep(until.saturating_duration_since(deadlines.now())).await,
                None => pending().await,
            }
        });
        match select(idle, total).await {
            Either::Left(_) => BrokenOff::Idle,
            Either::Right(_) => BrokenOff::TooLong,
        }
    }

    /// An answer's body under these time-outs. `up` counts what the client sends meanwhile.
    pub(super) fn bind(self, body: Body, deadlines: &Rc<Deadlines>, up: Option<Progress>) -> Body {
        if matches!(body, Body::Empty) {
            return body;
        }
        let down = Progress::default();
        let count = Some(down.clone());
        let passed = move || down.count() + up.as_ref().map_or(0, Progress::count);
        body.until(Box::pin(self.over(Rc::clone(deadlines), passed)), count)
    }
}

/// Waits until nothing has passed for `span`, or a little longer.
async fn nothing_for(deadlines: &Rc<Deadlines>, span: Duration, passed: impl Fn() -> u64) {
    let (mut before, mut since) = (passed(), deadlines.now());
    loop {
        let left = span.saturating_sub(deadlines.now().saturating_duration_since(since));
        deadlines.sleep(left.min(span / 4)).await;
        let (count, now) = (passed(), deadlines.now());
        if count != before {
            (before, since) = (count, now);
        } else if now.saturating_duration_since(since) >= span {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    struct Bench {
        deadlines: Rc<Deadlines>,
        start: Instant,
        passed: Progress,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            Self { deadlines: Rc::new(Deadlines::new(start)), start, passed: Progress::default() }
        }

        fn over(&self, timeouts: Timeouts) -> impl Future<Output = BrokenOff> + use<> {
            let rest = Rest::of(&timeouts, self.start).expect("a time-out");
            let passed = self.passed.clone();
            rest.over(Rc::clone(&self.deadlines), move || passed.count())
        }

        /// When `over` is done, in tenths of a second, when something passes at each of `passing`.
        fn done_at(&self, timeouts: Timeouts, passing: &[u64]) -> (u64, BrokenOff) {
            let mut over = Box::pin(self.over(timeouts));
            for tick in 0..10_000 {
                self.deadlines.tick(self.start + Duration::from_millis(tick * 100));
                if passing.contains(&tick) {
                    self.passed.note();
                }
                if let Poll::Ready(why) = over.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    return (tick, why);
                }
            }
            panic!("it is never over");
        }
    }

    #[test]
    fn what_goes_on_is_not_broken_off_and_what_stands_still_is() {
        let timeouts = Timeouts { idle: Some(Duration::from_secs(4)), ..Timeouts::default() };
        let (tick, why) = Bench::new().done_at(timeouts, &[]);
        assert!((40..=60).contains(&tick) && why == BrokenOff::Idle, "{tick} {why:?}");
        let passing: Vec<u64> = (0..30).map(|number| number * 30).collect();
        let (tick, _) = Bench::new().done_at(timeouts, &passing);
        assert!((910..=930).contains(&tick), "{tick}");
    }

    #[test]
    fn time_in_all_is_over_whatever_goes_on() {
        let total = Some(Duration::from_secs(10));
        let timeouts = Timeouts { idle: Some(Duration::from_secs(4)), total, ..Timeouts::default() };
        let passing: Vec<u64> = (0..300).collect();
        let (tick, why) = Bench::new().done_at(timeouts, &passing);
        assert!((100..=103).contains(&tick) && why == BrokenOff::TooLong, "{tick} {why:?}");
    }

    #[test]
    fn a_route_without_such_time_outs_pays_nothing() {
        assert!(Rest::of(&Timeouts::default(), Instant::now()).is_none());
    }
}
