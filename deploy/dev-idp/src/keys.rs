//! The signing keys of this run: made at the start, rotated on demand, published without their private halves. Knows
//! nothing of what is signed.

use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::people::lock;
use crate::random;

/// One RSA key of 2048 bits.
pub(crate) struct SigningKey {
    pair: KeyPair,
    pub(crate) kid: String,
    pub(crate) n: String,
    pub(crate) e: String,
}

impl SigningKey {
    /// Makes a key; takes a good part of a second in an unoptimised build.
    pub(crate) fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("RSA 2048 is supported");
        let public: &PublicKey = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        // RFC 7638: the members in this order, without spaces.
        let kid = random::sha256_base64url(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes());
        Self { pair, kid, n, e }
    }

    /// RS256.
    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        self.sign_with(&RSA_PKCS1_SHA256, input)
    }

    /// PS256, for tokens that must be refused.
    pub(crate) fn sign_pss(&self, input: &[u8]) -> Vec<u8> {
        self.sign_with(&RSA_PSS_SHA256, input)
    }

    fn sign_with(&self, encoding: &'static dyn aws_lc_rs::signature::RsaEncoding, input: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), input, &mut signature)
            .expect("the buffer is as long as the modulus");
        signature
    }

    pub(crate) fn verifies(&self, input: &[u8], signature: &[u8]) -> bool {
        let public = self.pair.public_key().as_ref();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(input, signature).is_ok()
    }

    /// The public key in DER (SubjectPublicKeyInfo), for tokens that misuse it as a shared secret.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        // The fixed head of an SPKI for a 2048-bit key with a three-byte exponent, before the PKCS#1 key itself.
        const HEAD: [u8; 24] = [
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
            0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
        ];
        [&HEAD[..], self.pair.public_key().as_ref()].concat()
    }

    pub(crate) fn jwk(&self) -> Value {
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": self.n, "e": self.e})
    }
}

/// The keys of the run. The last one signs; all are published until retired.
pub(crate) struct Keyring(Mutex<Vec<Arc<SigningKey>>>);

impl Keyring {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(vec![Arc::new(SigningKey::generate())]))
    }

    pub(crate) fn current(&self) -> Arc<SigningKey> {
        let keys = lock(&self.0);
        Arc::clone(keys.last().expect("there is always a key"))
    }

    pub(crate) fn published(&self) -> Vec<Arc<SigningKey>> {
        lock(&self.0).clone()
    }

    /// From now on a new key signs; the old ones stay published.
    pub(crate) fn rotate(&self) {
        let key = Arc::new(SigningKey::generate());
        lock(&self.0).push(key);
    }

    /// Stops publishing every key but the current one.
    pub(crate) fn retire_old(&self) {
        let mut keys = lock(&self.0);
        let old = keys.len() - 1;
        keys.drain(..old);
    }
}

/// A key that this provider never publishes: what an attacker would sign with.
pub(crate) fn stranger() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(SigningKey::generate)
}

/// A P-256 key, published only together with tokens signed by it.
pub(crate) struct CurveKey {
    pair: EcdsaKeyPair,
    pub(crate) kid: String,
    x: String,
    y: String,
}

impl CurveKey {
    /// The one curve key of this process.
    pub(crate) fn shared() -> &'static Self {
        static KEY: OnceLock<CurveKey> = OnceLock::new();
        KEY.get_or_init(|| {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("P-256 is supported");
            let point = pair.public_key().as_ref().to_vec();
            let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
            Self { kid: random::sha256_base64url(&point), pair, x, y }
        })
    }

    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), input).expect("a P-256 key signs");
        signature.as_ref().to_vec()
    }

    pub(crate) fn jwk(&self) -> Value {
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": self.x, "y": self.y})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_verifies_what_it_signed_and_nothing_else() {
        let key = SigningKey::generate();
        let signature = key.sign(b"text");
        assert!(key.verifies(b"text", &signature));
        assert!(!key.verifies(b"texT", &signature));
        assert!(!stranger().verifies(b"text", &signature));
    }

    #[test]
    fn rotation_adds_a_key_and_retiring_leaves_the_new_one() {
        let ring = Keyring::new();
        let first = ring.current().kid.clone();
        ring.rotate();
        assert_ne!(ring.current().kid, first);
        assert_eq!(ring.published().len(), 2);
        ring.retire_old();
        assert_eq!(ring.published().len(), 1);
        assert_ne!(ring.current().kid, first);
    }

    #[test]
    fn the_published_key_has_no_private_part() {
        let jwk = SigningKey::generate().jwk();
        let names: Vec<_> = jwk.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
    }
}
