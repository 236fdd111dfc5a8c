//! How sessions end before their time: for everybody at once, with a reason, also while the place cannot be told.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::session::ending::Ending;
use crate::session::{Session, SessionKey};

use super::backend::{News, StoreError};
use super::catalog::Catalog;
use super::durable::Durable;
use super::{Place, Store};

/// For how long it is remembered which sessions ended. Copies of a Redis are seconds behind, or are no copies.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Within this time every gateway has heard what a shared place says, or knows that it hears nothing.
const HEARD: Duration = Duration::from_secs(1);
/// A place that came back so long ago is told again: long enough that looking after the sessions falls into it.
const JUST_BACK: Duration = Duration::from_secs(12);

impl Store {
    /// Ends a session for everybody, at once. True for the one call that ended it.
    ///
    /// # Errors
    /// When the place cannot be told. This process has ended the session all the same and tells it later.
    pub async fn end(&self, session: &Session, why: Ending) -> Result<bool, StoreError> {
        let ended_here = session.end();
        let ended = self.end_all(&[session.key()], why).await?;
        Ok(ended_here || !ended.is_empty())
    }

    /// Ends sessions for everybody, at once. Returns those that this call ended.
    pub async fn end_all(&self, keys: &[SessionKey], why: Ending) -> Result<Vec<SessionKey>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let ended = match &self.place {
            Place::Memory(catalog) => {
                keys.iter().copied().filter(|key| self.drop_from(catalog, *key)).collect()
            }
            Place::Durable(durable) => {
                // Noted before the place is asked: until it has answered it may still show the sessions to requests that
                // look them up, and nobody may be left to hear its answer, because whoever asked went away.
                {
                    let mut unfinished = self.unfinished();
                    for key in keys {
                        unfinished.entry(*key).or_insert(why);
                    }
                }
                for key in keys {
                    self.warm.hear(News::Ended(*key));
                }
                let ended = durable.end(keys).await?;
                if durable.is_shared() {
                    self.recent().extend(keys.iter().map(|key| (*key, Instant::now())));
                }
                let mut unfinished = self.unfinished();
                for key in keys {
                    unfinished.remove(key);
                }
                ended
            }
        };
        for key in &ended {
            self.note_end(*key, why);
        }
        Ok(ended)
    }

    /// Waits until no gateway can be left that relies on what it had in memory before an end. Only for those who must know
    /// that, such as a provider that is told of a sign-out: gateways hear at once, or else rely on nothing.
    pub async fn until_heard(&self) {
        if self.durable().is_some_and(Durable::is_shared) {
            tokio::time::sleep(HEARD).await;
        }
    }

    pub(super) fn drop_from(&self, catalog: &Catalog, key: SessionKey) -> bool {
        let Some(session) = self.warm.forget(key) else {
            return false;
        };
        session.end();
        let (person, provider_session) = self.indexes_of(&session);
        catalog.remove(key, person, provider_session);
        true
    }

    /// Ends the oldest sessions of a person who has more than allowed.
    pub(super) async fn end_surplus(&self, newest: &Session) -> Result<(), StoreError> {
        let Some(max) = self.settings.load().max_per_person else {
            return Ok(());
        };
        let identity = newest.identity();
        let mut others = self.of_person(&identity.issuer, &identity.subject).await?;
        others.retain(|other| other.key != newest.key());
        others.sort_by_key(|other| std::cmp::Reverse(other.summary.started));
        let surplus: Vec<_> = others.iter().skip(max.get() - 1).map(|other| other.key).collect();
        self.end_all(&surplus, Ending::TooMany).await.map(|_| ())
    }

    /// Ends in the place what could not be ended there before.
    pub async fn finish_ends(&self) -> Result<(), StoreError> {
        let unfinished = self.unfinished().clone();
        for (key, why) in unfinished {
            self.end_all(&[key], why).await?;
        }
        self.repeat_ends().await
    }

    /// Ends once more, in a shared place that has just come back, what ended shortly before: if a copy took over, it may
    /// not have heard of that.
    async fn repeat_ends(&self) -> Result<(), StoreError> {
        let keys: Vec<_> = {
            let mut recent = self.recent();
            while recent.front().is_some_and(|(_, at)| at.elapsed() > REMEMBERED) {
                recent.pop_front();
            }
            recent.iter().map(|(key, _)| *key).collect()
        };
        match self.durable() {
            Some(durable) if !keys.is_empty() && self.since_live().is_some_and(|since| since < JUST_BACK) => {
                durable.end(&keys).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<(SessionKey, Instant)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every end of a session has its line, a reason, and is counted.
    pub(super) fn note_end(&self, key: SessionKey, why: Ending) {
        self.metrics.session_ended(why);
        tracing::info!(
            target: "gateway::audit",
            event = "session_ended",
            session = key.short(),
            reason = why.as_str(),
            "session ended",
        );
    }
}
