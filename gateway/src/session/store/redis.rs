//! Sessions in a Redis or Valkey that several gateways share: one server, the master that Sentinels name, or a cluster.
//! It sees what the contract shows, hashes and sealed bytes, and decides nothing by the server's clock.
//!
//! Each session is a hash that Redis forgets by itself some time after its end; `…ends` orders all of them by their end;
//! a set for each subject and each sign-in at the provider finds theirs. Every command touches one key, as a cluster
//! demands, so a gateway that dies between two leaves one too many entry in an index, never one too few.

mod calls;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod keeper;
mod layout;
mod lease;
mod link;
mod listing;
mod news;
mod record;
mod scripts;
pub mod settings;
#[cfg(test)]
pub(in crate::session) mod testing;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use redis::{RedisError, Value};

use crate::clock::Timestamp;
use crate::entropy;
use crate::session::SessionKey;
use crate::stop::causes;

use self::calls::{Calls, Repeat, State};
use self::failure::Trouble;
use self::keeper::{Keeper, Pulse};
use self::layout::Layout;
use self::link::Connector;
use self::news::{Message, Origin};
use self::record::{
    ALL, INDICES, REACH, Reach, SLACK, fields, index_lifetime, indices_of, lifetime, read, score,
};
use self::scripts::{Ask, CREATE, MEMBER, REPLACE, SCHEDULE, TOUCH};
use self::settings::{SettingError, Settings};
use super::backend::{IndexKey, Listener, StoreError, Stored};

/// Keys in one message about sessions that ended.
const TOLD_AT_ONCE: usize = 64;
/// Ends that are noted at once.
const NOTED_AT_ONCE: usize = 256;

/// Why a Redis cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// See there.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The file with the private authorities.
    #[error(
        "the private certificate authority is no PEM file with a certificate: give it the one that signed Redis's"
    )]
    PrivateCa,
    /// Nobody could be trusted.
    #[error("this machine trusts no certificate authority: install its list of them, or name a private one")]
    NoAuthorities,
    /// A defect of the TLS library or of how it was built.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// What the cluster's library says of its settings.
    #[error("the cluster cannot be set up")]
    Cluster(#[source] RedisError),
}

/// A shared place for sessions. Its connection is kept by a task of the runtime it was given and ends with it.
///
/// Every operation answers within a second or so: it waits half a second for a connection that just broke, and fails at
/// once while there is none for longer. Many keys at once are asked in bundles, each with that limit.
pub struct Redis {
    calls: Calls,
    layout: Layout,
    origin: Origin,
    pulse: Arc<Pulse>,
    keeper: JoinHandle<()>,
}

impl Redis {
    /// Begins to connect and goes on for ever. A Redis that is down stops nobody: until it is up, operations fail.
    ///
    /// `listener` hears [`News::Live`](super::backend::News::Live) first. What this gateway does itself it is not told.
    pub fn start(settings: Settings, runtime: &Handle, listener: Listener) -> Result<Self, SetupError> {
        settings.check()?;
        let layout = Layout::new(&settings.prefix, settings.database);
        let connector = Connector::new(settings, &layout)?;
        let origin = entropy::bytes();
        let pulse = Arc::new(Pulse::new());
        let (state, seen) = watch::channel(State::Down(Instant::now(), Arc::new(Trouble::Starting)));
        let (suspects, suspected) = mpsc::channel(16);
        let keeper = Keeper {
            connector,
            origin,
            listener,
            pulse: Arc::clone(&pulse),
            state,
            suspects: suspected,
            outage: None,
        };
        let keeper = runtime.spawn(keeper.run());
        Ok(Self { calls: Calls { state: seen, suspects }, layout, origin, pulse, keeper })
    }

    /// Whether no news is missed: not a second passed since everything was heard that others did. Precise even where the
    /// task that keeps the connection had no time to run.
    pub fn is_live(&self) -> bool {
        self.pulse.is_live()
    }

    /// Keeps a new session. What finds it is written first, so that a session that can be used can be revoked.
    pub async fn create(&self, key: SessionKey, stored: &Stored) -> Result<(), StoreError> {
        let mut asks = self.admit(key, stored);
        asks.push(self.schedule(index_lifetime(stored), &[], &[(key, stored.end())]));
        self.calls.all(asks, Repeat::Yes).await?;
        let mut arguments = vec![lifetime(stored).to_string().into_bytes()];
        arguments.extend(fields(stored));
        self.calls.one(Ask::Run(&CREATE, self.layout.session(key), arguments)).await?;
        // Somebody who looked for this person's sessions meanwhile took the entries for left-overs and removed them.
        self.calls.all(self.admit(key, stored), Repeat::Yes).await?;
        Ok(())
    }

    /// The session, also when it is over: its end says so.
    pub async fn load(&self, key: SessionKey) -> Result<Option<Stored>, StoreError> {
        record::stored(self.calls.one(Ask::command("HMGET", &self.layout.session(key), &ALL)).await?)
    }

    /// Puts `stored` in the place of the version before it, and tells everybody. False if that version is not there; a
    /// session that ended stays ended. The later of both last uses is kept. The same replacement once more is true again.
    pub async fn replace(&self, key: SessionKey, stored: &Stored) -> Result<bool, StoreError> {
        let known = self.calls.one(Ask::command("HMGET", &self.layout.session(key), &REACH)).await?;
        match record::reach(known)? {
            None => return Ok(false),
            Some(known) if known == Reach::of(stored) => {}
            Some(_) => {
                self.calls.all(self.admit(key, stored), Repeat::Yes).await?;
            }
        }
        let before = stored.version.saturating_sub(1);
        let mut arguments = vec![SLACK.to_string().into_bytes(), before.to_string().into_bytes()];
        arguments.extend(fields(stored));
        let answer = self.calls.one(Ask::Run(&REPLACE, self.layout.session(key), arguments)).await?;
        let Some(end) = end(answer)? else { return Ok(false) };
        let told = Ask::Tell(Message::Changed(self.origin, key).encode());
        let noted = self.schedule(index_lifetime(stored), &["XX"], &[(key, end)]);
        let (told, noted) = tokio::join!(self.calls.one(told), self.calls.one(noted));
        told?;
        // A note that is out of date is put right when it is due.
        report("session_end_not_noted", noted.err());
        Ok(true)
    }

