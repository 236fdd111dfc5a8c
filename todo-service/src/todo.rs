//! The to-do list: what may be done to it, by whoever holds a permit. Writes the audit events, so that no change by an
//! app can be made without one. Knows nothing of HTTP, tokens or SQL.

mod description;
mod store;

use std::sync::{Mutex, PoisonError};

use uuid::{ContextV7, Timestamp, Uuid};

pub(crate) use self::description::{Description, DescriptionFault, MAX_CHARACTERS};
use self::store::Store;
pub use self::store::{OpenError, PostgresLogin, PostgresSettings, Trouble};
pub(crate) use self::store::{PostgresAddress, StoreError, UNKNOWN_DATABASE};
use crate::auth::{Actor, ReadPermit, WritePermit};
use crate::clock::Clock;
use crate::owner::{Owner, Reach};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Todo {
    pub(crate) id: Uuid,
    pub(crate) owner: Owner,
    pub(crate) description: Description,
    pub(crate) done: bool,
    /// Unix milliseconds.
    pub(crate) created: i64,
    /// Unix milliseconds.
    pub(crate) updated: i64,
    /// Starts at 1 and grows by one with each change.
    pub(crate) version: i64,
}

/// An item that does not exist yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) description: Description,
    pub(crate) done: bool,
    /// Whose it shall be. Only apps may say so, and they must.
    pub(crate) owner: Option<String>,
}

/// What is to become of an item; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) description: Option<Description>,
    pub(crate) done: Option<bool>,
}

/// Which versions of an item the caller is willing to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    Any,
    OneOf(Vec<i64>),
}

