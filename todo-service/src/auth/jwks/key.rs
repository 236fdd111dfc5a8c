//! One published key (RFC 7517), if it is one that may verify signatures here. Refuses symmetric, private,
//! encryption-only, weak and malformed keys. Knows nothing of where the key came from.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::auth::algorithm::{Algorithm, KeyShape};

/// RFC 7518 section 3.3 asks for 2048 bits or more; beyond 8192 a signature costs more than it proves.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Members that only a private or symmetric key has.
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a published key is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRefused {
    #[error("it is not a JSON object")]
    NotAnObject,
    #[error("it is private or symmetric and should not have been published")]
    Secret,
    #[error("its key type or curve is not supported")]
    Type,
    #[error("it is not meant for signatures")]
    Use,
    #[error("one of its members has the wrong type")]
    Member,
    #[error("its RSA modulus is not an odd number of 2048 to 8192 bits")]
    Modulus,
    #[error("its RSA exponent is not an odd number from 3 to 2^32")]
    Exponent,
    #[error("its coordinates are not a point on its curve")]
    Point,
}

/// A public key, bound to what it may be used for.
pub(crate) struct VerifyingKey {
    id: Option<String>,
    shape: KeyShape,
    /// The `alg` that the issuer bound the key to, if it did. One that we do not know fits nothing.
    bound_to: Option<String>,
    decoding: DecodingKey,
}

impl VerifyingKey {
    pub(crate) fn from_jwk(jwk: &Value) -> Result<Self, KeyRefused> {
        let jwk = jwk.as_object().ok_or(KeyRefused::NotAnObject)?;
        let kty = text(jwk, "kty")?.ok_or(KeyRefused::Type)?;
        if kty == "oct" || SECRET_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(KeyRefused::Secret);
        }
        check_use(jwk)?;
        let (shape, decoding) = match (kty, text(jwk, "crv")?) {
            ("RSA", None) => (KeyShape::Rsa, rsa(jwk)?),
            ("EC", Some("P-256")) => (KeyShape::P256, ec(jwk, 32, &ECDSA_P256_SHA256_FIXED)?),
            ("EC", Some("P-384")) => (KeyShape::P384, ec(jwk, 48, &ECDSA_P384_SHA384_FIXED)?),
            ("OKP", Some("Ed25519")) => (KeyShape::Ed25519, ed25519(jwk)?),
            _ => return Err(KeyRefused::Type),
        };
        Ok(Self {
            id: text(jwk, "kid")?.map(str::to_owned),
            shape,
            bound_to: text(jwk, "alg")?.map(str::to_owned),
            decoding,
        })
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether a signature of this algorithm may be checked with this key.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.shape == algorithm.shape()
            && self.bound_to.as_deref().is_none_or(|bound| bound == algorithm.name())
    }

    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

fn check_use(jwk: &Map<String, Value>) -> Result<(), KeyRefused> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyRefused::Use);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(KeyRefused::Use),
        Some(_) => Err(KeyRefused::Member),
    }
}

