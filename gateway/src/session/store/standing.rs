//! What those ask who keep something open for a session, long after the request that was allowed to: does it still live?

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::session::Session;

use super::backend::StoreError;
use super::durable::Durable;
use super::{Place, Store};

/// What is known at once of a session that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be used on.
    Live,
    /// It ended or expired.
    Over,
    /// Another gateway may have ended or used it: [`Store::review`] finds out.
    Unsure,
}

impl Store {
    /// What is known at once of a session. While the place cannot be asked, what this process knows has to do.
    pub fn standing(&self, session: &Session, now: Timestamp) -> Standing {
        if session.has_ended() || now >= session.absolute_end() {
            return Standing::Over;
        }
        let is_idle = now >= session.idle_end();
        let is_shared = matches!(&self.place, Place::Durable(durable) if Durable::is_shared(durable));
        if is_shared && (is_idle || !self.is_reliable(session)) && self.is_ready() {
            return Standing::Unsure;
        }
        if is_idle { Standing::Over } else { Standing::Live }
    }

    /// Looks up what other gateways made of a session. Afterwards [`Session::is_live`] tells the truth.
    pub async fn review(&self, session: &Arc<Session>) -> Result<(), StoreError> {
        loop {
            let reading = self.warm.reading(session.key());
            self.reload(session).await?;
            if session.has_ended() || self.warm.rely_on(session, reading) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Fleet, settings};
    use super::*;
    use crate::session::SessionId;
    use crate::session::ending::Ending;
    use crate::session::tests::beginning;

    const NOW: Timestamp = Timestamp(1_000);

    /// A session that began at one gateway, held by another.
    async fn held_by(store: &Store, from: &Store) -> (SessionId, Arc<Session>, Arc<Session>) {
        let (id, began) = from.begin(beginning(), NOW).await.expect("kept");
        let held = store.open(&id, NOW).await.expect("there").expect("known");
        (id, began, held)
    }

    #[tokio::test]
    async fn in_memory_everything_is_known_at_once() {
        let store = Store::in_memory(settings());
        let (_, session) = store.begin(beginning(), NOW).await.expect("kept");
        assert_eq!(store.standing(&session, NOW), Standing::Live);
        assert_eq!(store.standing(&session, Timestamp(1_060)), Standing::Over);
        store.end(&session, Ending::SignedOut).await.expect("there");
        assert_eq!(store.standing(&session, NOW), Standing::Over);
    }

    #[tokio::test]
    async fn a_use_at_another_gateway_is_found_out_before_a_session_counts_as_idle() {
        let fleet = Fleet::new();
        let (one, two) = (fleet.gateway(), fleet.gateway());
        let (_, began, held) = held_by(&two, &one).await;
        one.note_use(&began, Timestamp(1_050));
        one.write_uses().await.expect("there");
        assert_eq!(two.standing(&held, Timestamp(1_070)), Standing::Unsure);
        two.review(&held).await.expect("there");
        assert_eq!(two.standing(&held, Timestamp(1_070)), Standing::Live);
        assert!(!held.is_live(Timestamp(1_110)));
        assert_eq!(
            two.standing(&held, Timestamp(1_600)),
            Standing::Over,
            "at its absolute end nobody is asked"
        );
    }

    #[tokio::test]
    async fn an_end_that_was_missed_is_found_out_when_the_news_is_whole_again() {
        let fleet = Fleet::new();
        let (one, two) = (fleet.gateway(), fleet.gateway());
        let (_, began, held) = held_by(&two, &one).await;
        fleet.set_down(true);
        assert_eq!(two.standing(&held, NOW), Standing::Live, "as far as can be known");
        assert_eq!(two.standing(&held, Timestamp(1_060)), Standing::Over, "as far as can be known");
        fleet.set_down(false);
        assert_eq!(two.standing(&held, NOW), Standing::Unsure);
        two.review(&held).await.expect("there");
        assert_eq!(two.standing(&held, NOW), Standing::Live);
        one.end(&began, Ending::SignedOut).await.expect("there");
        assert_eq!(two.standing(&held, NOW), Standing::Over, "told, not asked");
    }
}
