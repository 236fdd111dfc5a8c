//! One published key (RFC 7517), or why it is not one that verifies signatures. Pure.

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::JsonWebKeyId;
use openidconnect::core::{CoreJsonCurveType, CoreJsonWebKey};
use serde_json::{Map, Value};

use crate::oidc::json::{self, JsonError};
use crate::oidc::settings::Algorithm;

/// A public key that may verify ID tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::oidc) struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256 { x: Vec<u8>, y: Vec<u8> },
    P384 { x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

/// Why a published key is left out. The others of its set are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::oidc) enum Unusable {
    #[error("it cannot be read")]
    Json(#[from] JsonError),
    #[error("it is not an object")]
    NotAnObject,
    #[error("it holds private or symmetric material, which nobody should publish")]
    Private,
    #[error("it is for something else than verifying signatures")]
    Purpose,
    #[error("its type, curve or algorithm is not used here")]
    Kind,
    #[error("its numbers are no base64url")]
    Encoding,
    #[error("it is too weak, too large or not a point of its curve")]
    Material,
}

impl Key {
    /// Reads one member of a set's `keys`.
    pub(in crate::oidc) fn read(value: &Value) -> Result<Self, Unusable> {
        let members = value.as_object().ok_or(Unusable::NotAnObject)?;
        // `d` and its companions are private (RFC 7518, sections 6.2.2 and 6.3.2); `k` is symmetric.
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| members.contains_key(*name)) {
            return Err(Unusable::Private);
        }
        if json::optional_text(members, "use")?.is_some_and(|purpose| purpose != "sig") {
            return Err(Unusable::Purpose);
        }
        let operations = json::optional_texts(members, "key_ops")?;
        if operations.is_some_and(|operations| operations.iter().all(|one| one != "verify")) {
            return Err(Unusable::Purpose);
        }
        let algorithm = json::optional_text(members, "alg")?.map(named).transpose()?;
        let material = Material::read(members)?;
        if algorithm.is_some_and(|algorithm| !material.fits(algorithm)) {
            return Err(Unusable::Kind);
        }
        Ok(Self { id: json::optional_text(members, "kid")?.map(str::to_owned), algorithm, material })
    }

    /// Whether the key may verify a token whose header says `id` and `algorithm`: both must fit, and a token that
    /// names a key takes no other (RFC 8725, section 3.1).
    pub(in crate::oidc) fn fits(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        (id.is_none() || self.id.as_deref() == id)
            && self.algorithm.is_none_or(|own| own == algorithm)
            && self.material.fits(algorithm)
    }

    /// Whether the key made that signature of that message, for what is not an ID token.
    pub(in crate::oidc) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.material.fits(algorithm) && self.material.verifies(algorithm, message, signature)
    }

    /// The key as the library that verifies wants it.
    pub(in crate::oidc) fn to_library(&self) -> CoreJsonWebKey {
        let id = self.id.clone().map(JsonWebKeyId::new);
        match self.material.clone() {
            Material::Rsa { modulus, exponent } => CoreJsonWebKey::new_rsa(modulus, exponent, id),
            Material::P256 { x, y } => CoreJsonWebKey::new_ec(x, y, CoreJsonCurveType::P256, id),
            Material::P384 { x, y } => CoreJsonWebKey::new_ec(x, y, CoreJsonCurveType::P384, id),
            Material::Ed25519 { x } => CoreJsonWebKey::new_okp(x, CoreJsonCurveType::Ed25519, id),
        }
    }
}

fn named(name: &str) -> Result<Algorithm, Unusable> {
    Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(Unusable::Kind)
}

impl Material {
    fn read(members: &Map<String, Value>) -> Result<Self, Unusable> {
        let number = |name| {
            let text = json::text(members, name)?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| Unusable::Encoding)
        };
        let material = match (json::text(members, "kty")?, json::optional_text(members, "crv")?) {
            ("RSA", _) => Self::Rsa { modulus: number("n")?, exponent: number("e")? },
            ("EC", Some("P-256")) => Self::P256 { x: number("x")?, y: number("y")? },
            ("EC", Some("P-384")) => Self::P384 { x: number("x")?, y: number("y")? },
            ("OKP", Some("Ed25519")) => Self::Ed25519 { x: number("x")? },
            _ => return Err(Unusable::Kind),
        };
        if material.is_sound() { Ok(material) } else { Err(Unusable::Material) }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm, Algorithm::RS256 | Algorithm::PS256),
            Self::P256 { .. } => algorithm == Algorithm::ES256,
            Self::P384 { .. } => algorithm == Algorithm::ES384,
            Self::Ed25519 { .. } => algorithm == Algorithm::EdDSA,
        }
    }

    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let plain = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        match self {
            Self::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                let padding = if algorithm == Algorithm::PS256 {
                    &signature::RSA_PSS_2048_8192_SHA256
                } else {
                    &signature::RSA_PKCS1_2048_8192_SHA256
                };
                key.verify(padding, message, signature).is_ok()
            }
            Self::P256 { x, y } => plain(&signature::ECDSA_P256_SHA256_FIXED, &[&[4], &**x, y].concat()),
            Self::P384 { x, y } => plain(&signature::ECDSA_P384_SHA384_FIXED, &[&[4], &**x, y].concat()),
            Self::Ed25519 { x } => plain(&signature::ED25519, x),
        }
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Rsa { modulus, exponent } => is_sound_rsa(modulus, exponent),
            // Coordinates have the full length of their field (RFC 7518, section 6.2.1.2).
            Self::P256 { x, y } => {
                x.len() == 32 && y.len() == 32 && is_on_curve(&signature::ECDSA_P256_SHA256_FIXED, x, y)
            }
            Self::P384 { x, y } => {
                x.len() == 48 && y.len() == 48 && is_on_curve(&signature::ECDSA_P384_SHA384_FIXED, x, y)
            }
            Self::Ed25519 { x } => x.len() == 32,
        }
    }
}

