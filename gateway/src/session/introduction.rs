//! How a person is introduced to an upstream: which claims go into which headers, and into the token that the gateway
//! signs. What a header holds is made once for a session and kept beside its claims. Knows nothing of keys.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::clock::Timestamp;

use super::Identity;

/// What one route tells its upstream of who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// A header for each of some claims.
    pub lines: Vec<Line>,
    /// A signed token.
    pub token: Option<Recipe>,
}

/// A claim in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The header.
    pub name: HeaderName,
    /// The claim's name in the ID token.
    pub claim: String,
    /// How it is written.
    pub form: Form,
}

/// How a claim is written into a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As text: a list with a comma between its members. What is not visible ASCII, `%` and a comma inside a member are
    /// percent-encoded as UTF-8, so that members can be told apart and every value fits into a header.
    #[default]
    Text,
    /// As JSON in ASCII.
    Json,
}

/// What a signed token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The header that carries it.
    pub header: HeaderName,
    /// `aud`: the upstream, by the name that it knows itself by.
    pub audience: String,
    /// Claims that are copied from the ID token, besides `sub`.
    pub claims: Vec<String>,
    /// How long it is good for.
    pub lifetime: Duration,
}

impl Introduction {
    /// The header lines for this person. A claim that they do not have gives none.
    pub fn lines(&self, identity: &Identity) -> Vec<(HeaderName, HeaderValue)> {
        let line =
            |line: &Line| Some((line.name.clone(), written(&claim(identity, &line.claim)?, line.form)?));
        self.lines.iter().filter_map(line).collect()
    }
}

/// A claim of the ID token; `sub` and `iss` are those that identify the person.
pub fn claim(identity: &Identity, name: &str) -> Option<Value> {
    match name {
        "sub" => Some(identity.subject.as_str().into()),
        "iss" => Some((*identity.issuer).into()),
        name => identity.claims.get(name).cloned(),
    }
}

/// A claim as a header's value. Nothing for what says nothing, and for what has no form as text: a header that held half
/// of it would be read as the whole.
fn written(value: &Value, form: Form) -> Option<HeaderValue> {
    let text = match form {
        Form::Json if value.is_null() => return None,
        Form::Json => ascii_json(value),
        Form::Text => as_text(value)?,
    };
    HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
}

fn as_text(value: &Value) -> Option<String> {
    let Value::Array(members) = value else {
        return scalar(value);
    };
    members.iter().map(scalar).collect::<Option<Vec<_>>>().map(|members| members.join(","))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(encoded(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (position, byte) in text.bytes().enumerate() {
        // Blanks at the ends of a value are nobody's: HTTP takes them off.
        let is_inner_blank = byte == b' ' && position > 0 && position < last;
        if is_inner_blank || (byte.is_ascii_graphic() && !matches!(byte, b'%' | b',')) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn ascii_json(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// The header lines by which somebody was introduced, ready to be sent.
#[derive(Debug)]
pub struct Introduced {
    of: Arc<Introduction>,
    lines: Vec<(HeaderName, HeaderValue)>,
    good_until: Timestamp,
}

impl Introduced {
    /// These lines, to be made anew at `good_until`.
    pub fn new(
        of: &Arc<Introduction>,
        lines: Vec<(HeaderName, HeaderValue)>,
        good_until: Timestamp,
    ) -> Arc<Self> {
        Arc::new(Self { of: Arc::clone(of), lines, good_until })
    }

    /// The lines.
    pub fn lines(&self) -> &[(HeaderName, HeaderValue)] {
        &self.lines
    }
}

/// How one person was introduced by now, one entry for each kind of route that they used.
#[derive(Debug, Default)]
pub struct Kept(ArcSwap<Vec<Arc<Introduced>>>);

/// Of routes that introduce people in more ways than this, the last are remembered.
const MOST_KEPT: usize = 16;

impl Kept {
    /// The lines for such a route, if they were made and are still good.
    pub fn find(&self, of: &Arc<Introduction>, now: Timestamp) -> Option<Arc<Introduced>> {
        let kept = self.0.load();
        let is_it = |entry: &&Arc<Introduced>| Arc::ptr_eq(&entry.of, of) && now < entry.good_until;
        kept.iter().find(is_it).cloned()
    }

    /// Keeps lines in the place of those that were made for such a route before. When two requests make them at once,
    /// either's may be kept.
    pub fn keep(&self, made: &Arc<Introduced>) {
        let kept = self.0.load();
        let others = kept.iter().filter(|entry| *entry.of != *made.of).cloned();
        let mut next: Vec<_> = others.collect();
        let surplus = (next.len() + 1).saturating_sub(MOST_KEPT);
        next.drain(..surplus);
        next.push(Arc::clone(made));
        self.0.store(Arc::new(next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(value: &Value) -> Option<String> {
        written(value, Form::Text).map(|value| value.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn claims_fit_into_a_header_and_can_be_told_apart_again() {
        for (claim, wanted) in [
            (json!("alice@example.com"), Some("alice@example.com")),
            (json!(["admins", "a,b", "100%"]), Some("admins,a%2Cb,100%25")),
            (json!("Doe, Jane"), Some("Doe%2C Jane")),
            (json!("Zoë"), Some("Zo%C3%AB")),
            (json!(" a "), Some("%20a%20")),
            (json!("x\r\nEvil: 1"), Some("x%0D%0AEvil: 1")),
            (json!(7), Some("7")),
            (json!([1, true]), Some("1,true")),
            (json!(""), None),
            (json!([]), None),
            (json!(null), None),
            (json!({ "a": 1 }), None),
            (json!(["a", ["b"]]), None),
        ] {
            assert_eq!(text(&claim).as_deref(), wanted, "{claim}");
        }
    }

    #[test]
    fn a_claim_as_json_is_ascii_and_the_same_again() {
        for claim in [json!({ "name": "Zoë 🦀", "list": ["a,b", "\u{7f}\r\n"] }), json!("x"), json!([])] {
            let value = written(&claim, Form::Json).expect("a value");
            let read: Value = serde_json::from_slice(value.as_bytes()).expect("JSON");
            assert!(value.as_bytes().iter().all(|byte| matches!(byte, 0x20..=0x7e)));
            assert_eq!(read, claim);
        }
        assert_eq!(written(&json!(null), Form::Json), None);
    }

    #[test]
    fn what_was_made_is_kept_as_long_as_it_is_good() {
        let (kept, one) = (Kept::default(), Arc::new(Introduction::default()));
        let other = Arc::new(Introduction {
            lines: vec![Line {
                name: HeaderName::from_static("x-user"),
                claim: "sub".into(),
                form: Form::Text,
            }],
            token: None,
        });
        kept.keep(&Introduced::new(&one, Vec::new(), Timestamp(100)));
        kept.keep(&Introduced::new(&other, Vec::new(), Timestamp(200)));
        assert!(kept.find(&one, Timestamp(99)).is_some() && kept.find(&one, Timestamp(100)).is_none());
        assert!(kept.find(&other, Timestamp(100)).is_some());
        kept.keep(&Introduced::new(&one, Vec::new(), Timestamp(300)));
        assert!(kept.find(&one, Timestamp(299)).is_some());
        for number in 0..100 {
            let claim = number.to_string();
            let name = HeaderName::from_static("x");
            let of = Introduction { lines: vec![Line { name, claim, form: Form::Text }], token: None };
            kept.keep(&Introduced::new(&Arc::new(of), Vec::new(), Timestamp(300)));
        }
        assert_eq!(kept.0.load().len(), MOST_KEPT);
    }
}
