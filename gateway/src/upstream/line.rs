//! Who waits for something that comes back one at a time, in the order they came: connections and streams of one worker.
//! What is waited for is not known here.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A line of waiting tasks. Never leaves its thread.
#[derive(Debug, Default)]
pub(super) struct Line(RefCell<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    places: VecDeque<(u64, Option<Waker>)>,
}

impl Line {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().places.is_empty()
    }

    /// Tells the first that it may look.
    pub(super) fn wake_first(&self) {
        let waker = self.0.borrow_mut().places.front_mut().and_then(|(_, waker)| waker.take());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells all that they may look.
    pub(super) fn wake_all(&self) {
        let mut wakers: Vec<Waker> = Vec::new();
        wakers.extend(self.0.borrow_mut().places.iter_mut().filter_map(|(_, waker)| waker.take()));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A place at the end.
    pub(super) fn join(self: &Rc<Self>) -> Place {
        let mut waiting = self.0.borrow_mut();
        let number = waiting.next;
        waiting.next += 1;
        waiting.places.push_back((number, None));
        Place { line: Rc::clone(self), number }
    }
}

/// A place in a line; left when dropped, and the next one is told.
#[derive(Debug)]
pub(super) struct Place {
    line: Rc<Line>,
    number: u64,
}

impl Place {
    /// Asks `look` whether what was waited for is there; if not, waits to be told to look again.
    pub(super) fn poll<T>(&self, cx: &mut Context<'_>, look: impl FnOnce() -> Option<T>) -> Poll<T> {
        if let Some(found) = look() {
            return Poll::Ready(found);
        }
        let mut waiting = self.line.0.borrow_mut();
        if let Some((_, waker)) = waiting.places.iter_mut().find(|(number, _)| *number == self.number) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.0.borrow_mut().places.retain(|(number, _)| *number != self.number);
        // It may have been told to look and never did.
        self.line.wake_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wait(place: &Place) -> Arc<Count> {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        assert!(place.poll(&mut Context::from_waker(&waker), || None::<()>).is_pending());
        count
    }

    #[test]
    fn the_first_is_told_first_and_who_leaves_passes_it_on() {
        let line = Rc::new(Line::default());
        let (first, second) = (line.join(), line.join());
        let told = [wait(&first), wait(&second)];
        let counts = || [told[0].0.load(Ordering::Relaxed), told[1].0.load(Ordering::Relaxed)];
        line.wake_first();
        assert_eq!(counts(), [1, 0]);
        drop(first);
        assert_eq!(counts(), [1, 1]);
        let look = second.poll(&mut Context::from_waker(Waker::noop()), || Some(7));
        assert_eq!(look, Poll::Ready(7));
        drop(second);
        assert!(line.is_empty());
    }
}
