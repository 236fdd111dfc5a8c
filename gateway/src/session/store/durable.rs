//! The places in which sessions outlive a process, behind one set of calls. Which it is is a private matter; how often
//! and how long each is asked is not.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::metrics::{Metrics, Operation};
use crate::session::SessionKey;

use super::backend::{Holder, IndexKey, Listed, Page, StoreError, Stored};
use super::file::File;
use super::redis::Redis;
#[cfg(test)]
use super::shared::Shared;

/// One of them, and who counts its calls.
pub(super) struct Durable {
    place: Kind,
    metrics: Arc<Metrics>,
}

/// Which it is.
pub(super) enum Kind {
    /// A database of this gateway's own.
    File(File),
    /// A server that several gateways share.
    Redis(Redis),
    /// A map that several stores of one test share.
    #[cfg(test)]
    Shared(Arc<Shared>),
}

/// Calls the same method of whichever it is, and has the call counted.
macro_rules! each {
    ($self:expr, $operation:ident, $place:ident => $call:expr) => {
        match &$self.place {
            Kind::File($place) => $self.counted(Operation::$operation, $call).await,
            Kind::Redis($place) => $self.counted(Operation::$operation, $call).await,
            #[cfg(test)]
            Kind::Shared($place) => $self.counted(Operation::$operation, $call).await,
        }
    };
}

impl Durable {
    pub(super) fn new(place: Kind, metrics: Arc<Metrics>) -> Self {
        Self { place, metrics }
    }

    async fn counted<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let done = call.await;
        self.metrics.store_call(operation, done.is_ok(), begun.elapsed());
        done
    }

    /// What it is called in metrics.
    pub(super) fn name(&self) -> &'static str {
        match self.place {
            Kind::File(_) => "file",
            Kind::Redis(_) => "redis",
            #[cfg(test)]
            Kind::Shared(_) => "shared",
        }
    }

    /// Keeps a session that it does not have yet.
    pub(super) async fn create(&self, key: SessionKey, stored: &Stored) -> Result<(), StoreError> {
        each!(self, Create, place => place.create(key, stored))
    }

    /// The session of that key, over or not.
    pub(super) async fn load(&self, key: SessionKey) -> Result<Option<Stored>, StoreError> {
        each!(self, Load, place => place.load(key))
    }

    /// Puts `stored` in the place of the version before it. False if that is not what it has.
    pub(super) async fn replace(&self, key: SessionKey, stored: &Stored) -> Result<bool, StoreError> {
        each!(self, Replace, place => place.replace(key, stored))
    }

    /// Notes uses; never brings back a session that ended.
    pub(super) async fn touch(&self, uses: &[(SessionKey, Timestamp)]) -> Result<(), StoreError> {
        each!(self, Touch, place => place.touch(uses))
    }

    /// Ends sessions. Returns those that there were.
    pub(super) async fn end(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        each!(self, End, place => place.end(keys))
    }

    /// The sessions that share something.
    pub(super) async fn of(&self, index: IndexKey) -> Result<Vec<SessionKey>, StoreError> {
        each!(self, Find, place => place.of(index))
    }

    /// What a listing says of those sessions.
    pub(super) async fn listed(&self, keys: &[SessionKey]) -> Result<Vec<Listed>, StoreError> {
        each!(self, List, place => place.listed(keys))
    }

    /// Part of all sessions.
    pub(super) async fn page(&self, from: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        each!(self, Page, place => place.page(from, limit))
    }

    /// Removes at most `max` sessions that are over, and returns those that this very call removed.
    pub(super) async fn expire(&self, now: Timestamp, max: usize) -> Result<Vec<Listed>, StoreError> {
        each!(self, Expire, place => place.expire(now, max))
    }

    /// How many sessions there are.
    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        each!(self, Count, place => place.count())
    }

    /// Whether `holder` alone may refresh the session for the next `ttl`. A place of one gateway has no other to ask.
    pub(super) async fn lease(
        &self,
        key: SessionKey,
        holder: Holder,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        match &self.place {
            Kind::File(_) => Ok(true),
            Kind::Redis(redis) => self.counted(Operation::Lease, redis.lease(key, holder, ttl)).await,
            #[cfg(test)]
            Kind::Shared(shared) => self.counted(Operation::Lease, shared.lease(key, holder, ttl)).await,
        }
    }

    /// Gives the lease back.
    pub(super) async fn release(&self, key: SessionKey, holder: Holder) -> Result<(), StoreError> {
        match &self.place {
            Kind::File(_) => Ok(()),
            Kind::Redis(redis) => self.counted(Operation::Release, redis.release(key, holder)).await,
            #[cfg(test)]
            Kind::Shared(shared) => self.counted(Operation::Release, shared.release(key, holder)).await,
        }
    }

    /// True once for each name within `ttl`, among all gateways.
    pub(super) async fn claim(&self, name: &[u8; 32], ttl: Duration) -> Result<bool, StoreError> {
        match &self.place {
            Kind::File(_) => Ok(true),
            Kind::Redis(redis) => self.counted(Operation::Claim, redis.claim(name, ttl)).await,
            #[cfg(test)]
            Kind::Shared(shared) => self.counted(Operation::Claim, shared.claim(name, ttl)).await,
        }
    }

    /// Takes a claim back.
    pub(super) async fn unclaim(&self, name: &[u8; 32]) -> Result<(), StoreError> {
        match &self.place {
            Kind::File(_) => Ok(()),
            Kind::Redis(redis) => self.counted(Operation::Claim, redis.unclaim(name)).await,
            #[cfg(test)]
            Kind::Shared(shared) => self.counted(Operation::Claim, shared.unclaim(name)).await,
        }
    }

    /// Whether everything that others changed was heard. Asked by every request that trusts what is in memory.
    pub(super) fn is_live(&self) -> bool {
        match &self.place {
            Kind::File(_) => true,
            Kind::Redis(redis) => redis.is_live(),
            #[cfg(test)]
            Kind::Shared(shared) => !shared.is_silent(),
        }
    }

    /// Whether other gateways may change what it has.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self.place, Kind::File(_))
    }
}
