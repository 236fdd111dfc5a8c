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
            if let Some(seat) = station.endpoint.room.try_seat() {
                return self.open_wire(station, seat, opening, limits).await;
            }
            // Others may wait in the same way.
            drop(opening);
            let seat = match self.wait_for_room(station, || streams.free()).await? {
                Either::Left(wire) => return Ok(wire),
                Either::Right(seat) => seat,
            };
            if let Some(opening) = streams.begin_opening() {
                return self.open_wire(station, seat, opening, limits).await;
            }
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
    /// Whether its end was told.
    is_told: bool,
}

/// The server gave its answer up before the end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off: its stream was reset")]
struct CutOff;

impl Lent {
    fn body(incoming: Incoming, stream: Stream) -> Body {
        if incoming.is_end_stream() {
            return Body::Empty;
        }
        Body::Upstream(Box::pin(Self { incoming, stream: Some(stream), is_told: false }))
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
        let is_whole = this.incoming.is_end_stream();
        if frame.is_none() || is_whole {
            this.stream = None;
        }
        // The library takes a stream that was reset without an error for one that has ended (requirement H1-14).
        if frame.is_none() && !std::mem::replace(&mut this.is_told, true) && !is_whole {
            return Poll::Ready(Some(Err(CutOff.into())));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::Arc;

    use http::Response;
    use http_body_util::BodyExt as _;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;
    use tokio::task::LocalSet;

    use crate::upstream::http1;
    use crate::upstream::pool::Pool;
    use crate::upstream::room::Room;

    /// Answers one request with a piece, and with the end of the stream or its reset once `go` is said.
    async fn serve(listener: TcpListener, go: oneshot::Receiver<()>, reset: Option<h2::Reason>) {
        let (tcp, _) = listener.accept().await.expect("a connection");
        let mut connection = h2::server::handshake(tcp).await.expect("HTTP/2");
        let (_, mut respond) = connection.accept().await.expect("a request").expect("a whole one");
        let mut body = respond.send_response(Response::new(()), false).expect("a stream");
        body.send_data(Bytes::from_static(b"half"), false).expect("a stream");
        tokio::spawn(async move {
            go.await.expect("said");
            match reset {
                Some(reason) => body.send_reset(reason),
                None => body.send_data(Bytes::new(), true).expect("a stream"),
            }
        });
        while connection.accept().await.is_some() {}
    }

    /// What is read behind the first piece of an answer that ends so.
    async fn rest(reset: Option<h2::Reason>) -> Result<Bytes, BodyError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (go, going) = oneshot::channel();
        tokio::spawn(serve(listener, going, reset));
        let tcp = TcpStream::connect(address).await.expect("it listens");
        let seat = Room::new(None).try_seat().expect("a seat");
        let mut streams = connect::http2(http1::Stream::Plain(tcp), seat, 1).await.expect("HTTP/2");
        let request = Request::get("http://upstream.example/").body(Body::Empty).expect("a request");
        let answer = streams.sender.send_request(request).await.expect("an answer");
        let visit = Rc::new(Pool::new(Arc::default(), None)).enter();
        let mut body =
            Lent::body(answer.into_body(), Stream::new(Rc::new(Cell::new(0)), Rc::default(), visit));
        let first = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
        assert_eq!(first, "half");
        go.send(()).expect("awaited");
        Ok(body.collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn an_answer_whose_stream_is_reset_is_cut_off_whatever_the_reason() {
        let work = async {
            assert!(rest(None).await.expect("the end").is_empty());
            for reason in [h2::Reason::NO_ERROR, h2::Reason::CANCEL, h2::Reason::INTERNAL_ERROR] {
                assert!(rest(Some(reason)).await.is_err(), "{reason:?}");
            }
        };
        LocalSet::new().run_until(work).await;
    }
}