    /// Notes when sessions were used. Only a later use counts; a session that is gone stays gone.
    pub async fn touch(&self, uses: &[(SessionKey, Timestamp)]) -> Result<(), StoreError> {
        let ask = |(key, used): &(SessionKey, Timestamp)| {
            let arguments = vec![SLACK.to_string().into_bytes(), used.0.to_string().into_bytes()];
            Ask::Run(&TOUCH, self.layout.session(*key), arguments)
        };
        let answers = self.calls.all(uses.iter().map(ask).collect(), Repeat::Yes).await?;
        let mut ends = Vec::new();
        for ((key, _), answer) in uses.iter().zip(answers.values) {
            ends.extend(end(answer)?.map(|end| (*key, end)));
        }
        let note = |some| self.schedule(0, &["XX", "GT"], some);
        let asks = ends.chunks(NOTED_AT_ONCE).map(note).collect();
        self.calls.all(asks, Repeat::Yes).await?;
        Ok(())
    }

    /// Ends sessions and tells everybody of each key, also of those that were not there. Returns those that were. Where a
    /// connection broke meanwhile, two gateways may each return the same one.
    pub async fn end(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        let found = self.indices_of(keys).await?;
        let asks =
            found.iter().map(|(key, _)| Ask::command("DEL", &self.layout.session(*key), &[])).collect();
        let deleted = self.calls.all(asks, Repeat::Yes).await?;
        let mut ended = Vec::new();
        for ((key, _), answer) in found.iter().zip(deleted.values) {
            let count: u64 = read(answer, "DEL counts")?;
            if count > 0 || deleted.repeated {
                ended.push(*key);
            }
        }
        self.calls.all(self.tell_ended(keys), Repeat::Yes).await?;
        self.forget(&found).await;
        Ok(ended)
    }

    /// What makes the indices find the session.
    fn admit(&self, key: SessionKey, stored: &Stored) -> Vec<Ask> {
        let seconds = index_lifetime(stored).to_string().into_bytes();
        let arguments = vec![seconds, key.as_bytes().to_vec()];
        indices_of(stored)
            .map(|index| Ask::Run(&MEMBER, self.layout.index(index), arguments.clone()))
            .collect()
    }

    /// Notes when sessions end, with the flags of ZADD, and keeps the notes for `seconds` at least.
    fn schedule(&self, seconds: u64, flags: &[&str], ends: &[(SessionKey, Timestamp)]) -> Ask {
        let mut arguments = vec![seconds.to_string().into_bytes()];
        arguments.extend(flags.iter().map(|flag| flag.as_bytes().to_vec()));
        for (key, end) in ends {
            arguments.extend([score(*end).into_bytes(), key.as_bytes().to_vec()]);
        }
        Ask::Run(&SCHEDULE, self.layout.ends.clone(), arguments)
    }

    fn tell_ended(&self, keys: &[SessionKey]) -> Vec<Ask> {
        keys.chunks(TOLD_AT_ONCE)
            .map(|some| Ask::Tell(Message::Ended(self.origin, some.to_vec()).encode()))
            .collect()
    }

    /// Those sessions that there are, and what finds each.
    async fn indices_of(&self, keys: &[SessionKey]) -> Result<Vec<Found>, StoreError> {
        let asks =
            keys.iter().map(|key| Ask::command("HMGET", &self.layout.session(*key), &INDICES)).collect();
        let answers = self.calls.all(asks, Repeat::Yes).await?;
        let mut found = Vec::new();
        for (key, answer) in keys.iter().zip(answers.values) {
            found.extend(record::indices(answer)?.map(|indices| (*key, indices)));
        }
        Ok(found)
    }

    /// Removes what finds sessions that are gone. Left-overs do no harm, so that no failure does.
    async fn forget(&self, gone: &[Found]) {
        let mut asks = Vec::new();
        for some in gone.chunks(NOTED_AT_ONCE) {
            let members: Vec<&[u8]> = some.iter().map(|(key, _)| &key.as_bytes()[..]).collect();
            asks.push(Ask::command("ZREM", &self.layout.ends, &members));
        }
        for (key, indices) in gone {
            let remove = |index| Ask::command("SREM", &self.layout.index(index), &[key.as_bytes()]);
            asks.extend(indices.iter().flatten().copied().map(remove));
        }
        report("session_index_not_cleaned", self.calls.all(asks, Repeat::Yes).await.err());
    }
}

/// A failure that does no harm.
fn report(event: &'static str, error: Option<StoreError>) {
    if let Some(error) = error {
        tracing::debug!(
            target: "gateway::session",
            event,
            error = %causes(&error),
            "an entry about a session is out of date and will be put right later",
        );
    }
}

/// A session and the indices that find it.
type Found = (SessionKey, [Option<IndexKey>; 2]);

/// The end that a script returned; nothing where it did nothing.
fn end(answer: Value) -> Result<Option<Timestamp>, StoreError> {
    match answer {
        Value::Nil => Ok(None),
        value => Ok(Some(Timestamp(read(value, "a session's end is no number")?))),
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("is_live", &self.is_live()).finish_non_exhaustive()
    }
}
