//! What a place must do in which sessions outlive a process. It sees hashes, sealed bytes and times, and no more: it
//! cannot read a session, and does not know what one is.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::SessionKey;

/// A session as it is kept. Nothing in here can be read without a key that the place does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// 1 at first, one more with each replacement.
    pub version: u64,
    /// What the gateway holds for the person, sealed with keys that only cookies open.
    pub body: Vec<u8>,
    /// What operators may see, sealed with the gateways' own key.
    pub summary: Vec<u8>,
    /// When the session was used last, as far as was written down.
    pub last_used: Timestamp,
    /// A session nobody used for this long is over. Whole seconds.
    pub idle: Duration,
    /// When the session ends, used or not.
    pub absolute_end: Timestamp,
    /// Finds all sessions of one person: a keyed hash of issuer and subject.
    pub subject: IndexKey,
    /// Finds all sessions of one sign-in at the provider: a keyed hash of issuer and `sid`.
    pub provider_session: Option<IndexKey>,
}

impl Stored {
    /// When the session ends if it is not used again.
    pub fn end(&self) -> Timestamp {
        self.last_used.plus(self.idle).min(self.absolute_end)
    }
}

/// A keyed hash that several sessions may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexKey(pub [u8; 32]);

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which session.
    pub key: SessionKey,
    /// As in [`Stored::summary`].
    pub summary: Vec<u8>,
    /// As in [`Stored::last_used`].
    pub last_used: Timestamp,
    /// As in [`Stored::end`].
    pub end: Timestamp,
}

/// Part of a listing of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The sessions, in no promised order. May be fewer than asked for, even none, while there is more.
    pub sessions: Vec<Listed>,
    /// Where the next part begins; nothing after the last.
    pub next: Option<String>,
}

/// Who holds a lease: random, one for each try.
pub type Holder = [u8; 16];

/// What a shared place tells a gateway unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Another gateway ended the session.
    Ended(SessionKey),
    /// Another gateway replaced the session.
    Changed(SessionKey),
    /// From now on no news is missed. Whatever was kept in memory before must be looked up once more.
    Live,
    /// News may be missed: what is kept in memory can no longer be relied on.
    Lost,
}

/// Who hears the news. Called on the place's own task; must not block.
pub type Listener = Arc<dyn Fn(News) + Send + Sync>;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or not in time. Trying later may help.
    #[error("the session store cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot write: the disk is full or read-only, or it has no memory left.
    #[error("the session store cannot write")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What it returned was not written by a gateway.
    #[error("the session store holds something that no gateway wrote: {0}")]
    Foreign(&'static str),
}
