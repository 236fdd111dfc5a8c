//! Signs what was asked for (RFC 2986): for the names of the order and no others, if whoever asks has the key.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{CertificateParams, PublicKeyData, SignatureAlgorithm};

use crate::tls::Authority;

/// A public key on the curve P-256 begins like this, up to the point (RFC 5480).
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
    1, 7, 3, 0x42, 0,
];
const POINT: usize = 65;

struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// The chain, in PEM form; nothing for a request that is not right.
pub(super) fn sign(request: &[u8], names: &[String], days: i64, authority: &Authority) -> Option<String> {
    let (content, _) = element(request)?;
    let (_, rest) = element(content)?;
    let info = &content[..content.len() - rest.len()];
    let (_, rest) = element(rest)?;
    let (signature, _) = element(rest)?;
    let at = info.windows(P256.len()).position(|window| window == P256)? + P256.len();
    let point = info.get(at..at + POINT)?.to_vec();
    // A string of bits begins with how many of them are unused.
    let signature = signature.strip_prefix(&[0])?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point).verify(info, signature).ok()?;
    let are_asked_for = names.iter().all(|name| {
        let length = u8::try_from(name.len()).expect("a short name");
        let wanted = [&[0x82, length][..], name.as_bytes()].concat();
        info.windows(wanted.len()).any(|window| window == wanted)
    });
    if !are_asked_for {
        return None;
    }
    let mut parameters = CertificateParams::new(names.to_vec()).ok()?;
    let (before, after) = Authority::span(days);
    (parameters.not_before, parameters.not_after) = (before, after);
    Some(authority.sign_for(&parameters, &Point(point)) + &authority.pem())
}

/// The content of the first element of DER, and what follows it.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = usize::from(*bytes.get(1)?);
    let (start, length) = if first < 0x80 {
        (2, first)
    } else {
        let more = first & 0x7f;
        let length = bytes.get(2..2 + more)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        (2 + more, length)
    };
    Some((bytes.get(start..start + length)?, &bytes[start + length..]))
}
