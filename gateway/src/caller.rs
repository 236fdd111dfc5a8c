//! Who is asking, as far as it was proved. Knows nothing of how.

use std::sync::Arc;

use crate::session::Session;

/// The party behind a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody that the gateway knows.
    Anonymous {
        /// Whether the request brought a session cookie that opens nothing, which the answer should clear.
        stale_cookie: bool,
    },
    /// The holder of a live session's cookie.
    Session(Arc<Session>),
}

impl Caller {
    /// The session, if there is one.
    pub fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Session(session) => Some(session),
            Self::Anonymous { .. } => None,
        }
    }
}
