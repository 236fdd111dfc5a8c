//! One request's place in a trace that spans many programs, in the terms of W3C Trace Context. Decides whether it is
//! recorded and what an upstream is told. Knows neither who records it nor where to (requirement LG-08).

mod id;
mod parent;
mod sampling;
mod span;
mod state;

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

pub use id::{SpanId, TraceId};
pub use parent::Parent;
pub use sampling::{Dice, Sampling, Trust};
pub use span::{Kind, Span, Value};

/// Names the trace, the caller's part of it, and whether the caller records it.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems on the way want to remember.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The most steps of one request that are recorded.
const MAX_SPANS: usize = 16;

/// A request that belongs to a trace: one that is recorded here, or one that only passes.
#[derive(Debug)]
pub struct Trace {
    id: TraceId,
    /// What the caller calls its part; nothing if the trace begins here.
    parent: Option<SpanId>,
    /// Whether the caller records it.
    sampled: bool,
    /// The trace that a stranger wished to have continued, which is linked instead.
    link: Option<Parent>,
    state: Option<HeaderValue>,
    recording: Option<Recording>,
}

/// What is recorded of a request.
#[derive(Debug)]
struct Recording {
    own: SpanId,
    /// Since 1970, at `arrived`.
    began: Duration,
    arrived: Instant,
    spans: Vec<Span>,
}

/// What an upstream is told.
#[derive(Clone, Debug)]
pub struct Hop {
    parent: HeaderValue,
    state: Option<HeaderValue>,
}

/// A recorded request, ready to be told: its own span is the last one.
#[derive(Debug)]
pub struct Story {
    /// The trace.
    pub trace: TraceId,
    /// What tracing systems on the way want to remember.
    pub state: Option<HeaderValue>,
    /// The trace that a stranger wished to have continued.
    pub link: Option<Parent>,
    /// Whether the parent of the request's own span is another program's.
    pub is_continued: bool,
    /// Every step, and the request as the last one.
    pub spans: Vec<Span>,
}

impl Trace {
    /// The trace that a request belongs to; nothing for one that is neither recorded nor passed on. `now` is asked for the
    /// time since 1970 only if the request is recorded. `is_proxy` says whether one of our proxies sent it.
    pub fn begin(
        sampling: &Sampling,
        dice: &Dice,
        headers: &HeaderMap,
        is_proxy: bool,
        arrived: Instant,
        now: impl FnOnce() -> Duration,
    ) -> Option<Box<Self>> {
        let begin = |own| Recording { own, began: now(), arrived, spans: Vec::new() };
        if sampling.trust.believes(is_proxy)
            && let Some(parent) = Parent::of(headers)
        {
            let recording = (parent.sampled && sampling.records).then(|| begin(SpanId::random()));
            let Parent { trace: id, span, sampled, state } = parent;
            return Some(Box::new(Self { id, parent: Some(span), sampled, link: None, state, recording }));
        }
        if !sampling.records || !dice.falls_below(sampling.threshold) {
            return None;
        }
        // What a stranger says of a trace is worth a link, and nothing else.
        let link = Parent::of(headers);
        let recording = Some(begin(SpanId::random()));
        let id = TraceId::random();
        Some(Box::new(Self { id, parent: None, sampled: true, link, state: None, recording }))
    }

    /// The trace's name.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// Whether what happens is written down.
    pub fn is_recorded(&self) -> bool {
        self.recording.is_some()
    }

    /// What to tell an upstream, and the name of the step that asks it.
    pub fn hop(&self) -> (Hop, SpanId) {
        // Who does not record is not on the way: the caller's own name is passed on.
        let callers = self.parent.filter(|_| self.recording.is_none());
        let span = callers.unwrap_or_else(SpanId::random);
        let parent = HeaderValue::try_from(format!("00-{}-{span}-{:02x}", self.id, u8::from(self.sampled)));
        let parent = parent.expect("hexadecimal digits are a header value");
        (Hop { parent, state: self.state.clone() }, span)
    }

    /// Writes down one step that began at `from` and ends now. `id` is its name if somebody was told it already.
    pub fn step(&mut self, id: Option<SpanId>, from: Instant, mut span: Span) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if recording.spans.len() >= MAX_SPANS {
            return;
        }
        span.id = id.unwrap_or_else(SpanId::random);
        span.parent = Some(recording.own);
        span.start = recording.began + from.saturating_duration_since(recording.arrived);
        span.end = recording.began + recording.arrived.elapsed();
        recording.spans.push(span);
    }

    /// The request is over: everything that was written down of it, if anything was.
    pub fn finish(self, took: Duration, mut request: Span) -> Option<Story> {
        let Recording { own, began, mut spans, .. } = self.recording?;
        request.id = own;
        request.parent = self.parent;
        request.start = began;
        request.end = began + took;
        spans.push(request);
        let is_continued = self.parent.is_some();
        Some(Story { trace: self.id, state: self.state, link: self.link, is_continued, spans })
    }
}

impl Hop {
    /// Tells it, in place of whatever the headers said.
    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(&TRACEPARENT, self.parent);
        match self.state {
            Some(state) => headers.insert(&TRACESTATE, state),
            None => headers.remove(&TRACESTATE),
        };
    }
}

#[cfg(test)]
mod tests;
