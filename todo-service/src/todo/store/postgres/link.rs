//! Whether the database can be used, as everybody may ask at no cost, and the one task that finds out. It looks only
//! when somebody had trouble, and then until there is none: so the log has one line for each turn, requests in between
//! fail at once, and it heals by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::{Notify, oneshot, watch};

use super::connector::Connector;
use super::schema::{self, Standing};
use crate::todo::store::OpenError;

/// Between two attempts while the database is away.
const PAUSE: Duration = Duration::from_millis(500);
/// At least between two looks while it is there, however many suspect it.
const CALM: Duration = Duration::from_millis(100);
/// A connection that was idle for longer is asked for a sign of life: something in between may have forgotten it.
const LONG_IDLE: Duration = Duration::from_secs(30);
/// For that sign of life.
const PING_PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Link {
    /// Why the database cannot be used, in a few words that may be shown to anybody; nothing while it can.
    trouble: watch::Sender<Option<&'static str>>,
    suspicion: Notify,
    began: Instant,
    /// When a connection was last found broken, in milliseconds since `began`. Those not used since are suspects too.
    broke: AtomicU64,
    /// How many connections had to give a sign of life.
    #[cfg(test)]
    doubted: AtomicU64,
}

impl Link {
    pub(super) fn new() -> Arc<Self> {
        let (trouble, _) = watch::channel(Some("the database has not been reached yet"));
        Arc::new(Self {
            trouble,
            suspicion: Notify::new(),
            began: Instant::now(),
            broke: AtomicU64::new(0),
            #[cfg(test)]
            doubted: AtomicU64::new(0),
        })
    }

    pub(super) fn trouble(&self) -> Option<&'static str> {
        *self.trouble.borrow()
    }

    /// Returns when there is trouble.
    pub(super) async fn fallen(&self) {
        let mut trouble = self.trouble.subscribe();
        // The sender is `self`: it cannot be gone.
        let _ = trouble.wait_for(Option::is_some).await;
    }

    /// A connection could not be had: somebody should look.
    pub(super) fn suspect(&self) {
        self.suspicion.notify_one();
    }

    /// A connection broke in use.
    pub(super) fn broke(&self) {
        self.broke.store(self.millis(), Ordering::Relaxed);
        self.suspect();
    }

    /// Whether a connection out of the pool can be used. Asks it only when there is a reason to doubt.
    pub(super) async fn is_sound(
        &self,
        connection: &mut PgConnection,
        metadata: PoolConnectionMetadata,
    ) -> bool {
        let idle = u64::try_from(metadata.idle_for.as_millis()).unwrap_or(u64::MAX);
        let last_used = self.millis().saturating_sub(idle);
        let broke = self.broke.load(Ordering::Relaxed);
        if metadata.idle_for < LONG_IDLE && (broke == 0 || last_used > broke) {
            return true;
        }
        #[cfg(test)]
        self.doubted.fetch_add(1, Ordering::Relaxed);
        matches!(tokio::time::timeout(PING_PATIENCE, connection.ping()).await, Ok(Ok(())))
    }

    #[cfg(test)]
    pub(super) fn doubted(&self) -> u64 {
        self.doubted.load(Ordering::Relaxed)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn rise(&self, connector: &Connector) {
        let before = self.trouble.send_replace(None);
        if before.is_some() {
            tracing::info!(target: "store", database = %connector.address, "the database can be used");
        }
    }

    /// `said` is what the log says already.
    fn fall(&self, error: &OpenError, said: &mut String) {
        self.trouble.send_replace(Some(error.in_public()));
        let line = crate::describe(error);
        if *said != line {
            tracing::error!(target: "store", "{line}; requests get 503 until then");
            *said = line;
        }
    }
}

/// Looks after the link until it is aborted. Tells the first outcome: an error only if waiting cannot help.
pub(super) async fn keep(
    connector: Arc<Connector>,
    pool: PgPool,
    link: Arc<Link>,
    first: oneshot::Sender<Result<(), OpenError>>,
) {
    let (mut first, mut said) = (Some(first), String::new());
    loop {
        let prepared = prepare(&connector, &pool).await;
        match &prepared {
            Ok(()) => {
                link.rise(&connector);
                said.clear();
            }
            Err(error) if first.is_none() || error.may_pass() => link.fall(error, &mut said),
            Err(_) => {}
        }
        let is_ready = prepared.is_ok();
        if let Some(first) = first.take() {
            // If nobody waits for it any more, the outcome is in `link`.
            let _ = first.send(prepared.or_else(|error| if error.may_pass() { Ok(()) } else { Err(error) }));
        }
        tokio::time::sleep(if is_ready { CALM } else { PAUSE }).await;
        if is_ready {
            link.suspicion.notified().await;
        }
    }
}

/// Reads the secrets anew, and sees whether the database is there and its tables are as they should be.
async fn prepare(connector: &Connector, pool: &PgPool) -> Result<(), OpenError> {
    let options = connector.for_requests()?;
    let mut connection = connector.connect(&options).await?;
    let mut standing = schema::look(connector, &mut connection).await?;
    if let Standing::Behind(_) = standing
        && connector.settings.migrate
    {
        schema::migrate(connector).await?;
        standing = schema::look(connector, &mut connection).await?;
    }
    let _ = connection.close().await;
    match standing {
        Standing::Current => {
            pool.set_connect_options(options);
            Ok(())
        }
        Standing::Behind(missing) => {
            Err(OpenError::NotMigrated { place: connector.address.to_string(), missing })
        }
    }
}
