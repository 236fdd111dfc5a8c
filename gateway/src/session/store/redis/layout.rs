//! How keys are named. Each kind of entry is one key, so that a cluster may put each where it likes; no command touches
//! two. Knows nothing of what stands in them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::session::SessionKey;

use super::super::backend::IndexKey;

/// Names that begin with one prefix.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    prefix: String,
    /// Every session that is kept, by its end. One for all.
    pub(super) ends: Vec<u8>,
    /// The channel on which gateways tell each other what they did.
    pub(super) channel: Vec<u8>,
}

impl Layout {
    /// Channels, other than keys, are shared by all databases of a server: the number is part of the name.
    pub(super) fn new(prefix: &str, database: u16) -> Self {
        Self {
            ends: format!("{prefix}ends").into_bytes(),
            channel: format!("{prefix}news:{database}").into_bytes(),
            prefix: prefix.to_owned(),
        }
    }

    /// A hash: the session.
    pub(super) fn session(&self, key: SessionKey) -> Vec<u8> {
        self.name("session", key.as_bytes())
    }

    /// A set: the keys of the sessions that the index finds.
    pub(super) fn index(&self, index: IndexKey) -> Vec<u8> {
        self.name("index", &index.0)
    }

    /// A string: who may refresh the session's tokens.
    pub(super) fn lease(&self, key: SessionKey) -> Vec<u8> {
        self.name("lease", key.as_bytes())
    }

    /// A string that is there once somebody claimed the name.
    pub(super) fn claim(&self, name: &[u8; 32]) -> Vec<u8> {
        self.name("claim", name)
    }

    fn name(&self, kind: &str, hash: &[u8; 32]) -> Vec<u8> {
        format!("{}{kind}:{}", self.prefix, URL_SAFE_NO_PAD.encode(hash)).into_bytes()
    }
}
