//! An upstream connection on loan. Belongs to one worker: it never leaves its thread, so it needs no lock.

use std::cell::RefCell;
use std::rc::Rc;

use hyper::client::conn::http1::SendRequest;

use super::Body;

/// Idle connections to one server, most recently used last.
#[derive(Default)]
pub struct Shelf {
    idle: RefCell<Vec<SendRequest<Body>>>,
}

/// More idle connections than this are closed instead of kept, per worker and server.
const MAX_IDLE: usize = 256;

impl Shelf {
    /// An idle connection that can take a request now. Closed ones met on the way are dropped.
    pub fn take(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|connection| !connection.is_closed());
        let ready = idle.iter().rposition(SendRequest::is_ready)?;
        Some(idle.remove(ready))
    }

    fn put(&self, connection: SendRequest<Body>) {
        let mut idle = self.idle.borrow_mut();
        if !connection.is_closed() && idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }
}

/// A connection in use by one exchange. Dropped, it closes; given back, it serves the next.
pub struct Lease {
    connection: SendRequest<Body>,
    shelf: Rc<Shelf>,
}

impl Lease {
    /// Notes which shelf `connection` goes back to.
    pub fn new(connection: SendRequest<Body>, shelf: Rc<Shelf>) -> Self {
        Self { connection, shelf }
    }

    /// The exchange ended well: the connection may serve another.
    pub fn give_back(self) {
        self.shelf.put(self.connection);
    }
}
