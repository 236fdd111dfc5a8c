//! One attempt: a request to one server, over a connection that is idle, shared or made for it. Tells what became of it
//! and whether the request ever left; whether there is another attempt is `again`'s matter.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::Request;

use crate::body::{Body, Progress, TooLarge};
use crate::stop::{Cause, Reason, Stop, Whose};

use super::Upstream;
use super::connect::{self, ConnectError};
use super::deadline::TooLate;
use super::http1::{self, Answer, Connection};
use super::room::Seat;
use super::station::Station;

/// Time-outs of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) response: Duration,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No connection could be made.
    Unreachable,
    /// No connection could be made in time.
    ConnectSlow,
    /// Too many connections, and too many who wait for one; or too many tries at a server that is left out.
    Busy,
    /// The connection was there and took nothing.
    Unsent,
    /// The server says that it did not look at the request (RFC 9113, sections 6.8 and 8.7).
    Refused,
    /// The connection broke, or what came is not HTTP.
    Broken,
    /// No answer in time.
    Late,
    /// No answer in time, but the client had not sent all of its body either.
    Starved,
    /// The client's body broke off.
    Client,
}

impl Kind {
    /// Whether it says something bad of the server.
    pub(super) fn blames_server(self) -> bool {
        match self {
            Self::Unreachable | Self::ConnectSlow | Self::Unsent | Self::Broken | Self::Late => true,
            Self::Busy | Self::Refused | Self::Starved | Self::Client => false,
        }
    }

    /// Whether not a byte of the request was sent.
    pub(super) fn is_unsent(self) -> bool {
        match self {
            Self::Unreachable | Self::ConnectSlow | Self::Busy | Self::Unsent => true,
            Self::Refused | Self::Broken | Self::Late | Self::Starved | Self::Client => false,
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::Unreachable => Reason::UpstreamUnreachable,
            Self::ConnectSlow | Self::Late => Reason::UpstreamTimeout,
            Self::Starved => Reason::BodyTooSlow,
            Self::Busy => Reason::UpstreamBusy,
            Self::Unsent | Self::Refused | Self::Broken => Reason::UpstreamBroken,
            Self::Client => Reason::ClientGone,
        }
    }
}

/// An attempt that failed.
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) cause: Cause,
}

impl Failure {
    pub(super) fn new(kind: Kind, cause: impl Into<Cause>) -> Self {
        Self { kind, cause: cause.into() }
    }

    /// The end of the request, for want of another attempt.
    pub(super) fn into_stop(self) -> Stop {
        if self.kind == Kind::Client && is_too_large(&*self.cause) {
            return Stop::refused(Reason::BodyTooLarge);
        }
        let is_clients = matches!(self.kind, Kind::Client | Kind::Starved);
        let whose = if is_clients { Whose::Client } else { Whose::Upstream };
        Stop::failed(whose, self.kind.reason(), self.cause)
    }
}

/// Whether the gateway itself broke a body off, somewhere below what a library says of it.
fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| below(*error)).any(<dyn std::error::Error>::is::<TooLarge>)
}

/// What an error is about. An I/O error that holds another does not call it its source.
fn below<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}

/// Too many already, or for too long.
#[derive(Debug, thiserror::Error)]
enum Crowded {
    #[error("as many requests as may wait for a connection")]
    QueueFull,
    #[error("no connection was free in time")]
    QueueSlow,
    #[error("it failed again and again, and enough requests are trying it")]
    Trials,
}

/// How often a body that is still coming is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// How many bytes of a body must come in each second, measured over [`LOOK`]. A modem of 1990 has twenty times that.
const SLOWEST: u64 = 100;

/// How a body has come so far.
#[derive(Default)]
struct Pace {
    /// For how long nothing came, or nothing was taken.
    still: Duration,
    /// Since when bytes are counted, and from which one on.
    counted: Duration,
    from: u64,
}

