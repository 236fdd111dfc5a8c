//! What is known of the provider, and the task that keeps it fresh. A bad refresh keeps the last good copy, and a
//! provider that turns into another one is refused (requirements SI-22, JW-02, EP-04).

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::discovery::{self, Metadata, MetadataError};
use super::keys::{KeyCache, KeySetError};
use super::{NotReady, Provider};
use crate::clock::{Clock, Timestamp};
use crate::stop::causes;

/// How often metadata and keys are fetched anew while all is well.
const FRESH: Duration = Duration::from_hours(1);
/// The keeper looks at the clock this often, and tries at least this often while something is missing.
const TICK: Duration = Duration::from_secs(15);
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// While there is something to serve with, a provider in trouble is asked less often.
const RELAXED: Duration = Duration::from_mins(1);
/// However many people want to sign in at an absent provider, it is tried for them this often at most.
const ON_DEMAND: Duration = Duration::from_secs(5);

/// Metadata and keys, with the reason where they are missing.
pub(super) struct Known {
    metadata: ArcSwapOption<Fetched>,
    pub(super) keys: KeyCache,
    trouble: ArcSwapOption<String>,
    /// Held while fetching; holds when the last try failed. Whoever finds metadata never waits for it.
    fetching: Mutex<Option<Instant>>,
    clock: Clock,
}

struct Fetched {
    metadata: Arc<Metadata>,
    at: Timestamp,
}

/// What could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    #[error("the provider's metadata is refused")]
    Metadata(#[from] MetadataError),
    #[error("the provider's keys are refused")]
    Keys(#[from] KeySetError),
    /// Somebody else has just tried.
    #[error("{0}")]
    JustTried(NotReady),
}

impl Known {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            metadata: ArcSwapOption::empty(),
            keys: KeyCache::new(clock.clone()),
            trouble: ArcSwapOption::empty(),
            fetching: Mutex::new(None),
            clock,
        }
    }

    pub(super) fn readiness(&self) -> Result<(), NotReady> {
        if self.metadata.load().is_some() && self.keys.is_ready() {
            return Ok(());
        }
        let trouble = self.trouble.load();
        let why =
            trouble.as_ref().map_or("the provider's metadata has not been fetched yet", |why| why.as_str());
        Err(NotReady(why.to_owned()))
    }

    /// The metadata, if it was ever had.
    pub(super) fn metadata(&self) -> Option<Arc<Metadata>> {
        self.metadata.load().as_ref().map(|fetched| Arc::clone(&fetched.metadata))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_old = |at: Timestamp| now >= at.plus(FRESH) || now < at;
        self.readiness().is_err() || self.metadata.load().as_ref().is_none_or(|fetched| is_old(fetched.at))
    }
}

impl Provider {
    /// The metadata; fetched now, once for all who wait, if it was never had.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, Unknown> {
        if let Some(metadata) = self.known.metadata() {
            return Ok(metadata);
        }
        let mut last_failure = self.known.fetching.lock().await;
        if let Some(metadata) = self.known.metadata() {
            return Ok(metadata);
        }
        // Whoever waited for a try that failed need not try again.
        if last_failure.is_some_and(|at| at.elapsed() < ON_DEMAND) {
            let why = self
                .readiness()
                .err()
                .unwrap_or_else(|| NotReady("the provider is not known yet".to_owned()));
            return Err(Unknown::JustTried(why));
        }
        let fetched = self.fetch().await;
        *last_failure = fetched.is_err().then(Instant::now);
        fetched
    }

    /// Fetches metadata and keys now, and keeps what is good of them.
    pub(super) async fn renew(&self) -> Result<(), Unknown> {
        let mut last_failure = self.known.fetching.lock().await;
        let fetched = self.fetch().await;
        *last_failure = fetched.is_err().then(Instant::now);
        fetched.map(|_| ())
    }

    async fn fetch(&self) -> Result<Arc<Metadata>, Unknown> {
        let fetched = self.fetch_both().await;
        match &fetched {
            Ok(_) => self.known.trouble.store(None),
            Err(error) => self.report(error),
        }
        fetched
    }

    async fn fetch_both(&self) -> Result<Arc<Metadata>, Unknown> {
        let metadata = Arc::new(discovery::fetch(&self.client, &self.settings).await?);
        let fetched = Fetched { metadata: Arc::clone(&metadata), at: self.known.clock.now() };
        self.known.keys.refresh(&self.client, &metadata.jwks_uri).await?;
        let was_known = self.known.metadata.swap(Some(Arc::new(fetched))).is_some();
        if !was_known {
            tracing::info!(
                target: "gateway::oidc",
                event = "provider_ready",
                issuer = %self.settings.issuer,
                "people can sign in",
            );
        }
        Ok(metadata)
    }

    fn report(&self, error: &Unknown) {
        let why = causes(error);
        // Another issuer is not an outage: either the configuration is wrong or somebody stands in the middle.
        if matches!(error, Unknown::Metadata(MetadataError::Issuer { .. })) {
            tracing::error!(
                target: "gateway::oidc",
                event = "issuer_mismatch",
                error = %why,
                "the provider's metadata is somebody else's and is not used",
            );
        } else {
            tracing::warn!(
                target: "gateway::oidc",
                event = "provider_not_fetched",
                error = %why,
                "the provider's metadata or keys could not be had",
            );
        }
        self.known.trouble.store(Some(Arc::new(why)));
    }
}

/// Fetches until there is something to keep, then keeps it fresh. The clock is looked at every few seconds, not
/// slept by, so that a machine that was suspended (or a test) finds fresh keys soon.
pub(super) async fn keep(provider: Weak<Provider>, clock: Clock) {
    let mut delay = FIRST_DELAY;
    loop {
        let Some(provider) = provider.upgrade() else {
            return;
        };
        let is_served = !provider.known.is_due(clock.now()) || provider.renew().await.is_ok();
        let wait = match (is_served, provider.readiness()) {
            (true, _) => TICK,
            (false, Ok(())) => RELAXED,
            (false, Err(_)) => delay,
        };
        delay = if is_served { FIRST_DELAY } else { (delay * 2).min(TICK) };
        drop(provider);
        tokio::time::sleep(wait).await;
    }
}
