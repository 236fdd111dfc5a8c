//! The places in which sessions outlive a process, behind one set of calls. Which it is is a private matter.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::SessionKey;

use super::backend::{Holder, IndexKey, Listed, Page, StoreError, Stored};
use super::file::File;
use super::redis::Redis;
#[cfg(test)]
use super::shared::Shared;

/// One of them.
pub(super) enum Durable {
    /// A database of this gateway's own.
    File(File),
    /// A server that several gateways share.
    Redis(Redis),
    /// A map that several stores of one test share.
    #[cfg(test)]
    Shared(std::sync::Arc<Shared>),
}

/// Calls the same method of whichever it is.
macro_rules! each {
    ($self:expr, $place:ident => $call:expr) => {
        match $self {
            Durable::File($place) => $call,
            Durable::Redis($place) => $call,
            #[cfg(test)]
            Durable::Shared($place) => $call,
        }
    };
}

impl Durable {
    /// What it is called in metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Redis(_) => "redis",
            #[cfg(test)]
            Self::Shared(_) => "shared",
        }
    }

    /// Keeps a session that it does not have yet.
    pub(super) async fn create(&self, key: SessionKey, stored: &Stored) -> Result<(), StoreError> {
        each!(self, place => place.create(key, stored).await)
    }

    /// The session of that key, over or not.
    pub(super) async fn load(&self, key: SessionKey) -> Result<Option<Stored>, StoreError> {
        each!(self, place => place.load(key).await)
    }

    /// Puts `stored` in the place of the version before it. False if that is not what it has.
    pub(super) async fn replace(&self, key: SessionKey, stored: &Stored) -> Result<bool, StoreError> {
        each!(self, place => place.replace(key, stored).await)
    }

    /// Notes uses; never brings back a session that ended.
    pub(super) async fn touch(&self, uses: &[(SessionKey, Timestamp)]) -> Result<(), StoreError> {
        each!(self, place => place.touch(uses).await)
    }

    /// Ends sessions. Returns those that there were.
    pub(super) async fn end(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        each!(self, place => place.end(keys).await)
    }

    /// The sessions that share something.
    pub(super) async fn of(&self, index: IndexKey) -> Result<Vec<SessionKey>, StoreError> {
        each!(self, place => place.of(index).await)
    }

    /// What a listing says of those sessions.
    pub(super) async fn listed(&self, keys: &[SessionKey]) -> Result<Vec<Listed>, StoreError> {
        each!(self, place => place.listed(keys).await)
    }

    /// Part of all sessions.
    pub(super) async fn page(&self, from: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        each!(self, place => place.page(from, limit).await)
    }

    /// Removes at most `max` sessions that are over, and returns those that this very call removed.
    pub(super) async fn expire(&self, now: Timestamp, max: usize) -> Result<Vec<Listed>, StoreError> {
        each!(self, place => place.expire(now, max).await)
    }

    /// How many sessions there are.
    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        each!(self, place => place.count().await)
    }

    /// Whether `holder` alone may refresh the session for the next `ttl`. A place of one gateway has no other to ask.
    pub(super) async fn lease(
        &self,
        key: SessionKey,
        holder: Holder,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        match self {
            Self::File(_) => Ok(true),
            Self::Redis(redis) => redis.lease(key, holder, ttl).await,
            #[cfg(test)]
            Self::Shared(shared) => shared.lease(key, holder, ttl),
        }
    }

    /// Gives the lease back.
    pub(super) async fn release(&self, key: SessionKey, holder: Holder) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Redis(redis) => redis.release(key, holder).await,
            #[cfg(test)]
            Self::Shared(shared) => {
                shared.release(key, holder);
                Ok(())
            }
        }
    }

    /// True once for each name within `ttl`, among all gateways.
    pub(super) async fn claim(&self, name: &[u8; 32], ttl: Duration) -> Result<bool, StoreError> {
        match self {
            Self::File(_) => Ok(true),
            Self::Redis(redis) => redis.claim(name, ttl).await,
            #[cfg(test)]
            Self::Shared(shared) => Ok(shared.claim(name)),
        }
    }

    /// Whether everything that others changed was heard. Asked by every request that trusts what is in memory.
    pub(super) fn is_live(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Redis(redis) => redis.is_live(),
            #[cfg(test)]
            Self::Shared(shared) => !shared.is_silent(),
        }
    }

    /// Whether other gateways may change what it has.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}
