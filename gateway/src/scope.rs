//! OAuth scopes by the grammar of RFC 6749, section 3.3. Knows nothing of who grants them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One scope token, such as `openid` or `api://todo-service/ToDoList.Read`; compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope(String);

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Nothing between two separators, or nothing at all.
    #[error("a scope must not be empty")]
    Empty,
    /// A character outside `%x21 / %x23-5B / %x5D-7E`.
    #[error("a scope must not hold {0:?}")]
    Character(char),
}

impl Scope {
    /// The scope as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        match text.chars().find(|c| !matches!(c, '\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E')) {
            Some(c) => Err(ScopeError::Character(c)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Scopes, sorted and without duplicates, so that equal sets are equal values and print alike. Kept as the text that a
/// request would hold: sessions have one each, and a tree of strings would take ten times the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(Box<str>);

impl ScopeSet {
    /// Whether every scope of `wanted` is here.
    pub fn covers(&self, wanted: &Self) -> bool {
        wanted.names().all(|name| self.contains(name))
    }

    /// Both sets as one.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.names().chain(other.names()).collect())
    }

    /// The scopes that are to be kept.
    #[must_use]
    pub fn only(&self, is_kept: impl Fn(&str) -> bool) -> Self {
        Self::of(self.names().filter(|name| is_kept(name)).collect())
    }

    /// Each scope, in canonical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// Whether there is no scope at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` is one of the scopes.
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// The only place that makes one: from names that follow the grammar.
    fn of(names: BTreeSet<&str>) -> Self {
        Self(Vec::from_iter(names).join(" ").into())
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let scopes: Vec<Scope> = scopes.into_iter().collect();
        Self::of(scopes.iter().map(Scope::as_str).collect())
    }
}

/// Scopes separated by single spaces, as in a request or a token response.
impl FromStr for ScopeSet {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let names = text.split(' ').map(|name| name.parse::<Scope>().map(|_| name));
        names.collect::<Result<_, _>>().map(Self::of)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sets_are_sorted_and_without_duplicates() {
        let set: ScopeSet = "b a b".parse().expect("valid");
        assert_eq!(set.to_string(), "a b");
    }

    #[test]
    fn characters_outside_the_grammar_are_refused() {
        for bad in ["", "a  b", "a\tb", "a\"b", "a\\b", "é", "a\u{a0}b"] {
            assert!(bad.parse::<ScopeSet>().is_err(), "{bad:?}");
        }
        assert!("api://todo-service/ToDoList.Read".parse::<Scope>().is_ok());
    }

    #[test]
    fn covering_is_by_whole_scopes_and_case() {
        let held: ScopeSet = "ToDoList.Read profile".parse().expect("valid");
        assert!(held.covers(&"profile".parse().expect("valid")));
        assert!(!held.covers(&"todolist.read".parse().expect("valid")));
        assert!(!held.covers(&"ToDoList.ReadWrite".parse().expect("valid")));
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_the_identity(names in proptest::collection::btree_set("[!#-\\[\\]-~]{1,12}", 1..6)) {
            let set: ScopeSet = names.iter().map(|name| name.parse::<Scope>().expect("in the grammar")).collect();
            prop_assert_eq!(set.to_string().parse::<ScopeSet>().expect("prints what it reads"), set);
        }
    }
}
