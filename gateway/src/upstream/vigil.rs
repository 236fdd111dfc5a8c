//! One worker's watch over the sessions behind what stays open: tunnels and event streams. They learn of a session's end
//! from here, not from the session, so that a session without any costs nothing for it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::clock::{Clock, Timestamp};
use crate::session::Session;
use crate::session::store::{Standing, Store};

/// The most sessions that are looked up in the store at a time.
const AT_ONCE: usize = 256;
/// How many checks pass before a look-up that failed is tried again.
const REST: u8 = 10;

/// The sessions that are watched. Never leaves its thread.
pub struct Vigil {
    clock: Clock,
    sessions: Arc<Store>,
    watched: RefCell<HashMap<u64, Watched>>,
    next: Cell<u64>,
    asking: Cell<usize>,
}

struct Watched {
    session: Arc<Session>,
    is_over: bool,
    waker: Option<Waker>,
    asked: Asked,
}

/// How far the store has been asked about a session of which this process is not sure.
#[derive(Clone, Copy)]
enum Asked {
    Not,
    Now,
    /// In vain; to be asked again after so many checks.
    Rest(u8),
}

impl Vigil {
    /// Nobody is watched.
    pub fn new(clock: Clock, sessions: Arc<Store>) -> Self {
        let (watched, next, asking) = (RefCell::default(), Cell::new(0), Cell::new(0));
        Self { clock, sessions, watched, next, asking }
    }

    /// The present.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Notes that what stays open is in use.
    pub(super) fn note_use(&self, session: &Arc<Session>, now: Timestamp) {
        self.sessions.note_use(session, now);
    }

    /// Wakes whoever waits for the end of a session that has ended or expired. A few nanoseconds for each that has not;
    /// called every [`super::deadline::TICK`].
    pub fn check(self: &Rc<Self>) {
        let mut watched = self.watched.borrow_mut();
        if watched.is_empty() {
            return;
        }
        let now = self.now();
        for (number, watched) in watched.iter_mut().filter(|(_, watched)| !watched.is_over) {
            match (self.sessions.standing(&watched.session, now), watched.asked) {
                (Standing::Live, _) | (Standing::Unsure, Asked::Now) => {}
                (Standing::Over, _) => watched.end(),
                (Standing::Unsure, Asked::Rest(checks @ 1..)) => watched.asked = Asked::Rest(checks - 1),
                (Standing::Unsure, _) if self.asking.get() >= AT_ONCE => {}
                (Standing::Unsure, _) => {
                    watched.asked = Asked::Now;
                    self.ask(*number, Arc::clone(&watched.session));
                }
            }
        }
    }

    /// Looks up what another gateway may have made of a session.
    fn ask(self: &Rc<Self>, number: u64, session: Arc<Session>) {
        let vigil = Rc::clone(self);
        vigil.asking.set(vigil.asking.get() + 1);
        tokio::task::spawn_local(async move {
            let reviewed = vigil.sessions.review(&session).await;
            vigil.asking.set(vigil.asking.get() - 1);
            if let Some(watched) = vigil.watched.borrow_mut().get_mut(&number) {
                watched.asked = if reviewed.is_ok() { Asked::Not } else { Asked::Rest(REST) };
                // Also when the look-up failed: idle as far as anybody could tell.
                if !session.is_live(vigil.now()) {
                    watched.end();
                }
            }
        });
    }

    /// Waits for the session's end, however it comes.
    pub(super) fn end_of(self: &Rc<Self>, session: Arc<Session>) -> EndOf {
        let number = self.next.get();
        self.next.set(number + 1);
        let is_over = self.sessions.standing(&session, self.now()) == Standing::Over;
        let watched = Watched { session, is_over, waker: None, asked: Asked::Not };
        self.watched.borrow_mut().insert(number, watched);
        EndOf { vigil: Rc::clone(self), number }
    }
}

