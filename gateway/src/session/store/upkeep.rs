//! What is done now and then, off the request path: writing down uses, forgetting what is over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::Session;
use crate::session::ending::Ending;

use super::backend::{Listed, News, StoreError};
use super::record::Summary;
use super::{COOL, Place, Store};

/// What is over by this much is removed: uses that other gateways have not written down yet count.
const UNWRITTEN: Duration = Duration::from_secs(15);
/// How many sessions are looked at before others get their turn.
const SLICE: usize = 256;
/// How many uses are written down at a time.
const BATCH: usize = 1_000;

impl Store {
    /// Does all that is due. What fails keeps nothing else from being done: a full disk takes no uses, and has room again
    /// only once what is over was removed.
    ///
    /// # Errors
    /// The first of them, when everything was tried.
    pub async fn tend(&self, now: Timestamp) -> Result<(), StoreError> {
        let finished = self.finish_ends().await;
        let written = self.write_uses().await;
        let swept = self.sweep(now).await;
        let measured = self.measure().await;
        finished.and(written).and(swept).and(measured)
    }

    /// Notes that a session is used, which moves its idle end.
    pub fn note_use(&self, session: &Arc<Session>, now: Timestamp) {
        if session.touch(now) && self.durable().is_some() {
            self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(session));
        }
    }

    /// Writes down which sessions were used. Called every few seconds, and before the process ends.
    pub async fn write_uses(&self) -> Result<(), StoreError> {
        let Some(durable) = self.durable() else {
            return Ok(());
        };
        let used = std::mem::take(&mut *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner));
        for (number, batch) in used.chunks(BATCH).enumerate() {
            let uses: Vec<_> =
                batch.iter().map(|session| (session.key(), session.take_unwritten())).collect();
            if let Err(error) = durable.touch(&uses).await {
                // Once more with the next; what is not written is only how long a session may yet idle.
                let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
                // One that was used meanwhile waits in there already.
                let again = batch.iter().filter(|session| !session.unwritten.swap(true, Ordering::AcqRel));
                unwritten.extend(again.chain(&used[number * BATCH + batch.len()..]).map(Arc::clone));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Forgets what is over, a slice at a time so that nobody waits for it.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        self.used.sweep(now);
        self.warm.clear_dropped();
        loop {
            let due = self.warm.take_due(now, SLICE);
            if due.is_empty() {
                break;
            }
            for session in due.iter().filter_map(Weak::upgrade) {
                self.look_after(&session, now);
            }
            tokio::task::yield_now().await;
        }
        let Some(durable) = self.durable() else {
            return Ok(());
        };
        loop {
            let over = durable.expire(now.minus(UNWRITTEN), SLICE).await?;
            for listed in &over {
                self.warm.hear(News::Ended(listed.key));
                self.note_end(listed.key, self.why_over(listed));
            }
            if over.len() < SLICE {
                return Ok(());
            }
        }
    }

    fn why_over(&self, listed: &Listed) -> Ending {
        let summary = Summary::open(&self.vault(), listed.key, &listed.summary);
        let started = summary.map_or(listed.end, |summary| Timestamp(summary.started));
        if listed.end >= started.plus(self.settings.load().lifetimes.absolute) {
            Ending::Absolute
        } else {
            Ending::Idle
        }
    }

    /// Drops a session from memory if it is over, or kept elsewhere and not in use; else it is looked at later.
    fn look_after(&self, session: &Arc<Session>, now: Timestamp) {
        match &self.place {
            _ if session.has_ended() => {}
            Place::Memory(catalog) if !session.is_live(now) => {
                let is_old = now >= session.absolute_end();
                if self.drop_from(catalog, session.key()) {
                    self.note_end(session.key(), if is_old { Ending::Absolute } else { Ending::Idle });
                }
            }
            Place::Memory(_) => self.warm.look_again(session, session.idle_end()),
            // Two holders are the map and this function; a third is a request or a tunnel, which must hear of its end.
            Place::Durable(_) if session.last_used().plus(COOL) <= now && Arc::strong_count(session) <= 2 => {
                self.warm.drop_idle(session);
            }
            Place::Durable(_) => self.warm.look_again(session, now.plus(COOL)),
        }
    }
}
