//! Misbehaviour on demand: what a test asks for here, the provider does wrong. Also the record of what was asked of
//! the provider, so that a test can prove that something was *not* asked. Knows nothing of why a fault matters; the
//! comments on the faults name the rows of requirements.md they serve.
//!
//! A fault stays until [`Faults::clear`]; [`Faults::once`] and [`Faults::times`] make it go by itself. What no name
//! covers can be done with a closure: [`Faults::edit_id_token`], [`Faults::edit_token_response`] and so on.

mod active;
mod callback;
pub(crate) mod forge;
mod forge_claims;
mod gzip;
mod http;
mod id_token;
mod jwks;
mod logout_token;
mod metadata;
mod pace;
mod par;
mod record;
mod token;
mod userinfo;

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

pub use self::active::Fault;
pub use self::callback::CallbackFault;
pub use self::http::HttpFault;
pub use self::id_token::IdTokenFault;
pub use self::jwks::JwksFault;
pub use self::logout_token::LogoutFault;
pub use self::metadata::MetadataFault;
pub use self::pace::{Hold, When};
pub use self::par::ParFault;
pub use self::record::Seen;
pub use self::token::TokenFault;
pub use self::userinfo::UserinfoFault;
pub use crate::jwt::Members;

pub(crate) use self::http::{Outcome, cut_short};
pub(crate) use self::logout_token::EVENT as LOGOUT_EVENT;
pub(crate) use self::token::{Denial, Loss, TokenEdit};

use self::active::Active;
use self::record::Record;
use crate::faces::Endpoint;
use crate::people::lock;

