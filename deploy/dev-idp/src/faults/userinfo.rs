//! What can be wrong with a userinfo answer. Knows nothing of who may ask for one.

use serde_json::Value;

use super::{Fault, Faults, Members, faults};

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
