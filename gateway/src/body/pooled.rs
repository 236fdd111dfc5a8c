//! An upstream connection in use, and the pool it goes back to. Belongs to one worker: it never leaves its thread, so
//! it needs no lock.

use std::cell::RefCell;
use std::rc::Rc;

use hyper::client::conn::http1::SendRequest;

use super::Body;

/// Idle connections to one server, most recently used last.
#[derive(Default)]
pub struct IdlePool {
    idle: RefCell<Vec<SendRequest<Body>>>,
}

/// More idle connections than this are closed instead of kept, per worker and server.
const MAX_IDLE: usize = 256;

impl IdlePool {
    /// An idle connection that can take a request now.
    pub fn take(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.borrow_mut();
        // Nearly always the last one. A closed connection is never ready.
        let ready = idle.iter().rposition(SendRequest::is_ready)?;
        Some(idle.remove(ready))
    }

    fn put(&self, connection: SendRequest<Body>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= MAX_IDLE {
            idle.retain(|connection| !connection.is_closed());
        }
        if !connection.is_closed() && idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }
}

/// A connection in use by one exchange. Dropped, it closes; given back, it serves the next.
pub struct Pooled {
    connection: SendRequest<Body>,
    pool: Rc<IdlePool>,
}

impl Pooled {
    /// Notes which pool `connection` goes back to.
    pub fn new(connection: SendRequest<Body>, pool: Rc<IdlePool>) -> Self {
        Self { connection, pool }
    }

    /// The exchange ended well: the connection may serve another.
    pub fn give_back(self) {
        self.pool.put(self.connection);
    }
}
