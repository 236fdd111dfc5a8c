//! The contract, kept against real servers.

mod access;
mod cluster;
mod listing;
mod news;
mod outage;
mod sentinel;
mod sessions;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::super::backend::{IndexKey, News, StoreError, Stored};
use super::settings::Settings;
use super::testing::Server;
use super::{Redis, SetupError};
use crate::clock::Timestamp;
use crate::entropy;
use crate::session::SessionKey;

/// How long anything may take; far more than it does.
const PATIENCE: Duration = Duration::from_secs(20);

/// One gateway's view of a Redis, and what it was told unasked.
struct Gateway {
    redis: Redis,
    heard: Arc<Mutex<Vec<News>>>,
}

impl Gateway {
    fn try_start(settings: Settings) -> Result<Self, SetupError> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = {
            let heard = Arc::clone(&heard);
            Arc::new(move |news| heard.lock().unwrap_or_else(PoisonError::into_inner).push(news))
        };
        let redis = Redis::start(settings, &Handle::current(), listener)?;
        Ok(Self { redis, heard })
    }

    fn start(settings: Settings) -> Self {
        Self::try_start(settings).expect("the settings are good")
    }

    /// Once it misses no news.
    async fn live(settings: Settings) -> Self {
        let gateway = Self::start(settings);
        gateway.hears(News::Live).await;
        assert!(gateway.redis.is_live());
        gateway
    }

    async fn at(server: &Server) -> Self {
        Self::live(single(server)).await
    }

    fn heard(&self) -> Vec<News> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn hears(&self, news: News) {
        eventually(&format!("{news:?}"), async || self.heard().contains(&news)).await;
    }
}

fn single(server: &Server) -> Settings {
    Settings::single(&server.url()).expect("an address")
}

/// Waits for something that happens by itself.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// What `future` gives, which it must do within a second; a busy machine may add half of one.
async fn within_a_second<T>(future: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let value = future.await;
    assert!(begun.elapsed() < Duration::from_millis(1_500), "took {:?}", begun.elapsed());
    value
}

fn new_key() -> SessionKey {
    SessionKey::from_bytes(entropy::bytes())
}

fn new_index() -> IndexKey {
    IndexKey(entropy::bytes())
}

/// A session of somebody new that began at 1000, is over after 60 idle seconds and at 2000.
fn session() -> Stored {
    Stored {
        version: 1,
        body: entropy::bytes::<40>().to_vec(),
        summary: entropy::bytes::<20>().to_vec(),
        last_used: Timestamp(1_000),
        idle: Duration::from_secs(60),
        absolute_end: Timestamp(2_000),
        subject: new_index(),
        provider_session: Some(new_index()),
    }
}

/// What follows it.
fn next(stored: &Stored) -> Stored {
    Stored { version: stored.version + 1, body: entropy::bytes::<50>().to_vec(), ..stored.clone() }
}

async fn created(redis: &Redis, stored: &Stored) -> SessionKey {
    let key = new_key();
    redis.create(key, stored).await.expect("it can be written");
    key
}

async fn load(redis: &Redis, key: SessionKey) -> Option<Stored> {
    redis.load(key).await.expect("it can be read")
}

fn is_unreachable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unreachable(_)))
}
