//! The crate's only source of randomness, and digests. Knows nothing of what the values stand for.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `N` bytes from the operating system's generator.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system gives random bytes");
    out
}

/// 256 random bits as base64url: codes, tokens, cookies.
pub(crate) fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// A random version 4 GUID.
pub(crate) fn guid() -> String {
    uuid::Builder::from_random_bytes(bytes()).into_uuid().to_string()
}

/// A one-time passcode of eight digits; the modulo bias over 64 bits is below 2^-37.
pub(crate) fn passcode() -> String {
    format!("{:08}", u64::from_le_bytes(bytes()) % 100_000_000)
}

/// SHA-256, base64url.
pub(crate) fn sha256_base64url(input: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, input))
}

/// A GUID that is always the same for the same parts: ids that must survive a restart.
pub(crate) fn stable_guid(parts: &[&str]) -> String {
    let hash = digest::digest(&digest::SHA256, parts.join("\u{0}").as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(first).into_uuid().to_string()
}

/// Equality that takes the same time wherever the difference is.
pub(crate) fn same(left: &str, right: &str) -> bool {
    use subtle::ConstantTimeEq as _;
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passcode_is_eight_digits() {
        let code = passcode();
        assert_eq!(code.len(), 8);
        assert!(code.bytes().all(|b| b.is_ascii_digit()));
    }

    #[test]
    fn stable_guids_depend_on_every_part_and_its_border() {
        assert_eq!(stable_guid(&["a", "b"]), stable_guid(&["a", "b"]));
        assert_ne!(stable_guid(&["a", "b"]), stable_guid(&["ab"]));
        assert_ne!(token(), token());
        assert!(same("x", "x") && !same("x", "y") && !same("x", "xx"));
    }
}
