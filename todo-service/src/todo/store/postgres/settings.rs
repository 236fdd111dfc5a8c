//! How PostgreSQL is used: who logs in, how much of it is taken, how long anything may last. Knows nothing of the file
//! that says so.

use std::path::PathBuf;
use std::time::Duration;

use super::address::Address;
use crate::secret::SecretSource;

/// The settings beside the database's address. Fields are public so that a program may adjust them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Who reads and writes items. Needs SELECT, INSERT, UPDATE and DELETE on the table, and no more.
    pub login: Option<PostgresLogin>,
    /// Who owns the tables and migrates them. Without it, `login` does.
    pub owner: Option<PostgresLogin>,
    /// Whether the tables are brought up to date at the start; otherwise they are only checked.
    pub migrate: bool,
    /// Whether the connection is encrypted to a server that proves its name. `None`: unless the server is this machine.
    pub tls: Option<bool>,
    /// Whose certificates are believed beside those of the public authorities: a PEM file.
    pub ca: Option<PathBuf>,
    /// Connections at one time.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for somebody else's lock.
    pub lock_timeout: Duration,
    /// How long a transaction may stand still.
    pub idle_in_transaction_timeout: Duration,
    /// How the server's own lists call this service.
    pub application_name: String,
}

/// A role and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresLogin {
    /// The role.
    pub user: String,
    /// Its password; none where the server knows it otherwise (`peer`).
    pub password: Option<SecretSource>,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            login: None,
            owner: None,
            migrate: true,
            tls: None,
            ca: None,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(3),
            idle_in_transaction_timeout: Duration::from_secs(10),
            application_name: "todo-service".to_owned(),
        }
    }
}

impl PostgresSettings {
    /// Whether the server must speak TLS.
    pub(super) fn wants_tls(&self, address: &Address) -> bool {
        self.tls.unwrap_or(!address.is_local())
    }

    /// Everything that is wrong: which key of `[postgres]`, and what to do.
    pub(crate) fn problems(&self, address: &Address) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        if self.login.as_ref().is_none_or(|login| login.user.is_empty()) {
            problems.push(("user", "is missing: name the role that may read and write the items"));
        }
        if self.owner.as_ref().is_some_and(|owner| owner.user.is_empty()) {
            problems.push(("owner", "needs a user: the role that owns the tables"));
        }
        if self.ca.is_some() && !self.wants_tls(address) {
            problems.push(("ca", "has no use without TLS; add tls = \"verify-full\", or remove it"));
        }
        if self.wants_tls(address) && address.host.starts_with('/') {
            problems.push(("tls", "cannot be had over a Unix socket; remove it"));
        }
        if !(1..=1000).contains(&self.max_connections) {
            problems.push(("max_connections", "must be 1 to 1000"));
        }
        let minute = Duration::from_secs(60);
        for (key, value) in [
            ("acquire_timeout", self.acquire_timeout),
            ("statement_timeout", self.statement_timeout),
            ("lock_timeout", self.lock_timeout),
            ("idle_in_transaction_timeout", self.idle_in_transaction_timeout),
        ] {
            if value.is_zero() || value > minute {
                problems.push((key, "must be 1 to 60 (seconds)"));
            }
        }
        problems
    }
}
