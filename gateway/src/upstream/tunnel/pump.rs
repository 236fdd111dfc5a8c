//! One direction of a tunnel. It reads only when all that was read is written, so a slow reader slows the writer down
//! and at most one piece is kept; while nothing flows nothing is kept at all.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is read at once.
const PIECE: usize = 16 * 1_024;

/// What is on its way in one direction.
#[derive(Default)]
pub(super) struct Pump {
    /// Read and not yet written.
    held: Bytes,
    is_unflushed: bool,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    #[default]
    Flowing,
    /// The source is done, its end not yet passed on.
    Ending,
    Done,
}

impl Pump {
    /// Moves what can be moved; ready when the source's end was passed on. `note` sees all that was read.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        mut note: impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        loop {
            match self.stage {
                Stage::Done => return Poll::Ready(Ok(())),
                Stage::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.stage = Stage::Done;
                }
                Stage::Flowing => {
                    ready!(self.poll_write_held(cx, to))?;
                    let mut space = [MaybeUninit::uninit(); PIECE];
                    let mut piece = ReadBuf::uninit(&mut space);
                    if Pin::new(&mut *from).poll_read(cx, &mut piece)?.is_pending() {
                        ready!(self.poll_flush(cx, to))?;
                        return Poll::Pending;
                    }
                    if piece.filled().is_empty() {
                        self.stage = Stage::Ending;
                    } else {
                        note(piece.filled());
                        self.take(cx, to, piece.filled())?;
                    }
                }
            }
        }
    }

    /// Writes a piece straight on, and keeps what the other side does not take now.
    fn take(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        piece: &[u8],
    ) -> io::Result<()> {
        let written = match Pin::new(to).poll_write(cx, piece)? {
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(written) => written,
            Poll::Pending => 0,
        };
        self.is_unflushed = true;
        self.held = Bytes::copy_from_slice(&piece[written..]);
        Ok(())
    }

    fn poll_write_held(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            match ready!(Pin::new(&mut *to).poll_write(cx, &self.held))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.held.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        if self.is_unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// Lets a pump run as far as it can.
    fn turn(pump: &mut Pump, from: &mut DuplexStream, to: &mut DuplexStream) -> Poll<io::Result<()>> {
        pump.poll(&mut Context::from_waker(Waker::noop()), from, to, |_| {})
    }

    #[tokio::test]
    async fn a_slow_reader_slows_the_writer_and_loses_nothing() {
        const PIPE: usize = 1_000;
        let ((mut source, mut from), (mut to, mut sink)) = (duplex(1_024 * 1_024), duplex(PIPE));
        let sent: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        source.write_all(&sent).await.expect("it has room");
        drop(source);
        let mut pump = Pump::default();
        assert!(turn(&mut pump, &mut from, &mut to).is_pending());
        assert!(pump.held.len() <= PIECE, "{} bytes are kept", pump.held.len());
        let (mut arrived, mut buffer) = (Vec::new(), [0; 700]);
        loop {
            let _ = turn(&mut pump, &mut from, &mut to);
            let count = sink.read(&mut buffer).await.expect("it is whole");
            arrived.extend_from_slice(&buffer[..count]);
            if count == 0 {
                break;
            }
        }
        assert!(arrived == sent, "{} of {} bytes arrived", arrived.len(), sent.len());
        assert!(matches!(turn(&mut pump, &mut from, &mut to), Poll::Ready(Ok(()))));
    }

    #[tokio::test]
    async fn nothing_is_kept_while_nothing_flows() {
        let ((mut source, mut from), (mut to, mut sink)) = (duplex(100), duplex(100));
        let mut pump = Pump::default();
        source.write_all(b"hello").await.expect("it has room");
        assert!(turn(&mut pump, &mut from, &mut to).is_pending());
        assert!(pump.held.is_empty());
        let mut arrived = [0; 5];
        sink.read_exact(&mut arrived).await.expect("it arrived");
        assert_eq!(&arrived, b"hello");
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_ends_it() {
        let ((mut source, mut from), (mut to, sink)) = (duplex(100), duplex(100));
        drop(sink);
        source.write_all(b"hello").await.expect("it has room");
        assert!(matches!(turn(&mut Pump::default(), &mut from, &mut to), Poll::Ready(Err(_))));
    }
}
