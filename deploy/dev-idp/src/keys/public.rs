//! Verifying with somebody else's public key: a client's, from its JWK. Knows nothing of where it was found.

use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Algorithm;

/// Whether the key of `jwk` made this signature. A key that is not for this algorithm, or not for signatures, did not.
pub(crate) fn verifies(jwk: &Value, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
    let text = |name: &str| jwk[name].as_str();
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if text("alg").is_some_and(|alg| alg != algorithm.name()) || text("use").is_some_and(|of| of != "sig") {
        return false;
    }
    if let Some(parameters) = algorithm.rsa() {
        let (Some("RSA"), Some(n), Some(e)) = (text("kty"), bytes("n"), bytes("e")) else { return false };
        return RsaPublicKeyComponents { n, e }.verify(parameters, input, signature).is_ok();
    }
    let (kty, crv) = match algorithm {
        Algorithm::Es256 => ("EC", "P-256"),
        Algorithm::Es384 => ("EC", "P-384"),
        _ => ("OKP", "Ed25519"),
    };
    let (Some(x), true) = (bytes("x"), text("kty") == Some(kty) && text("crv") == Some(crv)) else {
        return false;
    };
    let point = match (kty, bytes("y")) {
        ("EC", Some(y)) => [&[4], &x[..], &y[..]].concat(),
        ("EC", None) => return false,
        _ => x,
    };
    UnparsedPublicKey::new(algorithm.verification(), point).verify(input, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;

    #[test]
    fn a_published_key_verifies_what_its_owner_signed_with_its_algorithm_only() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm);
            let signature = key.sign(b"text");
            for other in Algorithm::ALL {
                let right = other == algorithm;
                assert_eq!(
                    verifies(&key.jwk(), other, b"text", &signature),
                    right,
                    "{algorithm:?} {other:?}"
                );
            }
            assert!(!verifies(&key.jwk(), algorithm, b"texT", &signature));
            let mut for_encryption = key.jwk();
            for_encryption["use"] = "enc".into();
            assert!(!verifies(&for_encryption, algorithm, b"text", &signature));
        }
    }
}
