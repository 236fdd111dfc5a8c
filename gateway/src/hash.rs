//! SHA-256 of bytes, for what is known by its hash. Keyed hashes and keys are `session/vault`'s matter.

use aws_lc_rs::digest;

/// The SHA-256 of those bytes (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}
