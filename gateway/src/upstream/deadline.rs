//! Time-outs of one worker, kept to the tenth of a second: a request sets one and takes it back, which must cost less
//! than a timer of the runtime. They are never early and at most two ticks late.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How often [`Deadlines::tick`] must be called.
pub const TICK: Duration = Duration::from_millis(100);

/// The time-outs that are running. Never leaves its thread.
#[derive(Debug)]
pub struct Deadlines {
    now: Cell<Instant>,
    running: RefCell<Vec<Option<Running>>>,
    free: RefCell<Vec<usize>>,
}

#[derive(Debug)]
struct Running {
    at: Instant,
    waker: Option<Waker>,
}

/// What was waited for did not come in time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer in time")]
pub struct TooLate;

impl Deadlines {
    /// None running.
    pub fn new(now: Instant) -> Self {
        Self { now: Cell::new(now), running: RefCell::default(), free: RefCell::default() }
    }

    /// Tells the time, and wakes those for whom it is too late.
    pub fn tick(&self, now: Instant) {
        self.now.set(now);
        for running in self.running.borrow_mut().iter_mut().flatten().filter(|running| running.at <= now) {
            if let Some(waker) = running.waker.take() {
                waker.wake();
            }
        }
    }

    /// The time that was told last, a tick old at most.
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// Waits for `span`.
    pub async fn sleep(self: &Rc<Self>, span: Duration) {
        let deadline = self.set(span);
        poll_fn(|cx| deadline.poll(cx)).await;
    }

    /// Waits for `work`, but no longer than `span`.
    pub async fn within<T>(
        self: &Rc<Self>,
        span: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, TooLate> {
        let mut work = pin!(work);
        let deadline = self.set(span);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => deadline.poll(cx).map(|()| Err(TooLate)),
        })
        .await
    }

    fn set(self: &Rc<Self>, span: Duration) -> Deadline {
        // The time told last may be a tick old.
        let at = self.now.get() + span + TICK;
        let running = Some(Running { at, waker: None });
        let mut all = self.running.borrow_mut();
        let free = self.free.borrow_mut().pop();
        let index = free.unwrap_or_else(|| {
            all.push(None);
            all.len() - 1
        });
        all[index] = running;
        Deadline { deadlines: Rc::clone(self), index, at }
    }
}

struct Deadline {
    deadlines: Rc<Deadlines>,
    index: usize,
    at: Instant,
}

impl Deadline {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadlines.now.get() >= self.at {
            return Poll::Ready(());
        }
        if let Some(running) = &mut self.deadlines.running.borrow_mut()[self.index]
            && !running.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            running.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.deadlines.running.borrow_mut()[self.index] = None;
        self.deadlines.free.borrow_mut().push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    const SPAN: Duration = Duration::from_secs(3);

    fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn work_that_is_done_in_time_is_not_touched() {
        let deadlines = Rc::new(Deadlines::new(Instant::now()));
        let work = pin!(deadlines.within(SPAN, ready(7)));
        assert_eq!(poll_once(work), Poll::Ready(Ok(7)));
        assert_eq!(deadlines.free.borrow().len(), 1, "its place is free again");
    }

    #[test]
    fn work_that_takes_too_long_is_given_up_and_never_early() {
        let start = Instant::now();
        let deadlines = Rc::new(Deadlines::new(start));
        let mut work = pin!(deadlines.within(SPAN, pending::<()>()));
        assert_eq!(poll_once(work.as_mut()), Poll::Pending);
        deadlines.tick(start + SPAN);
        assert_eq!(poll_once(work.as_mut()), Poll::Pending);
        deadlines.tick(start + SPAN + TICK);
        assert_eq!(poll_once(work), Poll::Ready(Err(TooLate)));
    }

    #[test]
    fn places_are_used_again() {
        let deadlines = Rc::new(Deadlines::new(Instant::now()));
        for _ in 0..100 {
            let both = (pin!(deadlines.within(SPAN, ready(1))), pin!(deadlines.within(SPAN, ready(2))));
            assert!(poll_once(both.0).is_ready() && poll_once(both.1).is_ready());
        }
        assert!(deadlines.running.borrow().len() <= 2);
    }
}
