//! Finding sessions by something other than their key: by person, by sign-in at the provider, page by page, or because
//! they are over.

use std::collections::HashSet;

use redis::Value;

use crate::clock::Timestamp;
use crate::session::SessionKey;

use super::super::backend::{IndexKey, Listed, Page, StoreError};
use super::calls::Repeat;
use super::record::{self, INDICES, LISTING, read, score, session_key};
use super::scripts::{Ask, EXPIRE, PAGE};
use super::{Found, NOTED_AT_ONCE, Redis, report};

impl Redis {
    /// Every session that the index finds. Left-overs in the index are removed.
    pub async fn of(&self, index: IndexKey) -> Result<Vec<SessionKey>, StoreError> {
        let name = self.layout.index(index);
        let members = self.calls.one(Ask::command("SMEMBERS", &name, &[])).await?;
        let members: Vec<Vec<u8>> = read(members, "an index is no set")?;
        let keys = members.iter().map(|member| session_key(member)).collect::<Result<Vec<_>, _>>()?;
        let mut found = self.indices_of(&keys).await?;
        let there: HashSet<SessionKey> = found.iter().map(|(key, _)| *key).collect();
        let gone: Vec<_> = keys.into_iter().filter(|key| !there.contains(key)).collect();
        if !gone.is_empty() {
            self.calls.one(Ask::command("SREM", &name, &bytes_of(&gone))).await?;
            // One that was about to be created looks like one that is gone. By now it is there, or whoever creates it
            // adds it to the index once more when it is.
            let late = self.indices_of(&gone).await?;
            if !late.is_empty() {
                let late: Vec<_> = late.iter().map(|(key, _)| *key).collect();
                self.calls.one(Ask::command("SADD", &name, &bytes_of(&late))).await?;
            }
            found.extend(late);
        }
        // A session that moved to another sign-in at the provider is no longer found by the old one.
        Ok(found
            .into_iter()
            .filter(|(_, indices)| indices.contains(&Some(index)))
            .map(|(key, _)| key)
            .collect())
    }

    /// What operators may see of those sessions that there are.
    pub async fn listed(&self, keys: &[SessionKey]) -> Result<Vec<Listed>, StoreError> {
        let asks =
            keys.iter().map(|key| Ask::command("HMGET", &self.layout.session(*key), &LISTING)).collect();
        let answers = self.calls.all(asks, Repeat::Yes).await?;
        let mut listed = Vec::new();
        for (key, answer) in keys.iter().zip(answers.values) {
            listed.extend(record::listed(*key, answer)?);
        }
        Ok(listed)
    }

    /// At most `limit` sessions, those that end first at first. One that stays while the pages are turned is on one of
    /// them, twice if it is used meanwhile. A `from` that no page gave is answered with an empty page.
    pub async fn page(&self, from: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let limit = limit.max(1);
        let mut arguments = vec![limit.to_string().into_bytes()];
        if let Some(cursor) = from {
            let Some(Cursor { end, key }) = Cursor::parse(cursor) else { return Ok(Page::default()) };
            arguments.extend([score(end).into_bytes(), key.as_bytes().to_vec()]);
        }
        let answer = self.calls.one(Ask::Run(&PAGE, self.layout.ends.clone(), arguments)).await?;
        let pairs: Vec<(Vec<u8>, i64)> = read(answer, "the list of sessions is no sorted set")?;
        let keys = pairs.iter().map(|(member, _)| session_key(member)).collect::<Result<Vec<_>, _>>()?;
        let last = keys.last().zip(pairs.last()).filter(|_| keys.len() == limit);
        let next = last.map(|(key, (_, end))| Cursor { end: Timestamp(*end), key: *key }.print());
        Ok(Page { sessions: self.listed(&keys).await?, next })
    }