impl Watched {
    fn end(&mut self) {
        self.is_over = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Is done when the session has ended or expired.
pub(super) struct EndOf {
    vigil: Rc<Vigil>,
    number: u64,
}

impl Future for EndOf {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut watched = self.vigil.watched.borrow_mut();
        let Some(watched) = watched.get_mut(&self.number).filter(|watched| !watched.is_over) else {
            return Poll::Ready(());
        };
        if !watched.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            watched.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for EndOf {
    fn drop(&mut self) {
        self.vigil.watched.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::ending::Ending;
    use crate::session::store::tests::{Fleet, settings};
    use crate::session::tests::beginning;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
    use std::task::Wake;
    use tokio::runtime::{Builder, LocalOptions};

    impl Vigil {
        /// A session that begins now.
        pub(in crate::upstream) async fn begin(&self) -> Arc<Session> {
            self.sessions.begin(beginning(), self.now()).await.expect("kept").1
        }

        async fn end(&self, session: &Session) {
            self.sessions.end(session, Ending::SignedOut).await.expect("there");
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Waiting {
        end: EndOf,
        woken: Arc<Count>,
    }

    impl Waiting {
        fn of(vigil: &Rc<Vigil>, session: &Arc<Session>) -> Self {
            let end = vigil.end_of(Arc::clone(session));
            let mut waiting = Self { end, woken: Arc::default() };
            assert!(!waiting.is_done());
            waiting
        }

        fn is_done(&mut self) -> bool {
            let waker = Waker::from(Arc::clone(&self.woken));
            Pin::new(&mut self.end).poll(&mut Context::from_waker(&waker)).is_ready()
        }

        fn woken(&self) -> usize {
            self.woken.0.load(Ordering::Relaxed)
        }
    }

    fn vigil_over(store: Store) -> (Rc<Vigil>, Arc<AtomicI64>) {
        let offset = Arc::new(AtomicI64::new(0));
        (Rc::new(Vigil::new(Clock::shifted(Arc::clone(&offset)), Arc::new(store))), offset)
    }

    fn vigil() -> (Rc<Vigil>, Arc<AtomicI64>) {
        vigil_over(Store::in_memory(settings()))
    }

    /// Checks, and lets what that began be done.
    async fn check(vigil: &Rc<Vigil>) {
        vigil.check();
        while vigil.asking.get() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken_when_that_session_ends_and_nobody_else_is() {
        let (vigil, _) = vigil();
        let sessions = [vigil.begin().await, vigil.begin().await];
        let [mut alice, mut bob] = [0, 1].map(|person| Waiting::of(&vigil, &sessions[person]));
        vigil.check();
        assert_eq!((alice.woken(), bob.woken()), (0, 0));
        vigil.end(&sessions[0]).await;
        vigil.check();
        vigil.check();
        assert_eq!((alice.woken(), bob.woken()), (1, 0));
        assert!(alice.is_done() && !bob.is_done());
    }

    #[tokio::test]
    async fn time_ends_a_session_too_and_use_moves_that_end() {
        let (vigil, offset) = vigil();
        let session = vigil.begin().await;
        let mut waiting = Waiting::of(&vigil, &session);
        offset.store(50, Ordering::Relaxed);
        vigil.note_use(&session, vigil.now());
        offset.store(100, Ordering::Relaxed);
        vigil.check();
        assert_eq!(waiting.woken(), 0, "idle for fifty seconds of sixty");
        offset.store(170, Ordering::Relaxed);
        vigil.check();
        assert_eq!(waiting.woken(), 1);
        assert!(waiting.is_done());
    }

    #[tokio::test]
    async fn a_session_that_is_over_already_is_not_waited_for() {
        let (vigil, _) = vigil();
        let session = vigil.begin().await;
        vigil.end(&session).await;
        let mut end = vigil.end_of(session);
        assert!(Pin::new(&mut end).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }

    #[tokio::test]
    async fn nothing_is_left_of_who_stopped_waiting() {
        let (vigil, _) = vigil();
        let session = vigil.begin().await;
        let holders = Arc::strong_count(&session);
        drop(Waiting::of(&vigil, &session));
        assert!(vigil.watched.borrow().is_empty());
        assert_eq!(Arc::strong_count(&session), holders);
    }

    #[test]
    fn what_another_gateway_did_is_found_out_also_after_an_outage() {
        let runtime = Builder::new_current_thread().build_local(LocalOptions::default());
        runtime.expect("a runtime").block_on(async {
            let fleet = Fleet::new();
            let elsewhere = fleet.gateway();
            let (vigil, offset) = vigil_over(fleet.gateway());
            let (id, began) = elsewhere.begin(beginning(), vigil.now()).await.expect("kept");
            let session = vigil.sessions.open(&id, vigil.now()).await.expect("there").expect("known");
            let mut waiting = Waiting::of(&vigil, &session);
            // In use there, idle here.
            offset.store(50, Ordering::Relaxed);
            elsewhere.note_use(&began, vigil.now());
            elsewhere.write_uses().await.expect("there");
            offset.store(100, Ordering::Relaxed);
            check(&vigil).await;
            assert_eq!(waiting.woken(), 0, "it is in use elsewhere");
            // Nobody can be asked.
            fleet.set_down(true);
            check(&vigil).await;
            assert_eq!(waiting.woken(), 0);
            fleet.set_down(false);
            check(&vigil).await;
            assert_eq!(waiting.woken(), 0, "looked up, and there");
            elsewhere.end(&began, Ending::SignedOut).await.expect("there");
            check(&vigil).await;
            assert_eq!(waiting.woken(), 1);
            assert!(waiting.is_done());
        });
    }
}
