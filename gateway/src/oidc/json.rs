//! Strict JSON: what two readers could read in two ways is refused (RFC 8259, section 4; requirement IT-19).
//! Knows nothing of what the documents mean.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Nesting deeper than this is an attack, not a document (requirement CB-16).
const MAX_DEPTH: usize = 64;

/// Why a text is not a JSON object that the gateway reads. Never quotes the text: it may hold tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    /// Not JSON, or with doubled members, or nested too deep.
    #[error("it is not JSON, doubles a member or is nested too deep (line {line}, column {column})")]
    Malformed {
        /// Where reading stopped.
        line: usize,
        /// Where reading stopped.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("it is JSON, but not an object")]
    NotAnObject,
    /// A member that must be there is not.
    #[error("it has no \"{0}\"")]
    Missing(&'static str),
    /// A member of another type than the standard says.
    #[error("its \"{0}\" is of the wrong type")]
    WrongType(&'static str),
}

/// Reads one JSON object and nothing after it.
pub(super) fn object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(JsonError::NotAnObject),
        Err(error) => Err(JsonError::Malformed { line: error.line(), column: error.column() }),
    }
}

/// A string member that may be absent; any other type, also `null`, is refused.
pub(super) fn optional_text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, JsonError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JsonError::WrongType(name)),
    }
}

/// A string member that must be there.
pub(super) fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JsonError> {
    optional_text(members, name)?.ok_or(JsonError::Missing(name))
}

/// A list of strings that may be absent.
pub(super) fn optional_texts(
    members: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Vec<String>>, JsonError> {
    let Some(value) = members.get(name) else {
        return Ok(None);
    };
    let items = value.as_array().ok_or(JsonError::WrongType(name))?;
    let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
    texts.collect::<Option<Vec<_>>>().map(Some).ok_or(JsonError::WrongType(name))
}

/// Reads any value, counting how deep it is inside others.
struct Strict {
    depth: usize,
}

impl Strict {
    fn inner<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth < MAX_DEPTH { Ok(self.depth + 1) } else { Err(E::custom("nested too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self { depth })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self { depth })?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is doubled"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_ordinary_document_is_read_as_it_stands() {
        let text = br#"{"a":1,"b":[true,null,"x",-2,1.5],"c":{"a":1}}"#;
        let read = object(text).map(Value::Object);
        assert_eq!(read, Ok(serde_json::json!({"a":1,"b":[true,null,"x",-2,1.5],"c":{"a":1}})));
    }

    #[test]
    fn a_doubled_member_is_refused_at_every_depth() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(matches!(object(bad.as_bytes()), Err(JsonError::Malformed { .. })), "{bad}");
        }
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for bad in ["[]", "\"x\"", "1", "null"] {
            assert_eq!(object(bad.as_bytes()), Err(JsonError::NotAnObject), "{bad}");
        }
        for bad in ["", "{", "{} {}", "{}x", "\u{feff}{}", "<html>", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#] {
            assert!(matches!(object(bad.as_bytes()), Err(JsonError::Malformed { .. })), "{bad}");
        }
    }

    #[test]
    fn sixty_four_levels_pass_and_one_more_does_not() {
        let nested =
            |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(object(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(object(nested(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&bytes);
        }

        #[test]
        fn what_is_read_is_what_the_library_reads(text in "[\\[\\]{}:,\"a-c0-9\\\\ e.-]{0,40}") {
            let text = format!("{{\"a\":{text}}}");
            if let Ok(read) = object(text.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(Value::Object(read)));
            }
        }
    }

    #[test]
    fn members_have_the_type_that_the_standard_says() {
        let members = object(br#"{"s":"x","n":1,"z":null,"l":["a"],"m":["a",1]}"#).expect("valid");
        assert_eq!(text(&members, "s"), Ok("x"));
        assert_eq!(text(&members, "gone"), Err(JsonError::Missing("gone")));
        assert_eq!(optional_text(&members, "gone"), Ok(None));
        assert_eq!(optional_text(&members, "n"), Err(JsonError::WrongType("n")));
        assert_eq!(optional_text(&members, "z"), Err(JsonError::WrongType("z")));
        assert_eq!(optional_texts(&members, "l"), Ok(Some(vec!["a".to_owned()])));
        assert_eq!(optional_texts(&members, "m"), Err(JsonError::WrongType("m")));
    }
}
