//! A session as fields of a hash, and back. What was not written by a gateway is refused, not guessed at.

use std::time::Duration;

use redis::{FromRedisValue, Value, from_redis_value};

use crate::clock::Timestamp;
use crate::session::SessionKey;

use super::super::backend::{IndexKey, Listed, StoreError, Stored};

/// Entries outlive their session by this: gateways must come to see them and say in their audit log that they are over,
/// even if none runs for a night. Only then does Redis forget by itself.
pub(super) const SLACK: u64 = 24 * 60 * 60;
/// What finds sessions outlives all of them, also those whose last use was written down late.
const INDEX_SLACK: u64 = 2 * SLACK;
/// Redis refuses spans of millions of years; ten years are for ever.
const FOR_EVER: u64 = 10 * 365 * 24 * 60 * 60;
/// The largest number that a score holds exactly.
const MAX_SCORE: i64 = 1 << 53;

const VERSION: &[u8] = b"v";
const BODY: &[u8] = b"b";
const SUMMARY: &[u8] = b"s";
const LAST_USED: &[u8] = b"u";
const IDLE: &[u8] = b"i";
const ABSOLUTE_END: &[u8] = b"a";
const SUBJECT: &[u8] = b"x";
const PROVIDER_SESSION: &[u8] = b"p";

/// The fields of [`stored`], in its order.
pub(super) const ALL: [&[u8]; 8] =
    [VERSION, BODY, SUMMARY, LAST_USED, IDLE, ABSOLUTE_END, SUBJECT, PROVIDER_SESSION];
/// The fields of [`listed`], in its order; those of the script `expire` begin with them.
pub(super) const LISTING: [&[u8]; 4] = [SUMMARY, LAST_USED, IDLE, ABSOLUTE_END];
/// The fields of [`indices`], in its order.
pub(super) const INDICES: [&[u8]; 2] = [SUBJECT, PROVIDER_SESSION];
/// The fields of [`reach`], in its order.
pub(super) const REACH: [&[u8]; 3] = [SUBJECT, PROVIDER_SESSION, ABSOLUTE_END];

/// Fields and values, as HSET takes them. The scripts rely on the order of the first five.
pub(super) fn fields(stored: &Stored) -> Vec<Vec<u8>> {
    let mut fields: Vec<Vec<u8>> = Vec::with_capacity(16);
    let mut put = |name: &[u8], value: &[u8]| fields.extend([name.to_vec(), value.to_vec()]);
    put(VERSION, stored.version.to_string().as_bytes());
    put(BODY, &stored.body);
    put(LAST_USED, stored.last_used.0.to_string().as_bytes());
    put(IDLE, stored.idle.as_secs().to_string().as_bytes());
    put(ABSOLUTE_END, stored.absolute_end.0.to_string().as_bytes());
    put(SUMMARY, &stored.summary);
    put(SUBJECT, &stored.subject.0);
    if let Some(index) = &stored.provider_session {
        put(PROVIDER_SESSION, &index.0);
    }
    fields
}

/// How long Redis keeps the session by itself, in seconds. Counted from its last use: the clocks need not agree.
pub(super) fn lifetime(stored: &Stored) -> u64 {
    seconds(stored.last_used, stored.end()) + SLACK
}

/// How long Redis keeps what finds the session: as long as the session may live, however much it is used.
pub(super) fn index_lifetime(stored: &Stored) -> u64 {
    seconds(stored.last_used, stored.absolute_end) + INDEX_SLACK
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0).min(FOR_EVER)
}

/// The moment as a score.
pub(super) fn score(moment: Timestamp) -> String {
    moment.0.clamp(-MAX_SCORE, MAX_SCORE).to_string()
}

/// Every index that finds the session.
pub(super) fn indices_of(stored: &Stored) -> impl Iterator<Item = IndexKey> {
    std::iter::once(stored.subject).chain(stored.provider_session)
}

