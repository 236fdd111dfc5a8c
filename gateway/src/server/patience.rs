//! How long clients may take for a request's head, on one worker. The HTTP library wants a timer for each request; the one
//! that it gets here costs a store, because somebody else looks, once a second, who has waited for too long.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use crate::upstream::deadline::TICK;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The connections of one worker on which a head may be waited for. Never leaves its thread.
#[derive(Debug)]
pub(super) struct Patience {
    /// In looks.
    limit: u32,
    ticks: Cell<u128>,
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, (Arc<Wait>, Waker)>>,
}

/// One connection's wait: how many looks it has lasted, counted from one; 0 while no head is waited for.
#[derive(Debug)]
pub(super) struct Wait(AtomicU32);

impl Patience {
    /// For that long, and up to one [`LOOK_EVERY`] more.
    pub(super) fn new(limit: Duration) -> Self {
        let limit = u32::try_from(limit.as_secs() / LOOK_EVERY.as_secs()).unwrap_or(u32::MAX - 1);
        Self { limit, ticks: Cell::new(0), next: Cell::new(0), waiting: RefCell::default() }
    }

    /// Called every [`TICK`].
    pub(super) fn tick(&self) {
        self.ticks.set(self.ticks.get() + 1);
        if self.ticks.get() * TICK.as_millis() >= LOOK_EVERY.as_millis() {
            self.ticks.set(0);
            self.look();
        }
    }

    fn look(&self) {
        for (wait, waker) in self.waiting.borrow().values() {
            if wait.lasts_too_long(self.limit) {
                waker.wake_by_ref();
            }
        }
    }

    /// Wakes `waker` when the wait has lasted too long, for as long as the place lives. A task's waker never changes.
    pub(super) fn watch(self: &Rc<Self>, wait: &Arc<Wait>, waker: &Waker) -> Place {
        let number = self.next.get();
        self.next.set(number + 1);
        self.waiting.borrow_mut().insert(number, (Arc::clone(wait), waker.clone()));
        Place { patience: Rc::clone(self), number }
    }

    /// Whether a wait has lasted too long.
    pub(super) fn is_over(&self, wait: &Wait) -> bool {
        wait.0.load(Ordering::Relaxed) > self.limit
    }
}

impl Wait {
    /// No head is waited for yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU32::new(0)))
    }

    /// The head has come.
    pub(super) fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// One look more. Whoever is over stays so.
    fn lasts_too_long(&self, limit: u32) -> bool {
        // Only this thread writes.
        let lasted = self.0.load(Ordering::Relaxed);
        if lasted == 0 || lasted > limit {
            return lasted > 0;
        }
        self.0.store(lasted + 1, Ordering::Relaxed);
        lasted + 1 > limit
    }
}

/// A place among those who are watched.
#[derive(Debug)]
pub(super) struct Place {
    patience: Rc<Patience>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.patience.waiting.borrow_mut().remove(&self.number);
    }
}

/// What the HTTP library takes for a timer: it asks for a moment when it begins to wait for a head, and only then.
pub(super) struct HeadTimer {
    wait: Arc<Wait>,
    /// Some moment: which does not matter, as all that it adds to it is a span that is known.
    some_moment: Instant,
}

impl HeadTimer {
    pub(super) fn new(wait: Arc<Wait>) -> Self {
        Self { wait, some_moment: Instant::now() }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.some_moment)
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        self.wait.0.store(1, Ordering::Relaxed);
        // Without size, so nothing is allocated.
        Box::pin(Never)
    }

    fn now(&self) -> Instant {
        self.some_moment
    }
}

/// Whoever waits too long is woken and leaves by itself.
struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Never {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection that waits for a head, and how often it was woken.
    fn waiting(patience: &Rc<Patience>) -> (Arc<Wait>, Place, Arc<Count>) {
        let (wait, count) = (Wait::new(), Arc::new(Count::default()));
        let place = patience.watch(&wait, &Waker::from(Arc::clone(&count)));
        drop(HeadTimer::new(Arc::clone(&wait)).sleep(Duration::ZERO));
        (wait, place, count)
    }

    #[test]
    fn who_sends_no_head_is_woken_when_its_time_is_over_and_not_before() {
        let patience = Rc::new(Patience::new(Duration::from_secs(3)));
        let (wait, _place, woken) = waiting(&patience);
        for _ in 0..29 {
            patience.tick();
        }
        assert!(!patience.is_over(&wait));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        patience.tick();
        assert!(patience.is_over(&wait));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn each_head_has_its_own_time_and_an_answer_takes_any() {
        let patience = Rc::new(Patience::new(Duration::from_secs(3)));
        let (wait, _place, woken) = waiting(&patience);
        for _ in 0..10 {
            (0..2).for_each(|_| patience.look());
            wait.end();
            // The answer takes longer than a head may.
            (0..5).for_each(|_| patience.look());
            drop(HeadTimer::new(Arc::clone(&wait)).sleep_until(Instant::now()));
        }
        assert!(!patience.is_over(&wait));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let patience = Rc::new(Patience::new(Duration::from_secs(3)));
        let (_, place, _) = waiting(&patience);
        drop(place);
        assert!(patience.waiting.borrow().is_empty());
    }
}
