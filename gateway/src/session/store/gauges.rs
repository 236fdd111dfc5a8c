//! What metrics say of the store as it is now: how many sessions there are, and whether it can be used.

use super::backend::StoreError;
use super::{Place, Store};

impl Store {
    /// Counts the sessions wherever they are kept. Called now and then, not for each reader of the metrics: the place may
    /// be shared by many gateways, each with readers of its own.
    pub async fn measure(&self) -> Result<(), StoreError> {
        let count = self.count().await?;
        self.gauges.live.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.measure_here();
        Ok(())
    }

    /// What can be told without asking the place.
    pub fn measure_here(&self) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.gauges.in_memory.set(whole(self.warm.count()));
        self.gauges.up.set(i64::from(self.is_ready()));
        if let Place::Memory(catalog) = &self.place {
            self.gauges.live.set(whole(catalog.count()));
        }
    }
}