/// Reads [`ALL`]; nothing where no session is.
pub(super) fn stored(values: Value) -> Result<Option<Stored>, StoreError> {
    let values: [Value; 8] = array(values)?;
    if values.iter().all(|value| matches!(value, Value::Nil)) {
        return Ok(None);
    }
    let [version, body, summary, last_used, idle, absolute_end, subject, provider_session] = values;
    Ok(Some(Stored {
        version: read(version, "a session's version is no number")?,
        body: read(body, "a session has no body")?,
        summary: read(summary, "a session has no summary")?,
        last_used: Timestamp(read(last_used, "a session's last use is no number")?),
        idle: Duration::from_secs(read(idle, "a session's idle time is no number")?),
        absolute_end: Timestamp(read(absolute_end, "a session's end is no number")?),
        subject: index(subject)?.ok_or(StoreError::Foreign("a session has no subject"))?,
        provider_session: index(provider_session)?,
    }))
}

/// Reads [`LISTING`]; nothing where no session is.
pub(super) fn listed(key: SessionKey, values: Value) -> Result<Option<Listed>, StoreError> {
    let values: [Value; 4] = array(values)?;
    if values.iter().all(|value| matches!(value, Value::Nil)) {
        return Ok(None);
    }
    let [summary, last_used, idle, absolute_end] = values;
    let last_used = Timestamp(read(last_used, "a session's last use is no number")?);
    let idle = Duration::from_secs(read(idle, "a session's idle time is no number")?);
    let absolute_end = Timestamp(read(absolute_end, "a session's end is no number")?);
    let end = last_used.plus(idle).min(absolute_end);
    Ok(Some(Listed { key, summary: read(summary, "a session has no summary")?, last_used, end }))
}

/// Reads [`INDICES`]; nothing where no session is.
pub(super) fn indices(values: Value) -> Result<Option<[Option<IndexKey>; 2]>, StoreError> {
    let [subject, provider_session]: [Value; 2] = array(values)?;
    let found = [index(subject)?, index(provider_session)?];
    Ok(found[0].is_some().then_some(found))
}

/// What the entries in its indices depend on.
#[derive(PartialEq, Eq)]
pub(super) struct Reach {
    indices: [Option<IndexKey>; 2],
    absolute_end: Timestamp,
}

impl Reach {
    pub(super) fn of(stored: &Stored) -> Self {
        Self { indices: [Some(stored.subject), stored.provider_session], absolute_end: stored.absolute_end }
    }
}

/// Reads [`REACH`]; nothing where no session is.
pub(super) fn reach(values: Value) -> Result<Option<Reach>, StoreError> {
    let [subject, provider_session, absolute_end]: [Value; 3] = array(values)?;
    if matches!(absolute_end, Value::Nil) {
        return Ok(None);
    }
    let absolute_end = Timestamp(read(absolute_end, "a session's end is no number")?);
    Ok(Some(Reach { indices: [index(subject)?, index(provider_session)?], absolute_end }))
}

/// The key whose bytes these are.
pub(super) fn session_key(bytes: &[u8]) -> Result<SessionKey, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::Foreign("an index names no session"))?;
    Ok(SessionKey::from_bytes(bytes))
}

/// A number or a text of bytes, whatever the protocol calls it.
pub(super) fn read<T: FromRedisValue>(value: Value, what: &'static str) -> Result<T, StoreError> {
    if matches!(value, Value::Nil) {
        return Err(StoreError::Foreign(what));
    }
    from_redis_value(value).map_err(|_| StoreError::Foreign(what))
}

fn array<const N: usize>(values: Value) -> Result<[Value; N], StoreError> {
    let foreign = StoreError::Foreign("a session is no hash");
    match values {
        Value::Array(values) => values.try_into().map_err(|_| foreign),
        _ => Err(foreign),
    }
}

fn index(value: Value) -> Result<Option<IndexKey>, StoreError> {
    if matches!(value, Value::Nil) {
        return Ok(None);
    }
    let bytes: Vec<u8> = read(value, "a session's index is no hash")?;
    let bytes = bytes.try_into().map_err(|_| StoreError::Foreign("a session's index is no hash"))?;
    Ok(Some(IndexKey(bytes)))
}
