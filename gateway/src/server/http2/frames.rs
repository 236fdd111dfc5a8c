//! The frames of a connection as they come in, counted by what they cost: some bring nothing and still make work, and a
//! client that sends thousands of them is no client (CVE-2019-9512 to 9518, CVE-2024-27316). Reads nine bytes of each and
//! knows nothing of what is in them.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const PREFACE: usize = 24;
const HEAD: usize = 9;
/// DATA, HEADERS, SETTINGS, WINDOW_UPDATE (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
/// The flag that ends a stream.
const END_STREAM: u8 = 1;
/// The same flag of SETTINGS: it answers, and says nothing.
const ACK: u8 = 1;
/// A frame of data this short may come now and then.
const TINY: usize = 16;

/// What may be spent in [`SPAN`]: a thousand frames a second that bring nothing, ten thousand that bring room.
const BUDGET: u32 = 50_000;
/// The time for which that is.
const SPAN: Duration = Duration::from_secs(5);

/// What came in so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    has_settings: Cell<bool>,
    spent: Cell<u32>,
    span: Cell<u64>,
}

impl Tally {
    /// Whether the client said how it speaks, which must come first.
    pub(super) fn has_settings(&self) -> bool {
        self.has_settings.get()
    }

    /// The connection is that old: what was spent in another [`SPAN`] is forgotten.
    pub(super) fn forget(&self, age: Duration) {
        let span = age.as_secs() / SPAN.as_secs();
        if self.span.replace(span) != span {
            self.spent.set(0);
        }
    }

    fn count(&self, kind: u8, flags: u8, length: usize) -> io::Result<()> {
        if !self.has_settings.get() {
            if kind != SETTINGS || flags & ACK != 0 {
                return Err(io::Error::other("HTTP/2 begins with SETTINGS"));
            }
            self.has_settings.set(true);
        }
        let is_more = flags & END_STREAM == 0;
        let cost = match kind {
            DATA if length == 0 && is_more => 10,
            DATA | WINDOW_UPDATE if length < TINY && is_more => 1,
            HEADERS | DATA => 0,
            _ => 10,
        };
        let spent = self.spent.get().saturating_add(cost);
        self.spent.set(spent);
        if spent > BUDGET {
            return Err(io::Error::other("too many frames that bring nothing"));
        }
        Ok(())
    }
}

/// Finds the head of each frame in a stream of bytes, however it is cut.
#[derive(Debug)]
struct Scanner {
    /// Bytes to pass over: the preface, then each frame's content.
    skip: usize,
    head: [u8; HEAD],
    have: usize,
}

impl Scanner {
    fn new() -> Self {
        Self { skip: PREFACE, head: [0; HEAD], have: 0 }
    }

    fn read(&mut self, mut bytes: &[u8], tally: &Tally) -> io::Result<()> {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEAD {
                self.have = 0;
                let [a, b, c, kind, flags, ..] = self.head;
                let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.skip = length;
                tally.count(kind, flags, length)?;
            }
        }
        Ok(())
    }
}

/// A connection whose frames are counted.
pub(super) struct Watched<I> {
    io: I,
    scanner: Scanner,
    tally: Rc<Tally>,
}

impl<I> Watched<I> {
    pub(super) fn new(io: I, tally: Rc<Tally>) -> Self {
        Self { io, scanner: Scanner::new(), tally }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let watched = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut watched.io).poll_read(cx, buf))?;
        Poll::Ready(watched.scanner.read(&buf.filled()[before..], &watched.tally))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(length).expect("short").to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        bytes.resize(HEAD + length, 0xee);
        bytes
    }

    fn opening() -> Vec<u8> {
        [vec![b'P'; PREFACE], frame(SETTINGS, 0, 6)].concat()
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let bytes =
            [opening(), frame(6, 0, 8), frame(DATA, 0, 0), frame(WINDOW_UPDATE, 0, 4), frame(DATA, 0, 900)]
                .concat();
        for size in [1, 2, 7, 9, 10, 33, 2_000] {
            let (mut scanner, tally) = (Scanner::new(), Tally::default());
            for piece in bytes.chunks(size) {
                scanner.read(piece, &tally).expect("within the budget");
            }
            assert_eq!((tally.spent.get(), tally.has_settings()), (31, true), "in pieces of {size}");
        }
    }

    #[test]
    fn a_connection_begins_with_settings() {
        for first in [frame(6, 0, 8), frame(HEADERS, 5, 8), frame(SETTINGS, ACK, 0)] {
            let bytes = [vec![b'P'; PREFACE], first].concat();
            assert!(Scanner::new().read(&bytes, &Tally::default()).is_err());
        }
    }

    #[test]
    fn a_flood_is_over_soon_and_time_makes_room_again() {
        let (mut scanner, tally) = (Scanner::new(), Tally::default());
        scanner.read(&opening(), &tally).expect("an opening");
        let mut send = |count: usize| {
            let ping = frame(6, 0, 8);
            (0..count).try_for_each(|_| scanner.read(&ping, &tally))
        };
        send(4_000).expect("a lot");
        tally.forget(SPAN);
        send(4_000).expect("later");
        assert!(send(2_000).is_err());
    }
}
