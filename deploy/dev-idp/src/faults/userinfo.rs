//! What can be wrong with a userinfo answer. Knows nothing of who may ask for one.

use serde_json::Value;

use super::{Fault, Faults, IdTokenFault, Members, faults};

faults! {
    /// Something wrong with the userinfo answer.
    UserinfoFault {
        /// IT-14: another person's sub.
        OtherSub = "other-sub",
        /// IT-14: no sub.
        MissingSub = "missing-sub",
        /// IT-14: the right object in an array.
        Array = "array",
        /// IT-14: not JSON.
        NotJson = "not-json",
        /// IT-14, valid: a signed answer (application/jwt) with the right iss and aud.
        Signed = "signed",
        /// IT-14: signed, for another audience.
        SignedWrongAudience = "signed-wrong-audience",
        /// IT-14: signed, by another issuer's name.
        SignedWrongIssuer = "signed-wrong-issuer",
        /// IT-14: signed with alg none.
        SignedAlgNone = "signed-alg-none",
        /// IT-14: signed by an unpublished key.
        SignedWrongKey = "signed-wrong-key",
        /// IT-14: signed, with another person's sub.
        SignedOtherSub = "signed-other-sub",
        /// IT-14: signed, without iss.
        SignedMissingIssuer = "signed-missing-issuer",
        /// IT-14: signed, without aud.
        SignedMissingAudience = "signed-missing-audience",
        /// IT-14: signed, one bit of the signature flipped.
        SignedBadSignature = "signed-bad-signature",
        /// IT-14: signed with ES256 by a key that the key set then holds, whatever was registered.
        SignedEs256 = "signed-es256",
        /// IT-14: signed with HS256 and the client secret.
        SignedHs256 = "signed-hs256",
        /// IT-15: signed, with typ at+jwt.
        SignedTypAccessToken = "signed-typ-access-token",
        /// IT-14: signed, the payload in an array.
        SignedArray = "signed-array",
        /// IT-14: plain JSON, though a signed answer was registered for (else: as always).
        Unsigned = "unsigned",
    }
}

impl UserinfoFault {
    /// The same fault of an ID token: it is made where those are.
    pub(crate) fn of_any_token(self) -> Option<IdTokenFault> {
        Some(match self {
            Self::SignedWrongAudience => IdTokenFault::WrongAudience,
            Self::SignedWrongIssuer => IdTokenFault::WrongIssuer,
            Self::SignedAlgNone => IdTokenFault::AlgNone,
            Self::SignedWrongKey => IdTokenFault::WrongKey,
            Self::SignedOtherSub => IdTokenFault::OtherSub,
            Self::SignedMissingIssuer => IdTokenFault::MissingIssuer,
            Self::SignedMissingAudience => IdTokenFault::MissingAudience,
            Self::SignedBadSignature => IdTokenFault::BadSignature,
            Self::SignedEs256 => IdTokenFault::Es256,
            Self::SignedHs256 => IdTokenFault::Hs256ClientSecret,
            Self::SignedTypAccessToken => IdTokenFault::TypAccessToken,
            Self::SignedArray => IdTokenFault::PayloadArray,
            _ => return None,
        })
    }
}

impl Faults {
    /// The claims with what is wrong with them, the faults that remain to be done, and the closure's changes made.
    pub(crate) fn on_userinfo(&self, mut claims: Members) -> (Value, Vec<UserinfoFault>) {
        let pick = |fault| {
            if let Fault::Userinfo(fault) = fault { Some(fault) } else { None }
        };
        let faults = self.take(pick);
        for fault in &faults {
            match fault {
                UserinfoFault::OtherSub => drop(claims.insert("sub".to_owned(), "somebody-else".into())),
                UserinfoFault::MissingSub => drop(claims.remove("sub")),
                _ => {}
            }
        }
        let mut document = Value::Object(claims);
        if let Some(edit) = self.edits().userinfo {
            edit(&mut document);
        }
        (document, faults)
    }
}
