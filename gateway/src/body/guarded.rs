//! A body that breaks off when something else is over: an event stream would go on for as long as its upstream likes.
//! What the other thing is, is not known here.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http_body::{Body as _, Frame};

use super::{Body, BodyError, Progress};

/// A body and what ends it.
pub struct Guarded {
    body: Body,
    over: LocalBoxFuture<'static, BrokenOff>,
    count: Option<Progress>,
}

/// A body was broken off here, not by its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenOff {
    /// Nobody may see more of it.
    #[error("broken off: its session ended")]
    SessionOver,
    /// Nothing came or went for too long.
    #[error("broken off: nothing came for too long")]
    Idle,
    /// The route gives no exchange more time.
    #[error("broken off: it took too long in all")]
    TooLong,
}

impl Guarded {
    pub(super) fn new(body: Body, over: LocalBoxFuture<'static, BrokenOff>, count: Option<Progress>) -> Self {
        Self { body, over, count }
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    /// An error tells the client that this is not the end of the stream (requirement H1-14).
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if matches!(self.body, Body::Empty) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(why) = self.over.as_mut().poll(cx) {
            // Dropped now, so that the upstream hears of it too.
            self.body = Body::Empty;
            return Poll::Ready(Some(Err(why.into())));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(_))), Some(count)) = (&frame, &self.count) {
            count.note();
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::Waker;

    fn guarded() -> (Body, Rc<Cell<bool>>) {
        let is_over = Rc::new(Cell::new(false));
        let seen = Rc::clone(&is_over);
        let over =
            poll_fn(move |_| if seen.get() { Poll::Ready(BrokenOff::SessionOver) } else { Poll::Pending });
        (Body::Full(Bytes::from_static(b"data: 1")).until(Box::pin(over), None), is_over)
    }

    fn next(body: &mut Body) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_guarded_body_flows_and_ends_as_any_other() {
        let (mut body, _) = guarded();
        assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(next(&mut body), Poll::Ready(None)));
    }

    #[test]
    fn it_breaks_off_with_an_error_although_more_would_have_come() {
        let (mut body, is_over) = guarded();
        is_over.set(true);
        assert!(matches!(next(&mut body), Poll::Ready(Some(Err(_)))));
        assert!(matches!(next(&mut body), Poll::Ready(None)));
    }
}
