//! What flows through the gateway: one body type for both directions, so that nothing on the hot path is boxed.
//! It also carries the tunnel that a connection becomes instead of carrying a body.

mod guarded;
mod progress;
mod tended;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use guarded::Guarded;
use tended::{Source, Tended};

pub use guarded::BrokenOff;
pub use progress::{Progress, TooLarge};
pub use tended::TrailerFilter;

/// A request or response body.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes that the gateway made: pages, problem details.
    Full(Bytes),
    /// Streamed from the client as it arrives, counted for whoever waits for an answer.
    Client(Incoming, Option<Progress>),
    /// Streamed from an upstream as it arrives. Boxed: each protocol has its own, and what is short is [`Body::Full`].
    Upstream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>),
    /// Streamed from either side with its trailers. Boxed: few routes want them.
    Tended(Box<Tended>),
    /// A static file. Boxed: the type comes from a library, and files are not the hot path.
    File(UnsyncBoxBody<Bytes, BodyError>),
    /// Another body, broken off when something is over. Boxed: only event streams and routes with time-outs are guarded.
    Guarded(Box<Guarded>),
    /// None: the connection becomes a tunnel once the head is out, and this is the tunnel's work. Whoever drives the
    /// connection takes it and does it.
    Tunnel(LocalBoxFuture<'static, ()>),
}

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl Body {
    /// A client's body as it arrives; `Empty` when there is none, which upstreams read more cheaply.
    pub fn from_client(incoming: Incoming) -> Self {
        if incoming.is_end_stream() { Self::Empty } else { Self::Client(incoming, None) }
    }

    /// The same body, whose trailers pass. Nothing else for a body that did not come from outside.
    #[must_use]
    pub fn with_trailers(self, filter: TrailerFilter) -> Self {
        let (source, progress) = match self {
            Self::Client(incoming, progress) => (Source::Client(incoming), progress),
            Self::Upstream(upstream) => (Source::Upstream(upstream), None),
            other => return other,
        };
        Self::Tended(Box::new(Tended::new(source, progress, filter)))
    }

    /// This body, broken off with an error as soon as `over` is done. Its frames are counted where somebody wants that.
    #[must_use]
    pub fn until(self, over: LocalBoxFuture<'static, BrokenOff>, count: Option<Progress>) -> Self {
        Self::Guarded(Box::new(Guarded::new(self, over, count)))
    }

    /// The tunnel's work, if the connection becomes one.
    pub fn take_tunnel(&mut self) -> Option<LocalBoxFuture<'static, ()>> {
        if !matches!(self, Self::Tunnel(_)) {
            return None;
        }
        match std::mem::take(self) {
            Self::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        }
    }

    /// Has a client's body counted, which may have so many bytes. Nothing for a body that is not one.
    pub fn watch(&mut self, most: u64) -> Option<Progress> {
        let progress = match self {
            Self::Client(_, progress) => progress,
            Self::Tended(tended) => tended.progress(),
            _ => return None,
        };
        Some(progress.insert(Progress::of_at_most(most)).clone())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = self.get_mut();
        match body {
            Self::Empty | Self::Tunnel(_) => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *body = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Client(incoming, progress) => {
                let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
                    if let Some(progress) = progress {
                        progress.wait();
                    }
                    return Poll::Pending;
                };
                let frame = without_trailers(frame);
                if let Some(progress) = progress {
                    if frame.is_none() || incoming.is_end_stream() {
                        progress.end();
                    }
                    if let Err(error) = progress.note_frame(frame.as_ref()) {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                }
                Poll::Ready(frame)
            }
            Self::Upstream(upstream) => {
                Poll::Ready(without_trailers(ready!(upstream.as_mut().poll_frame(cx))))
            }
            Self::Tended(tended) => tended.poll_frame(cx),
            Self::File(file) => Pin::new(file).poll_frame(cx),
            Self::Guarded(guarded) => guarded.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Tunnel(_) => true,
            Self::Full(_) => false,
            Self::Client(incoming, _) => incoming.is_end_stream(),
            Self::Upstream(upstream) => upstream.is_end_stream(),
            Self::Tended(tended) => tended.is_end_stream(),
            Self::File(file) => file.is_end_stream(),
            Self::Guarded(guarded) => guarded.body().is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Tunnel(_) => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Client(incoming, _) => incoming.size_hint(),
            Self::Upstream(upstream) => upstream.size_hint(),
            Self::Tended(tended) => tended.size_hint(),
            Self::File(file) => file.size_hint(),
            Self::Guarded(guarded) => guarded.body().size_hint(),
        }
    }
}

/// Trailers end the body: they are dropped both ways (requirement HD-11).
fn without_trailers<E>(frame: Option<Result<Frame<Bytes>, E>>) -> Option<Result<Frame<Bytes>, BodyError>>
where
    BodyError: From<E>,
{
    match frame {
        Some(Ok(frame)) if frame.is_trailers() => None,
        Some(Ok(frame)) => Some(Ok(frame)),
        Some(Err(error)) => Some(Err(error.into())),
        None => None,
    }
}
