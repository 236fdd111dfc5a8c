//! OAuth scopes by the grammar of RFC 6749, section 3.3. Knows nothing of who grants them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One scope token, such as `openid` or `api://todo-service/ToDoList.Read`; compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Scopes, sorted and without duplicates, so that equal sets are equal values and print alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Whether every scope of `wanted` is here.
    pub fn covers(&self, wanted: &Self) -> bool {
        wanted.0.is_subset(&self.0)
    }

    /// Both sets as one.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// Each scope, in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether there is no scope at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` is one of the scopes.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|scope| scope.as_str() == name)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// Scopes separated by single spaces, as in a request or a token response.
impl FromStr for ScopeSet {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        text.split(' ').map(Scope::from_str).collect::<Result<BTreeSet<_>, _>>().map(Self)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
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
