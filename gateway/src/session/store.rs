//! Where sessions are kept. Callers see one `Store`: sessions in memory, found without waiting, and behind them a place
//! where they outlive the process, if there is one. What is written there opens only with a cookie.

pub mod backend;
mod catalog;
mod change;
mod durable;
mod ends;
pub mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod gauges;
mod lease;
mod listing;
mod record;
pub mod redis;
#[cfg(test)]
mod shared;
mod standing;
#[cfg(test)]
pub(crate) mod tests;
mod upkeep;
pub mod used;
mod warm;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::clock::Timestamp;
use crate::metrics::{Metrics, StoreGauges};
use crate::stop::{Reason, Stop, Whose, causes};

use super::doors::Through;
use super::ending::Ending;
use super::vault::{DataKey, Vault};
use super::{Beginning, Lifetimes, Session, SessionId, SessionKey, Shown, TokenSpec};

use backend::{News, StoreError};
use catalog::Catalog;
use change::install;
use durable::{Durable, Kind};
use used::Used;
use warm::Warm;

pub use change::Changed;
pub use listing::Overview;
pub use record::Summary;
pub use standing::Standing;

/// A session that nobody used for this long leaves memory, if it is kept elsewhere too.
const COOL: Duration = Duration::from_secs(300);
/// After an outage nobody refreshes for this long: whoever held a lease when it began writes down first what came of it.
const SETTLING: Duration = Duration::from_secs(2);

/// What a store is made with.
pub struct Settings {
    /// How long new sessions live.
    pub lifetimes: Lifetimes,
    /// Every `[tokens.NAME]`.
    pub tokens: Vec<Arc<TokenSpec>>,
    /// The most sessions that one person may have; nothing for no limit.
    pub max_per_person: Option<NonZeroUsize>,
    /// The keys under which sessions are kept where others may look.
    pub vault: Arc<Vault>,
    /// Where sessions, and calls to the place behind the store, are counted.
    pub metrics: Arc<Metrics>,
}

/// The sessions of this gateway, or of several.
pub struct Store {
    settings: ArcSwap<Settings>,
    metrics: Arc<Metrics>,
    warm: Arc<Warm>,
    place: Place,
    /// Sessions whose last use is not written down yet.
    unwritten: Mutex<Vec<Arc<Session>>>,
    /// Sessions that were ended, and of which the place has not said yet that it knows.
    unfinished: Mutex<HashMap<SessionKey, Ending>>,
    /// Sessions that a shared place was told of lately. One that fails over to a copy may have forgotten that.
    recent: Mutex<VecDeque<(SessionKey, Instant)>>,
    used: Used,
    live_since: Arc<Mutex<Option<Instant>>>,
    gauges: StoreGauges,
}

impl Choice {
    /// Whether both are the same place, reached in the same way.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory, Self::Memory) => true,
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Redis(one), Self::Redis(other)) => one.is_same(other),
            (Self::Memory | Self::File(_) | Self::Redis(_), _) => false,
        }
    }
}

/// Where sessions shall be kept.
#[derive(Clone, Debug)]
pub enum Choice {
    /// In this process's memory.
    Memory,
    /// In a database of this gateway's own.
    File(PathBuf),
    /// Where several gateways share them.
    Redis(Box<redis::settings::Settings>),
}

enum Place {
    Memory(Catalog),
    Durable(Durable),
}

impl Place {
    fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Durable(durable) => durable.name(),
        }
    }
}

/// What is known at once of a session that a request shows.
#[derive(Debug)]
pub enum Found {
    /// It may be used.
    Session(Arc<Session>),
    /// There is no such session.
    Nothing,
    /// That must be looked up: [`Store::open`].
    Unsure,
}

impl Store {
    /// Sessions in this process's memory: fast, and gone when it ends.
    pub fn in_memory(settings: Settings) -> Self {
        Self::on(settings, None, Arc::new(Warm::new(true)), Arc::default())
    }

    /// Sessions in a database of this gateway's own.
    pub fn in_file(settings: Settings, file: file::File) -> Self {
        Self::on(settings, Some(Kind::File(file)), Arc::new(Warm::new(true)), Arc::default())
    }

