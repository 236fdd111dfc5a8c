//! Hands the library the certificate for each handshake. The set behind it can be replaced at any time.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Set;
use super::challenge::{Challenges, PROTOCOL};

/// The certificates in use.
#[derive(Debug)]
pub(super) struct Resolver {
    set: ArcSwap<Set>,
    challenges: Challenges,
}

impl Resolver {
    pub(super) fn new(set: Set) -> Self {
        Self { set: ArcSwap::from_pointee(set), challenges: Challenges::default() }
    }

    pub(super) fn set(&self) -> Arc<Set> {
        self.set.load_full()
    }

    pub(super) fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    pub(super) fn replace(&self, set: Set) {
        self.set.store(Arc::new(set));
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An authority offers this protocol and no other (RFC 8737, section 3).
        if hello.alpn().is_some_and(|mut offered| offered.next() == Some(PROTOCOL)) {
            return self.challenges.certificate(hello.server_name());
        }
        self.set.load().find(hello.server_name()).map(|pair| Arc::clone(&pair.certified))
    }
}
