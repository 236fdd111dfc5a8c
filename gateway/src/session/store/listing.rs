//! Which sessions there are, and whose: for a person's own list and for operators.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::session::vault::Purpose;
use crate::session::{Session, SessionKey};

use super::backend::{IndexKey, Listed, StoreError};
use super::record::{self, Summary};
use super::{Place, Store, catalog};

/// One line of a listing.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Which session.
    pub key: SessionKey,
    /// Whose it is, and from where.
    pub summary: Summary,
    /// When it was used last, as far as is known.
    pub last_used: Timestamp,
    /// When it ends if it is not used again.
    pub end: Timestamp,
}

impl Store {
    /// All sessions of a person.
    pub async fn of_person(&self, issuer: &str, subject: &str) -> Result<Vec<Overview>, StoreError> {
        self.of(Purpose::Subject, issuer, subject).await
    }

    /// All sessions of one sign-in at the provider (its `sid`).
    pub async fn of_provider_session(&self, issuer: &str, sid: &str) -> Result<Vec<Overview>, StoreError> {
        self.of(Purpose::ProviderSession, issuer, sid).await
    }

    async fn of(&self, purpose: Purpose, issuer: &str, value: &str) -> Result<Vec<Overview>, StoreError> {
        let mut keys = Vec::new();
        for index in self.vault().index(purpose, issuer, value).into_iter().map(IndexKey) {
            keys.extend(match &self.place {
                Place::Memory(catalog) => catalog.of(purpose, index),
                Place::Durable(durable) => durable.of(index).await?,
            });
        }
        self.overviews(&keys).await
    }

    /// Those of the sessions that this process holds.
    pub fn at_hand(&self, keys: &[SessionKey]) -> Vec<Arc<Session>> {
        keys.iter().filter_map(|key| self.warm.get(*key)).collect()
    }

    /// Those of the sessions that there are.
    pub async fn overviews(&self, keys: &[SessionKey]) -> Result<Vec<Overview>, StoreError> {
        match &self.place {
            Place::Memory(_) => {
                let sessions = keys.iter().filter_map(|key| self.warm.get(*key));
                Ok(sessions.map(|session| overview(&session)).collect())
            }
            Place::Durable(durable) => {
                let listed = durable.listed(keys).await?;
                Ok(listed.into_iter().filter_map(|listed| self.read(&listed)).collect())
            }
        }
    }

    /// Part of all sessions, and where the next part begins.
    pub async fn page(
        &self,
        from: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Overview>, Option<String>), StoreError> {
        match &self.place {
            Place::Memory(catalog) => {
                let from = from.map(catalog::Place::from_text);
                // What no page ended with leads nowhere, rather than back to the beginning.
                if matches!(from, Some(None)) {
                    return Ok((Vec::new(), None));
                }
                let (keys, next) = catalog.page(from.flatten(), limit);
                Ok((self.overviews(&keys).await?, next.map(catalog::Place::to_text)))
            }
            Place::Durable(durable) => {
                let page = durable.page(from, limit).await?;
                let sessions = page.sessions.into_iter().filter_map(|listed| self.read(&listed)).collect();
                Ok((sessions, page.next))
            }
        }
    }

    /// Under what a session is found: its person, and its sign-in at the provider.
    pub(super) fn indexes_of(&self, session: &Session) -> (IndexKey, Option<IndexKey>) {
        let (vault, identity) = (self.vault(), session.identity());
        let person = record::subject_index(&vault, &identity);
        (person, record::provider_session_index(&vault, &identity))
    }

    fn read(&self, listed: &Listed) -> Option<Overview> {
        let summary = Summary::open(&self.vault(), listed.key, &listed.summary)?;
        // A use that this process has not written down yet counts too.
        let warm = self.warm.get(listed.key);
        let (last_used, end) = match warm {
            Some(session) if session.last_used() > listed.last_used => {
                (session.last_used(), session.idle_end())
            }
            _ => (listed.last_used, listed.end),
        };
        Some(Overview { key: listed.key, summary, last_used, end })
    }
}

fn overview(session: &Session) -> Overview {
    let summary = Summary::of(session);
    Overview { key: session.key(), summary, last_used: session.last_used(), end: session.idle_end() }
}