impl Expected {
    fn accepts(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

/// A stretch of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) items: Vec<Todo>,
    /// Where the next stretch begins, if there is one: after this item.
    pub(crate) next: Option<Uuid>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TodoError {
    /// Not there, or not within the caller's reach: the two cannot be told apart.
    #[error("no such item")]
    Missing,
    #[error("the item is not at an expected version")]
    Stale,
    #[error("a user's items are always their own")]
    OwnerNotSettable,
    #[error("an app must name the owner")]
    OwnerNeeded,
    #[error("this cannot be an owner in the app's tenant")]
    OwnerInvalid,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The list, with its rules.
pub(crate) struct Todos {
    store: Store,
    clock: Clock,
    /// Keeps ids in order even within one millisecond, so that a list never reorders itself.
    ids: Mutex<ContextV7>,
}

impl Todos {
    /// Opens the database, creating or migrating it as needed.
    pub(crate) async fn open(
        database: &str,
        postgres: &PostgresSettings,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Ok(Self { store: Store::open(database, postgres).await?, clock, ids: Mutex::new(ContextV7::new()) })
    }

    pub(crate) async fn list(
        &self,
        permit: &ReadPermit,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page, TodoError> {
        // One more than asked for tells whether there is a next page.
        let mut items = self.store.list(permit.reach(), after, limit + 1).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|item| item.id);
        Ok(Page { items, next })
    }

    pub(crate) async fn get(&self, permit: &ReadPermit, id: Uuid) -> Result<Todo, TodoError> {
        self.store.get(permit.reach(), id).await?.ok_or(TodoError::Missing)
    }

    pub(crate) async fn create(&self, permit: &WritePermit, draft: Draft) -> Result<Todo, TodoError> {
        let owner = owner_of(permit.reach(), draft.owner.as_deref())?;
        let (id, now) = self.new_id();
        let Draft { description, done, .. } = draft;
        let todo = Todo { id, owner, description, done, created: now, updated: now, version: 1 };
        let outcome = self.store.insert(&todo).await.map_err(TodoError::from);
        audit(permit, "create", id, Some(&todo.owner), outcome.as_ref().err());
        outcome.map(|()| todo)
    }

    /// Without an expected version the last writer wins, field by field.
    pub(crate) async fn change(
        &self,
        permit: &WritePermit,
        id: Uuid,
        change: &Change,
        expected: &Expected,
    ) -> Result<Todo, TodoError> {
        let outcome = self.try_change(permit.reach(), id, change, expected).await;
        audit(permit, "change", id, outcome.as_ref().ok().map(|todo| &todo.owner), outcome.as_ref().err());
        outcome
    }

    pub(crate) async fn remove(
        &self,
        permit: &WritePermit,
        id: Uuid,
        expected: &Expected,
    ) -> Result<(), TodoError> {
        let outcome = self.try_remove(permit.reach(), id, expected).await;
        audit(permit, "remove", id, outcome.as_ref().ok(), outcome.as_ref().err());
        outcome.map(|_| ())
    }

    /// Why the database cannot be used, in words for everybody, if it cannot.
    pub(crate) async fn trouble(&self) -> Option<&'static str> {
        self.store.trouble().await
    }

    /// Has whatever was read at the start, such as a password, read anew.
    pub(crate) fn refresh(&self) {
        self.store.refresh();
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    async fn try_change(
        &self,
        reach: &Reach,
        id: Uuid,
        change: &Change,
        expected: &Expected,
    ) -> Result<Todo, TodoError> {
        // Somebody else may change the item between the two statements. Then the version no longer fits, and the
        // whole step is taken again on what is there now; each round means that some other writer made progress.
        loop {
            let mut todo = self.expect(reach, id, expected).await?;
            let seen = todo.version;
            if let Some(description) = &change.description {
                todo.description = description.clone();
            }
            todo.done = change.done.unwrap_or(todo.done);
            todo.updated = self.clock.now_millis().max(todo.created);
            todo.version = seen + 1;
            if self.store.replace(&todo, seen).await? {
                return Ok(todo);
            }
        }
    }

    async fn try_remove(&self, reach: &Reach, id: Uuid, expected: &Expected) -> Result<Owner, TodoError> {
        loop {
            let todo = self.expect(reach, id, expected).await?;
            if self.store.remove(&todo, todo.version).await? {
                return Ok(todo.owner);
            }
        }
    }

    async fn expect(&self, reach: &Reach, id: Uuid, expected: &Expected) -> Result<Todo, TodoError> {
        let todo = self.store.get(reach, id).await?.ok_or(TodoError::Missing)?;
        if expected.accepts(todo.version) { Ok(todo) } else { Err(TodoError::Stale) }
    }

    fn new_id(&self) -> (Uuid, i64) {
        let now = self.clock.now_millis().max(0);
        let seconds = u64::try_from(now / 1000).unwrap_or(0);
        let nanos = u32::try_from(now % 1000 * 1_000_000).unwrap_or(0);
        // The context is valid after any panic: it is a counter.
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        (Uuid::new_v7(Timestamp::from_unix(&*ids, seconds, nanos)), now)
    }
}

fn owner_of(reach: &Reach, named: Option<&str>) -> Result<Owner, TodoError> {
    match (reach, named) {
        (Reach::Own(owner), None) => Ok(owner.clone()),
        (Reach::Own(_), Some(_)) => Err(TodoError::OwnerNotSettable),
        (Reach::Realm(_), None) => Err(TodoError::OwnerNeeded),
        (Reach::Realm(realm), Some(named)) => {
            let subject = realm.subject(named).ok_or(TodoError::OwnerInvalid)?;
            Ok(Owner { realm: realm.clone(), subject })
        }
    }
}

/// Brings the database up to date, and does nothing else.
pub(crate) async fn migrate(database: &str, postgres: &PostgresSettings) -> Result<(), OpenError> {
    Store::migrate(database, postgres).await
}

/// One event for each attempt of an app to write: an app may touch everybody's items, so it must be possible to find
/// out afterwards what it did.
fn audit(
    permit: &WritePermit,
    action: &'static str,
    id: Uuid,
    owner: Option<&Owner>,
    error: Option<&TodoError>,
) {
    let Actor::App { realm, client } = permit.actor() else {
        return;
    };
    let outcome = match error {
        None => "done",
        Some(TodoError::Missing) => "missing",
        Some(TodoError::Stale) => "stale",
        Some(_) => "failed",
    };
    let owner = owner.map_or("-", |owner| owner.subject.as_str());
    tracing::info!(target: "audit", action, outcome, item = %id, owner, app = ?client, realm = %realm, "an app wrote");
}
