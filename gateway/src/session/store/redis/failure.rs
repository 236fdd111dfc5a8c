//! What went wrong, in the store's words. Knows no operation.

use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::super::backend::StoreError;
use super::settings::Address;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Since the start.
    #[error("no connection was made yet")]
    Starting,
    /// No TCP, or TLS failed.
    #[error("cannot connect to {0}")]
    Connect(Address, #[source] io::Error),
    /// It answered, but not as hoped: wrong password, no permission, still loading.
    #[error("{0} does not let the gateway in")]
    Refused(Address, #[source] RedisError),
    /// It is a replica, or a Sentinel still thinks it is not.
    #[error("{0} is not the master")]
    NotMaster(Address),
    /// The Sentinel does not know it.
    #[error("the Sentinel at {0} knows no master `{1}`")]
    UnknownMaster(Address, String),
    /// No node of the cluster would do.
    #[error("cannot connect to the cluster")]
    Cluster(#[source] RedisError),
    /// Nobody to ask.
    #[error("no address is configured")]
    Nowhere,
    /// Connecting took too long.
    #[error("no connection within {0} ms")]
    TooSlow(u128),
    /// The other side closed it.
    #[error("the connection was closed")]
    Closed,
    /// Heartbeats did not come back.
    #[error("the server fell silent")]
    Silent,
    /// Heartbeats cannot be sent.
    #[error("the server refuses messages between gateways")]
    Mute(#[source] RedisError),
    /// It takes no writes, so that another must have become the master.
    #[error("the server became read-only")]
    Demoted,
    /// The store was dropped.
    #[error("the store was stopped")]
    Stopped,
}

/// An operation that took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer in time")]
pub(super) struct Slow;

impl From<Arc<Trouble>> for StoreError {
    fn from(trouble: Arc<Trouble>) -> Self {
        Self::Unreachable(Box::new(trouble))
    }
}

/// Whether the request never got an answer because its connection broke: a new connection may do better.
pub(super) fn is_broken(error: &RedisError) -> bool {
    error.is_connection_dropped() && !error.is_timeout()
}

/// Whether it was refused because the server is a replica.
pub(super) fn is_read_only(error: &RedisError) -> bool {
    says(error, ServerErrorKind::ReadOnly.into(), "READONLY")
}

/// Whether the server does not know a script.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// Codes by which a server says that it can be read but not written to.
const UNWRITABLE: [&str; 5] = ["OOM", "MISCONF", "NOREPLICAS", "READONLY", "NOPERM"];

/// What the caller is told.
pub(super) fn told(error: RedisError) -> StoreError {
    if UNWRITABLE.iter().any(|code| error.code() == Some(code) || in_script(&error, code)) {
        return StoreError::Unwritable(Box::new(error));
    }
    if error.code() == Some("WRONGTYPE") || in_script(&error, "WRONGTYPE") {
        return StoreError::Foreign("a key of the gateway's holds another kind of entry");
    }
    StoreError::Unreachable(Box::new(error))
}

fn says(error: &RedisError, kind: ErrorKind, code: &str) -> bool {
    error.kind() == kind || in_script(error, code)
}

/// Before version 7, what a command in a script answers stands inside the script's own error.
fn in_script(error: &RedisError, code: &str) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError)
        && error
            .detail()
            .is_some_and(|text| text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("the protocol");
        value.extract_error().expect_err("an error")
    }

    #[test]
    fn a_server_that_cannot_write_is_not_one_that_cannot_be_reached() {
        for text in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "NOREPLICAS Not enough good replicas to write.",
            "READONLY You can't write against a read only replica.",
            "NOPERM User app has no permissions to run the 'hset' command",
            "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed",
        ] {
            assert!(matches!(told(answer(text)), StoreError::Unwritable(_)), "{text}");
        }
        for text in
            ["LOADING Redis is loading the dataset in memory", "CLUSTERDOWN Hash slot not served", "ERR x"]
        {
            assert!(matches!(told(answer(text)), StoreError::Unreachable(_)), "{text}");
        }
        let wrong = answer("WRONGTYPE Operation against a key holding the wrong kind of value");
        assert!(matches!(told(wrong), StoreError::Foreign(_)));
    }

    #[test]
    fn only_a_replica_is_read_only() {
        assert!(is_read_only(&answer("READONLY You can't write against a read only replica.")));
        assert!(is_read_only(&answer(
            "ERR Error running script: @user_script: 1: -READONLY You can't write"
        )));
        assert!(!is_read_only(&answer("OOM command not allowed")));
        assert!(!is_broken(&answer("READONLY no")));
    }
}
