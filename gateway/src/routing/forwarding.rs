//! How a route forwards where it differs from most: its time-outs, its retries, its trailers. Data alone. A route without
//! any of it has no [`Forwarding`] and pays nothing.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, StatusCode};

/// What a route says of forwarding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// Its own time-outs.
    pub timeouts: Timeouts,
    /// When a request is sent again.
    pub retries: Option<Retries>,
    /// Whether trailers pass.
    pub trailers: Option<Trailers>,
}

/// A route's own time-outs. What is not there is the upstream's, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For making a connection.
    pub connect: Option<Duration>,
    /// For the first byte of the answer, once the request was sent.
    pub response: Option<Duration>,
    /// For the next byte in either direction, once the answer began.
    pub idle: Option<Duration>,
    /// For everything together.
    pub total: Option<Duration>,
    /// Whether `idle` and `total` hold for WebSockets and event streams too.
    pub streams: bool,
}

/// When a request that may be sent again is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often it is sent at most, the first time included.
    pub attempts: u8,
    /// After no connection could be made, to the same server too. (To another it is sent in any case.)
    pub connect: bool,
    /// After the connection broke before an answer came.
    pub reset: bool,
    /// After no answer came in time.
    pub timeout: bool,
    /// After an answer with one of these.
    pub statuses: Vec<StatusCode>,
}

/// Which trailers pass, in both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trailers {
    /// Whether gRPC is spoken: then `te: trailers` is said, and what the gateway answers itself is in gRPC's form.
    pub grpc: bool,
    /// Names that clients' trailers must not have, besides those that never pass: headers that the route itself sets.
    pub kept_out: Arc<[HeaderName]>,
}
