//! To be replaced.
#![expect(missing_docs, clippy::unused_async, unused, reason = "stub")]
use super::backend::*;
use crate::clock::Timestamp;
use crate::session::SessionKey;
use std::time::Duration;
fn stub() -> StoreError {
    StoreError::Foreign("stub")
}
pub struct Redis;
pub struct Settings;
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct SetupError;
impl Redis {
    pub fn start(_: Settings, _: tokio::runtime::Handle, _: Listener) -> Result<Self, SetupError> {
        Err(SetupError)
    }
    pub async fn lease(&self, _: SessionKey, _: Holder, _: Duration) -> Result<bool, StoreError> {
        Err(stub())
    }
    pub async fn release(&self, _: SessionKey, _: Holder) -> Result<(), StoreError> {
        Err(stub())
    }
    pub async fn claim(&self, _: &[u8; 32], _: Duration) -> Result<bool, StoreError> {
        Err(stub())
    }

    pub async fn create(&self, _: SessionKey, _: &Stored) -> Result<(), StoreError> {
        Err(stub())
    }
    pub async fn load(&self, _: SessionKey) -> Result<Option<Stored>, StoreError> {
        Err(stub())
    }
    pub async fn replace(&self, _: SessionKey, _: &Stored) -> Result<bool, StoreError> {
        Err(stub())
    }
    pub async fn touch(&self, _: &[(SessionKey, Timestamp)]) -> Result<(), StoreError> {
        Err(stub())
    }
    pub async fn end(&self, _: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        Err(stub())
    }
    pub async fn of(&self, _: IndexKey) -> Result<Vec<SessionKey>, StoreError> {
        Err(stub())
    }
    pub async fn listed(&self, _: &[SessionKey]) -> Result<Vec<Listed>, StoreError> {
        Err(stub())
    }
    pub async fn page(&self, _: Option<&str>, _: usize) -> Result<Page, StoreError> {
        Err(stub())
    }
    pub async fn expire(&self, _: Timestamp, _: usize) -> Result<Vec<Listed>, StoreError> {
        Err(stub())
    }
    pub async fn count(&self) -> Result<u64, StoreError> {
        Err(stub())
    }
}
