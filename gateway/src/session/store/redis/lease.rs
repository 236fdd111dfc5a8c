//! Things that one gateway at a time may do, and things that may be done once.

use std::time::Duration;

use crate::entropy;
use crate::session::SessionKey;

use super::super::backend::{Holder, StoreError};
use super::Redis;
use super::record::read;
use super::scripts::{Ask, LEASE, RELEASE};

impl Redis {
    /// Takes the session's lease for `ttl`. True if it was free, also if `holder` has it already, who then has it longer.
    pub async fn lease(&self, key: SessionKey, holder: Holder, ttl: Duration) -> Result<bool, StoreError> {
        self.take(self.layout.lease(key), holder, ttl).await
    }

    /// Gives the lease back, if `holder` still has it.
    pub async fn release(&self, key: SessionKey, holder: Holder) -> Result<(), StoreError> {
        self.calls.one(Ask::Run(&RELEASE, self.layout.lease(key), vec![holder.to_vec()])).await?;
        Ok(())
    }

    /// True for the first who claims the name, until `ttl` is over.
    pub async fn claim(&self, name: &[u8; 32], ttl: Duration) -> Result<bool, StoreError> {
        // A lease of somebody who was never seen before and will not be again.
        self.take(self.layout.claim(name), entropy::bytes(), ttl).await
    }

    /// Takes a claim back, whoever made it.
    pub async fn unclaim(&self, name: &[u8; 32]) -> Result<(), StoreError> {
        self.calls.one(Ask::command("DEL", &self.layout.claim(name), &[])).await?;
        Ok(())
    }

    async fn take(&self, name: Vec<u8>, holder: Holder, ttl: Duration) -> Result<bool, StoreError> {
        let milliseconds = ttl.as_millis().clamp(1, 1 << 40).to_string().into_bytes();
        let taken = self.calls.one(Ask::Run(&LEASE, name, vec![holder.to_vec(), milliseconds])).await?;
        let taken: u64 = read(taken, "a lease is no lease")?;
        Ok(taken == 1)
    }
}