impl Pace {
    /// After another `window`: whether it is too slow, and who holds it up.
    fn judge(&mut self, body: &Progress, moved: bool, window: Duration, limit: Duration) -> Option<Kind> {
        self.still = if moved { Duration::ZERO } else { self.still + window };
        self.counted += window;
        if self.still >= limit {
            return Some(if body.is_over() || !body.is_waiting() { Kind::Late } else { Kind::Starved });
        }
        if self.counted < LOOK {
            return None;
        }
        let is_slow = body.bytes() - self.from < SLOWEST * self.counted.as_secs();
        (self.counted, self.from) = (Duration::ZERO, body.bytes());
        (is_slow && body.is_waiting() && !body.is_over()).then_some(Kind::Starved)
    }
}

impl Upstream {
    /// Sends a request to a server, once. The request is as it was if the failure [`is_unsent`](Kind::is_unsent), and used
    /// up otherwise.
    pub(super) async fn attempt(
        &self,
        station: &Rc<Station>,
        request: &mut Request<Body>,
        progress: Option<&Progress>,
        limits: Limits,
    ) -> Result<Answer, Failure> {
        if let Some(streams) = &station.streams {
            return Box::pin(self.attempt_on_stream(station, streams, request, progress, limits)).await;
        }
        self.attempt_on_connection(station, request, progress, limits).await
    }

    /// HTTP/1.1. An idle connection that the server had closed meanwhile leaves the request unsent; only then is another
    /// one tried, so that nothing is ever sent twice (requirement TK-13).
    async fn attempt_on_connection(
        &self,
        station: &Rc<Station>,
        request: &mut Request<Body>,
        progress: Option<&Progress>,
        limits: Limits,
    ) -> Result<Answer, Failure> {
        loop {
            let visit = station.pool.enter();
            let (connection, is_fresh) = match station.pool.take() {
                Some(connection) => (connection, false),
                None => Box::pin(self.open(station, limits)).await?,
            };
            let exchange = connection.exchange(request, &self.scratch, visit);
            match self.in_time(progress, limits.response, exchange).await? {
                Ok(answer) => return Ok(answer),
                Err(http1::Failure::Unsent(_)) if !is_fresh => {}
                Err(http1::Failure::Unsent(error)) => return Err(Failure::new(Kind::Unsent, error)),
                Err(http1::Failure::Client(error)) => return Err(Failure::new(Kind::Client, error)),
                Err(http1::Failure::Server(error)) => return Err(Failure::new(Kind::Broken, error)),
            }
        }
    }

    /// Waits for the answer's head. The time-out starts anew while the client is still sending its body, as long as that
    /// comes fast enough (requirement H1-15).
    pub(super) async fn in_time<T>(
        &self,
        progress: Option<&Progress>,
        limit: Duration,
        exchange: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut exchange = pin!(exchange);
        let mut pace = Pace::default();
        loop {
            let sending = progress.filter(|progress| !progress.is_over());
            let Some(sending) = sending else {
                let outcome = self.deadlines.within(limit, exchange.as_mut()).await;
                return outcome.map_err(|late| Failure::new(Kind::Late, late));
            };
            let (window, before) = (limit.min(LOOK), sending.count());
            match self.deadlines.within(window, exchange.as_mut()).await {
                Ok(result) => return Ok(result),
                Err(late) => {
                    if let Some(kind) = pace.judge(sending, sending.count() != before, window, limit) {
                        return Err(Failure::new(kind, late));
                    }
                }
            }
        }
    }

    /// A new connection, or one that came back while this request waited; and whether it is new.
    async fn open(&self, station: &Rc<Station>, limits: Limits) -> Result<(Connection, bool), Failure> {
        let is_first = station.pool.queue().is_none_or(|queue| queue.here.is_empty());
        let seat = match station.endpoint.room.try_seat().filter(|_| is_first) {
            Some(seat) => seat,
            None => match self.wait_for_room(station, || station.pool.take()).await? {
                Either::Left(connection) => return Ok((connection, false)),
                Either::Right(seat) => seat,
            },
        };
        let stream = self.dial(station, limits).await?;
        Ok((Connection::new(stream, Some(seat)), true))
    }

