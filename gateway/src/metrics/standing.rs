//! How upstreams stand at the moment of a scrape: told by whoever knows, right before it.

/// One upstream: what happened to it so far, and how it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// `[upstreams.NAME]`.
    pub upstream: String,
    /// Its servers.
    pub servers: Vec<ServerStanding>,
    /// Requests that wait for a connection now.
    pub waiting: u64,
    /// Connections that were made.
    pub connected: u64,
    /// Requests that were sent once more.
    pub retries: u64,
    /// Requests that were not, because there had been too many.
    pub retries_refused: u64,
    /// Times that a server was left out for its failures.
    pub ejections: u64,
    /// Requests that waited for a connection.
    pub queued: u64,
    /// Requests that were refused because too many waited, or waited for too long.
    pub refused: u64,
}

/// One server of an upstream, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerStanding {
    /// Host and port, as configured.
    pub server: String,
    /// Connections, idle ones included.
    pub connections: u64,
    /// Requests under way there.
    pub in_flight: u64,
    /// Whether it gets requests.
    pub is_up: bool,
}
