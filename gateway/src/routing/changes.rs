//! What a route changes on the way to its upstream and back: the path, headers, and what is said of who asks. Data and
//! pure functions; all of it was checked when the configuration was read.

mod rewrite;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::session::introduction::Introduction;

pub use rewrite::Rewrite;

/// Everything that one route changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The path.
    pub rewrite: Option<Rewrite>,
    /// Headers towards the upstream.
    pub request: Edits,
    /// Headers towards the client.
    pub response: Edits,
    /// What the upstream is told of who asks.
    pub introduction: Option<Arc<Introduction>>,
    /// Whether the client's own `Authorization` goes upstream: only on routes for everybody, without a token
    /// (requirement TK-03).
    pub passes_authorization: bool,
}

/// Header lines that are taken away, replaced and added, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    /// Every line of these names goes.
    pub remove: Vec<HeaderName>,
    /// One line in the place of all of its name. Secrets among them are marked as sensitive.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// One line beside those of its name.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

impl Edits {
    /// Whether nothing is edited.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// The names that are edited.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.remove.iter().chain(self.set.iter().chain(&self.add).map(|(name, _)| name))
    }

    /// Edits them.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
    }
}

/// The headers in which some route of a gateway says who asks. What clients send under such a name is passed on by no
/// route at all, so that no upstream can take a stranger's word for the gateway's (requirements HD-01, HD-02).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Claimed(Vec<HeaderName>);

impl Claimed {
    /// These names; nothing if there is none.
    pub fn new(names: impl IntoIterator<Item = HeaderName>) -> Option<Arc<Self>> {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        (!names.is_empty()).then(|| Arc::new(Self(names)))
    }

    /// Whether it is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|own| own.as_str().cmp(name)).is_ok()
    }

    /// Takes every line of them away.
    pub fn remove_from(&self, headers: &mut HeaderMap) {
        for name in &self.0 {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &'static str) -> HeaderName {
        HeaderName::from_static(text)
    }

    #[test]
    fn lines_are_taken_away_replaced_and_added_in_this_order() {
        let edits = Edits {
            remove: vec![name("x-debug"), name("x-both")],
            set: vec![(name("x-env"), HeaderValue::from_static("prod"))],
            add: vec![
                (name("x-both"), HeaderValue::from_static("mine")),
                (name("vary"), HeaderValue::from_static("x-env")),
            ],
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-debug", "1"),
            ("x-debug", "2"),
            ("x-env", "a"),
            ("x-env", "b"),
            ("x-both", "c"),
            ("vary", "d"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        edits.apply(&mut headers);
        let values = |name: &str| headers.get_all(name).iter().collect::<Vec<_>>();
        assert!(values("x-debug").is_empty());
        assert_eq!(values("x-env"), ["prod"]);
        assert_eq!(values("x-both"), ["mine"]);
        assert_eq!(values("vary"), ["d", "x-env"]);
        assert!(!edits.is_empty() && Edits::default().is_empty());
    }

    #[test]
    fn claimed_names_go_with_every_line() {
        let claimed = Claimed::new([name("x-user"), name("x-groups"), name("x-user")]).expect("some");
        let mut headers = HeaderMap::new();
        headers.append("x-user", HeaderValue::from_static("a"));
        headers.append("x-user", HeaderValue::from_static("b"));
        headers.append("x-app", HeaderValue::from_static("kept"));
        claimed.remove_from(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(claimed.contains("x-groups") && !claimed.contains("x-app"));
        assert!(Claimed::new([]).is_none());
    }
}
