//! The right, among all gateways, to spend a session's refresh token: taken in the store, kept up while it is needed, and
//! gone by itself soon after its holder is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::entropy;
use crate::session::Session;
use crate::session::store::Store;
use crate::session::store::backend::{Holder, StoreError};
use crate::stop::{Reason, Whose};

use super::failure::NoToken;

/// How gateways wait for each other and for the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// A lease whose holder is silent for this long is anybody's.
    pub(super) ttl: Duration,
    /// How often its holder speaks.
    pub(super) beat: Duration,
    /// How often others ask whether it is free.
    pub(super) poll: Duration,
    /// For how long they do.
    pub(super) patience: Duration,
    /// When the store is asked again to take what must not be lost; later up to ten times as seldom. Even that is more
    /// often than others may begin to refresh after the store was away.
    pub(super) rewrite: Duration,
    /// How long to wait each time before the provider is asked again for an answer that was lost.
    pub(super) again: [Duration; 3],
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(4),
            beat: Duration::from_secs(1),
            poll: Duration::from_millis(50),
            patience: Duration::from_secs(12),
            rewrite: Duration::from_millis(100),
            again: [0, 1, 3].map(Duration::from_secs),
        }
    }
}

/// The lease, held.
pub(super) struct Lease {
    claim: Arc<Claim>,
    beat: AbortHandle,
}

struct Claim {
    sessions: Arc<Store>,
    session: Arc<Session>,
    holder: Holder,
    ttl: Duration,
    /// When the store was asked last that said yes; nothing before it did.
    confirmed: Mutex<Option<Instant>>,
}

impl Lease {
    /// The lease, if nobody has it.
    pub(super) async fn try_take(
        sessions: &Arc<Store>,
        session: &Arc<Session>,
        timing: Timing,
    ) -> Result<Option<Self>, StoreError> {
        let claim = Arc::new(Claim::new(sessions, session, timing));
        Ok(claim.ask().await?.then(|| Self::keep_up(claim, timing)))
    }

    /// The lease, when its holder gives it back or falls silent.
    pub(super) async fn take(
        sessions: &Arc<Store>,
        session: &Arc<Session>,
        timing: Timing,
    ) -> Result<Self, NoToken> {
        let claim = Arc::new(Claim::new(sessions, session, timing));
        let until = Instant::now() + timing.patience;
        while !claim.ask().await? {
            if session.has_ended() {
                return Err(NoToken::SessionOver(None));
            }
            if !sessions.is_ready() {
                return Err(NoToken::fault(Whose::Store, Reason::StoreUnavailable, Away));
            }
            if Instant::now() >= until {
                return Err(NoToken::too_slow());
            }
            sleep(timing.poll).await;
        }
        Ok(Self::keep_up(claim, timing))
    }

    fn keep_up(claim: Arc<Claim>, timing: Timing) -> Self {
        let beating = Arc::clone(&claim);
        let beat = tokio::spawn(async move {
            loop {
                sleep(timing.beat).await;
                // A store that is away now may be back at the next beat; until then the lease is in doubt.
                let _ = beating.ask().await;
            }
        });
        Self { claim, beat: beat.abort_handle() }
    }

    /// Whether nobody else has had it since it was taken. A process that slept may find that somebody has.
    pub(super) fn is_certain(&self) -> bool {
        self.claim.confirmed().is_some_and(|asked| asked.elapsed() < self.claim.ttl)
    }

    /// Gives it back.
    pub(super) async fn release(self) {
        self.beat.abort();
        // What the store is not told it finds out itself.
        let _ = self.claim.sessions.release(&self.claim.session, self.claim.holder).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

impl Claim {
    fn new(sessions: &Arc<Store>, session: &Arc<Session>, timing: Timing) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            session: Arc::clone(session),
            holder: entropy::bytes(),
            ttl: timing.ttl,
            confirmed: Mutex::default(),
        }
    }

    /// Asks for the lease, or for more of it.
    async fn ask(&self) -> Result<bool, StoreError> {
        // The time of asking: the answer may take as long as it likes.
        let asked = Instant::now();
        let is_ours = self.sessions.lease(&self.session, self.holder, self.ttl).await?;
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        // One that lapsed stays in doubt although it could be had again: meanwhile another may have had it, spent the
        // refresh token and gone, and what was read under this one is out of date.
        if is_ours && confirmed.is_none_or(|before| before.elapsed() < self.ttl) {
            *confirmed = Some(asked);
        }
        Ok(is_ours)
    }

    fn confirmed(&self) -> Option<Instant> {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody can be told what gateways agree on.
#[derive(Debug, thiserror::Error)]
#[error("the session store is away, and without it nobody may refresh")]
struct Away;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::session::store::tests::{Fleet, settle};
    use crate::session::tests::beginning;

    #[tokio::test]
    async fn a_lease_that_lapsed_is_in_doubt_for_good() {
        let store = Arc::new(Fleet::new().gateway());
        settle(&store);
        let (_, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
        let quick =
            Timing { ttl: Duration::from_millis(500), beat: Duration::from_secs(3_600), ..Timing::default() };
        let lease = Lease::try_take(&store, &session, quick).await.expect("there").expect("free");
        assert!(lease.is_certain());
        assert!(lease.claim.ask().await.expect("there"), "kept up in time");
        assert!(lease.is_certain());
        while lease.is_certain() {
            sleep(Duration::from_millis(5)).await;
        }
        let another = Lease::try_take(&store, &session, quick).await.expect("there").expect("free again");
        another.release().await;
        assert!(lease.claim.ask().await.expect("there"), "it can be had again");
        assert!(!lease.is_certain(), "but another had it");
    }
}
