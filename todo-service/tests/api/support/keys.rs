//! Signing keys, made once per run.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) struct RsaKey(RsaKeyPair);

impl RsaKey {
    /// The issuer's usual key.
    pub(crate) fn first() -> &'static Self {
        static KEY: OnceLock<RsaKey> = OnceLock::new();
        KEY.get_or_init(Self::generate)
    }

    /// The key after a rotation, or another issuer's.
    pub(crate) fn second() -> &'static Self {
        static KEY: OnceLock<RsaKey> = OnceLock::new();
        KEY.get_or_init(Self::generate)
    }

    fn generate() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let public = self.0.public_key();
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        json!({
            "kty": "RSA", "kid": kid, "use": "sig",
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// The public key as an attacker might use it for a shared secret.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().expect("encodes");
        der.as_ref().to_vec()
    }

    pub(crate) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            "RS512" => &RSA_PKCS1_SHA512,
            "PS256" => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), message, &mut signature).expect("signs");
        signature
    }
}

pub(crate) struct EcKey {
    pair: EcdsaKeyPair,
    curve: &'static str,
}

impl EcKey {
    pub(crate) fn p256() -> Self {
        Self::generate(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub(crate) fn p384() -> Self {
        Self::generate(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    fn generate(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        Self { pair: EcdsaKeyPair::generate(algorithm).expect("a key"), curve }
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let point = &self.pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        json!({ "kty": "EC", "crv": self.curve, "kid": kid, "x": encode(x), "y": encode(y) })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), message).expect("signs").as_ref().to_vec()
    }
}
