//! Authorization codes: single use, short-lived. Knows nothing of HTTP or of tokens; a code that comes twice says
//! which grant must be revoked.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::faces::Face;
use crate::people::lock;
use crate::random;
use crate::scopes::Ask;

/// What a code stands for.
#[derive(Clone)]
pub(crate) struct Approval {
    pub(crate) face: Face,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) ask: Ask,
    /// APIs that the request named by `resource`, by client id: the code may be redeemed for any one of them.
    pub(crate) resources: Vec<String>,
    pub(crate) oid: String,
    pub(crate) sid: String,
    pub(crate) auth_time: i64,
    /// How surely the person was recognised.
    pub(crate) acr: &'static str,
}

struct Entry {
    approval: Approval,
    expires: i64,
    /// The grant this code was redeemed for.
    redeemed: Option<String>,
}

/// What came of redeeming a code.
pub(crate) enum Redeemed {
    /// The first time: a new grant id, and what was approved.
    Once(String, Box<Approval>),
    /// Seen before: the grant made then.
    Again(String),
    Expired,
    Unknown,
}

/// All codes that are not long gone.
#[derive(Default)]
pub(crate) struct Codes(Mutex<HashMap<String, Entry>>);

impl Codes {
    pub(crate) fn issue(&self, approval: Approval, now: i64, lifetime: i64) -> String {
        let code = random::token();
        let mut codes = lock(&self.0);
        // Redeemed codes are remembered for a while after their end, so that reuse is still noticed.
        codes.retain(|_, entry| now - entry.expires < 3600);
        codes.insert(code.clone(), Entry { approval, expires: now + lifetime, redeemed: None });
        code
    }

    /// Uses a code up. The caller checks client, redirect URI and verifier afterwards: a code tried with the wrong
    /// ones is spent all the same.
    pub(crate) fn redeem(&self, code: &str, now: i64) -> Redeemed {
        let mut codes = lock(&self.0);
        let Some(entry) = codes.get_mut(code) else {
            return Redeemed::Unknown;
        };
        if let Some(grant) = &entry.redeemed {
            return Redeemed::Again(grant.clone());
        }
        if now >= entry.expires {
            return Redeemed::Expired;
        }
        let grant = random::token();
        entry.redeemed = Some(grant.clone());
        Redeemed::Once(grant, Box::new(entry.approval.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval() -> Approval {
        Approval {
            face: Face::Plain,
            client_id: "c".to_owned(),
            redirect_uri: "r".to_owned(),
            challenge: None,
            nonce: None,
            ask: Ask::default(),
            resources: Vec::new(),
            oid: "o".to_owned(),
            sid: "s".to_owned(),
            auth_time: 0,
            acr: "1",
        }
    }

    #[test]
    fn a_code_works_once_and_its_reuse_names_the_grant() {
        let codes = Codes::default();
        let code = codes.issue(approval(), 0, 60);
        let Redeemed::Once(grant, _) = codes.redeem(&code, 59) else { panic!("the first use works") };
        assert!(matches!(codes.redeem(&code, 59), Redeemed::Again(again) if again == grant));
    }

    #[test]
    fn a_code_expires_and_unknown_ones_are_unknown() {
        let codes = Codes::default();
        let code = codes.issue(approval(), 0, 60);
        assert!(matches!(codes.redeem(&code, 60), Redeemed::Expired));
        assert!(matches!(codes.redeem("x", 0), Redeemed::Unknown));
    }
}
