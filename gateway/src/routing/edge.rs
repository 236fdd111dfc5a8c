//! What a route asks of clients before anybody looks who they are, and what its answers wear on their way out. Most
//! routes have nothing of it.

use http::HeaderValue;

use crate::cors::Policy;
use crate::limits::RouteRate;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Which other origins' scripts may read the answers.
    pub cors: Option<Policy>,
    /// How much one client may ask.
    pub rate: Option<RouteRate>,
    /// Whether answers are compressed here.
    pub compress: Compress,
    /// How long caches may keep what was found.
    pub cache_control: Option<HeaderValue>,
}

/// Whether answers are compressed. What an attacker can put into an answer beside a secret tells, by its compressed
/// length, what the secret is (BREACH; requirement RL-06): so by default only answers to nobody in particular are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// None.
    #[default]
    Never,
    /// Those to requests without a session.
    ToNobody,
    /// All.
    Always,
}

/// How large a request's body may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaxBody(pub u64);

impl MaxBody {
    /// Any size.
    pub const UNLIMITED: Self = Self(u64::MAX);
}

impl Default for MaxBody {
    fn default() -> Self {
        Self(10 * 1024 * 1024)
    }
}
