//! A request on its way to a server: what is still to be written, and the body that more comes from.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use crate::body::{Body, BodyError};

use super::chunked;
use super::head::Framing;
use super::stream::Stream;

/// Pieces up to this size are copied behind what precedes them, so that one write takes both.
const COPIED: usize = 8 * 1024;

/// The rest of a request.
pub(super) struct Upload {
    body: Body,
    framing: Framing,
    /// How much of the announced length has not come from the body yet.
    left: u64,
    /// What is written first, from `sent` on, then `piece`, then `tail`.
    out: Vec<u8>,
    sent: usize,
    piece: Bytes,
    tail: &'static [u8],
    is_over: bool,
}

/// Why an upload stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The server takes no more.
    Write(io::Error),
    /// The client's body broke off.
    Body(BodyError),
}

/// How a body is announced.
pub(super) fn framing_of(body: &Body) -> Framing {
    if body.is_end_stream() {
        return Framing::Empty;
    }
    body.size_hint().exact().map_or(Framing::Chunked, Framing::Length)
}

impl Upload {
    /// `unsent` goes before the body.
    pub(super) fn new(unsent: &[u8], body: Body, framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        let is_over = framing == Framing::Empty;
        Self { body, framing, left, out: unsent.to_vec(), sent: 0, piece: Bytes::new(), tail: b"", is_over }
    }

    /// Writes what there is until everything is with the server.
    pub(super) fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        loop {
            ready!(self.poll_write(stream, cx)).map_err(Stopped::Write)?;
            if self.is_over {
                return Pin::new(stream).poll_flush(cx).map_err(Stopped::Write);
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                ready!(Pin::new(stream).poll_flush(cx)).map_err(Stopped::Write)?;
                return Poll::Pending;
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.take(data)?,
                    Err(frame) => self.end(frame.into_trailers().ok().as_ref())?,
                },
                Some(Err(error)) => return Poll::Ready(Err(Stopped::Body(error))),
                None => self.end(None)?,
            }
        }
    }

    fn poll_write(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.out.len() {
            self.sent += ready!(poll_some(stream, cx, &self.out[self.sent..]))?;
        }
        self.out.clear();
        self.sent = 0;
        while !self.piece.is_empty() {
            let written = ready!(poll_some(stream, cx, &self.piece))?;
            self.piece.advance(written);
        }
        while !self.tail.is_empty() {
            let written = ready!(poll_some(stream, cx, self.tail))?;
            self.tail = &self.tail[written..];
        }
        Poll::Ready(Ok(()))
    }

    /// The body's next piece.
    fn take(&mut self, data: Bytes) -> Result<(), Stopped> {
        match self.framing {
            // Nothing announced: an empty chunk would be the last.
            _ if data.is_empty() => {}
            Framing::Chunked if data.len() <= COPIED => chunked::write(&data, &mut self.out),
            Framing::Chunked => {
                chunked::write_size(data.len(), &mut self.out);
                (self.piece, self.tail) = (data, b"\r\n");
            }
            _ => {
                self.left = self.left.checked_sub(data.len() as u64).ok_or_else(wrong_length)?;
                self.is_over = self.left == 0;
                if data.len() <= COPIED {
                    self.out.extend_from_slice(&data);
                } else {
                    self.piece = data;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<&http::HeaderMap>) -> Result<(), Stopped> {
        if self.framing == Framing::Chunked {
            chunked::write_end(trailers, &mut self.out);
        } else if self.left > 0 {
            return Err(wrong_length());
        }
        self.is_over = true;
        Ok(())
    }
}

fn wrong_length() -> Stopped {
    Stopped::Body("a body of another length than was announced".into())
}

fn poll_some(stream: &mut Stream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    match ready!(Pin::new(stream).poll_write(cx, bytes))? {
        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        written => Poll::Ready(Ok(written)),
    }
}
