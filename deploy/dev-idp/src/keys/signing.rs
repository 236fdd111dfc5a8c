//! One signing key of any algorithm, and its public half as a JWK. Knows nothing of what is signed.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Algorithm;
use crate::random;

enum Pair {
    Rsa(rsa::KeyPair),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

/// A key pair for one algorithm.
pub(crate) struct SigningKey {
    pair: Pair,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    /// The members that make up the public key, in the order in which RFC 7638 hashes them.
    public: Vec<(&'static str, String)>,
}

impl SigningKey {
    /// Makes a key; an RSA key takes a good part of a second in an unoptimised build.
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        let (pair, public) = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => modulus(),
            Algorithm::Es256 => curve(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Algorithm::Es384 => curve(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Algorithm::EdDsa => edwards(),
        };
        let members: Vec<String> =
            public.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let kid = random::sha256_base64url(format!("{{{}}}", members.join(",")).as_bytes());
        Self { pair, algorithm, kid, public }
    }

    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) if self.algorithm == Algorithm::Ps256 => with_rsa(pair, &RSA_PSS_SHA256, input),
            Pair::Rsa(pair) => with_rsa(pair, &RSA_PKCS1_SHA256, input),
            Pair::Curve(pair) => {
                pair.sign(&SystemRandom::new(), input).expect("a curve key signs").as_ref().to_vec()
            }
            Pair::Edwards(pair) => pair.sign(input).as_ref().to_vec(),
        }
    }

    /// PS256 by an RSA key of any algorithm, for tokens that must be refused; other keys sign as they always do.
    pub(crate) fn sign_pss(&self, input: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => with_rsa(pair, &RSA_PSS_SHA256, input),
            Pair::Curve(_) | Pair::Edwards(_) => self.sign(input),
        }
    }

    pub(crate) fn verifies(&self, input: &[u8], signature: &[u8]) -> bool {
        let public = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Curve(pair) => pair.public_key().as_ref(),
            Pair::Edwards(pair) => pair.public_key().as_ref(),
        };
        UnparsedPublicKey::new(self.algorithm.verification(), public).verify(input, signature).is_ok()
    }

    /// The public key in DER (SubjectPublicKeyInfo), for tokens that misuse it as a shared secret.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Curve(pair) => pair.public_key().as_der(),
            Pair::Edwards(pair) => pair.public_key().as_der(),
        };
        der.expect("a key of our own can be written").as_ref().to_vec()
    }

    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = json!({"use": "sig", "alg": self.algorithm.name(), "kid": self.kid});
        for (name, value) in &self.public {
            jwk[*name] = value.as_str().into();
        }
        jwk
    }
}

type Made = (Pair, Vec<(&'static str, String)>);

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn modulus() -> Made {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048).expect("RSA 2048 is supported");
    let key = pair.public_key();
    let n = encode(key.modulus().big_endian_without_leading_zero());
    let e = encode(key.exponent().big_endian_without_leading_zero());
    (Pair::Rsa(pair), vec![("e", e), ("kty", "RSA".to_owned()), ("n", n)])
}

fn curve(algorithm: &'static EcdsaSigningAlgorithm, name: &str) -> Made {
    let pair = EcdsaKeyPair::generate(algorithm).expect("the curve is supported");
    // An uncompressed point: 4, then both coordinates.
    let point = pair.public_key().as_ref();
    let (x, y) = point[1..].split_at(point.len() / 2);
    let public = vec![("crv", name.to_owned()), ("kty", "EC".to_owned()), ("x", encode(x)), ("y", encode(y))];
    (Pair::Curve(pair), public)
}

fn edwards() -> Made {
    let pair = Ed25519KeyPair::generate().expect("Ed25519 is supported");
    let x = encode(pair.public_key());
    (Pair::Edwards(pair), vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", x)])
}

fn with_rsa(pair: &rsa::KeyPair, encoding: &'static dyn RsaEncoding, input: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), input, &mut signature)
        .expect("the buffer is as long as the modulus");
    signature
}
