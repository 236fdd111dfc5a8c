//! `traceparent`, read strictly: what is not exactly as the standard has it is as good as absent (W3C Trace Context,
//! section 3.2; requirement LG-08).

use http::{HeaderMap, HeaderValue};

use super::id::nibble;
use super::{SpanId, TRACEPARENT, TRACESTATE, TraceId, state};

/// What a caller says of the trace that its request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: TraceId,
    /// The caller's part of it.
    pub span: SpanId,
    /// Whether the caller records it.
    pub sampled: bool,
    /// What tracing systems on the way want to remember; left out if it is malformed.
    pub state: Option<HeaderValue>,
}

impl Parent {
    /// The one well-formed `traceparent`; nothing if there is none, or two.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (trace, span, sampled) = read(value.as_bytes())?;
        Some(Self { trace, span, sampled, state: state::of(headers.get_all(&TRACESTATE).iter()) })
    }
}

/// `version "-" trace-id "-" parent-id "-" trace-flags`.
fn read(text: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    let (head, rest) = text.split_at_checked(55)?;
    let dashes = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
    let version = nibble(head[0])? << 4 | nibble(head[1])?;
    // A later version may say more, behind another dash. There is no version ff, and this one says no more.
    let ends_well = match version {
        0xff => false,
        0 => rest.is_empty(),
        _ => rest.is_empty() || rest[0] == b'-',
    };
    let flags = nibble(head[53])? << 4 | nibble(head[54])?;
    if !dashes || !ends_well {
        return None;
    }
    Some((TraceId::parse(&head[3..35])?, SpanId::parse(&head[36..52])?, flags & 1 == 1))
}
