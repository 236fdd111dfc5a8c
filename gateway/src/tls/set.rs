//! All certificates of the gateway, and which of them is for a name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::handshake::Names;

use super::Pair;

/// Certificates in the order of the configuration. Never empty, but where none could be had yet.
#[derive(Clone, Debug, Default)]
pub struct Set {
    pairs: Vec<Pair>,
    by_name: HashMap<String, usize>,
}

impl Set {
    /// These; of two for one name the earlier is shown.
    pub fn new(pairs: Vec<Pair>) -> Self {
        let mut by_name = HashMap::new();
        for (position, pair) in pairs.iter().enumerate() {
            for name in pair.names.iter() {
                by_name.entry(name).or_insert(position);
            }
        }
        Self { pairs, by_name }
    }

    /// The certificate for the server that a client names: one with that very name, else one with the wildcard above it,
    /// else the first.
    pub fn find(&self, name: Option<&str>) -> Option<&Pair> {
        let known = name.and_then(|name| {
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            let wildcard = || name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
            self.by_name.get(&name).or_else(|| self.by_name.get(&wildcard()?))
        });
        self.pairs.get(known.copied().unwrap_or(0))
    }

    /// The names of the certificate that is shown to a client that names this server.
    pub fn names_for(&self, name: Option<&str>) -> Arc<Names> {
        self.find(name).map_or_else(Arc::default, |pair| Arc::clone(&pair.names))
    }

    /// All of them.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// When the first of them ends.
    pub fn first_expiry(&self) -> Option<Timestamp> {
        self.pairs.iter().map(|pair| pair.not_after).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::pair::tests::pair;

    #[test]
    fn a_name_finds_its_certificate_and_a_stranger_gets_the_first() {
        let set = Set::new(vec![
            pair(&["app.example"]),
            pair(&["*.api.example"]),
            pair(&["x.api.example", "app.example"]),
        ]);
        let position = |name: Option<&str>| {
            let found = set.find(name).expect("one");
            set.pairs().iter().position(|pair| Arc::ptr_eq(&pair.names, &found.names))
        };
        for (name, wanted) in [
            (None, 0),
            (Some("app.example"), 0),
            (Some("APP.example."), 0),
            (Some("y.api.example"), 1),
            (Some("x.api.example"), 2),
            (Some("a.y.api.example"), 0),
            (Some("unknown.example"), 0),
        ] {
            assert_eq!(position(name), Some(wanted), "{name:?}");
        }
        assert!(set.names_for(Some("y.api.example")).cover("z.api.example"));
        assert!(Set::default().find(None).is_none());
    }
}
