//! Makes connections: address, login, TLS and the limits that each connection carries. Knows nothing of tables.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::address::Address;
use super::settings::{PostgresLogin, PostgresSettings};
use super::trouble::Trouble;
use crate::secret::SecretError;
use crate::todo::store::OpenError;

/// How long it may take until a connection can be used.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Connector {
    pub(super) address: Address,
    pub(super) settings: PostgresSettings,
}

impl Connector {
    pub(super) fn new(database: &str, settings: &PostgresSettings) -> Result<Self, OpenError> {
        let address = Address::parse(database)
            .map_err(|why| OpenError::Address { database: database.to_owned(), why: why.to_owned() })?;
        if let Some((key, why)) = settings.problems(&address).first() {
            return Err(OpenError::Setting { key, why });
        }
        Ok(Self { address, settings: settings.clone() })
    }

    pub(super) fn user(&self) -> &str {
        self.settings.login.as_ref().map(|login| login.user.as_str()).unwrap_or_default()
    }

    /// For requests: with every limit, so that no statement of ours outlives the patience of whoever asked.
    pub(super) fn for_requests(&self) -> Result<PgConnectOptions, OpenError> {
        let millis = |limit: Duration| limit.as_millis().to_string();
        let settings = &self.settings;
        let options = self.options("postgres.password", settings.login.as_ref())?.options([
            ("statement_timeout", millis(settings.statement_timeout)),
            ("lock_timeout", millis(settings.lock_timeout)),
            ("idle_in_transaction_session_timeout", millis(settings.idle_in_transaction_timeout)),
        ]);
        Ok(options.application_name(&settings.application_name))
    }

    /// For whoever owns the tables: without limits, because changing a large table takes its time and others wait their
    /// turn.
    pub(super) fn for_migrations(&self) -> Result<PgConnectOptions, OpenError> {
        let settings = &self.settings;
        let options = match &settings.owner {
            Some(owner) => self.options("postgres.owner.password", Some(owner))?,
            None => self.options("postgres.password", settings.login.as_ref())?,
        };
        Ok(options.application_name(&format!("{} migrate", settings.application_name)))
    }

    /// Opens one connection.
    pub(super) async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
        let connected = tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await;
        connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|source| self.away(source))
    }

    /// The error of a database that cannot be used just now.
    pub(super) fn away(&self, source: sqlx::Error) -> OpenError {
        OpenError::Away { place: self.address.to_string(), trouble: Trouble::of(&source), source }
    }

    fn options(
        &self,
        key: &'static str,
        login: Option<&PostgresLogin>,
    ) -> Result<PgConnectOptions, OpenError> {
        let address = &self.address;
        // Whatever the environment says (PGHOST, PGUSER, …) is replaced by what the configuration says.
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&address.host)
            .port(address.port)
            .database(&address.database)
            // What was asked is logged by us, in our words; its text would only be noise.
            .disable_statement_logging();
        if let Some(login) = login {
            let secret = |source: SecretError| OpenError::Secret { key, source };
            let password = login.password.as_ref().map(|source| source.read().map_err(secret)).transpose()?;
            options = options
                .username(&login.user)
                .password(password.as_ref().map(crate::secret::Secret::expose).unwrap_or_default());
        }
        if !self.settings.wants_tls(address) {
            return Ok(options.ssl_mode(PgSslMode::Disable));
        }
        options = options.ssl_mode(PgSslMode::VerifyFull);
        match &self.settings.ca {
            Some(path) => Ok(options.ssl_root_cert_from_pem(read_ca(path)?)),
            None => Ok(options),
        }
    }
}

/// Read here, so that a missing file is told apart from a server that is not trusted.
fn read_ca(path: &PathBuf) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|source| OpenError::Secret {
        key: "postgres.ca",
        source: SecretError::File { path: path.clone(), source },
    })
}