    /// Sessions that several gateways share.
    pub fn in_redis(
        settings: Settings,
        redis: redis::settings::Settings,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self, redis::SetupError> {
        let (warm, live_since) = (Arc::new(Warm::new(false)), Arc::default());
        let redis = redis::Redis::start(redis, runtime, listener(&warm, &live_since))?;
        Ok(Self::on(settings, Some(Kind::Redis(redis)), warm, live_since))
    }

    fn on(
        settings: Settings,
        place: Option<Kind>,
        warm: Arc<Warm>,
        live_since: Arc<Mutex<Option<Instant>>>,
    ) -> Self {
        let place = match place {
            None => Place::Memory(Catalog::default()),
            Some(kind) => Place::Durable(Durable::new(kind, Arc::clone(&settings.metrics))),
        };
        let gauges = settings.metrics.gauges_of(place.name());
        Self {
            metrics: Arc::clone(&settings.metrics),
            settings: ArcSwap::from_pointee(settings),
            warm,
            place,
            unwritten: Mutex::default(),
            unfinished: Mutex::default(),
            recent: Mutex::default(),
            used: Used::default(),
            live_since,
            gauges,
        }
    }

    /// Goes on with other settings. Sessions that began with the old ones live as long as was said then; where they are
    /// counted stays.
    pub fn adopt(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// The keys that lock sessions.
    pub fn vault(&self) -> Arc<Vault> {
        Arc::clone(&self.settings.load().vault)
    }

    fn durable(&self) -> Option<&Durable> {
        match &self.place {
            Place::Memory(_) => None,
            Place::Durable(durable) => Some(durable),
        }
    }

    /// What is known at once of what a request shows. Called once per request: no lock, no copy.
    pub fn find(&self, shown: Shown, now: Timestamp) -> Found {
        let Some(session) = self.warm.get(shown.key) else {
            return if self.durable().is_some() { Found::Unsure } else { Found::Nothing };
        };
        if session.has_ended() || now >= session.absolute_end() {
            return Found::Nothing;
        }
        let is_shared = self.durable().is_some_and(Durable::is_shared);
        // Another gateway may know of a later use, another identifier, or the session's end.
        if is_shared && (now >= session.idle_end() || !self.is_reliable(&session)) {
            return Found::Unsure;
        }
        if now >= session.idle_end() {
            return Found::Nothing;
        }
        let through = session.state().doors.try_open(shown.proof, now);
        match through {
            Through::Open => Found::Session(session),
            Through::Pending => Found::Unsure,
            Through::Closed if is_shared => Found::Unsure,
            Through::Closed => Found::Nothing,
        }
    }

    /// The session that an identifier opens, looked up wherever it is kept.
    pub async fn open(&self, id: &SessionId, now: Timestamp) -> Result<Option<Arc<Session>>, StoreError> {
        let session = match self.durable() {
            None => self.warm.get(id.key()),
            Some(durable) => self.look_up(durable, id, now).await?,
        };
        let Some(session) = session.filter(|session| session.is_live(now)) else {
            return Ok(None);
        };
        let through = session.state().doors.try_open(id.proof(), now);
        match through {
            Through::Open => Ok(Some(session)),
            Through::Closed => Ok(None),
            // While it cannot be written that the browser has its new identifier, both are good.
            Through::Pending => Ok(self.confirm(&session, id, now).await.unwrap_or(true).then_some(session)),
        }
    }

    async fn look_up(
        &self,
        durable: &Durable,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        loop {
            let reading = self.warm.reading(id.key());
            // What this process has ended stays so, also while the place has not been told.
            if self.unfinished().contains_key(&id.key()) {
                // What an earlier round kept was read before the end.
                self.warm.hear(News::Ended(id.key()));
                return Ok(None);
            }
            let Some(stored) = durable.load(id.key()).await? else {
                if let Some(session) = self.warm.forget(id.key()) {
                    session.end();
                }
                return Ok(None);
            };
            let settings = self.settings.load();
            let Settings { vault, tokens, .. } = &**settings;
            let Some(opened) = record::open(vault, id, &stored, tokens, now) else {
                return Ok(None);
            };
            let (state, is_outdated) = (opened.session.state().clone(), opened.is_outdated);
            let session = self.warm.keep(opened.session, now.plus(COOL));
            // A use that is still to come would keep the session from ever being idle.
            session.last_used.fetch_max(stored.last_used.min(now).0, Ordering::Relaxed);
            install(&session, &state);
            if session.has_ended() {
                return Ok(None);
            }
            if !self.warm.rely_on(&session, reading) {
                continue;
            }
            if is_outdated && let Err(error) = self.lock_anew(&session, id).await {
                // The old key still opens it; the next one to look it up tries again.
                tracing::debug!(target: "gateway", error = causes(&error), "a session could not be locked anew");
            }
            return Ok(Some(session));
        }
    }

    /// Begins the session of a person who has just signed in. When this returns, it is kept.
    pub async fn begin(
        &self,
        beginning: Beginning,
        now: Timestamp,
    ) -> Result<(SessionId, Arc<Session>), StoreError> {
        let id = SessionId::generate();
        let lock = self.durable().map(|_| {
            let data_key = DataKey::generate();
            let wrap = self.vault().wrap(id.key(), id.secret(), &data_key);
            (data_key, wrap)
        });
        let session = Session::start(&id, beginning, self.settings.load().lifetimes, now, lock);
        let reading = self.warm.reading(id.key());
        match &self.place {
            Place::Memory(catalog) => {
                let (person, provider_session) = self.indexes_of(&session);
                catalog.insert(id.key(), person, provider_session);
            }
            Place::Durable(durable) => {
                let stored = record::write(&self.vault(), &session, &session.state());
                durable.create(id.key(), &stored).await?;
            }
        }
        let due = if self.durable().is_some() { now.plus(COOL) } else { session.idle_end() };
        let session = self.warm.keep(session, due);
        self.warm.rely_on(&session, reading);
        self.metrics.session_created();
        self.end_surplus(&session).await?;
        Ok((id, session))
    }

    /// How many sessions there are, over or not.
    pub async fn count(&self) -> Result<u64, StoreError> {
        match &self.place {
            Place::Memory(catalog) => Ok(catalog.count() as u64),
            Place::Durable(durable) => durable.count().await,
        }
    }

    /// How many sessions are in this process's memory.
    pub fn count_warm(&self) -> usize {
        self.warm.count()
    }

    /// What the store is called in metrics.
    pub fn name(&self) -> &'static str {
        self.place.name()
    }

    /// Whether the store can be used right now.
    pub fn is_ready(&self) -> bool {
        !self.durable().is_some_and(Durable::is_shared) || self.since_live().is_some()
    }

    /// Where it is counted what becomes of sessions and their tokens.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether what is in memory of a session is all there is to know of it. The news may have stopped before anybody
    /// could say so: a process that stood still for a minute goes on with its requests first.
    fn is_reliable(&self, session: &Session) -> bool {
        self.warm.is_reliable(session) && self.durable().is_none_or(Durable::is_live)
    }

    fn has_settled(&self) -> bool {
        self.since_live().is_some_and(|since| since >= SETTLING)
    }

    /// For how long the news has been whole.
    fn since_live(&self) -> Option<Duration> {
        self.live_since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    fn unfinished(&self) -> MutexGuard<'_, HashMap<SessionKey, Ending>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the sessions in memory what the place has to say.
fn listener(warm: &Arc<Warm>, live_since: &Arc<Mutex<Option<Instant>>>) -> backend::Listener {
    let (warm, live_since) = (Arc::clone(warm), Arc::clone(live_since));
    Arc::new(move |news| {
        let mut since = live_since.lock().unwrap_or_else(PoisonError::into_inner);
        match news {
            News::Live => *since = Some(Instant::now()),
            News::Lost => *since = None,
            News::Ended(_) | News::Changed(_) => {}
        }
        drop(since);
        warm.hear(news);
    })
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::failed(Whose::Store, Reason::StoreUnavailable, error)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("kind", &self.name()).finish_non_exhaustive()
    }
}
