//! How a session changes: by comparing versions, so that no change is lost, here or on another gateway; and how its
//! identifier is replaced.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clock::Timestamp;
use crate::session::doors::{Door, Through};
use crate::session::{Session, SessionId, State};

use super::backend::{News, StoreError};
use super::{Store, record};

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made, and is kept.
    Yes,
    /// There was nothing to change any more.
    Unneeded,
    /// The session is over.
    Over,
}

impl Store {
    /// Gives a session a new identifier. The one that was shown works until the new one is.
    pub async fn renew(
        &self,
        session: &Arc<Session>,
        shown: &SessionId,
        now: Timestamp,
    ) -> Result<Option<SessionId>, StoreError> {
        let renewed = shown.renewed();
        let door = self.door(session, &renewed);
        let changed = self.change(session, |state| {
            state
                .doors
                .is_renewal_due(shown.proof(), state.renewal_due, now)
                .then(|| State { doors: state.doors.with_pending(door.clone(), now), ..state.clone() })
        });
        Ok((changed.await? == Changed::Yes).then_some(renewed))
    }

    /// Changes a session: `edit` is called with what is known of it, again if somebody else changed it meanwhile.
    /// When this returns [`Changed::Yes`], the change is kept and everybody sees it.
    pub async fn change(
        &self,
        session: &Arc<Session>,
        edit: impl Fn(&State) -> Option<State>,
    ) -> Result<Changed, StoreError> {
        loop {
            if session.has_ended() {
                return Ok(Changed::Over);
            }
            let before = session.state().clone();
            let Some(edited) = edit(&before) else {
                return Ok(Changed::Unneeded);
            };
            let after = Arc::new(State { version: before.version + 1, ..edited });
            if self.keep_change(session, &before, &after).await? {
                return Ok(if session.has_ended() { Changed::Over } else { Changed::Yes });
            }
        }
    }

    /// Puts `after` in the place of `before`. False if that is not what there is any more.
    async fn keep_change(
        &self,
        session: &Arc<Session>,
        before: &Arc<State>,
        after: &Arc<State>,
    ) -> Result<bool, StoreError> {
        let Some(durable) = self.durable() else {
            let known = session.state.compare_and_swap(before, Arc::clone(after));
            return Ok(Arc::ptr_eq(&known, before));
        };
        let stored = record::write(&self.vault(), session, after);
        if durable.replace(session.key(), &stored).await? {
            install(session, after);
            return Ok(true);
        }
        self.reload(session).await?;
        Ok(false)
    }

    /// Looks up what other gateways made of a session. Afterwards it has ended, or is as the place has it.
    pub async fn reload(&self, session: &Arc<Session>) -> Result<(), StoreError> {
        let Some(durable) = self.durable() else {
            return Ok(());
        };
        let Some(stored) = durable.load(session.key()).await? else {
            session.end();
            self.warm.hear(News::Ended(session.key()));
            return Ok(());
        };
        session.last_used.fetch_max(stored.last_used.0, Ordering::Relaxed);
        let state = record::reopen(&self.vault(), session, &stored, &self.settings.load().tokens)
            .ok_or(StoreError::Foreign("a session that its own key does not open"))?;
        install(session, &Arc::new(state));
        Ok(())
    }

    /// The browser has shown its new identifier: the old one is on its way out.
    pub(super) async fn confirm(
        &self,
        session: &Arc<Session>,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self.change(session, |state| {
            let is_pending = state.doors.try_open(id.proof(), now) == Through::Pending;
            is_pending.then(|| State {
                doors: state.doors.confirmed(now),
                renewal_due: now.plus(session.lifetimes().renewal),
                ..state.clone()
            })
        });
        Ok(changed.await? != Changed::Over)
    }

    /// Locks a session's door with the newest server key, so that an old one can be taken away.
    pub(super) async fn lock_anew(&self, session: &Arc<Session>, id: &SessionId) -> Result<(), StoreError> {
        let lock_anew = |door: &Door| -> Door {
            if door.proof == id.proof() { self.door(session, id) } else { door.clone() }
        };
        let changed = self.change(session, |state| {
            let mut doors = state.doors.clone();
            doors.current = lock_anew(&doors.current);
            for other in [&mut doors.pending, &mut doors.previous].into_iter().flatten() {
                other.0 = lock_anew(&other.0);
            }
            Some(State { doors, ..state.clone() })
        });
        changed.await.map(|_| ())
    }

    fn door(&self, session: &Session, id: &SessionId) -> Door {
        let data_key = session.data_key.as_ref();
        let wrap = data_key.map(|data_key| Box::new(self.vault().wrap(id.key(), id.secret(), data_key)));
        Door { proof: id.proof(), wrap }
    }
}

/// Takes over a newer state; an older one stays away.
pub(super) fn install(session: &Session, state: &Arc<State>) {
    session
        .state
        .rcu(|known| if known.version < state.version { Arc::clone(state) } else { Arc::clone(known) });
}
