//! Who may pass, as data. Knows nothing of requests or of how a claim was proved.

use serde_json::Value;

use crate::scope::Scope;

/// A route's access rule: the `allow` of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Everybody, signed in or not.
    Anyone,
    /// Whoever has a live session.
    SignedIn,
    /// A scope that was granted at sign-in.
    Scope(Scope),
    /// An app role: a member of the `roles` claim.
    Role(String),
    /// A claim that equals, or as an array contains, one of the values.
    Claim {
        /// The claim's name in the ID token.
        name: String,
        /// Values that pass; compared exactly.
        any_of: Vec<Value>,
    },
    /// Every rule holds. Empty admits nobody.
    All(Vec<Rule>),
    /// At least one rule holds.
    Any(Vec<Rule>),
}

/// What a rule is asked about: the facts proved at sign-in.
pub trait Facts {
    /// The claim by that name, if the provider asserted it.
    fn claim(&self, name: &str) -> Option<&Value>;
    /// Whether the provider granted that scope.
    fn has_scope(&self, scope: &Scope) -> bool;
}

impl Rule {
    /// Whether the rule lets everybody in, so that no session is needed.
    pub fn is_public(&self) -> bool {
        match self {
            Self::Anyone => true,
            Self::All(rules) => !rules.is_empty() && rules.iter().all(Self::is_public),
            Self::Any(rules) => rules.iter().any(Self::is_public),
            _ => false,
        }
    }

    /// Whether somebody signed in, of whom `facts` are known, passes.
    pub fn holds(&self, facts: &impl Facts) -> bool {
        match self {
            Self::Anyone | Self::SignedIn => true,
            Self::Scope(scope) => facts.has_scope(scope),
            Self::Role(role) => {
                facts.claim("roles").is_some_and(|roles| has_value(roles, &Value::String(role.clone())))
            }
            Self::Claim { name, any_of } => {
                facts.claim(name).is_some_and(|held| any_of.iter().any(|wanted| has_value(held, wanted)))
            }
            // Nothing to hold is nothing granted.
            Self::All(rules) => !rules.is_empty() && rules.iter().all(|rule| rule.holds(facts)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(facts)),
        }
    }
}

/// A claim has a value when it is that value or an array with it. Objects and substrings never match.
fn has_value(held: &Value, wanted: &Value) -> bool {
    match held {
        Value::Array(members) => members.contains(wanted),
        other => other == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    struct Known(Map<String, Value>);
    impl Facts for Known {
        fn claim(&self, name: &str) -> Option<&Value> {
            self.0.get(name)
        }
        fn has_scope(&self, scope: &Scope) -> bool {
            scope.as_str() == "profile"
        }
    }

    fn alice() -> Known {
        match json!({ "roles": ["Admin"], "department": "Sales", "level": 3 }) {
            Value::Object(claims) => Known(claims),
            _ => unreachable!("an object was written"),
        }
    }

    #[test]
    fn a_role_passes_only_by_its_whole_name() {
        assert!(Rule::Role("Admin".into()).holds(&alice()));
        assert!(!Rule::Role("admin".into()).holds(&alice()));
        assert!(!Rule::Role("Adm".into()).holds(&alice()));
    }

    #[test]
    fn a_claim_passes_by_value_or_membership_and_type() {
        let claim = |name: &str, value: Value| Rule::Claim { name: name.into(), any_of: vec![value] };
        assert!(claim("department", json!("Sales")).holds(&alice()));
        assert!(!claim("department", json!("Sale")).holds(&alice()));
        assert!(claim("level", json!(3)).holds(&alice()));
        assert!(!claim("level", json!("3")).holds(&alice()));
        assert!(!claim("missing", json!(null)).holds(&alice()));
    }

    #[test]
    fn all_and_any_combine() {
        let (admin, guest) = (Rule::Role("Admin".into()), Rule::Role("Guest".into()));
        assert!(Rule::Any(vec![admin.clone(), guest.clone()]).holds(&alice()));
        assert!(!Rule::All(vec![admin.clone(), guest]).holds(&alice()));
        assert!(Rule::All(vec![admin, Rule::Scope("profile".parse().expect("valid"))]).holds(&alice()));
    }

    #[test]
    fn only_rules_that_admit_everybody_are_public() {
        assert!(Rule::Anyone.is_public());
        assert!(Rule::Any(vec![Rule::SignedIn, Rule::Anyone]).is_public());
        assert!(!Rule::All(vec![Rule::SignedIn, Rule::Anyone]).is_public());
        assert!(!Rule::SignedIn.is_public());
        assert!(!Rule::All(Vec::new()).is_public() && !Rule::All(Vec::new()).holds(&alice()));
    }
}