    /// Removes at most `max` sessions that are over and tells everybody. Each is returned to one gateway only; one that
    /// is removed in the moment a connection breaks, perhaps to none.
    pub async fn expire(&self, now: Timestamp, max: usize) -> Result<Vec<Listed>, StoreError> {
        let (until, max) = (score(now), max.to_string());
        let bounds = [b"-inf", until.as_bytes(), b"LIMIT", b"0", max.as_bytes()];
        let due = self.calls.one(Ask::command("ZRANGEBYSCORE", &self.layout.ends, &bounds)).await?;
        let due: Vec<Vec<u8>> = read(due, "the list of sessions is no sorted set")?;
        let keys = due.iter().map(|member| session_key(member)).collect::<Result<Vec<_>, _>>()?;
        let ask = |key: &SessionKey| {
            Ask::Run(&EXPIRE, self.layout.session(*key), vec![now.0.to_string().into_bytes()])
        };
        let answers = self.calls.all(keys.iter().map(ask).collect(), Repeat::No).await?;
        let (mut expired, mut gone, mut alive) = (Vec::new(), Vec::new(), Vec::new());
        for (key, answer) in keys.into_iter().zip(answers.values) {
            match removed(key, answer) {
                Ok(Removed::Session(listed, indices)) => {
                    expired.push(listed);
                    gone.push((key, indices));
                }
                Ok(Removed::Alive(end)) => alive.push((key, end)),
                // What no gateway wrote has no line in the audit log.
                Ok(Removed::Nothing) | Err(_) => gone.push((key, [None, None])),
            }
        }
        self.clean_up(&expired, &gone, &alive).await;
        Ok(expired)
    }

    /// How many sessions there are, also those that are over and not yet removed.
    pub async fn count(&self) -> Result<u64, StoreError> {
        let count = self.calls.one(Ask::command("ZCARD", &self.layout.ends, &[])).await?;
        read(count, "the list of sessions is no sorted set")
    }

    /// What follows from sessions that are gone. They are, whether this works or not.
    async fn clean_up(&self, expired: &[Listed], gone: &[Found], alive: &[(SessionKey, Timestamp)]) {
        let keys: Vec<_> = expired.iter().map(|listed| listed.key).collect();
        let mut asks = self.tell_ended(&keys);
        asks.extend(alive.chunks(NOTED_AT_ONCE).map(|some| self.schedule(0, &["XX"], some)));
        // Others learn of it from the session's end as well.
        report("session_end_not_told", self.calls.all(asks, Repeat::Yes).await.err());
        self.forget(gone).await;
    }
}

fn bytes_of(keys: &[SessionKey]) -> Vec<&[u8]> {
    keys.iter().map(|key| &key.as_bytes()[..]).collect()
}

/// What became of a session that seemed to be over.
enum Removed {
    Session(Listed, [Option<IndexKey>; 2]),
    Alive(Timestamp),
    Nothing,
}

fn removed(key: SessionKey, answer: Value) -> Result<Removed, StoreError> {
    let mut values = match answer {
        Value::Nil => return Ok(Removed::Nothing),
        Value::Array(values) => values,
        _ => return Err(StoreError::Foreign("a session is no hash")),
    };
    if values.len() == 1 {
        let end = values.pop().unwrap_or(Value::Nil);
        return Ok(Removed::Alive(Timestamp(read(end, "a session's end is no number")?)));
    }
    let indices = Value::Array(values.split_off(values.len().saturating_sub(INDICES.len())));
    let indices = record::indices(indices)?.unwrap_or_default();
    let listed = record::listed(key, Value::Array(values))?;
    Ok(listed.map_or(Removed::Nothing, |listed| Removed::Session(listed, indices)))
}

/// The last session of a page.
struct Cursor {
    end: Timestamp,
    key: SessionKey,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (end, key) = text.split_once('.')?;
        Some(Self { end: Timestamp(end.parse().ok()?), key: SessionKey::from_text(key)? })
    }

    fn print(&self) -> String {
        format!("{}.{}", self.end.0, self.key.to_text())
    }
}
