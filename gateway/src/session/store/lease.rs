//! What gateways must agree on: who refreshes a session's tokens, and which answer to a sign-in came first.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::Session;
use crate::session::attempt::{LIFETIME, LoginAttempt};

use super::Store;
use super::backend::{Holder, StoreError};

impl Store {
    /// Claims a sign-in attempt. True once among all gateways, false for every later answer.
    pub async fn claim(&self, attempt: &LoginAttempt, now: Timestamp) -> Result<bool, StoreError> {
        let Some(name) = self.used.claim(attempt, now) else {
            return Ok(false);
        };
        match self.durable() {
            None => Ok(true),
            Some(durable) => durable.claim(&name, LIFETIME).await,
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
