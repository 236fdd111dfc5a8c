//! One worker's side of one endpoint: its connections there, and the requests it has under way. Never leaves its thread.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use super::multiplex::Multiplex;
use super::pool::{Pool, Queue};
use super::settings::Settings;
use super::shared::Endpoint;

/// While a server is left out and asked all the same, because no other is left, this many connections to it are begun at
/// a time, per worker; whoever comes then is refused at once instead of piling up (requirement RL-05).
const TRIALS: usize = 16;

/// One endpoint, as a worker uses it.
pub(super) struct Station {
    pub(super) endpoint: Arc<Endpoint>,
    /// The server's name as this worker's own copy: a reference count that all workers changed would cost more than the
    /// bytes.
    pub(super) host: HeaderValue,
    pub(super) pool: Rc<Pool>,
    /// Where HTTP/2 is spoken.
    pub(super) streams: Option<Multiplex>,
    opening: Cell<usize>,
}

impl Station {
    pub(super) fn new(endpoint: Arc<Endpoint>, settings: &Settings) -> Self {
        let queue = endpoint.room.is_limited().then(|| Queue::new(Arc::clone(&endpoint.room.waiting)));
        let pool = Rc::new(Pool::new(endpoint.new_load(), queue));
        let host = own_copy(&settings.servers[endpoint.server].authority);
        let streams = settings.protocol.is_multiplexed().then(Multiplex::default);
        Self { endpoint, host, pool, streams, opening: Cell::new(0) }
    }

    /// What is due now and then. Times are in ticks; what has been idle since before `oldest` is closed.
    pub(super) fn tick(&self, now: u32, oldest: u32) {
        self.pool.tick(now, oldest);
        self.pool.make_room();
        if let Some(streams) = &self.streams {
            let others_wait = self.pool.queue().is_some_and(|queue| {
                queue.here.is_empty() && queue.everywhere.load(std::sync::atomic::Ordering::Relaxed) > 0
            });
            streams.tick(now, if others_wait { now } else { oldest });
        }
    }

    /// Whether a request would get a connection without waiting, as far as can be told.
    pub(super) fn has_room(&self) -> bool {
        !self.endpoint.room.is_full()
            || self.pool.has_idle()
            || self.streams.as_ref().is_some_and(Multiplex::has_room)
    }

    /// Notes that a connection is being made, unless too many are for a server that is left out.
    pub(super) fn begin_opening(&self, is_out: bool) -> Option<Opening<'_>> {
        if is_out && self.opening.get() >= TRIALS {
            return None;
        }
        self.opening.set(self.opening.get() + 1);
        Some(Opening(&self.opening))
    }

    /// Lets what is under way end, and keeps nothing.
    pub(super) fn retire(&self) {
        self.pool.retire();
        if let Some(streams) = &self.streams {
            streams.retire();
        }
    }
}

/// A connection that is being made.
pub(super) struct Opening<'s>(&'s Cell<usize>);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

pub(super) fn own_copy(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).expect("it was a header value before")
}
