//! Names of traces and of their parts: random, and never all zeros.

use std::fmt;

use crate::entropy;

/// A trace: what one wish of somebody causes in all programs together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// One program's part of a trace, or one step of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId([u8; 8]);

impl TraceId {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = entropy::bytes::<16>();
        // All zeros mean "none".
        bytes[15] |= u8::from(bytes == [0; 16]);
        Self(bytes)
    }

    /// From 32 hexadecimal digits, small letters only.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        read(digits).map(Self)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl SpanId {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = entropy::bytes::<8>();
        bytes[7] |= u8::from(bytes == [0; 8]);
        Self(bytes)
    }

    /// From 16 hexadecimal digits, small letters only.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        read(digits).map(Self)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Small hexadecimal digits, as many as fill the bytes, and not all of them zero.
fn read<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    (bytes != [0; N]).then_some(bytes)
}

/// The value of a small hexadecimal digit.
pub(super) fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
