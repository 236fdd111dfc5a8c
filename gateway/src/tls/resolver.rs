//! Hands the library the certificate for each handshake. The set behind it can be replaced at any time.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Set;

/// The certificates in use.
#[derive(Debug)]
pub(super) struct Resolver {
    set: ArcSwap<Set>,
}

impl Resolver {
    pub(super) fn new(set: Set) -> Self {
        Self { set: ArcSwap::from_pointee(set) }
    }

    pub(super) fn set(&self) -> Arc<Set> {
        self.set.load_full()
    }

    pub(super) fn replace(&self, set: Set) {
        self.set.store(Arc::new(set));
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.set.load().find(hello.server_name()).map(|pair| Arc::clone(&pair.certified))
    }
}
