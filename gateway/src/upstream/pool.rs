//! One worker's idle connections to one server, and the requests it has there. Never leaves its thread, so it needs no
//! lock. Who is chosen, and when connections are made, is not known here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::http1::{Connection, Lease};
use super::line::Line;

/// One worker's idle connections to one server, most recently used last, and how many requests it has there.
pub(super) struct Pool {
    idle: RefCell<Vec<Idle>>,
    capacity: Cell<usize>,
    /// The time, in whatever unit the owner tells it.
    now: Cell<u32>,
    /// Requests of this worker at that server. Others read it; nobody else writes it.
    load: Arc<AtomicU32>,
    /// Where the number of connections is limited: who waits for one.
    queue: Option<Box<Queue>>,
}

struct Idle {
    connection: Connection,
    since: u32,
}

/// Who waits for a connection to one server.
pub(super) struct Queue {
    /// This worker's.
    pub(super) here: Rc<Line>,
    /// How many there are, this worker's included.
    pub(super) everywhere: Arc<AtomicUsize>,
    /// Counts what came back while others wait.
    passed: Cell<u8>,
}

/// More idle connections than this are closed instead of kept, per worker and server.
const MAX_IDLE: usize = 256;
/// While this worker's requests wait as well as others', every so many connections that come back are given to others.
const FOR_OTHERS: u8 = 8;

impl Pool {
    /// An empty pool. `load` is kept up to date.
    pub(super) fn new(load: Arc<AtomicU32>, queue: Option<Queue>) -> Self {
        let (idle, capacity, now) = (RefCell::default(), Cell::new(MAX_IDLE), Cell::new(0));
        Self { idle, capacity, now, load, queue: queue.map(Box::new) }
    }

    /// An idle connection that is still open, as far as anybody here knows.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        loop {
            // Nearly always the first that is looked at. What is closed, or says what nobody asked for, is dropped.
            let mut connection = idle.pop()?.connection;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Whether there may be one.
    pub(super) fn has_idle(&self) -> bool {
        !self.idle.borrow().is_empty()
    }

    fn put(&self, connection: Connection) {
        if self.queue.as_ref().is_some_and(|queue| queue.wants_it_closed()) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.capacity.get() {
            idle.push(Idle { connection, since: self.now.get() });
        }
        drop(idle);
        if let Some(queue) = &self.queue {
            queue.here.wake_first();
        }
    }

    /// Tells the time, and closes what has been idle since before `oldest`.
    pub(super) fn tick(&self, now: u32, oldest: u32) {
        self.now.set(now);
        let mut idle = self.idle.borrow_mut();
        if idle.first().is_some_and(|idle| idle.since < oldest) {
            idle.retain(|idle| idle.since >= oldest);
        }
    }

    /// Closes idle connections while others wait for one.
    pub(super) fn make_room(&self) {
        let Some(queue) = &self.queue else { return };
        let waiting = queue.everywhere.load(Ordering::Relaxed);
        if waiting > 0 && queue.here.is_empty() {
            let mut idle = self.idle.borrow_mut();
            let rest = idle.len().saturating_sub(waiting);
            idle.truncate(rest);
        }
    }

    /// Closes what is idle, and from now on whatever comes back.
    pub(super) fn retire(&self) {
        self.capacity.set(0);
        self.idle.borrow_mut().clear();
    }

    /// Who waits, where the number of connections is limited.
    pub(super) fn queue(&self) -> Option<&Queue> {
        self.queue.as_deref()
    }

    /// How many requests this worker has at the server.
    pub(super) fn load(&self) -> u32 {
        self.load.load(Ordering::Relaxed)
    }

    /// A request more.
    pub(super) fn enter(self: &Rc<Self>) -> Visit {
        // One thread writes, so that no locked instruction is needed.
        self.load.store(self.load() + 1, Ordering::Relaxed);
        Visit(Rc::clone(self))
    }
}

impl Queue {
    /// Nobody waits here.
    pub(super) fn new(everywhere: Arc<AtomicUsize>) -> Self {
        Self { here: Rc::default(), everywhere, passed: Cell::new(0) }
    }

    /// Whether a connection that came back is another worker's to replace. Nobody can hand it over to them.
    fn wants_it_closed(&self) -> bool {
        if self.everywhere.load(Ordering::Relaxed) == 0 {
            return false;
        }
        if self.here.is_empty() {
            return true;
        }
        let passed = self.passed.get() + 1;
        self.passed.set(passed % FOR_OTHERS);
        passed == FOR_OTHERS
    }
}

/// One request at a server, from the choice of that server to the end of the answer.
pub(super) struct Visit(Rc<Pool>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.load.store(self.0.load().wrapping_sub(1), Ordering::Relaxed);
    }
}

impl Lease for Visit {
    fn give_back(self, connection: Connection) {
        self.0.put(connection);
    }
}

/// One of many streams of a connection, in use.
pub(super) struct Stream {
    open: Rc<Cell<usize>>,
    line: Rc<Line>,
    _visit: Visit,
}

impl Stream {
    /// A stream more of `open`. When it ends, the first in `line` is told.
    pub(super) fn new(open: Rc<Cell<usize>>, line: Rc<Line>, visit: Visit) -> Self {
        open.set(open.get() + 1);
        Self { open, line, _visit: visit }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
        self.line.wake_first();
    }
}
