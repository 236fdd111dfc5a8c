//! A value that cannot be printed, logged or serialised, and is wiped when dropped.
//! It knows nothing of what it hides.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Something that must never be seen: a token, a client secret, a code verifier.
///
/// There is no `Display`, `Serialize` or `==`; reading it is `expose()`, which is easy to search for.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Hides `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The hidden value. Every caller is a place to review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// Whether `other` is the same text, in time that does not depend on where they differ.
    pub fn matches(&self, other: &str) -> bool {
        same_bytes(self.0.as_bytes(), other.as_bytes())
    }
}

/// Whether both are the same, in time that depends on their length alone. Eight bytes at a time: every request compares.
pub fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let ((ones, one), (others, other)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let words =
        ones.iter().zip(others).map(|(one, other)| u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other));
    let rest = one.iter().zip(other).map(|(one, other)| u64::from(one ^ other));
    // No difference ends the loop: all are gathered, and looked at once.
    words.chain(rest).fold(0, |all, difference| all | difference).ct_eq(&0).into()
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_holds_the_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn every_byte_counts_whatever_the_length() {
        let bytes: Vec<u8> = (0..40).collect();
        for length in 0..bytes.len() {
            assert!(same_bytes(&bytes[..length], &bytes[..length]));
            assert!(!same_bytes(&bytes[..length], &bytes[..=length]));
            for position in 0..length {
                let mut other = bytes[..length].to_vec();
                other[position] ^= 0x80;
                assert!(!same_bytes(&bytes[..length], &other));
            }
        }
    }

    #[test]
    fn comparison_tells_equal_from_different() {
        let secret = Secret::new("abc".to_owned());
        assert!(secret.matches("abc"));
        assert!(!secret.matches("abd"));
        assert!(!secret.matches("ab"));
    }
}
