//! What stays as it is while the process runs, because sockets, threads and the place of sessions are made once.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use crate::config::{Config, Timeouts};
use crate::session::store::Choice;
use crate::session::vault::ServerKey;
use crate::telemetry::Log;
use crate::tls::acme;

/// The settings that a process begins with and ends with.
pub(in crate::server) struct Fixed {
    http: Vec<SocketAddr>,
    https: Vec<SocketAddr>,
    timeouts: Timeouts,
    acme: Option<acme::Settings>,
    admin: SocketAddr,
    workers: NonZeroUsize,
    log: Log,
    store: Choice,
    keys: Vec<ServerKey>,
}

impl Fixed {
    pub(in crate::server) fn of(config: &Config) -> Self {
        Self {
            http: config.listen.http.clone(),
            https: config.listen.https.clone(),
            timeouts: config.listen.timeouts,
            acme: config.tls.as_ref().and_then(|tls| tls.acme.clone()),
            admin: config.listen.admin,
            workers: config.listen.workers,
            log: config.log.clone(),
            store: config.session.store.clone(),
            keys: config.session.keys.clone(),
        }
    }

    /// The keys of the configuration that would change, and cannot.
    pub(super) fn differences(&self, new: &Self) -> Vec<&'static str> {
        let checks = [
            ("listen.http", self.http == new.http),
            ("listen.https", self.https == new.https),
            ("listen.timeouts", self.timeouts == new.timeouts),
            ("[tls] acme", self.acme == new.acme),
            ("listen.admin", self.admin == new.admin),
            ("listen.workers", self.workers == new.workers),
            ("[log]", self.log == new.log),
            ("session.store", self.store.is_same(&new.store)),
            ("session.keys (a key that may lock sessions was taken out)", self.keeps_keys(new)),
        ];
        checks.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }

    /// Whether every key is still there, and none took the place of one that the gateway had made for itself: sessions in
    /// memory could no longer be found by whose they are, and a sign-out at the provider would miss them.
    fn keeps_keys(&self, new: &Self) -> bool {
        let is_kept = |key: &ServerKey| new.keys.iter().any(|kept| kept.is_same(key));
        self.keys.iter().all(is_kept) && self.keys.is_empty() == new.keys.is_empty()
    }
}
