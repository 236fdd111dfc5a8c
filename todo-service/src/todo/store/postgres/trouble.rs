//! What a failure of PostgreSQL means: whether the connection is gone, whose move it is, in which words to say it. Knows
//! SQLSTATE codes (appendix A of PostgreSQL's manual) and nothing of statements.

use std::io::ErrorKind;

/// Why the database cannot be used for the time being. The text names the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody answers there.
    #[error("cannot be reached; start it, or correct `database`")]
    Unreachable,
    /// It did not prove that it is the server that was meant.
    #[error("does not offer TLS that can be trusted; correct `postgres.ca` or the server's certificate")]
    Tls,
    /// It does not know the role, or not with this password.
    #[error(
        "refuses the login; correct `postgres.user` and `postgres.password`, or the server's pg_hba.conf"
    )]
    Login,
    /// The server is there, the database is not.
    #[error("has no such database; create it, or correct `database`")]
    NoDatabase,
    /// The role may not do what is needed.
    #[error("does not permit it; run `todo-service migrate` as the owner of the tables, or grant the rights")]
    NoRight,
    /// It is starting, stopping or recovering.
    #[error("is starting or stopping; wait for it")]
    Starting,
    /// It has no connection left.
    #[error("has no connection left; lower `postgres.max_connections`, or raise the server's")]
    Full,
    /// Anything else.
    #[error("does not work as it should")]
    Other,
}

impl Trouble {
    /// What an error while connecting or preparing means.
    pub(super) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Tls(_) => Self::Tls,
            // What rustls finds wrong during the handshake comes in this disguise.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Self::Tls,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Unreachable,
            sqlx::Error::Database(_) => match code(error).as_deref().unwrap_or_default() {
                "28P01" | "28000" => Self::Login,
                "3D000" => Self::NoDatabase,
                "42501" => Self::NoRight,
                "53300" => Self::Full,
                "57P01" | "57P02" | "57P03" => Self::Starting,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// Whether the connection is of no use any more, and what was asked over it may or may not have been done.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        // Ended by an operator, by a crash, or demoted to a copy that only reads.
        sqlx::Error::Database(_) => code(error).is_some_and(|code| {
            matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "25006") || code.starts_with("08")
        }),
        _ => false,
    }
}

/// Whether the server gave up because a time limit was over. Then nothing was done.
pub(super) fn is_slow(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(&*code, "57014" | "55P03"))
}

pub(super) fn has_code(error: &sqlx::Error, wanted: &str) -> bool {
    code(error).is_some_and(|code| code == wanted)
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}
