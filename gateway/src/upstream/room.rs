//! How many connections there are to a server, over all workers, and who may make another. A seat is taken before a
//! connection is made and is free again when its socket is closed, whatever became of it: a tunnel keeps it too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections to one server.
#[derive(Debug, Default)]
pub(super) struct Room {
    open: Arc<AtomicUsize>,
    free: Option<Arc<Semaphore>>,
    /// How many requests wait for a connection, over all workers.
    pub(super) waiting: Arc<AtomicUsize>,
}

impl Room {
    /// For as many connections, or for any number.
    pub(super) fn new(most: Option<usize>) -> Self {
        Self { free: most.map(|most| Arc::new(Semaphore::new(most))), ..Self::default() }
    }

    /// How many connections there are.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether their number is limited.
    pub(super) fn is_limited(&self) -> bool {
        self.free.is_some()
    }

    /// Whether there is no seat now.
    pub(super) fn is_full(&self) -> bool {
        self.free.as_ref().is_some_and(|free| free.available_permits() == 0)
    }

    /// A seat, if there is one now.
    pub(super) fn try_seat(&self) -> Option<Seat> {
        let permit = match &self.free {
            None => None,
            Some(free) => Some(Arc::clone(free).try_acquire_owned().ok()?),
        };
        Some(self.seat(permit))
    }

    /// A seat, when it is this one's turn.
    pub(super) async fn wait_for_seat(&self) -> Seat {
        let permit = match &self.free {
            None => None,
            // It is never closed; if it were, a connection too many would be better than none.
            Some(free) => Arc::clone(free).acquire_owned().await.ok(),
        };
        self.seat(permit)
    }

    fn seat(&self, permit: Option<OwnedSemaphorePermit>) -> Seat {
        self.open.fetch_add(1, Ordering::Relaxed);
        Seat { open: Arc::clone(&self.open), _permit: permit }
    }
}

/// The right to one connection.
#[derive(Debug)]
pub(super) struct Seat {
    open: Arc<AtomicUsize>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A socket and its seat.
pub(super) struct Seated<T> {
    io: T,
    _seat: Seat,
}

impl<T> Seated<T> {
    pub(super) fn new(io: T, seat: Seat) -> Self {
        Self { io, _seat: seat }
    }
}

impl<T: Read + Unpin> Read for Seated<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buffer)
    }
}

impl<T: Write + Unpin> Write for Seated<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, pieces)
    }
}

/// The requests of one upstream that wait, over all workers.
#[derive(Debug, Default)]
pub(super) struct Queued(AtomicUsize);

/// A request that waits; no more when dropped.
pub(super) struct Ticket<'q> {
    upstream: &'q Queued,
    server: &'q AtomicUsize,
}

impl Queued {
    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, for that server, unless `length` wait already.
    pub(super) fn enter<'q>(&'q self, length: usize, server: &'q AtomicUsize) -> Option<Ticket<'q>> {
        if self.0.fetch_add(1, Ordering::Relaxed) >= length {
            self.0.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        server.fetch_add(1, Ordering::Relaxed);
        Some(Ticket { upstream: self, server })
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.upstream.0.fetch_sub(1, Ordering::Relaxed);
        self.server.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_connections_than_seats() {
        let room = Room::new(Some(2));
        let seats = [room.try_seat(), room.try_seat()];
        assert!(seats.iter().all(Option::is_some) && room.try_seat().is_none());
        assert_eq!(room.open(), 2);
        drop(seats);
        assert_eq!(room.open(), 0);
        assert!(room.try_seat().is_some());
        let open = Room::new(None);
        let many: Vec<_> = (0..1_000).filter_map(|_| open.try_seat()).collect();
        assert_eq!((many.len(), open.open()), (1_000, 1_000));
    }

    #[test]
    fn a_full_queue_takes_nobody_and_forgets_who_left() {
        let (queued, server) = (Queued::default(), AtomicUsize::new(0));
        let first = queued.enter(1, &server);
        assert!(first.is_some() && queued.enter(1, &server).is_none());
        assert_eq!((queued.count(), server.load(Ordering::Relaxed)), (1, 1));
        drop(first);
        assert_eq!((queued.count(), server.load(Ordering::Relaxed)), (0, 0));
        assert!(queued.enter(0, &server).is_none());
    }
}
