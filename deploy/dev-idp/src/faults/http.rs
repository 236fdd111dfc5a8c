//! How an endpoint can fail to answer properly at all. Knows nothing of what the endpoint would have said.

use std::convert::Infallible;
use std::time::Duration;

use ::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;

use super::{Fault, Faults, faults, gzip};
use crate::answer::{self, Answer};
use crate::faces::Endpoint;

faults! {
    /// An endpoint that does not answer as it should.
    HttpFault {
        /// CB-20: 400 with an HTML page.
        Status400 = "status-400",
        /// CB-20: 401 with an HTML page.
        Status401 = "status-401",
        /// 404 with an HTML page.
        Status404 = "status-404",
        /// CB-20: 429 with Retry-After.
        Status429 = "status-429",
        /// CB-20, JW-02: 500 with an HTML page.
        Status500 = "status-500",
        /// CB-20: 503 with Retry-After.
        Status503 = "status-503",
        /// CB-15: 301 to the canary.
        Redirect301 = "redirect-301",
        /// CB-15: 302 to the canary.
        Redirect302 = "redirect-302",
        /// CB-15: 303 to the canary.
        Redirect303 = "redirect-303",
        /// CB-15: 307 to the canary.
        Redirect307 = "redirect-307",
        /// CB-15: 308 to the canary.
        Redirect308 = "redirect-308",
        /// CB-16: never answers.
        Hang = "hang",
        /// CB-16: sends a head, never a body.
        HangBody = "hang-body",
        /// CB-16: one byte of body every half second, without end.
        Drip = "drip",
        /// CB-16: a body of 1 GiB.
        Huge = "huge",
        /// CB-16: a few kilobytes of gzip that unpack to 64 MiB.
        GzipBomb = "gzip-bomb",
        /// CB-16: JSON nested 100,000 deep.
        DeepJson = "deep-json",
        /// JW-02: 200 with an HTML page.
        Html = "html",
        /// JW-02: 200 with nothing.
        Empty = "empty",
        /// Closes the connection without an answer.
        Close = "close",
        /// Promises more bytes than it sends, then closes.
        Truncated = "truncated",
    }
}

/// What a request meets.
pub(crate) enum Outcome {
    /// No fault: the endpoint answers.
    Answer,
    /// This instead.
    Instead(Box<Answer>),
    /// The connection closes.
    Close,
    /// Nothing, ever.
    Hang,
}

impl Faults {
    /// What a request to an endpoint meets, or to a page.
    pub(crate) fn on_request(&self, endpoint: Option<Endpoint>, canary: &str) -> Outcome {
        let pick = |fault| match fault {
            Fault::Http(place, fault) if Some(place) == endpoint => Some(fault),
            Fault::Everywhere(fault) => Some(fault),
            _ => None,
        };
        match self.take(pick).first() {
            None => Outcome::Answer,
            Some(HttpFault::Close) => Outcome::Close,
            Some(HttpFault::Hang) => Outcome::Hang,
            Some(fault) => Outcome::Instead(Box::new(instead(*fault, canary))),
        }
    }
}

fn instead(fault: HttpFault, canary: &str) -> Answer {
    match fault {
        HttpFault::Status400 => html(StatusCode::BAD_REQUEST),
        HttpFault::Status401 => html(StatusCode::UNAUTHORIZED),
        HttpFault::Status404 => html(StatusCode::NOT_FOUND),
        HttpFault::Status429 => retry_after(html(StatusCode::TOO_MANY_REQUESTS)),
        HttpFault::Status503 => retry_after(html(StatusCode::SERVICE_UNAVAILABLE)),
        HttpFault::Status500 | HttpFault::Hang | HttpFault::Close => html(StatusCode::INTERNAL_SERVER_ERROR),
        HttpFault::Redirect301 => redirect(StatusCode::MOVED_PERMANENTLY, canary),
        HttpFault::Redirect302 => redirect(StatusCode::FOUND, canary),
        HttpFault::Redirect303 => redirect(StatusCode::SEE_OTHER, canary),
        HttpFault::Redirect307 => redirect(StatusCode::TEMPORARY_REDIRECT, canary),
        HttpFault::Redirect308 => redirect(StatusCode::PERMANENT_REDIRECT, canary),
        HttpFault::HangBody => stream(Stream::Nothing),
        HttpFault::Drip => stream(Stream::Drip),
        HttpFault::Huge => stream(Stream::Huge),
        HttpFault::Truncated => truncated(),
        HttpFault::GzipBomb => {
            let mut bomb = json(gzip::bomb());
            bomb.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            bomb
        }
        HttpFault::DeepJson => json(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes()),
        HttpFault::Html => html(StatusCode::OK),
        HttpFault::Empty => json(Bytes::new()),
    }
}

fn html(status: StatusCode) -> Answer {
    answer::bytes(status, "text/html", "<!doctype html><title>Sorry</title><h1>Sorry</h1>")
}

fn json(body: impl Into<Bytes>) -> Answer {
    answer::bytes(StatusCode::OK, "application/json", body)
}

fn retry_after(mut answer: Answer) -> Answer {
    answer::set(&mut answer, header::RETRY_AFTER, "7");
    answer
}

fn redirect(status: StatusCode, to: &str) -> Answer {
    let mut answer = answer::redirect(to);
    *answer.status_mut() = status;
    answer
}

enum Stream {
    Nothing,
    Drip,
    Huge,
}

/// A body that a task feeds until the reader goes away.
fn stream(kind: Stream) -> Answer {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        match kind {
            Stream::Nothing => loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                // An empty frame tells whether anybody is still there.
                if sender.send_data(Bytes::new()).await.is_err() {
                    return;
                }
            },
            Stream::Drip => {
                while sender.send_data(Bytes::from_static(b" ")).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            Stream::Huge => {
                let chunk = Bytes::from(vec![b' '; 65_536]);
                for _ in 0..16_384 {
                    if sender.send_data(chunk.clone()).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    let mut answer = Response::new(body.boxed_unsync());
    answer::set(&mut answer, header::CONTENT_TYPE, "application/json");
    answer
}

/// Says 1,000 bytes, sends two: hyper then cuts the connection.
fn truncated() -> Answer {
    let mut answer = Response::new(only(Bytes::from_static(b"{\"")));
    answer::set(&mut answer, header::CONTENT_TYPE, "application/json");
    answer::set(&mut answer, header::CONTENT_LENGTH, "1000");
    answer
}

/// An answer of which the second half never comes.
pub(crate) async fn cut_short(answer: Answer) -> Answer {
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut answer = Response::from_parts(parts, only(bytes.slice(..bytes.len() / 2)));
    answer::set(&mut answer, header::CONTENT_LENGTH, &bytes.len().to_string());
    answer
}

/// A body that does not know its length.
fn only(bytes: Bytes) -> http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move { sender.send_data(bytes).await });
    body.boxed_unsync()
}
