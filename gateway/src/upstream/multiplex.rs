//! One worker's HTTP/2 connections to one endpoint: many requests share one, as many as its peer allows; the next one is
//! made when all are full, by one request for all that wait. When and how connections are made is the caller's matter.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hyper::client::conn::http2::SendRequest;

use crate::body::Body;

use super::connect::{MOST_STREAMS, Streams};
use super::line::Line;

/// The connections, and who waits for one.
#[derive(Default)]
pub(super) struct Multiplex {
    wires: RefCell<Vec<Rc<Wire>>>,
    /// Who waits for a stream, or for a connection that is being made.
    pub(super) line: Rc<Line>,
    is_opening: Cell<bool>,
    /// Counts the tries that failed, and why the last one did.
    failed: RefCell<(u64, Rc<str>)>,
    now: Cell<u32>,
    /// How many streams the last connection allowed; 0 while there was none.
    allowed: Cell<usize>,
}

/// One connection.
pub(super) struct Wire {
    sender: SendRequest<Body>,
    most: Rc<Cell<usize>>,
    /// Streams in use.
    pub(super) open: Rc<Cell<usize>>,
    used: Cell<u32>,
}

impl Wire {
    /// Sends requests on it.
    pub(super) fn sender(&self) -> SendRequest<Body> {
        self.sender.clone()
    }

    fn has_room(&self) -> bool {
        self.open.get() < self.most.get() && !self.sender.is_closed()
    }
}

impl Multiplex {
    /// A connection with a stream to spare. The first ones first, so that the last can fall idle.
    pub(super) fn free(&self) -> Option<Rc<Wire>> {
        let mut wires = self.wires.borrow_mut();
        if wires.iter().any(|wire| wire.sender.is_closed()) {
            wires.retain(|wire| !wire.sender.is_closed());
        }
        if let Some(last) = wires.last() {
            self.allowed.set(last.most.get());
        }
        let wire = wires.iter().find(|wire| wire.has_room())?;
        wire.used.set(self.now.get());
        Some(Rc::clone(wire))
    }

    /// How many streams the next connection will allow, as far as can be told.
    pub(super) fn expected(&self) -> usize {
        if self.allowed.get() == 0 { MOST_STREAMS } else { self.allowed.get() }
    }

    /// Whether a stream is to spare.
    pub(super) fn has_room(&self) -> bool {
        self.wires.borrow().iter().any(|wire| wire.has_room())
    }

    /// The right to make the next connection, for one at a time.
    pub(super) fn begin_opening(&self) -> Option<Opening<'_>> {
        (!self.is_opening.replace(true)).then(|| Opening(self))
    }

    /// Whether somebody is making a connection.
    pub(super) fn is_opening(&self) -> bool {
        self.is_opening.get()
    }

    /// How many tries have failed.
    pub(super) fn failures(&self) -> u64 {
        self.failed.borrow().0
    }

    /// Why the last try failed, if more have than `before`: whoever waited for it has waited in vain.
    pub(super) fn failed_since(&self, before: u64) -> Option<Rc<str>> {
        let failed = self.failed.borrow();
        (failed.0 != before).then(|| Rc::clone(&failed.1))
    }

    /// Uses that connection for nothing new. What is under way on it may end.
    pub(super) fn forget(&self, wire: &Rc<Wire>) {
        self.wires.borrow_mut().retain(|other| !Rc::ptr_eq(other, wire));
    }

    /// Tells the time, and closes what has been idle since before `oldest`.
    pub(super) fn tick(&self, now: u32, oldest: u32) {
        self.now.set(now);
        self.wires.borrow_mut().retain(|wire| {
            if wire.open.get() > 0 {
                wire.used.set(now);
            }
            wire.used.get() >= oldest && !wire.sender.is_closed()
        });
    }

    /// Uses no connection any more.
    pub(super) fn retire(&self) {
        self.wires.borrow_mut().clear();
    }
}

/// A connection that is being made. When it is made, or given up, all who wait look again.
pub(super) struct Opening<'m>(&'m Multiplex);

impl Opening<'_> {
    /// It is made.
    pub(super) fn done(self, streams: Streams) -> Rc<Wire> {
        let Streams { sender, most } = streams;
        let used = Cell::new(self.0.now.get());
        let wire = Rc::new(Wire { sender, most, open: Rc::default(), used });
        self.0.wires.borrow_mut().push(Rc::clone(&wire));
        wire
    }

    /// It could not be made.
    pub(super) fn failed(self, why: &str) {
        let mut failed = self.0.failed.borrow_mut();
        *failed = (failed.0 + 1, why.into());
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.is_opening.set(false);
        self.0.line.wake_all();
    }
}
