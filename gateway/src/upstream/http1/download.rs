//! An answer's body as it arrives, and the rest of the request if the server began to answer before it had all of it.
//! The connection goes back to its pool when both are done.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::io::AsyncReadExt as _;

use crate::body::BodyError;
use crate::stop::causes;

use super::chunked::{Chunked, Piece};
use super::head::Framing;
use super::upload::Upload;
use super::{Broken, Connection, Lease};

/// Room for the first read, and for those after one that filled it.
const READ: [usize; 2] = [16 * 1024, 64 * 1024];

/// The rest of an answer.
pub(super) struct Download<L> {
    lent: Option<(Connection, L)>,
    upload: Option<Box<Upload>>,
    decoder: Decoder,
    arrived: BytesMut,
    is_busy: bool,
    /// Why it breaks off, when it is next asked.
    broken: Option<BodyError>,
}

enum Decoder {
    Length(u64),
    Chunked(Chunked),
    ToEnd,
    Done,
}

impl<L: Lease> Download<L> {
    /// `arrived` came together with the head.
    pub(super) fn new(
        connection: Connection,
        lease: L,
        upload: Option<Box<Upload>>,
        framing: Framing,
        arrived: &[u8],
    ) -> Self {
        let decoder = match framing {
            Framing::Empty => Decoder::Length(0),
            Framing::Length(length) => Decoder::Length(length),
            Framing::Chunked => Decoder::Chunked(Chunked::default()),
            Framing::ToEnd => Decoder::ToEnd,
        };
        let mut download = Self {
            lent: Some((connection, lease)),
            upload,
            decoder,
            arrived: BytesMut::from(arrived),
            is_busy: false,
            broken: None,
        };
        download.end_if_done();
        download
    }

    /// What has arrived already.
    fn next(&mut self) -> Result<Piece, Broken> {
        let piece = match &mut self.decoder {
            Decoder::Chunked(chunked) => chunked.next(&mut self.arrived)?,
            Decoder::Done => Piece::End(None),
            _ if self.arrived.is_empty() => Piece::Unknown,
            Decoder::ToEnd => Piece::Data(self.arrived.split().freeze()),
            Decoder::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(self.arrived.len());
                *left -= taken as u64;
                Piece::Data(self.arrived.split_to(taken).freeze())
            }
        };
        Ok(piece)
    }

    /// The connection is free as soon as the last byte was taken, not when somebody asks for more.
    fn end_if_done(&mut self) {
        let is_done = match &self.decoder {
            Decoder::Length(left) => *left == 0,
            Decoder::Chunked(chunked) => chunked.is_done(),
            Decoder::ToEnd => false,
            Decoder::Done => return,
        };
        if !is_done {
            return;
        }
        self.decoder = Decoder::Done;
        // A request that the server did not want to the end leaves it waiting for the rest: closed.
        if let Some((connection, lease)) = self.lent.take()
            && self.upload.is_none()
            && self.arrived.is_empty()
        {
            connection.give_back(lease);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        loop {
            match self.next()? {
                Piece::Data(data) => {
                    // The last chunk often comes with the data: whoever gets it need not ask again.
                    if let Decoder::Chunked(chunked) = &mut self.decoder
                        && self.arrived.as_ref() == b"\r\n0\r\n\r\n"
                    {
                        chunked.next(&mut self.arrived)?;
                    }
                    self.end_if_done();
                    return Poll::Ready(Ok(Some(Frame::data(data))));
                }
                Piece::End(trailers) => {
                    self.end_if_done();
                    return Poll::Ready(Ok(trailers.map(Frame::trailers)));
                }
                Piece::Unknown => ready!(self.poll_read(cx))?,
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Some((connection, _)) = &mut self.lent else {
            return Poll::Ready(Err(Broken::Truncated.into()));
        };
        if let Some(upload) = &mut self.upload {
            match upload.poll(&mut connection.stream, cx) {
                Poll::Ready(Ok(())) => self.upload = None,
                // The answer is still worth having; the connection is not.
                Poll::Ready(Err(stopped)) => {
                    let error = causes(&Broken::from(stopped));
                    tracing::debug!(target: "gateway", error, "the rest of a request was not sent");
                    connection.is_spent = true;
                    self.upload = None;
                }
                Poll::Pending => {}
            }
        }
        self.arrived.reserve(READ[usize::from(self.is_busy)]);
        let room = self.arrived.capacity() - self.arrived.len();
        let read = ready!(pin!(connection.stream.read_buf(&mut self.arrived)).poll(cx))?;
        self.is_busy = read == room;
        match &self.decoder {
            _ if read > 0 => Poll::Ready(Ok(())),
            Decoder::ToEnd => {
                self.decoder = Decoder::Done;
                self.lent = None;
                Poll::Ready(Ok(()))
            }
            // The length promised more (requirement H1-14).
            _ => Poll::Ready(Err(Broken::Truncated.into())),
        }
    }
}

impl<L: Lease> http_body::Body for Download<L> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(this.poll(cx)) {
            Ok(frame) => Poll::Ready(frame.map(Ok)),
            Err(error) => {
                // Not at once: what came before it must be on its way, or the client would see nothing at all instead of
                // an answer that is cut off (requirement H1-14).
                (this.broken, this.lent) = (Some(error), None);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.decoder, Decoder::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match self.decoder {
            Decoder::Length(left) => SizeHint::with_exact(left),
            Decoder::Done => SizeHint::with_exact(0),
            Decoder::Chunked(_) | Decoder::ToEnd => SizeHint::default(),
        }
    }
}
