//! One worker's idle connections to one server. Never leaves its thread, so it needs no lock.

use std::cell::RefCell;
use std::rc::Rc;

use super::http1::{Connection, Lease};

/// More idle connections than this are closed instead of kept, per worker and server.
const MAX_IDLE: usize = 256;

/// Idle connections, the one used last at the end.
#[derive(Default)]
pub(super) struct Pool {
    idle: RefCell<Vec<Connection>>,
}

impl Pool {
    /// An idle connection that is still open, as far as anybody here knows.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        loop {
            // Nearly always the first that is looked at. What is closed, or says what nobody asked for, is dropped.
            let mut connection = idle.pop()?;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }
}

impl Lease for Rc<Pool> {
    fn give_back(self, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }
}
