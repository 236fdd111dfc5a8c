//! What gateways must agree on: who refreshes a session's tokens, and which of two that should come once came first.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::Session;
use crate::session::attempt::{LIFETIME, LoginAttempt};

use super::Store;
use super::backend::{Holder, StoreError};
use super::used::Name;

impl Store {
    /// Claims a sign-in attempt. True once among all gateways, false for every later answer. An answer without a code has
    /// nothing to spend, so others need not be told: strangers can make as many of those as they like.
    pub async fn claim(
        &self,
        attempt: &LoginAttempt,
        has_code: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if has_code {
            self.claim_once(attempt.name(), now, LIFETIME).await
        } else {
            Ok(self.used.claim(attempt.name(), now.plus(LIFETIME)))
        }
    }

    /// Claims a name for `ttl`. True once among all gateways, until then false. A file remembers no names: there it is once
    /// in this process's life.
    pub async fn claim_once(&self, name: Name, now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        if !self.used.claim(name, now.plus(ttl)) {
            return Ok(false);
        }
        let Some(durable) = self.durable() else {
            return Ok(true);
        };
        durable.claim(&name, ttl).await.inspect_err(|_| self.used.unclaim(name))
    }

    /// Takes a claim back, because what it was made for could not be done. Where others cannot be told the name stays
    /// claimed for them.
    pub async fn unclaim(&self, name: Name) -> Result<(), StoreError> {
        self.used.unclaim(name);
        match self.durable() {
            None => Ok(()),
            Some(durable) => durable.unclaim(&name).await,
        }
    }

    /// Whether `holder` alone may refresh the session's tokens for the next `ttl`; asked again, for `ttl` from then.
    /// Only among gateways: within a process that is the caller's matter.
    pub async fn lease(&self, session: &Session, holder: Holder, ttl: Duration) -> Result<bool, StoreError> {
        match self.durable() {
            None => Ok(true),
            Some(durable) if durable.is_shared() && !self.has_settled() => Ok(false),
            Some(durable) => durable.lease(session.key(), holder, ttl).await,
        }
    }

    /// Gives a lease back.
    pub async fn release(&self, session: &Session, holder: Holder) -> Result<(), StoreError> {
        match self.durable() {
            None => Ok(()),
            Some(durable) => durable.release(session.key(), holder).await,
        }
    }
}