    /// Waits, with others, until `look` finds something or a connection may be made.
    pub(super) async fn wait_for_room<T>(
        &self,
        station: &Rc<Station>,
        look: impl Fn() -> Option<T>,
    ) -> Result<Either<T, Seat>, Failure> {
        let (room, counts) = (&station.endpoint.room, &self.shared.counts);
        let refuse = |cause| {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            Failure::new(Kind::Busy, cause)
        };
        let queue = self.shared.settings.queue;
        let ticket = self.shared.queued.enter(queue.length, &room.waiting);
        let Some(_ticket) = ticket else {
            return Err(refuse(Crowded::QueueFull));
        };
        counts.queued.fetch_add(1, Ordering::Relaxed);
        let line = match (&station.streams, station.pool.queue()) {
            (Some(streams), _) => Rc::clone(&streams.line),
            (None, Some(queue)) => Rc::clone(&queue.here),
            (None, None) => Rc::default(),
        };
        let place = line.join();
        let returned = poll_fn(|cx| place.poll(cx, &look));
        let seated = pin!(room.wait_for_seat());
        match self.deadlines.within(queue.wait, select(returned, seated)).await {
            Ok(Either::Left((found, _))) => Ok(Either::Left(found)),
            Ok(Either::Right((seat, _))) => Ok(Either::Right(seat)),
            Err(TooLate) => Err(refuse(Crowded::QueueSlow)),
        }
    }

    pub(super) async fn dial(&self, station: &Rc<Station>, limits: Limits) -> Result<http1::Stream, Failure> {
        let endpoint = &station.endpoint;
        let is_out = endpoint.health.is_out(self.deadlines.now());
        let Some(_opening) = station.begin_opening(is_out) else {
            self.shared.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Failure::new(Kind::Busy, Crowded::Trials));
        };
        let settings = &self.shared.settings;
        let server = &settings.servers[endpoint.server];
        let dialling = connect::dial(&endpoint.addresses, server, settings, self.shared.tls.as_ref());
        match tokio::time::timeout(limits.connect, dialling).await {
            Ok(Ok(raw)) => {
                self.shared.counts.connected.fetch_add(1, Ordering::Relaxed);
                Ok(raw)
            }
            Ok(Err(error)) => Err(unreachable(error)),
            Err(elapsed) => Err(Failure::new(Kind::ConnectSlow, elapsed)),
        }
    }
}

pub(super) fn unreachable(error: ConnectError) -> Failure {
    Failure::new(Kind::Unreachable, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(2);

    /// What is thought of a body of which so many bytes come in each window, while whoever is named holds it up.
    fn judged(bytes: &[u64], is_waiting: bool) -> Option<Kind> {
        let (body, mut pace) = (Progress::of_at_most(u64::MAX), Pace::default());
        let mut verdict = None;
        for &bytes in bytes {
            body.note_bytes(bytes);
            if is_waiting {
                body.wait();
            }
            verdict = verdict.or(pace.judge(&body, bytes > 0, LOOK, LIMIT));
        }
        verdict
    }

    #[test]
    fn a_body_may_be_slow_but_not_a_trickle() {
        let least = SLOWEST * LOOK.as_secs();
        assert_eq!(judged(&[least, least, least], true), None);
        assert_eq!(judged(&[least, least - 1], true), Some(Kind::Starved));
        assert_eq!(judged(&[30], true), Some(Kind::Starved), "a byte each second");
        assert_eq!(judged(&[10 * least, 0], true), Some(Kind::Starved), "what came before does not count");
    }

    #[test]
    fn an_upstream_that_takes_nothing_is_not_the_clients_fault() {
        assert_eq!(judged(&[30, 30, 30, 30], false), None, "it is taken slowly, but taken");
        assert_eq!(judged(&[30, 0, 0, 0], false), None);
        assert_eq!(judged(&[30, 0, 0, 0, 0], false), Some(Kind::Late));
    }

    #[test]
    fn a_short_limit_is_kept_whatever_the_pace() {
        let (body, mut pace) = (Progress::of_at_most(u64::MAX), Pace::default());
        body.wait();
        let second = Duration::from_secs(1);
        assert_eq!(pace.judge(&body, true, second, second), None);
        assert_eq!(pace.judge(&body, false, second, second), Some(Kind::Starved));
    }

    #[test]
    fn a_body_that_was_too_large_is_known_below_what_a_library_says_of_it() {
        let wrapped = std::io::Error::other(TooLarge);
        assert!(is_too_large(&TooLarge) && is_too_large(&wrapped));
        assert!(!is_too_large(&std::io::Error::other("gone")));
    }
}
