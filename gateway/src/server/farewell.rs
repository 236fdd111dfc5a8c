//! One worker's word to its connections that it is time to go. A connection leaves its waker here once, so that being
//! ready to go costs a request nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::Waker;

/// The word, and who waits for it. Never leaves its thread.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    is_said: Cell<bool>,
    listeners: RefCell<HashMap<u64, Waker>>,
    next: Cell<u64>,
}

impl Farewell {
    /// Whether it was said.
    pub(super) fn is_said(&self) -> bool {
        self.is_said.get()
    }

    /// Says it, and wakes everybody who listens.
    pub(super) fn say(&self) {
        self.is_said.set(true);
        for waker in self.listeners.take().into_values() {
            waker.wake();
        }
    }

    /// Wakes `waker` when it is said, for as long as the listener lives. A task's waker never changes.
    pub(super) fn listen(self: &Rc<Self>, waker: &Waker) -> Listener {
        let number = self.next.get();
        self.next.set(number + 1);
        self.listeners.borrow_mut().insert(number, waker.clone());
        Listener { farewell: Rc::clone(self), number }
    }
}

/// A place among those who are woken.
#[derive(Debug)]
pub(super) struct Listener {
    farewell: Rc<Farewell>,
    number: u64,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.farewell.listeners.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_listens_is_woken_once_and_whoever_left_is_not() {
        let (stays, left) = (Arc::new(Count(AtomicUsize::new(0))), Arc::new(Count(AtomicUsize::new(0))));
        let farewell = Rc::new(Farewell::default());
        let _listener = farewell.listen(&Waker::from(Arc::clone(&stays)));
        drop(farewell.listen(&Waker::from(Arc::clone(&left))));
        assert!(!farewell.is_said());
        farewell.say();
        farewell.say();
        assert!(farewell.is_said());
        assert_eq!((stays.0.load(Ordering::Relaxed), left.0.load(Ordering::Relaxed)), (1, 0));
    }
}