/// 2048 to 4096 bits, because the library that verifies takes no more; a public exponent that is odd, above one and
/// of ordinary size (RFC 8725, section 3.5).
fn is_sound_rsa(modulus: &[u8], exponent: &[u8]) -> bool {
    let trimmed =
        |number: &'_ [u8]| number.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
    let (modulus, exponent) = (trimmed(modulus), trimmed(exponent));
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    (2_048..=4_096).contains(&bits)
        && odd(&modulus)
        && exponent.len() <= 4
        && odd(&exponent)
        && exponent != [1]
}

fn is_on_curve(algorithm: &'static signature::EcdsaVerificationAlgorithm, x: &[u8], y: &[u8]) -> bool {
    ParsedPublicKey::new(algorithm, [&[4], x, y].concat()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::testing::Signer;
    use serde_json::json;

    #[test]
    fn keys_of_every_accepted_kind_are_read() {
        for algorithm in Algorithm::ALL {
            let key = Key::read(&Signer::new(algorithm, Some("k")).jwk()).expect("a sound key");
            assert!(key.fits(Some("k"), algorithm));
            assert!(key.fits(None, algorithm));
            assert!(!key.fits(Some("other"), algorithm));
            for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(!key.fits(Some("k"), other), "{algorithm:?} is bound to its algorithm, {other:?}");
            }
        }
    }

    #[test]
    fn a_key_without_algorithm_fits_its_family_only() {
        let mut jwk = Signer::new(Algorithm::RS256, None).jwk();
        jwk.as_object_mut().expect("an object").remove("alg");
        let key = Key::read(&jwk).expect("a sound key");
        assert!(key.fits(None, Algorithm::RS256) && key.fits(None, Algorithm::PS256));
        assert!(!key.fits(None, Algorithm::ES256));
        assert!(!key.fits(Some("k"), Algorithm::RS256), "a token that names a key takes no nameless one");
    }

    #[test]
    fn keys_for_other_purposes_are_left_out() {
        let sound = Signer::new(Algorithm::RS256, Some("k")).jwk();
        let with = |name: &str, value: Value| {
            let mut jwk = sound.clone();
            jwk[name] = value;
            Key::read(&jwk)
        };
        assert_eq!(with("use", json!("enc")), Err(Unusable::Purpose));
        assert_eq!(with("key_ops", json!(["encrypt"])), Err(Unusable::Purpose));
        assert_eq!(with("key_ops", json!([])), Err(Unusable::Purpose));
        assert!(with("key_ops", json!(["verify"])).is_ok());
        assert_eq!(with("alg", json!("RSA-OAEP")), Err(Unusable::Kind));
        assert_eq!(with("alg", json!("HS256")), Err(Unusable::Kind));
        assert_eq!(with("alg", json!("ES256")), Err(Unusable::Kind));
        assert_eq!(with("kty", json!("oct")), Err(Unusable::Kind));
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(with(private, json!("AQAB")), Err(Unusable::Private), "{private}");
        }
        assert!(
            with("x5u", json!("https://evil.example")).is_ok(),
            "unknown members are ignored, not fetched"
        );
    }

    #[test]
    fn weak_and_broken_keys_are_left_out() {
        let sound = Signer::new(Algorithm::RS256, Some("k")).jwk();
        let with = |name: &str, value: Value| {
            let mut jwk = sound.clone();
            jwk[name] = value;
            Key::read(&jwk)
        };
        assert!(with("kid", json!("other")).is_ok());
        assert_eq!(with("e", json!("AQ")), Err(Unusable::Material), "e = 1");
        assert_eq!(with("e", json!("AAAAAQ")), Err(Unusable::Material), "e = 1 behind zeros");
        assert_eq!(with("e", json!("Ag")), Err(Unusable::Material), "e = 2");
        assert_eq!(
            with("n", json!(URL_SAFE_NO_PAD.encode([0xff; 128]))),
            Err(Unusable::Material),
            "1024 bits"
        );
        assert_eq!(
            with("n", json!(URL_SAFE_NO_PAD.encode([&[0; 200][..], &[0xff; 128]].concat()))),
            Err(Unusable::Material)
        );
        assert_eq!(with("n", json!("not base64!")), Err(Unusable::Encoding));
        assert_eq!(with("n", json!(7)), Err(Unusable::Json(JsonError::WrongType("n"))));
        assert_eq!(with("kid", json!(7)), Err(Unusable::Json(JsonError::WrongType("kid"))));
        assert_eq!(Key::read(&json!("x")), Err(Unusable::NotAnObject));
    }

    #[test]
    fn points_off_the_curve_are_left_out() {
        let sound = Signer::new(Algorithm::ES256, None).jwk();
        assert!(Key::read(&sound).is_ok());
        for (name, bytes) in [("y", vec![7; 32]), ("x", vec![7; 31]), ("y", vec![])] {
            let mut jwk = sound.clone();
            jwk[name] = json!(URL_SAFE_NO_PAD.encode(bytes));
            assert_eq!(Key::read(&jwk), Err(Unusable::Material), "{name}");
        }
        let mut jwk = sound;
        jwk["crv"] = json!("P-384");
        assert!(Key::read(&jwk).is_err());
    }
}
