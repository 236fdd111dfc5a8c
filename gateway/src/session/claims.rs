//! What an ID token says of a person, kept as the text that it came as: most sessions are never asked for a claim, and
//! a million of them shall fit into memory.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::introduction::Kept;

/// Claims by name.
#[derive(Debug, Default)]
pub struct Claims {
    text: Box<str>,
    /// The same, once a rule has asked for one.
    read: OnceLock<Box<Read>>,
}

#[derive(Debug)]
struct Read {
    claims: Map<String, Value>,
    introduced: Kept,
}

impl Claims {
    /// A claim's value. The first question reads the text, the next ones find it read.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.read().claims.get(name)
    }

    /// How the person was introduced to upstreams by these claims.
    pub fn introduced(&self) -> &Kept {
        &self.read().introduced
    }

    fn read(&self) -> &Read {
        self.read.get_or_init(|| Box::new(Read { claims: self.to_map(), introduced: Kept::default() }))
    }

    /// All claims, without keeping them read.
    pub fn to_map(&self) -> Map<String, Value> {
        // Only what `from` printed is ever here.
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(claims: Map<String, Value>) -> Self {
        let text = if claims.is_empty() { String::new() } else { Value::Object(claims).to_string() };
        Self { text: text.into(), read: OnceLock::new() }
    }
}

impl Clone for Claims {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), read: OnceLock::new() }
    }
}

impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        // One set of claims prints in one way: maps are sorted by name.
        self.text == other.text
    }
}

impl Eq for Claims {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: &Value) -> Claims {
        value.as_object().cloned().expect("an object").into()
    }

    #[test]
    fn claims_are_what_they_were() {
        let value =
            json!({ "sub": "alice", "roles": ["Reader", "\u{0}\"é"], "n": 1.5, "nested": { "a": null } });
        let claims = claims(&value);
        assert_eq!(Value::Object(claims.to_map()), value);
        assert_eq!(claims.get("roles"), Some(&value["roles"]));
        assert_eq!((claims.get("sub"), claims.get("absent")), (Some(&json!("alice")), None));
        assert!(Claims::default().get("sub").is_none());
    }

    #[test]
    fn equal_claims_are_equal_in_whatever_order_they_came() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":2}"#).expect("JSON");
        let other: Value = serde_json::from_str(r#"{"b":2,"a":1}"#).expect("JSON");
        assert_eq!(claims(&one), claims(&other));
        assert_ne!(claims(&one), claims(&json!({ "a": 1 })));
    }
}
