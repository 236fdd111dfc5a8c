//! One step of a recorded request. Its words are fixed or come from the configuration: no path, query, header or claim
//! ever stands in one (requirements LG-01, LG-05).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::SpanId;

/// What a step is to its caller (OpenTelemetry's span kinds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A step within the gateway.
    Internal,
    /// An answer to somebody else's request.
    Server,
    /// A request to somebody else.
    Client,
}

/// What is known of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A fixed word.
    Word(&'static str),
    /// A word of the configuration.
    Name(Arc<str>),
    /// A text of ours.
    Text(String),
    /// A number.
    Number(i64),
}

/// One step.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name in the trace.
    pub id: SpanId,
    /// The step that it is a part of.
    pub parent: Option<SpanId>,
    /// What people read.
    pub name: Cow<'static, str>,
    /// What it is to its caller.
    pub kind: Kind,
    /// Since 1970.
    pub start: Duration,
    /// Since 1970.
    pub end: Duration,
    /// What is known of it, by the names of OpenTelemetry's semantic conventions.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed, if it did: a word of the vocabulary of reasons, or a status.
    pub failed: Option<Cow<'static, str>>,
}

impl Span {
    /// A step of which nothing is known yet but what it is.
    pub fn new(name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Self {
            id: SpanId::random(),
            parent: None,
            name: name.into(),
            kind,
            start: Duration::ZERO,
            end: Duration::ZERO,
            attributes: Vec::new(),
            failed: None,
        }
    }

    /// With one thing more that is known of it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.attributes.push((name, value));
        self
    }

    /// Failed, if there is a reason.
    #[must_use]
    pub fn failed(mut self, reason: Option<impl Into<Cow<'static, str>>>) -> Self {
        self.failed = reason.map(Into::into);
        self
    }
}
