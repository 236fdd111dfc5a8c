//! One HTTP/2 connection, from its handshake to its end: limits, patience, and an orderly goodbye. Knows frames and
//! streams as far as they cost something; what requests mean is `gateway`'s matter (requirements H2-05 to H2-08).

mod frames;
mod paced;
mod streams;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::config::Timeouts;
use crate::gateway;
use crate::intake::{MAX_HEADER_BYTES, Peer};
use crate::live::Worker;
use crate::session::KeyMemo;

use super::farewell::Farewell;

use frames::{Tally, Watched};
use paced::Paced;
use streams::{Executor, Streams};

/// How many requests a client may have open at once.
const MAX_STREAMS: u32 = 100;
/// What a client may send of one body before the upstream has taken any of it.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What is kept of one answer for a client that does not take it.
const SEND_BUFFER: usize = 64 * 1024;
/// How many streams the library may have to reset for breaking the protocol before the connection is given up
/// (CVE-2025-8671). Those beyond [`MAX_STREAMS`] count too, and a client learns of that limit only in our first frame.
const MAX_BROKEN_STREAMS: usize = 200;
/// How many a client may take back before anybody has looked at them (CVE-2023-44487).
const MAX_UNSEEN_STREAMS: usize = 50;
/// A client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(45);
/// And must answer.
const PING_ANSWER: Duration = Duration::from_secs(20);
/// How often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same once it was asked to go.
const LOOK_EVERY_WHEN_LEAVING: Duration = Duration::from_millis(250);
/// How long a client without open requests may take to go.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// Serves a connection until its client goes, is too long silent or asks too much, or the worker says farewell.
pub(super) async fn serve<I>(
    worker: Rc<Worker>,
    io: I,
    peer: Peer,
    farewell: Rc<Farewell>,
    timeouts: Timeouts,
) where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let streams = Rc::new(Streams::new(timeouts.stalled));
    let tally = Rc::new(Tally::default());
    let talk = Rc::new((worker, peer, KeyMemo::default()));
    let service = {
        let streams = Rc::clone(&streams);
        service_fn(move |request| {
            let (talk, stream) = (Rc::clone(&talk), streams.begin());
            // In a box, which is gone once there is an answer: a client that takes none holds no more than that.
            Box::pin(async move {
                let (worker, peer, memo) = &*talk;
                let response = gateway::handle(worker, request, peer, memo).await;
                Ok::<_, Infallible>(response.map(|body| Paced::new(body, stream)))
            })
        })
    };
    let connection = http2::Builder::new(Executor(Rc::clone(&streams)))
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_UNSEEN_STREAMS)
        .max_local_error_reset_streams(MAX_BROKEN_STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER)
        .serve_connection(TokioIo::new(Watched::new(io, Rc::clone(&tally))), service);
    let mut connection = pin!(connection);
    let mut life = Life::new(&streams, &tally, timeouts);
    let mut listener = None;
    poll_fn(|cx| {
        loop {
            // How a client's connection ends is the client's business.
            if connection.as_mut().poll(cx).is_ready() || streams.are_abused() {
                return Poll::Ready(());
            }
            listener.get_or_insert_with(|| farewell.listen(cx.waker()));
            let verdict = if farewell.is_said() && !life.is_leaving() {
                Verdict::Leave
            } else {
                match life.looks.poll_tick(cx) {
                    Poll::Ready(now) => life.look(now),
                    Poll::Pending => return Poll::Pending,
                }
            };
            match verdict {
                Verdict::Stay => {}
                Verdict::Leave => {
                    life.leave();
                    connection.as_mut().graceful_shutdown();
                }
                Verdict::Cut => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// What becomes of a connection that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stay,
    /// GOAWAY: requests under way are answered, new ones go elsewhere (RFC 9113, section 6.8).
    Leave,
    /// Closed where it stands.
    Cut,
}

/// How long a connection has been, and been idle.
struct Life<'c> {
    streams: &'c Streams,
    tally: &'c Tally,
    timeouts: Timeouts,
    begun: Instant,
    last_busy: Instant,
    left: Option<Instant>,
    looks: Pin<Box<Interval>>,
}

impl<'c> Life<'c> {
    fn new(streams: &'c Streams, tally: &'c Tally, timeouts: Timeouts) -> Self {
        let now = Instant::now();
        let shortest = timeouts.handshake.min(timeouts.idle).min(timeouts.age);
        let looks = Box::pin(every(LOOK_EVERY.min(shortest / 4)));
        Self { streams, tally, timeouts, begun: now, last_busy: now, left: None, looks }
    }

    fn is_leaving(&self) -> bool {
        self.left.is_some()
    }

    fn leave(&mut self) {
        self.left = Some(Instant::now());
        self.looks = Box::pin(every(LOOK_EVERY_WHEN_LEAVING));
    }

    fn look(&mut self, now: Instant) -> Verdict {
        self.tally.forget(now - self.begun);
        self.streams.forgive();
        let is_idle = self.streams.open() == 0;
        if !is_idle {
            self.last_busy = now;
        }
        if let Some(left) = self.left {
            // A client that does not answer the goodbye keeps nobody waiting (requirement EP-05).
            return if is_idle && now - left >= LEAVES_WITHIN { Verdict::Cut } else { Verdict::Stay };
        }
        let (age, Timeouts { handshake, idle, age: oldest, .. }) = (now - self.begun, self.timeouts);
        if !self.tally.has_settings() && age >= handshake {
            Verdict::Cut
        } else if now - self.last_busy >= idle || age >= oldest {
            Verdict::Leave
        } else {
            Verdict::Stay
        }
    }
}

fn every(period: Duration) -> Interval {
    let period = period.max(Duration::from_millis(10));
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