/// Declares the faults of one place: a closed enum whose variants have names for `/dev/faults`.
macro_rules! faults {
    ($(#[$about:meta])* $place:ident { $($(#[$what:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $place { $($(#[$what])* $variant,)+ }

        impl $place {
            /// Every fault of this place.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name, without the place.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}
pub(crate) use faults;

/// A closure that changes a token's header and claims before it is signed.
pub(crate) type JwtEdit = Arc<dyn Fn(&mut Members, &mut Members) + Send + Sync>;
type DocumentEdit = Arc<dyn Fn(&mut Value) + Send + Sync>;
type BytesEdit = Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>;
type PairsEdit = Arc<dyn Fn(&mut Vec<(String, String)>) + Send + Sync>;

/// The handle through which tests ask for misbehaviour and read the record. Clones are the same handle.
#[derive(Clone, Default)]
pub struct Faults {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    active: Vec<Active>,
    edits: Edits,
    pace: pace::Pace,
    record: Record,
}

#[derive(Clone, Default)]
struct Edits {
    id_token: Option<JwtEdit>,
    refreshed_id_token: Option<JwtEdit>,
    access_token: Option<JwtEdit>,
    token_response: Option<BytesEdit>,
    metadata: Option<DocumentEdit>,
    jwks: Option<DocumentEdit>,
    userinfo: Option<DocumentEdit>,
    callback: Option<PairsEdit>,
    logout_token: Option<JwtEdit>,
}

impl Faults {
    /// Does this wrong from now on.
    pub fn set(&self, fault: impl Into<Fault>) {
        self.add(fault.into(), None);
    }

    /// Does this wrong the next time only.
    pub fn once(&self, fault: impl Into<Fault>) {
        self.add(fault.into(), Some(1));
    }

    /// Does this wrong the next `count` times.
    pub fn times(&self, count: u32, fault: impl Into<Fault>) {
        self.add(fault.into(), Some(count));
    }

    /// Stops doing this wrong.
    pub fn unset(&self, fault: impl Into<Fault>) {
        let fault = fault.into();
        self.inner().active.retain(|active| active.fault != fault);
    }

    /// Behaves again: no fault, no closure, no delay is left, and nothing is held. The record stays.
    pub fn clear(&self) {
        let mut inner = self.inner();
        inner.active.clear();
        inner.edits = Edits::default();
        inner.pace = pace::Pace::default();
    }

    /// The faults that are set.
    pub fn active(&self) -> Vec<Fault> {
        self.inner().active.iter().map(|active| active.fault).collect()
    }

    /// Changes header and claims of every ID token before it is signed.
    pub fn edit_id_token(&self, edit: impl Fn(&mut Members, &mut Members) + Send + Sync + 'static) {
        self.inner().edits.id_token = Some(Arc::new(edit));
    }

    /// Changes header and claims of the ID tokens that come with a refresh, and of no others; for these it takes the
    /// place of [`Self::edit_id_token`].
    pub fn edit_refreshed_id_token(&self, edit: impl Fn(&mut Members, &mut Members) + Send + Sync + 'static) {
        self.inner().edits.refreshed_id_token = Some(Arc::new(edit));
    }

    /// Changes header and claims of every access token before it is signed.
    pub fn edit_access_token(&self, edit: impl Fn(&mut Members, &mut Members) + Send + Sync + 'static) {
        self.inner().edits.access_token = Some(Arc::new(edit));
    }

    /// Changes the bytes of every successful token response.
    pub fn edit_token_response(&self, edit: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) {
        self.inner().edits.token_response = Some(Arc::new(edit));
    }

    /// Changes the discovery documents.
    pub fn edit_metadata(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.inner().edits.metadata = Some(Arc::new(edit));
    }

    /// Changes the key set.
    pub fn edit_jwks(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.inner().edits.jwks = Some(Arc::new(edit));
    }

    /// Changes the userinfo answer.
    pub fn edit_userinfo(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.inner().edits.userinfo = Some(Arc::new(edit));
    }

    /// Changes the parameters of every answer to a redirect URI.
    pub fn edit_callback(&self, edit: impl Fn(&mut Vec<(String, String)>) + Send + Sync + 'static) {
        self.inner().edits.callback = Some(Arc::new(edit));
    }

    /// Mix-up (RFC 9700, section 4.4): answers to redirect URIs say that they come from this issuer.
    pub fn answer_as(&self, issuer: &str) {
        let issuer = issuer.to_owned();
        self.edit_callback(move |pairs| {
            pairs.retain(|(name, _)| name != "iss");
            pairs.push(("iss".to_owned(), issuer.clone()));
        });
    }

    /// Changes header and claims of every logout token before it is signed and sent.
    pub fn edit_logout_token(&self, edit: impl Fn(&mut Members, &mut Members) + Send + Sync + 'static) {
        self.inner().edits.logout_token = Some(Arc::new(edit));
    }

    /// How many requests an endpoint has had, both faces together, also those that a fault answered.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.inner().record.count(endpoint)
    }

    /// The requests an endpoint has had, oldest first (the newest few thousand).
    pub fn seen(&self, endpoint: Endpoint) -> Vec<Seen> {
        self.inner().record.seen(endpoint)
    }

    /// The parameters of the last authorization request, as a map. `seen` also shows repeats and order.
    pub fn last_authorize(&self) -> Option<std::collections::BTreeMap<String, String>> {
        self.seen(Endpoint::Authorize).last().map(Seen::map)
    }

    /// The parameters of the last token request, as a map; with Basic authentication, the decoded id and secret stand
    /// in it as `basic_id` and `basic_secret`.
    pub fn last_token(&self) -> Option<std::collections::BTreeMap<String, String>> {
        self.seen(Endpoint::Token).last().map(Seen::map)
    }

    /// Forgets the record of requests.
    pub fn clear_record(&self) {
        self.inner().record = Record::default();
    }

    pub(crate) fn record(&self, seen: Seen) {
        self.inner().record.add(seen);
    }

    /// The active faults that `pick` recognises, counting each down.
    fn take<T>(&self, pick: impl Fn(Fault) -> Option<T>) -> Vec<T> {
        let mut taken = Vec::new();
        self.inner().active.retain_mut(|active| match pick(active.fault) {
            Some(fault) => {
                taken.push(fault);
                active.stays()
            }
            None => true,
        });
        taken
    }

    fn add(&self, fault: Fault, uses: Option<u32>) {
        if uses != Some(0) {
            self.inner().active.push(Active::new(fault, uses));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    fn edits(&self) -> Edits {
        self.inner().edits.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(faults: &Faults) -> usize {
        faults.take(|fault| matches!(fault, Fault::IdToken(_)).then_some(())).len()
    }

    #[test]
    fn a_fault_lasts_as_long_as_it_was_asked_to() {
        let faults = Faults::default();
        faults.set(IdTokenFault::WrongNonce);
        faults.times(2, IdTokenFault::AlgNone);
        assert_eq!([taken(&faults), taken(&faults), taken(&faults)], [2, 2, 1]);
        faults.clear();
        assert_eq!(taken(&faults), 0);
        faults.once(IdTokenFault::Expired);
        faults.unset(IdTokenFault::Expired);
        assert!(faults.active().is_empty());
    }

    #[test]
    fn every_fault_has_one_name_and_is_found_by_it() {
        let names: Vec<String> = Fault::all().iter().map(|fault| fault.name()).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
        for fault in Fault::all() {
            assert_eq!(Fault::from_name(&fault.name()), Some(fault));
        }
        assert_eq!(Fault::from_name("id-token/nothing"), None);
    }
}
