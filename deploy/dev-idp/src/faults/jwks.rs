//! What can be wrong with the key set. Knows nothing of private keys.

use serde_json::{Value, json};

use super::{Fault, Faults, IdTokenFault, UserinfoFault, faults};
use crate::jwt::encode;
use crate::keys::{odd_curve, stranger};

faults! {
    /// Something wrong with the key set.
    JwksFault {
        /// JW-02: no keys.
        Empty = "empty",
        /// JW-02: not JSON.
        NotJson = "not-json",
        /// JW-02: an array of keys instead of a set.
        Array = "array",
        /// IT-04: the current signing key is missing.
        WithoutCurrent = "without-current",
        /// JW-04: a shared secret beside the real key.
        AddOct = "add-oct",
        /// JW-03: a key without a modulus beside the real key.
        AddBroken = "add-broken",
        /// JW-03: a key of an unknown type beside the real key.
        AddUnknownType = "add-unknown-type",
        /// IT-05: an unrelated RSA key beside the real key.
        AddStranger = "add-stranger",
        /// JW-04: an elliptic point off its curve beside the real key.
        AddOffCurve = "add-off-curve",
        /// IT-03: the real key is for encryption.
        EncryptionOnly = "encryption-only",
        /// IT-03: the real key may only encrypt, by key_ops.
        KeyOpsEncrypt = "key-ops-encrypt",
        /// IT-03: the real key is for PS256.
        OtherAlg = "other-alg",
        /// JW-04: under the real kid, a modulus of 1024 bits.
        WeakRsa = "weak-rsa",
        /// JW-04: the real modulus with exponent 1.
        ExponentOne = "exponent-one",
        /// JW-04: the key carries a private exponent (not a working one).
        PrivateKey = "private-key",
        /// IT-06: an EC key with the same kid, first.
        SameKidEc = "same-kid-ec",
        /// IT-06: an unrelated RSA key with the same kid, first.
        SameKidRsa = "same-kid-rsa",
        /// IT-05, valid: the keys have no kid (use with `IdTokenFault::MissingKid`).
        NoKid = "no-kid",
        /// JW-03: 1,000 unrelated keys before the real one.
        ManyKeys = "many-keys",
    }
}

impl Faults {
    /// The key set as it is sent.
    pub(crate) fn on_jwks(&self, mut set: Value, current_kid: &str) -> String {
        // A token signed with the curve key must be refused for its algorithm, not because its key is unknown.
        let active = self.active();
        let odd = [Fault::IdToken(IdTokenFault::Es256), Fault::Userinfo(UserinfoFault::SignedEs256)];
        if odd.iter().any(|fault| active.contains(fault)) {
            push(&mut set, odd_curve().jwk());
        }
        let pick = |fault| {
            if let Fault::Jwks(fault) = fault { Some(fault) } else { None }
        };
        let faults = self.take(pick);
        for fault in &faults {
            change(*fault, &mut set, current_kid);
        }
        if let Some(edit) = self.edits().jwks {
            edit(&mut set);
        }
        if faults.contains(&JwksFault::Array) {
            set = set["keys"].take();
        }
        let mut text = set.to_string();
        if faults.contains(&JwksFault::NotJson) {
            text.truncate(text.len() / 2);
        }
        text
    }
}

fn change(fault: JwksFault, set: &mut Value, current_kid: &str) {
    let each = |set: &mut Value, name: &str, value: Option<Value>| {
        for key in set["keys"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            match &value {
                Some(value) => key.insert(name.to_owned(), value.clone()),
                None => key.remove(name),
            };
        }
    };
    let with_kid = |mut key: Value| {
        key["kid"] = current_kid.into();
        key
    };
    match fault {
        JwksFault::Empty => set["keys"] = json!([]),
        JwksFault::NotJson | JwksFault::Array => {}
        JwksFault::WithoutCurrent => {
            if let Some(keys) = set["keys"].as_array_mut() {
                keys.retain(|key| key["kid"] != current_kid);
            }
        }
        JwksFault::AddOct => {
            push(set, json!({"kty": "oct", "kid": "shared", "k": encode([7; 32]), "alg": "HS256"}))
        }
        JwksFault::AddBroken => push(set, json!({"kty": "RSA", "kid": "broken", "use": "sig", "e": "AQAB"})),
        JwksFault::AddUnknownType => push(set, json!({"kty": "XYZ", "kid": "unknown", "use": "sig"})),
        JwksFault::AddStranger => push(set, stranger().jwk()),
        JwksFault::AddOffCurve => {
            let point = encode([1; 32]);
            push(
                set,
                json!({"kty": "EC", "crv": "P-256", "kid": "off", "use": "sig", "x": point, "y": point}),
            );
        }
        JwksFault::EncryptionOnly => each(set, "use", Some("enc".into())),
        JwksFault::KeyOpsEncrypt => {
            each(set, "use", None);
            each(set, "key_ops", Some(json!(["encrypt"])));
        }
        JwksFault::OtherAlg => each(set, "alg", Some("PS256".into())),
        JwksFault::WeakRsa => each(set, "n", Some(encode([0xc3; 128]).into())),
        JwksFault::ExponentOne => each(set, "e", Some("AQ".into())),
        JwksFault::PrivateKey => each(set, "d", Some(encode([0x5a; 256]).into())),
        JwksFault::SameKidEc => insert_first(set, with_kid(odd_curve().jwk())),
        JwksFault::SameKidRsa => insert_first(set, with_kid(stranger().jwk())),
        JwksFault::NoKid => each(set, "kid", None),
        JwksFault::ManyKeys => {
            for number in 0..1_000 {
                let mut key = stranger().jwk();
                key["kid"] = format!("key-{number}").into();
                insert_first(set, key);
            }
        }
    }
}

fn push(set: &mut Value, key: Value) {
    if let Some(keys) = set["keys"].as_array_mut() {
        keys.push(key);
    }
}

fn insert_first(set: &mut Value, key: Value) {
    if let Some(keys) = set["keys"].as_array_mut() {
        keys.insert(0, key);
    }
}
