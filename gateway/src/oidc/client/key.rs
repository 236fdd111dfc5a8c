//! The gateway's own key pairs: read from PEM, named by their thumbprint, signing with the one algorithm that fits them.
//! Pure; what is signed, and who believes it, is decided elsewhere.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::oidc::settings::Algorithm;

/// A key pair of the gateway's own. Prints its name alone.
pub struct SigningKey {
    algorithm: Algorithm,
    id: String,
    public: BTreeMap<&'static str, String>,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a text is not a key that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is locked with a passphrase, and nobody is there to type it.
    #[error("the private key is encrypted")]
    Encrypted,
    /// No `PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    #[error("there is no private key in PEM form")]
    NotPem,
    /// Another curve, a short or broken key.
    #[error("it is not an RSA key of 2048 to 8192 bits, nor one on P-256, P-384 or Ed25519")]
    Kind,
}

impl SigningKey {
    /// Reads PKCS#8, SEC 1 (elliptic curves) or PKCS#1 (RSA). An RSA key signs with `for_rsa`; of every other kind of
    /// key, the kind says with what.
    pub fn parse(pem: &str, for_rsa: Algorithm) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes());
        let der =
            Zeroizing::new(der.map_err(|_| {
                if pem.contains("ENCRYPTED") { KeyError::Encrypted } else { KeyError::NotPem }
            })?);
        let (algorithm, pair) = read(&der, for_rsa).ok_or(KeyError::Kind)?;
        let public = public_members(&pair, algorithm);
        let key = Self { algorithm, id: thumbprint(&public), public, pair };
        // What cannot sign is found out now, and not when somebody signs in.
        key.try_sign(b"").ok_or(KeyError::Kind)?;
        Ok(key)
    }

    /// The one algorithm that it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its name: the SHA-256 thumbprint (RFC 7638), so that two gateways with one key agree on it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half as it is published (RFC 7517).
    pub fn public_jwk(&self) -> Value {
        let mut jwk = json!({ "kid": self.id, "use": "sig", "alg": self.algorithm.as_str() });
        for (name, value) in &self.public {
            jwk[*name] = value.as_str().into();
        }
        jwk
    }

    /// A signature as JWS has it (RFC 7518, section 3).
    ///
    /// # Panics
    /// Never: the key has signed when it was read.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.try_sign(message).expect("it has signed before")
    }

    /// A signed JWT with this `typ` (RFC 7515, section 3.1).
    pub fn jws(&self, kind: &str, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm.as_str(), "typ": kind, "kid": self.id });
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn try_sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding = if self.algorithm == Algorithm::PS256 {
                    &signature::RSA_PSS_SHA256
                } else {
                    &signature::RSA_PKCS1_SHA256
                };
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut bytes).ok().map(|()| bytes)
            }
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => pair.try_sign(message).ok().map(|signature| signature.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Tries each kind that may be in such a section.
fn read(der: &PrivateKeyDer<'_>, for_rsa: Algorithm) -> Option<(Algorithm, Pair)> {
    let rsa = |pair| (for_rsa, Pair::Rsa(pair));
    let ecdsa = |bytes: &[u8]| {
        let read = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_private_key_der(algorithm, bytes).ok().map(Pair::Ecdsa)
        };
        let p256 = read(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map(|pair| (Algorithm::ES256, pair));
        p256.or_else(|| {
            read(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).map(|pair| (Algorithm::ES384, pair))
        })
    };
    match der {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(rsa),
        PrivateKeyDer::Sec1(key) => ecdsa(key.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(key) => {
            let bytes = key.secret_pkcs8_der();
            let ed25519 = || {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).ok();
                pair.map(|pair| (Algorithm::EdDSA, Pair::Ed25519(pair)))
            };
            RsaKeyPair::from_pkcs8(bytes).ok().map(rsa).or_else(|| ecdsa(bytes)).or_else(ed25519)
        }
        _ => None,
    }
}

/// The members that make a public key of its kind (RFC 7518, section 6; RFC 8037, section 2).
fn public_members(pair: &Pair, algorithm: Algorithm) -> BTreeMap<&'static str, String> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match pair {
        Pair::Rsa(pair) => {
            let key = pair.public_key();
            let n = encode(key.modulus().big_endian_without_leading_zero());
            let e = encode(key.exponent().big_endian_without_leading_zero());
            BTreeMap::from([("kty", "RSA".to_owned()), ("n", n), ("e", e)])
        }
        Pair::Ecdsa(pair) => {
            // An uncompressed point: 4, then two numbers of one length (SEC 1, section 2.3.3).
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let curve = if algorithm == Algorithm::ES256 { "P-256" } else { "P-384" };
            let (x, y) = (encode(x), encode(y));
            BTreeMap::from([("kty", "EC".to_owned()), ("crv", curve.to_owned()), ("x", x), ("y", y)])
        }
        Pair::Ed25519(pair) => {
            let x = encode(pair.public_key().as_ref());
            BTreeMap::from([("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", x)])
        }
    }
}

