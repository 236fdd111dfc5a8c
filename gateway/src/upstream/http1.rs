//! HTTP/1.1 towards servers: one request, one answer, driven by whoever waits for it. There is no task and no channel
//! between a request and its connection, and a short answer is read, judged and handed on in one piece; that is most of
//! what a proxied request costs less here than with a general client. Reads strictly: what has two readings is an error.

mod chunked;
mod download;
mod head;
mod stream;
#[cfg(test)]
mod tests;
mod upload;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::body::{Body, BodyError};

use download::Download;
use head::{Framing, Head};
use upload::{Stopped, Upload};

use super::room::Seat;

pub(super) use stream::{Stream, Upgraded};

/// What is read at a time. Answers up to this size are handed on whole.
const READ: usize = 32 * 1024;
/// More interim answers than this to one request are no help to anybody.
const MAX_INTERIM: usize = 8;

/// Why an exchange failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was closed before a byte of the request was sent: the request is as it was.
    Unsent(Broken),
    /// The client's body broke off.
    Client(BodyError),
    /// The server, or the way to it.
    Server(Broken),
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("the server closed the connection without an answer")]
    Closed,
    #[error("the answer's head is malformed")]
    Head(#[source] httparse::Error),
    #[error("the answer's head is too large")]
    TooLarge,
    #[error("the answer's status is no status")]
    Status,
    #[error("the answer has a malformed header field")]
    Field,
    #[error(
        "more than one Content-Length, one that is not a number, or a Transfer-Encoding other than chunked"
    )]
    Framing,
    #[error("interim answers without end")]
    Interim,
    #[error("a malformed chunk")]
    Chunk,
    #[error("the answer broke off")]
    Truncated,
    #[error("the request's body ended early")]
    Body(#[source] BodyError),
}

/// A connection to a server, between requests.
pub(super) struct Connection {
    stream: Stream,
    /// Its right to exist, where somebody counts.
    seat: Option<Seat>,
    /// Whether it serves no other request, whatever the server says.
    is_spent: bool,
}

/// An answer. After a 101 the connection is what both sides agreed on.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    pub(super) upgraded: Option<Upgraded>,
}

/// What a connection was lent for. Dropped when the answer's body has ended, however it did.
pub(super) trait Lease: Unpin + 'static {
    /// It ended well, and the server keeps the connection open.
    fn give_back(self, connection: Connection);
}

/// Memory that one worker's exchanges share, because none of them needs it for longer than one look: it stays in the
/// processor's nearest cache, and an idle connection holds none.
pub(super) struct Scratch {
    read: RefCell<Box<[u8]>>,
    write: RefCell<Vec<u8>>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { read: RefCell::new(vec![0; READ].into()), write: RefCell::default() }
    }
}

impl Connection {
    /// A connection that was just made.
    pub(super) fn new(stream: Stream, seat: Option<Seat>) -> Self {
        Self { stream, seat, is_spent: false }
    }

    /// Whether the server has neither closed it nor said what nobody asked for, as far as is known here.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    fn give_back(self, lease: impl Lease) {
        if !self.is_spent {
            lease.give_back(self);
        }
    }

    /// Sends a request and waits for the head of its answer. The request's body and headers are used up, unless the
    /// failure is [`Failure::Unsent`].
    pub(super) async fn exchange<L: Lease>(
        self,
        request: &mut Request<Body>,
        scratch: &Scratch,
        lease: L,
    ) -> Result<Answer, Failure> {
        let connection = Some(self);
        let mut exchange = Exchange { connection, upload: None, unsent: None, head: Vec::new(), interim: 0 };
        poll_fn(|cx| Poll::Ready(exchange.begin(request, scratch, cx))).await?;
        let mut headers = std::mem::take(request.headers_mut());
        headers.clear();
        let mut asked = Asked { method: request.method(), headers, scratch, lease: Some(lease) };
        poll_fn(|cx| exchange.poll_answer(&mut asked, cx)).await
    }
}

/// One request under way.
struct Exchange {
    connection: Option<Connection>,
    /// What did not go out at once.
    upload: Option<Box<Upload>>,
    /// Why the rest of the request could not be sent. The server may have answered all the same.
    unsent: Option<io::Error>,
    /// The beginning of an answer's head, if it came in pieces.
    head: Vec<u8>,
    interim: usize,
}

impl Exchange {
    /// Writes the request's head. What does not go out at once, goes while the answer is waited for.
    fn begin(
        &mut self,
        request: &mut Request<Body>,
        scratch: &Scratch,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let stream = &mut self.connection.as_mut().ok_or(Failure::Unsent(Broken::Closed))?.stream;
        let framing = upload::framing_of(request.body());
        let mut out = scratch.write.borrow_mut();
        out.clear();
        head::write(request, framing, &mut out);
        let written = match Pin::new(&mut *stream).poll_write(cx, &out) {
            Poll::Ready(written) => written.map_err(|error| Failure::Unsent(error.into()))?,
            Poll::Pending => 0,
        };
        if written < out.len() || framing != Framing::Empty || stream.buffers() {
            let body = std::mem::take(request.body_mut());
            self.upload = Some(Box::new(Upload::new(&out[written..], body, framing)));
        }
        Ok(())
    }

