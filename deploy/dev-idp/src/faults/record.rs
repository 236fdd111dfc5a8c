//! The record of what was asked of the provider. In memory only, bounded, never logged: it holds codes and secrets.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::faces::{Endpoint, Face};

/// How many requests are remembered in full; counting goes on beyond.
const REMEMBERED: usize = 4096;

/// One request to a protocol endpoint.
#[derive(Clone)]
pub struct Seen {
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// Which face's address was used. Addresses that both share count as plain.
    pub face: Face,
    /// The method.
    pub method: String,
    /// Query and form parameters in the order they came, repeats included.
    pub params: Vec<(String, String)>,
    /// The Authorization header as it came.
    pub authorization: Option<String>,
}

impl Seen {
    /// The parameters as a map; of repeats the last counts.
    pub fn map(&self) -> BTreeMap<String, String> {
        let mut map: BTreeMap<String, String> = self.params.iter().cloned().collect();
        if let Some((id, secret)) = self.authorization.as_deref().and_then(crate::token::basic_credentials) {
            map.insert("basic_id".to_owned(), id);
            map.insert("basic_secret".to_owned(), secret);
        }
        map
    }
}

impl Seen {
    /// Header and claims of the client assertion, unverified.
    pub fn assertion(&self) -> Option<(Value, Value)> {
        let map = self.map();
        let mut parts = map
            .get("client_assertion")?
            .split('.')
            .map(|part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok());
        Some((parts.next()??, parts.next()??))
    }
}

#[derive(Default)]
pub(super) struct Record {
    counts: BTreeMap<Endpoint, usize>,
    seen: VecDeque<Seen>,
}

impl Record {
    pub(super) fn add(&mut self, seen: Seen) {
        *self.counts.entry(seen.endpoint).or_default() += 1;
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    pub(super) fn count(&self, endpoint: Endpoint) -> usize {
        self.counts.get(&endpoint).copied().unwrap_or_default()
    }

    pub(super) fn seen(&self, endpoint: Endpoint) -> Vec<Seen> {
        self.seen.iter().filter(|seen| seen.endpoint == endpoint).cloned().collect()
    }
}
