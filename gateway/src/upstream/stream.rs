//! One attempt over HTTP/2: one stream of a connection that others use too, or of the next one, which one request makes
//! for all that wait (RFC 9113).

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::Either;
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Uri, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::body::{Body, BodyError, Progress};
use crate::stop::causes;

use super::Upstream;
use super::attempt::{Failure, Kind, Limits, unreachable};
use super::connect;
use super::http1::Answer;
use super::multiplex::{Multiplex, Opening, Wire};
use super::pool::Stream;
use super::room::Seat;
use super::settings::Server;
use super::station::Station;

impl Upstream {
    /// HTTP/2: one stream of a connection that others use too.
    pub(super) async fn attempt_on_stream(
        &self,
        station: &Rc<Station>,
        streams: &Multiplex,
        request: &mut Request<Body>,
        progress: Option<&Progress>,
        limits: Limits,
    ) -> Result<Answer, Failure> {
        let visit = station.pool.enter();
        let wire = self.wire(station, streams, limits).await?;
        let server = &self.shared.settings.servers[station.endpoint.server];
        *request.uri_mut() =
            absolute(request.uri(), server).map_err(|error| Failure::new(Kind::Client, error))?;
        *request.version_mut() = Version::HTTP_2;
        // The target names it.
        request.headers_mut().remove(header::HOST);
        let stream = Stream::new(Rc::clone(&wire.open), Rc::clone(&streams.line), visit);
        let sending = wire.sender().try_send_request(std::mem::take(request));
        match self.in_time(progress, limits.response, sending).await {
            Ok(Ok(response)) => {
                let response = response.map(|incoming| Lent::body(incoming, stream));
                Ok(Answer { response, upgraded: None })
            }
            Ok(Err(mut unsent)) => {
                if let Some(message) = unsent.take_message() {
                    *request = message;
                    return Err(Failure::new(Kind::Unsent, unsent.into_error()));
                }
                Err(broken(unsent.into_error()))
            }
            Err(failure) => {
                // Perhaps the server is only slow, perhaps nothing arrives there any more: others need not find out.
                if failure.kind == Kind::Late {
                    streams.forget(&wire);
                }
                Err(failure)
            }
        }
    }

    /// A connection with a stream to spare: one there is, or the next one, which one request makes for all that wait.
    async fn wire(
        &self,
        station: &Rc<Station>,
        streams: &Multiplex,
        limits: Limits,
    ) -> Result<Rc<Wire>, Failure> {
        let failures = streams.failures();
        loop {
            if let Some(wire) = streams.free() {
                return Ok(wire);
            }
            let Some(opening) = streams.begin_opening() else {
                let place = streams.line.join();
                let look = || {
                    let failed = streams.failed_since(failures);
                    let is_news = failed.is_some() || streams.has_room() || !streams.is_opening();
                    is_news.then_some(failed)
                };
                match poll_fn(|cx| place.poll(cx, look)).await {
                    Some(why) => return Err(Failure::new(Kind::Unreachable, why.to_string())),
                    None => continue,
                }
            };
            let seat = match station.endpoint.room.try_seat() {
                Some(seat) => seat,
                None => {
                    // Others may wait in the same way.
                    drop(opening);
                    match self.wait_for_room(station, || streams.free()).await? {
                        Either::Left(wire) => return Ok(wire),
                        Either::Right(seat) => match streams.begin_opening() {
                            Some(opening) => return self.open_wire(station, seat, opening, limits).await,
                            None => continue,
                        },
                    }
                }
            };
            return self.open_wire(station, seat, opening, limits).await;
        }
    }

    async fn open_wire(
        &self,
        station: &Rc<Station>,
        seat: Seat,
        opening: Opening<'_>,
        limits: Limits,
    ) -> Result<Rc<Wire>, Failure> {
        let most = station.streams.as_ref().map_or(1, Multiplex::expected);
        let made = async {
            let stream = self.dial(station, limits).await?;
            connect::http2(stream, seat, most).await.map_err(unreachable)
        };
        match made.await {
            Ok(streams) => Ok(opening.done(streams)),
            Err(failure) => {
                opening.failed(&causes(&*failure.cause));
                Err(failure)
            }
        }
    }
}

/// An answer's body, and the stream that is free again when it has ended.
struct Lent {
    incoming: Incoming,
    stream: Option<Stream>,
}

impl Lent {
    fn body(incoming: Incoming, stream: Stream) -> Body {
        if incoming.is_end_stream() {
            return Body::Empty;
        }
        Body::Upstream(Box::pin(Self { incoming, stream: Some(stream) }))
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.incoming).poll_frame(cx));
        if frame.is_none() || this.incoming.is_end_stream() {
            this.stream = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Whose fault a broken exchange is: the client's if its body broke off, else the upstream's.
fn broken(error: hyper::Error) -> Failure {
    if error.is_user() || error.is_body_write_aborted() {
        return Failure::new(Kind::Client, error);
    }
    let source = std::error::Error::source(&error);
    let kind = match source.and_then(|source| source.downcast_ref::<h2::Error>()) {
        // This side reset the stream: the body that it was to send broke off.
        Some(h2) if h2.is_reset() && !h2.is_remote() => Kind::Client,
        Some(h2)
            if h2.is_remote() && (h2.is_go_away() || h2.reason() == Some(h2::Reason::REFUSED_STREAM)) =>
        {
            Kind::Refused
        }
        _ => Kind::Broken,
    };
    Failure::new(kind, error)
}

/// The same target at that server, as HTTP/2 names it.
pub(super) fn absolute(target: &Uri, server: &Server) -> Result<Uri, http::Error> {
    let mut parts = Parts::default();
    parts.scheme = Some(if server.https { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(Authority::try_from(server.authority.as_bytes())?);
    parts.path_and_query = target.path_and_query().cloned();
    Ok(Uri::from_parts(parts)?)
}
