//! An answer's body, handed out in pieces so that its stream knows when its client takes nothing. What was handed out is
//! no longer seen: the library keeps it until the client makes room. So the last byte of anything long is handed out
//! alone, which the library asks for only when there is room for all before it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use crate::body::{Body, BodyError};

use super::streams::Stream;

/// The largest piece: what fits into one frame.
const PIECE: usize = 16 * 1024;
/// So little may lie around without its stream.
const SMALL: usize = 4 * 1024;

/// A body and the stream it goes out on.
pub(super) struct Paced {
    body: Body,
    rest: Bytes,
    stream: Rc<Stream>,
}

impl Paced {
    pub(super) fn new(body: Body, stream: Rc<Stream>) -> Self {
        stream.is_whole.set(body.is_end_stream());
        Self { body, rest: Bytes::new(), stream }
    }

    fn hand_out(&mut self, mut piece: Bytes) -> Frame<Bytes> {
        if piece.len() > SMALL {
            self.rest = piece.split_off(PIECE.min(piece.len() - 1));
        }
        self.stream.is_writing.set(true);
        self.stream.pieces.set(self.stream.pieces.get() + 1);
        self.stream.is_whole.set(self.is_end_stream());
        Frame::data(piece)
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let paced = self.get_mut();
        if !paced.rest.is_empty() {
            let rest = std::mem::take(&mut paced.rest);
            return Poll::Ready(Some(Ok(paced.hand_out(rest))));
        }
        paced.stream.is_writing.set(false);
        match ready!(Pin::new(&mut paced.body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(Ok(paced.hand_out(data)))),
                // Bodies drop their trailers; these would end the stream too.
                Err(trailers) => Poll::Ready(Some(Ok(trailers))),
            },
            end => {
                // Whoever's fault an error is, it is not that the client took its request back.
                paced.stream.is_whole.set(true);
                Poll::Ready(end)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if rest > 0 {
            if let Some(upper) = hint.upper() {
                hint.set_upper(upper + rest);
            }
            hint.set_lower(hint.lower() + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn pieces(length: usize) -> (Vec<usize>, Rc<Stream>) {
        let stream = Rc::<Stream>::default();
        let mut paced = Paced::new(Body::Full(vec![7; length].into()), Rc::clone(&stream));
        let mut found = Vec::new();
        while !paced.is_end_stream() {
            assert!(!stream.is_whole.get());
            assert_eq!(paced.size_hint().exact(), Some((length - found.iter().sum::<usize>()) as u64));
            match Pin::new(&mut paced).poll_frame(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Ok(frame))) => found.push(frame.into_data().map_or(0, |data| data.len())),
                _ => panic!("a full body is there"),
            }
        }
        (found, stream)
    }

    #[test]
    fn a_long_body_ends_with_a_byte_of_its_own_and_a_short_one_is_whole() {
        assert_eq!(pieces(11).0, [11]);
        assert_eq!(pieces(4_096).0, [4_096]);
        assert_eq!(pieces(4_097).0, [4_096, 1]);
        assert_eq!(pieces(16_384).0, [16_383, 1]);
        assert_eq!(pieces(40_000).0, [16_384, 16_384, 7_231, 1]);
        let (_, stream) = pieces(40_000);
        assert!(stream.is_whole.get() && stream.is_writing.get());
    }

    #[test]
    fn an_answer_without_a_body_is_whole_at_once() {
        let stream = Rc::<Stream>::default();
        assert!(Paced::new(Body::Empty, Rc::clone(&stream)).is_end_stream() && stream.is_whole.get());
    }
}