/// RFC 7638, section 3: those members and no others, by name, without a space.
fn thumbprint(public: &BTreeMap<&'static str, String>) -> String {
    let text = serde_json::to_string(public).expect("a map of strings is JSON");
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::oidc::keys::Key;
    use base64::engine::general_purpose::STANDARD;

    /// A new private key in PKCS#8, as `openssl genpkey` writes it.
    pub(crate) fn pem(algorithm: Algorithm) -> String {
        let random = SystemRandom::new();
        let der = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => {
                use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
                let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a pair");
                let der: Pkcs8V1Der<'_> = pair.as_der().expect("a document");
                der.as_ref().to_vec()
            }
            Algorithm::ES256 => {
                let curve = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                EcdsaKeyPair::generate_pkcs8(curve, &random).expect("a pair").as_ref().to_vec()
            }
            Algorithm::ES384 => {
                let curve = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
                EcdsaKeyPair::generate_pkcs8(curve, &random).expect("a pair").as_ref().to_vec()
            }
            Algorithm::EdDSA => Ed25519KeyPair::generate_pkcs8(&random).expect("a pair").as_ref().to_vec(),
        };
        armoured("PRIVATE KEY", &der)
    }

    fn armoured(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    #[test]
    fn each_kind_of_key_signs_what_its_published_half_verifies() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::parse(&pem(algorithm), algorithm).expect("a sound key");
            assert_eq!(key.algorithm(), algorithm);
            let published = Key::read(&key.public_jwk()).expect("what we publish, we would take");
            let signature = key.sign(b"message");
            assert!(published.verifies(algorithm, b"message", &signature));
            assert!(!published.verifies(algorithm, b"massage", &signature));
            assert!(!format!("{key:?}").contains("pair"));
        }
    }

    #[test]
    fn the_kind_of_key_decides_except_for_rsa() {
        for (made, asked, expected) in [
            (Algorithm::RS256, Algorithm::PS256, Algorithm::PS256),
            (Algorithm::RS256, Algorithm::RS256, Algorithm::RS256),
            (Algorithm::ES256, Algorithm::RS256, Algorithm::ES256),
            (Algorithm::EdDSA, Algorithm::PS256, Algorithm::EdDSA),
        ] {
            assert_eq!(SigningKey::parse(&pem(made), asked).expect("sound").algorithm(), expected);
        }
    }

    #[test]
    fn older_forms_of_a_key_are_the_same_key() {
        use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).expect("a pair");
        let pkcs8 = pair.to_pkcs8v1().expect("a document");
        let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().expect("a document");
        let one = SigningKey::parse(&armoured("PRIVATE KEY", pkcs8.as_ref()), Algorithm::RS256);
        let other = SigningKey::parse(&armoured("EC PRIVATE KEY", sec1.as_ref()), Algorithm::RS256);
        assert_eq!(one.expect("sound").id(), other.expect("sound").id());
        let rsa = pem(Algorithm::RS256);
        let der = PrivateKeyDer::from_pem_slice(rsa.as_bytes()).expect("a key");
        // The PKCS#1 key is the last member of the PKCS#8 document, after a header of 26 bytes (RFC 5208, section 5).
        let inner = armoured("RSA PRIVATE KEY", &der.secret_der()[26..]);
        let one = SigningKey::parse(&rsa, Algorithm::RS256).expect("sound");
        assert_eq!(SigningKey::parse(&inner, Algorithm::RS256).expect("sound").id(), one.id());
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_reason() {
        let cut = pem(Algorithm::ES256).replace('M', "N");
        for (text, expected) in [
            ("", KeyError::NotPem),
            ("hunter2", KeyError::NotPem),
            (&armoured("PUBLIC KEY", b"x"), KeyError::NotPem),
            (&armoured("CERTIFICATE", b"x"), KeyError::NotPem),
            (&armoured("ENCRYPTED PRIVATE KEY", b"x"), KeyError::Encrypted),
            (&armoured("PRIVATE KEY", b"x"), KeyError::Kind),
            (&armoured("EC PRIVATE KEY", b"x"), KeyError::Kind),
            (&armoured("RSA PRIVATE KEY", b"x"), KeyError::Kind),
            (&cut, KeyError::Kind),
        ] {
            assert_eq!(SigningKey::parse(text, Algorithm::RS256).expect_err("no key"), expected, "{text}");
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_the_standards_example() {
        // RFC 7638, section 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let members =
            BTreeMap::from([("kty", "RSA".to_owned()), ("n", n.to_owned()), ("e", "AQAB".to_owned())]);
        assert_eq!(thumbprint(&members), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
