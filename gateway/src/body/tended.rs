//! A body from outside whose trailers pass, as far as a filter lets them. Which trailers may pass is decided elsewhere.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::{BodyError, Progress};

/// Removes what must not pass.
pub type TrailerFilter = Box<dyn Fn(&mut HeaderMap)>;

/// A body from outside, and what goes with it.
pub struct Tended {
    source: Source,
    progress: Option<Progress>,
    filter: TrailerFilter,
    is_over: bool,
}

/// Where it comes from.
pub(super) enum Source {
    Client(Incoming),
    Upstream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>),
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Client(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Into::into),
            Self::Upstream(upstream) => upstream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Client(incoming) => incoming.is_end_stream(),
            Self::Upstream(upstream) => upstream.is_end_stream(),
        }
    }
}

impl Tended {
    pub(super) fn new(source: Source, progress: Option<Progress>, filter: TrailerFilter) -> Self {
        Self { source, progress, filter, is_over: false }
    }

    pub(super) fn progress(&mut self) -> &mut Option<Progress> {
        &mut self.progress
    }

    /// Whether nothing more will come.
    pub(super) fn is_end_stream(&self) -> bool {
        self.is_over || self.source.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Client(incoming) => incoming.size_hint(),
            Source::Upstream(upstream) => upstream.size_hint(),
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = self.source.poll_frame(cx) else {
            if let Some(progress) = &self.progress {
                progress.wait();
            }
            return Poll::Pending;
        };
        if let Some(progress) = &self.progress
            && let Err(error) = progress.note_frame(frame.as_ref())
        {
            return Poll::Ready(Some(Err(error.into())));
        }
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => {
                self.end();
                return Poll::Ready(None);
            }
        };
        match frame.into_trailers() {
            Ok(mut trailers) => {
                self.end();
                (self.filter)(&mut trailers);
                Poll::Ready((!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers))))
            }
            Err(frame) => {
                if self.source.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        if let Some(progress) = &self.progress {
            progress.end();
        }
    }
}
