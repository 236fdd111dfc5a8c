//! Recorded requests as the collector reads them: `ExportTraceServiceRequest` of OTLP 1, in protobuf's binary form. The few
//! messages that are sent are written by hand: a library would bring a second pipeline, with a queue, a clock and a thread of
//! its own. A test has the official types read them back.

use std::time::Duration;

use crate::trace::{Kind, Span, Story, Value};

/// What recorded requests are sent under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(pub Vec<(String, String)>);

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    /// A field's number and how its value is written: 0 a number, 1 eight bytes, 2 a length and bytes, 5 four bytes.
    fn tag(&mut self, field: u64, form: u64) {
        self.varint(field << 3 | form);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.tag(field, 0);
        self.varint(number);
    }

    fn moment(&mut self, field: u64, since_1970: Duration) {
        self.tag(field, 1);
        self.0.extend(u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX).to_le_bytes());
    }

    fn flags(&mut self, field: u64, flags: u32) {
        self.tag(field, 5);
        self.0.extend(flags.to_le_bytes());
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    /// A `KeyValue` with a text.
    fn text_attribute(&mut self, field: u64, key: &str, text: &str) {
        self.message(field, |pair| {
            pair.bytes(1, key.as_bytes());
            pair.message(2, |value| value.bytes(1, text.as_bytes()));
        });
    }

    fn attribute(&mut self, field: u64, key: &str, value: &Value) {
        match value {
            Value::Word(text) => self.text_attribute(field, key, text),
            Value::Name(text) => self.text_attribute(field, key, text),
            Value::Text(text) => self.text_attribute(field, key, text),
            Value::Number(number) => self.message(field, |pair| {
                pair.bytes(1, key.as_bytes());
                pair.message(2, |value| value.number(3, number.cast_unsigned()));
            }),
        }
    }
}

/// All stories as one request's body.
pub fn encode(resource: &Resource, stories: &[Story]) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |spans| {
        spans.message(1, |message| {
            for (key, value) in &resource.0 {
                message.text_attribute(1, key, value);
            }
        });
        spans.message(2, |scope| {
            scope.message(1, |scope| {
                scope.bytes(1, b"gateway");
                scope.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
            });
            for story in stories {
                let last = story.spans.len().saturating_sub(1);
                for (position, span) in story.spans.iter().enumerate() {
                    scope.message(2, |message| write(message, story, span, position == last));
                }
            }
        });
    });
    request.0
}

/// The caller records what is written here, too.
const SAMPLED: u32 = 0x01;
/// It is known whether the parent is another program's.
const KNOWS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

fn write(message: &mut Message, story: &Story, span: &Span, is_request: bool) {
    message.bytes(1, story.trace.bytes());
    message.bytes(2, span.id.bytes());
    if let Some(state) = &story.state {
        message.bytes(3, state.as_bytes());
    }
    if let Some(parent) = &span.parent {
        message.bytes(4, parent.bytes());
    }
    message.bytes(5, span.name.as_bytes());
    message.number(
        6,
        match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
    );
    message.moment(7, span.start);
    message.moment(8, span.end);
    for (key, value) in &span.attributes {
        message.attribute(9, key, value);
    }
    if let Some(reason) = &span.failed {
        message.text_attribute(9, "error.type", reason);
    }
    if let Some(link) = story.link.as_ref().filter(|_| is_request) {
        message.message(13, |message| {
            message.bytes(1, link.trace.bytes());
            message.bytes(2, link.span.bytes());
            message.flags(6, u32::from(link.sampled) | KNOWS_REMOTE | IS_REMOTE);
        });
    }
    if let Some(reason) = &span.failed {
        message.message(15, |status| {
            status.bytes(2, reason.as_bytes());
            status.number(3, 2);
        });
    }
    let is_remote = if is_request && story.is_continued { IS_REMOTE } else { 0 };
    message.flags(16, SAMPLED | KNOWS_REMOTE | is_remote);
}