    fn poll_answer<L: Lease>(
        &mut self,
        asked: &mut Asked<'_, L>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Answer, Failure>> {
        loop {
            self.drive_upload(cx)?;
            let mut scratch = asked.scratch.read.borrow_mut();
            let length = ready!(self.poll_read(&mut scratch, cx)).map_err(Failure::Server)?;
            let bytes = &scratch[..length];
            if self.head.is_empty() {
                if let Some(answer) = self.answer_in(bytes, asked)? {
                    return Poll::Ready(Ok(answer));
                }
                continue;
            }
            let known = self.head.len();
            self.head.extend_from_slice(bytes);
            if self.head.len() >= head::MAX_HEAD || head::may_be_whole(&self.head, known) {
                let bytes = std::mem::take(&mut self.head);
                if let Some(answer) = self.answer_in(&bytes, asked)? {
                    return Poll::Ready(Ok(answer));
                }
            }
        }
    }

    fn drive_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let (Some(upload), Some(connection)) = (&mut self.upload, &mut self.connection) else {
            return Ok(());
        };
        match upload.poll(&mut connection.stream, cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(Stopped::Body(error))) => return Err(Failure::Client(error)),
            Poll::Ready(Err(Stopped::Write(error))) => {
                connection.is_spent = true;
                self.unsent = Some(error);
            }
        }
        self.upload = None;
        Ok(())
    }

    /// What arrives next; something, or an error.
    fn poll_read(&mut self, into: &mut [u8], cx: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(Err(Broken::Closed)) };
        let mut into = ReadBuf::new(into);
        let read = ready!(Pin::new(&mut connection.stream).poll_read(cx, &mut into));
        let length = into.filled().len();
        match (read, self.unsent.take()) {
            // The first error is the reason of the second.
            (Err(error), unsent) => Poll::Ready(Err(unsent.unwrap_or(error).into())),
            (Ok(()), Some(error)) if length == 0 => Poll::Ready(Err(error.into())),
            (Ok(()), None) if length == 0 => Poll::Ready(Err(Broken::Closed)),
            (Ok(()), unsent) => {
                self.unsent = unsent;
                Poll::Ready(Ok(length))
            }
        }
    }

    /// The answer that begins in `bytes`, behind any interim ones; nothing, and `bytes` kept, while its head is not whole.
    fn answer_in<L: Lease>(
        &mut self,
        mut bytes: &[u8],
        asked: &mut Asked<'_, L>,
    ) -> Result<Option<Answer>, Failure> {
        loop {
            let Some(head) = head::read(bytes, asked.method, &mut asked.headers).map_err(Failure::Server)?
            else {
                self.head.extend_from_slice(bytes);
                return Ok(None);
            };
            let rest = &bytes[head.length..];
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(self.finish(head, rest, &mut asked.lease));
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(Failure::Server(Broken::Interim));
            }
            asked.headers = head.headers;
            asked.headers.clear();
            bytes = rest;
            if bytes.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Makes the answer of its head and of what came with it.
    fn finish<L: Lease>(&mut self, head: Head, rest: &[u8], lease: &mut Option<L>) -> Option<Answer> {
        let (mut connection, lease) = (self.connection.take()?, lease.take()?);
        connection.is_spent |= !head.keeps_alive;
        let mut upgraded = None;
        let whole = match head.framing {
            Framing::Empty => Some(0),
            Framing::Length(length) => usize::try_from(length).ok().filter(|length| *length <= rest.len()),
            Framing::Chunked | Framing::ToEnd => None,
        };
        let body = match whole {
            _ if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                let arrived = Bytes::copy_from_slice(rest);
                upgraded = Some(Upgraded { stream: connection.stream, arrived, _seat: connection.seat });
                Body::Empty
            }
            Some(length) if self.upload.is_none() => {
                // Who says more than was asked for is not believed a second time.
                connection.is_spent |= rest.len() > length;
                connection.give_back(lease);
                if length == 0 { Body::Empty } else { Body::Full(Bytes::copy_from_slice(&rest[..length])) }
            }
            _ => {
                let upload = self.upload.take();
                Body::Upstream(Box::pin(Download::new(connection, lease, upload, head.framing, rest)))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Some(Answer { response, upgraded })
    }
}

/// What an answer is read for.
struct Asked<'a, L> {
    method: &'a Method,
    /// Empty; its memory is used again.
    headers: HeaderMap,
    scratch: &'a Scratch,
    lease: Option<L>,
}

impl From<Stopped> for Broken {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Write(error) => Self::Io(error),
            Stopped::Body(error) => Self::Body(error),
        }
    }
}
