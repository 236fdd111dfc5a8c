//! Who is calling, as proved by an access token: the only way from a request's headers to a `Caller`.
//! Refuses to know any header but `Authorization`; nothing that a gateway says about a user is ever read.

mod algorithm;
mod bearer;
mod caller;
mod claims;
mod fault;
mod issuer;
mod jwks;
mod permit;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;

pub use self::algorithm::Algorithm;
pub(crate) use self::caller::Caller;
pub(crate) use self::fault::Refusal;
pub use self::issuer::{Issuer, OwnerClaim, ScopeClaim};
pub use self::jwks::TlsSetup;
pub(crate) use self::jwks::{HttpClient, http_client};
pub(crate) use self::permit::{Actor, Need, ReadPermit, WritePermit};

use self::fault::TokenFault;
use self::jwks::KeyCache;
use self::token::Unverified;
use crate::clock::Clock;

/// Verifies access tokens of the configured issuers.
pub(crate) struct Authenticator {
    /// By the exact `iss` text: a token chooses among these and nothing else, and only its own issuer's keys count.
    issuers: HashMap<String, TrustedIssuer>,
    clock: Clock,
}

struct TrustedIssuer {
    settings: Issuer,
    keys: Arc<KeyCache>,
}

impl Authenticator {
    pub(crate) fn new(issuers: &[Issuer], client: &HttpClient, timeout: Duration, clock: &Clock) -> Self {
        let issuers = issuers
            .iter()
            .map(|settings| {
                let keys = Arc::new(KeyCache::new(settings, client.clone(), timeout, clock.clone()));
                (settings.issuer.clone(), TrustedIssuer { settings: settings.clone(), keys })
            })
            .collect();
        Self { issuers, clock: clock.clone() }
    }

    /// The story of a token. Each step returns what the next one needs; nothing is believed before `verify`.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let unverified = Unverified::parse(bearer::token(headers)?)?;
        let issuer = self.issuers.get(unverified.issuer()?).ok_or(TokenFault::Issuer)?;
        unverified.allowed_by(&issuer.settings)?;
        let key = issuer.keys.key_for(unverified.header()).await?;
        let verified = unverified.verify(&key)?;
        let claims = claims::check(&verified, &issuer.settings, self.clock.now())?;
        Caller::of(claims, &issuer.settings)
    }

    /// Issuers whose keys cannot be had just now. Asks for missing keys, within the throttle.
    pub(crate) async fn issuers_without_keys(&self) -> Vec<&str> {
        let mut without = Vec::new();
        for (name, issuer) in &self.issuers {
            if !issuer.keys.ready().await {
                without.push(name.as_str());
            }
        }
        without.sort_unstable();
        without
    }

    pub(crate) fn issuer_count(&self) -> usize {
        self.issuers.len()
    }

    /// Drops every cached key: the next token causes a fetch. For an operator who must not wait for the cache.
    pub(crate) fn forget_keys(&self) {
        for issuer in self.issuers.values() {
            issuer.keys.forget();
        }
    }
}
