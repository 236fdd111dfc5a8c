//! The name of one request, in logs, answers and towards upstreams. Made here, never taken from a client
//! (requirement LG-08).

use std::cell::Cell;
use std::fmt::Write;

use http::HeaderValue;

use crate::entropy;

/// 24 hexadecimal digits, ready to be sent as a header.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The identifier as a header value.
    pub fn value(&self) -> &HeaderValue {
        &self.0
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// One worker's source of identifiers: a random start and a count, so that no request asks for randomness.
#[derive(Debug)]
pub struct RequestIds {
    start: u64,
    count: Cell<u32>,
}

impl RequestIds {
    /// A source that shares its start with no other.
    pub fn new() -> Self {
        Self { start: u64::from_ne_bytes(entropy::bytes()), count: Cell::new(0) }
    }

    /// The next identifier.
    ///
    /// # Panics
    /// Never: hexadecimal digits are a header value.
    pub fn next(&self) -> RequestId {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let mut text = String::with_capacity(24);
        let _ = write!(text, "{:016x}{count:08x}", self.start);
        RequestId(HeaderValue::try_from(text).expect("hexadecimal digits are a header value"))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_24_digits_and_differ() {
        let ids = RequestIds::new();
        let (one, two) = (ids.next(), ids.next());
        assert_eq!(one.as_str().len(), 24);
        assert_ne!(one.as_str(), two.as_str());
        assert_ne!(RequestIds::new().next().as_str(), one.as_str());
    }
}
