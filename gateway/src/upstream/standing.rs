//! How an upstream stands, in the words of metrics. Knows nothing of who asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::metrics::{ServerStanding, Standing};

use super::shared::Shared;

impl Shared {
    /// How it stands now: every server as configured, whatever its name leads to.
    pub fn standing(&self, now: Instant) -> Standing {
        let picture = self.picture(now);
        let names = self.settings.servers.iter().map(|server| format!("{}:{}", server.host, server.port));
        let mut servers: BTreeMap<String, ServerStanding> = names
            .map(|name| (name.clone(), ServerStanding { server: name, ..ServerStanding::default() }))
            .collect();
        for endpoint in picture.endpoints {
            let Some(server) = servers.get_mut(&endpoint.server) else {
                continue;
            };
            server.connections += endpoint.connections as u64;
            server.in_flight += endpoint.in_flight;
            // A server is there as long as one of its addresses is.
            server.is_up |= !endpoint.is_out;
        }
        let counts = self.counts();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Standing {
            upstream: picture.name,
            waiting: picture.queued as u64,
            servers: servers.into_values().collect(),
            connected: read(&counts.connected),
            retries: read(&counts.retries),
            retries_refused: read(&counts.retries_refused),
            ejections: read(&counts.ejections),
            queued: read(&counts.queued),
            refused: read(&counts.refused),
        }
    }
}
