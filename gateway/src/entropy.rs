//! The one place that asks for randomness: the operating system's generator by way of aws-lc.
//! It knows nothing of what the bytes become.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `N` bytes nobody can guess.
///
/// # Panics
/// When the operating system cannot give randomness. No identifier must ever be made then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// 256 random bits as 43 characters of base64url: a state, a nonce, a code verifier (RFC 7636, section 4.1).
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_43_unreserved_characters_and_differ() {
        let (one, other) = (token(), token());
        assert_eq!(one.len(), 43);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_ne!(one, other);
    }
}
