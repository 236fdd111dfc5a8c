//! The name of one request, in logs, answers and towards upstreams. Made here, or by a trusted proxy in front; never taken
//! from a client (requirement LG-08).

use std::cell::Cell;
use std::fmt;

use http::{HeaderName, HeaderValue};

use crate::entropy;
use crate::hex;

/// The header that carries it, to upstreams and back to clients.
pub static HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// 24 hexadecimal digits, or what a trusted proxy says.
#[derive(Clone, Copy)]
pub struct RequestId {
    text: [u8; MOST],
    length: u8,
}

/// How long a name may be. A UUID has 36.
const MOST: usize = 40;
/// How long one of our own is.
const OWN: u8 = 24;
/// Shorter ones name nothing.
const LEAST: usize = 8;

impl RequestId {
    /// What a trusted proxy calls the request, if that can stand in logs and headers as it is.
    pub fn told(value: &HeaderValue) -> Option<Self> {
        let told = value.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(LEAST..=MOST).contains(&told.len()) || !told.iter().all(is_plain) {
            return None;
        }
        let mut text = [0; MOST];
        text[..told.len()].copy_from_slice(told);
        Some(Self { text, length: u8::try_from(told.len()).ok()? })
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }

    /// The identifier as a header value.
    ///
    /// # Panics
    /// Never: letters, digits and what else may be in it are a header value.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.bytes()).expect("letters and digits are a header value")
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One worker's source of identifiers: a random start and a count, so that no request asks for randomness.
#[derive(Debug)]
pub struct RequestIds {
    start: [u8; 16],
    count: Cell<u32>,
}

impl RequestIds {
    /// A source that shares its start with no other.
    pub fn new() -> Self {
        let mut start = [0; 16];
        hex::write(&entropy::bytes::<8>(), &mut start);
        Self { start, count: Cell::new(0) }
    }

    /// The next identifier.
    pub fn next(&self) -> RequestId {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let mut text = [0; MOST];
        let (start, end) = text[..usize::from(OWN)].split_at_mut(16);
        start.copy_from_slice(&self.start);
        hex::write(&count.to_be_bytes(), end);
        RequestId { text, length: OWN }
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
        assert_eq!(one.value(), one.as_str());
        assert_ne!(one.as_str(), two.as_str());
        assert_ne!(RequestIds::new().next().as_str(), one.as_str());
    }
}
