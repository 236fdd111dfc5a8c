//! Strict JSON: one value, no member twice, bounded depth. Used for request bodies and for token parts, because two
//! readers that disagree about a repeated member are how attackers get past the first one.
//! Knows nothing of what the members mean.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::{Map, Number, Value};

/// Objects and arrays may be nested this deep; nothing this service reads needs more than three.
pub(crate) const MAX_DEPTH: usize = 16;

/// Why a text is not acceptable JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("this is not one well-formed JSON value")]
    Malformed,
    #[error("an object names the same member twice")]
    DuplicateMember,
    #[error("the value is nested too deeply")]
    TooDeep,
    #[error("the value must be a JSON object")]
    NotAnObject,
}

/// Reads exactly one JSON object.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonFault> {
    match value(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonFault::NotAnObject),
    }
}

fn value(bytes: &[u8]) -> Result<Value, JsonFault> {
    let fault = Cell::new(JsonFault::Malformed);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0, fault: &fault }.deserialize(&mut reader).map_err(|_| fault.get())?;
    reader.end().map_err(|_| JsonFault::Malformed)?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    /// serde's errors are text; the kind of a refusal travels here instead.
    fault: &'a Cell<JsonFault>,
}

impl Strict<'_> {
    fn refuse<E: de::Error>(self, fault: JsonFault) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(JsonFault::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(self.refuse(JsonFault::DuplicateMember));
            }
            let value = entries.next_value_seed(inner)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_ordinary_object_is_read_as_serde_json_reads_it() {
        let text = br#"{"a":[1,-2,2.5,null,true],"b":{"c":"\u00e9"}}"#;
        assert_eq!(
            Value::Object(object(text).expect("valid")),
            serde_json::from_slice::<Value>(text).expect("valid")
        );
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth() {
        assert_eq!(object(br#"{"a":1,"a":1}"#), Err(JsonFault::DuplicateMember));
        assert_eq!(object(br#"{"x":[{"a":1,"\u0061":2}]}"#), Err(JsonFault::DuplicateMember));
        assert!(object(br#"{"x":[{"a":1,"b":2}]}"#).is_ok());
    }

    #[test]
    fn nesting_is_allowed_up_to_the_limit_and_not_beyond() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert_eq!(object(nested(MAX_DEPTH).as_bytes()), Err(JsonFault::TooDeep));
        assert!(object(nested(30_000).as_bytes()).is_err());
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in [
            "",
            "{",
            "{}{}",
            "{} x",
            "\u{feff}{}",
            "{\"a\":1e999}",
            "{\"a\":NaN}",
            "{'a':1}",
            "{\"a\":\"\u{0}\"}",
        ] {
            assert_eq!(object(text.as_bytes()), Err(JsonFault::Malformed), "{text:?}");
        }
        assert_eq!(object(b"{\"a\":\"\\ud800\"}"), Err(JsonFault::Malformed), "a lone surrogate");
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonFault::Malformed), "not UTF-8");
        assert_eq!(object(b"[]"), Err(JsonFault::NotAnObject));
        assert!(object(b" {} \n").is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&bytes);
        }

        #[test]
        fn any_text_survives_the_round_trip(text in ".*") {
            let encoded = serde_json::to_vec(&serde_json::json!({ "a": text })).expect("serialises");
            let members = object(&encoded).expect("valid");
            prop_assert_eq!(members["a"].as_str(), Some(text.as_str()));
        }
    }
}