fn rsa(jwk: &Map<String, Value>) -> Result<DecodingKey, KeyRefused> {
    let modulus = number(jwk, "n", KeyRefused::Modulus)?;
    let exponent = number(jwk, "e", KeyRefused::Exponent)?;
    if !RSA_BITS.contains(&bits(&modulus)) || is_even(&modulus) {
        return Err(KeyRefused::Modulus);
    }
    // e = 1 makes every signature valid; an even e is not an exponent; a huge one only burns time.
    if !(2..=32).contains(&bits(&exponent)) || is_even(&exponent) {
        return Err(KeyRefused::Exponent);
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn ec(
    jwk: &Map<String, Value>,
    width: usize,
    curve: &'static dyn VerificationAlgorithm,
) -> Result<DecodingKey, KeyRefused> {
    let x = octets(jwk, "x", KeyRefused::Point)?;
    let y = octets(jwk, "y", KeyRefused::Point)?;
    if x.len() != width || y.len() != width {
        return Err(KeyRefused::Point);
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    ParsedPublicKey::new(curve, &point).map_err(|_| KeyRefused::Point)?;
    Ok(DecodingKey::from_ec_der(&point))
}

fn ed25519(jwk: &Map<String, Value>) -> Result<DecodingKey, KeyRefused> {
    let x = octets(jwk, "x", KeyRefused::Point)?;
    ParsedPublicKey::new(&ED25519, &x).map_err(|_| KeyRefused::Point)?;
    Ok(DecodingKey::from_ed_der(&x))
}

/// A big-endian number without its leading zeros.
fn number(jwk: &Map<String, Value>, name: &str, fault: KeyRefused) -> Result<Vec<u8>, KeyRefused> {
    let octets = octets(jwk, name, fault)?;
    Ok(octets.into_iter().skip_while(|&octet| octet == 0).collect())
}

fn octets(jwk: &Map<String, Value>, name: &str, fault: KeyRefused) -> Result<Vec<u8>, KeyRefused> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?.ok_or(fault)?).map_err(|_| fault)
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_none_or(|last| last % 2 == 0)
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, KeyRefused> {
    match jwk.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(KeyRefused::Member),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use proptest::prelude::*;
    use serde_json::json;

    fn encoded(octets: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// An RSA key by its looks: odd modulus of that many bits.
    fn rsa_jwk(bits: usize, exponent: &[u8]) -> Value {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        json!({ "kty": "RSA", "kid": "r", "n": encoded(&modulus), "e": encoded(exponent) })
    }

    fn ec_jwk() -> Value {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let point = pair.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": "e", "x": encoded(&point[1..33]), "y": encoded(&point[33..]) })
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    fn refused(jwk: &Value) -> Option<KeyRefused> {
        VerifyingKey::from_jwk(jwk).err()
    }

    #[test]
    fn rsa_keys_need_2048_bits_and_a_sane_exponent() {
        for bits in [2048, 3072, 4096, 8192] {
            assert_eq!(refused(&rsa_jwk(bits, &[1, 0, 1])), None, "{bits}");
        }
        for bits in [512, 1024, 2047, 8193, 16384] {
            assert_eq!(refused(&rsa_jwk(bits, &[1, 0, 1])), Some(KeyRefused::Modulus), "{bits}");
        }
        assert_eq!(refused(&rsa_jwk(2048, &[3])), None);
        for exponent in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
            assert_eq!(refused(&rsa_jwk(2048, exponent)), Some(KeyRefused::Exponent), "{exponent:?}");
        }
    }

    #[test]
    fn a_modulus_padded_with_zeros_is_not_longer_for_it() {
        let mut padded = vec![0; 128];
        padded.extend([0xff; 128]);
        let jwk = json!({ "kty": "RSA", "n": encoded(&padded), "e": "AQAB" });
        assert_eq!(refused(&jwk), Some(KeyRefused::Modulus));
    }

    #[test]
    fn symmetric_and_private_keys_are_refused() {
        assert_eq!(refused(&json!({ "kty": "oct", "k": "c2VjcmV0" })), Some(KeyRefused::Secret));
        for member in SECRET_MEMBERS {
            let jwk = with(rsa_jwk(2048, &[1, 0, 1]), member, json!("AQ"));
            assert_eq!(refused(&jwk), Some(KeyRefused::Secret), "{member}");
        }
    }

    #[test]
    fn keys_for_encryption_are_refused() {
        let rsa = || rsa_jwk(2048, &[1, 0, 1]);
        assert_eq!(refused(&with(rsa(), "use", json!("enc"))), Some(KeyRefused::Use));
        assert_eq!(refused(&with(rsa(), "use", json!("sig"))), None);
        assert_eq!(refused(&with(rsa(), "key_ops", json!(["encrypt"]))), Some(KeyRefused::Use));
        assert_eq!(refused(&with(rsa(), "key_ops", json!(["verify"]))), None);
        assert_eq!(refused(&with(rsa(), "key_ops", json!("verify"))), Some(KeyRefused::Member));
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        let good = ec_jwk();
        assert_eq!(refused(&good), None);
        let x = good["x"].clone();
        assert_eq!(refused(&with(good.clone(), "y", x)), Some(KeyRefused::Point));
        assert_eq!(refused(&with(good.clone(), "y", json!(encoded(&[0; 32])))), Some(KeyRefused::Point));
        assert_eq!(refused(&with(good.clone(), "y", json!("AA"))), Some(KeyRefused::Point));
        assert_eq!(refused(&with(good.clone(), "crv", json!("P-384"))), Some(KeyRefused::Point));
        assert_eq!(refused(&with(good, "crv", json!("secp256k1"))), Some(KeyRefused::Type));
        assert_eq!(refused(&json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" })), Some(KeyRefused::Point));
    }

    #[test]
    fn a_key_fits_the_algorithms_of_its_type_and_of_its_binding_only() {
        let free = VerifyingKey::from_jwk(&rsa_jwk(2048, &[1, 0, 1])).expect("usable");
        assert!(free.fits(Algorithm::RS256) && free.fits(Algorithm::PS256) && !free.fits(Algorithm::ES256));
        let bound = with(rsa_jwk(2048, &[1, 0, 1]), "alg", json!("RS256"));
        let bound = VerifyingKey::from_jwk(&bound).expect("usable");
        assert!(
            bound.fits(Algorithm::RS256) && !bound.fits(Algorithm::PS256) && !bound.fits(Algorithm::RS512)
        );
        let ec = VerifyingKey::from_jwk(&ec_jwk()).expect("usable");
        assert!(ec.fits(Algorithm::ES256) && !ec.fits(Algorithm::ES384) && !ec.fits(Algorithm::RS256));
    }

    proptest! {
        #[test]
        fn any_members_are_read_or_refused_without_a_panic(kty in "(RSA|EC|OKP|oct|x)", crv in "(P-256|P-384|Ed25519|)", x in "[A-Za-z0-9_-]{0,90}", y in "[A-Za-z0-9_=-]{0,90}") {
            let _ = refused(&json!({ "kty": kty, "crv": crv, "x": x, "y": y, "n": x, "e": y }));
        }
    }
}
