//! One way to seal bytes: AES-256-GCM-SIV (RFC 8452) with a random nonce in front and the context authenticated.
//! It does not know where the keys come from.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};

pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;

/// What is sealed, in words that stand in front of every context: nothing opens as something else.
pub(super) mod purpose {
    pub(in super::super) const SUMMARY: &[u8] = b"gateway session summary\0";
    pub(in super::super) const BODY: &[u8] = b"gateway session body\0";
    pub(in super::super) const DOOR: &[u8] = b"gateway session door\0";
}

/// The cipher of those key bytes.
pub(super) fn cipher(key: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM_SIV, key).expect("32 bytes are a key")
}

/// A purpose and what it is about. Every part but the last must have one fixed length.
pub(super) fn with_context(purpose: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    [purpose].iter().chain(parts).copied().flatten().copied().collect()
}

/// Appends nonce, cipher text and tag to `out`.
pub(super) fn seal_onto(out: &mut Vec<u8>, key: &RandomizedNonceKey, context: &[u8], plain: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; NONCE]);
    // Room for the tag as well, so that no plain text is left behind in memory that a growing vector gave back.
    let mut sealed = Vec::with_capacity(plain.len() + TAG);
    sealed.extend_from_slice(plain);
    let nonce = key
        .seal_in_place_append_tag(Aad::from(context), &mut sealed)
        .expect("a session is far below the algorithm's limit");
    out[start..].copy_from_slice(nonce.as_ref());
    out.extend_from_slice(&sealed);
}

/// What [`seal_onto`] appended, with the same key and context; nothing for anything else.
pub(super) fn open(key: &RandomizedNonceKey, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let mut opened = sealed.to_vec();
    let length =
        key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut opened).ok()?.len();
    opened.truncate(length);
    Some(opened)
}
