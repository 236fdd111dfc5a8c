//! What an upstream is configured to be. Data alone: nothing here connects, counts or chooses.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::HeaderValue;
use http::uri::PathAndQuery;

use super::tls::Tls;

/// A resolved `[upstreams.NAME]` section.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `NAME`.
    pub name: String,
    /// Where it listens.
    pub servers: Vec<Server>,
    /// What is spoken there.
    pub protocol: Protocol,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the first byte of an answer may take once the request was sent.
    pub response_timeout: Duration,
    /// How long a connection that nobody uses is kept.
    pub idle: Duration,
    /// The most connections to one server, over all workers.
    pub max_connections: Option<NonZeroUsize>,
    /// Who may wait for one of them.
    pub queue: Queue,
    /// When a server that fails is left out for a while.
    pub eject: Option<Ejection>,
    /// How servers are asked whether they are well.
    pub health: Option<Check>,
    /// How long a server that is back takes to get its full share.
    pub slow_start: Option<Duration>,
    /// How often names are looked up anew.
    pub resolve: Duration,
    /// Whom `https` servers are taken for, and who the gateway is to them.
    pub tls: Tls,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Whether to speak TLS.
    pub https: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The `Host` header it gets.
    pub authority: HeaderValue,
    /// Its share of the requests, beside those of the others.
    pub weight: u32,
}

/// What is spoken with the servers of an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2 over TLS, agreed upon by ALPN.
    H2,
    /// HTTP/2 without TLS, known beforehand.
    H2c,
}

impl Protocol {
    /// Whether it is HTTP/2.
    pub fn is_multiplexed(self) -> bool {
        self != Self::Http1
    }
}

/// Who may wait for a connection where their number is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// At most so many requests, over all workers.
    pub length: usize,
    /// Each no longer than this.
    pub wait: Duration,
}

/// When a server that fails is left out for a while, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// After so many failures in a row.
    pub failures: u32,
    /// The first time for so long; twice that each time more.
    pub time: Duration,
    /// But never for longer than this.
    pub longest: Duration,
    /// Whether an answer with a status from 500 is a failure too.
    pub server_errors: bool,
}

/// How servers are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is asked for, by GET. An answer with a status from 200 to 299 is a yes.
    pub path: PathAndQuery,
    /// How often.
    pub interval: Duration,
    /// How long the answer may take.
    pub timeout: Duration,
    /// So many yeses in a row make a server well.
    pub healthy: u32,
    /// So many noes in a row make it unwell.
    pub unhealthy: u32,
}
