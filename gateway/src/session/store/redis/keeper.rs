//! Keeps the connection and knows whether news can be missed. One task that connects for ever, writes heartbeats on the
//! channel and waits to hear them: whoever hears its own has heard everything that was told before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, pending};
use redis::{Msg, RedisResult, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::stop::causes;

use super::super::backend::{Listener, News};
use super::calls::State;
use super::failure::Trouble;
use super::link::{Connected, Connector, Link};
use super::news::{Message, Origin};
use super::scripts::Ask;

/// How often a gateway wants to hear itself.
const BEAT: Duration = Duration::from_millis(250);
/// News may be missed once the last heartbeat that came back is this old.
const STALE: Duration = Duration::from_millis(800);
/// Nothing in memory is trusted once it is this old, even if the keeper had no time to notice.
const UNTRUSTED: Duration = Duration::from_secs(1);
/// A connection on which it is this old is given up. Later than STALE: a machine that stood still for a moment recovers
/// by itself.
const HOPELESS: Duration = Duration::from_millis(1_200);
/// Heartbeats that may still come back; more than ever do.
const REMEMBERED: usize = 16;
/// Between tries to connect: short at first, then up to half a second.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// A connection younger than this is not given up for being read-only, or a replica would be tried in a tight circle.
const TRIED: Duration = Duration::from_millis(500);

/// When the last heartbeat that came back was sent. Read by every request that trusts what is in memory.
pub(super) struct Pulse {
    start: Instant,
    /// Milliseconds since the start; zero while news may be missed.
    heard: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), heard: AtomicU64::new(0) }
    }

    /// Whether no news is missed.
    pub(super) fn is_live(&self) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        heard != 0 && self.start.elapsed().saturating_sub(Duration::from_millis(heard)) < UNTRUSTED
    }

    fn beat(&self, sent: Instant) {
        let heard = sent.saturating_duration_since(self.start).as_millis();
        self.heard.store(u64::try_from(heard).unwrap_or(u64::MAX).max(1), Ordering::Release);
    }

    fn stop(&self) {
        self.heard.store(0, Ordering::Release);
    }
}

/// The task's own.
pub(super) struct Keeper {
    pub(super) connector: Connector,
    pub(super) origin: Origin,
    pub(super) listener: Listener,
    pub(super) pulse: Arc<Pulse>,
    pub(super) state: watch::Sender<State>,
    pub(super) suspects: mpsc::Receiver<u64>,
    /// Since when there is no connection on which news is heard.
    pub(super) outage: Option<Instant>,
}

impl Keeper {
    /// Until the task is stopped.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        for number in 0_u64.. {
            let trouble = match self.connector.connect(usize::try_from(number).unwrap_or(0)).await {
                Ok(connected) => {
                    let (trouble, was_live) = self.keep(connected, number).await;
                    if was_live {
                        pause = FIRST_PAUSE;
                    }
                    trouble
                }
                Err(trouble) => trouble,
            };
            self.down(trouble);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Uses the connection until it is good for nothing. Says whether it ever was good.
    async fn keep(&mut self, connected: Connected, number: u64) -> (Trouble, bool) {
        let Connected { link, mut news, mut driver, place } = connected;
        let began = Instant::now();
        let mut heart = Heart::new(self.origin, number, began);
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beating: Option<BoxFuture<'static, RedisResult<Value>>> = None;
        let mut was_live = false;
        self.state.send_replace(State::Up(link.clone(), number));
        let trouble = loop {
            let limit = heart.heard + if heart.is_live { STALE } else { HOPELESS };
            tokio::select! {
                _ = ticks.tick() => if beating.is_none() {
                    beating = Some(tell(link.clone(), heart.beat()));
                },
                told = finished(&mut beating) => {
                    beating = None;
                    match told {
                        // One that is late counts by when it comes back, if ever.
                        Err(error) if !error.is_timeout() => break Trouble::Mute(error),
                        _ => {}
                    }
                }
                message = news.next() => match message {
                    Some(message) => self.hear(&message, &mut heart),
                    None => break Trouble::Closed,
                },
                () = sleep_until(limit) => {
                    if !heart.is_live {
                        break Trouble::Silent;
                    }
                    self.lost(&mut heart);
                }
                Some(suspect) = self.suspects.recv() => {
                    if suspect == number && began.elapsed() >= TRIED {
                        break Trouble::Demoted;
                    }
                }
                () = driver.ended() => break Trouble::Closed,
            }
            if heart.is_live && !was_live {
                was_live = true;
                self.outage = None;
                tracing::info!(
                    target: "gateway::session",
                    event = "session_store_reached",
                    server = %place,
                    "sessions are kept in Redis",
                );
            }
        };
        if heart.is_live {
            self.lost(&mut heart);
        }
        (trouble, was_live)
    }

    fn hear(&self, message: &Msg, heart: &mut Heart) {
        match Message::decode(message.get_payload_bytes()) {
            Some(Message::Beat(origin, number)) if origin == self.origin => {
                let Some(sent) = heart.came_back(number) else { return };
                if sent.elapsed() >= STALE {
                    return;
                }
                self.pulse.beat(sent);
                if !heart.is_live {
                    heart.is_live = true;
                    (self.listener)(News::Live);
                }
            }
            Some(Message::Ended(origin, keys)) if origin != self.origin => {
                for key in keys {
                    (self.listener)(News::Ended(key));
                }
            }
            Some(Message::Changed(origin, key)) if origin != self.origin => {
                (self.listener)(News::Changed(key));
            }
            Some(_) => {}
            None => tracing::debug!(
                target: "gateway::session",
                event = "session_news_not_understood",
                "somebody else writes on the gateways' channel",
            ),
        }
    }

    fn lost(&self, heart: &mut Heart) {
        heart.is_live = false;
        self.pulse.stop();
        (self.listener)(News::Lost);
    }

    /// The first failure of an outage says how old it is; it alone is worth a line in the log.
    fn down(&mut self, trouble: Trouble) {
        let since = *self.outage.get_or_insert_with(|| {
            tracing::warn!(
                target: "gateway::session",
                event = "session_store_unreachable",
                error = %causes(&trouble),
                "the sessions in Redis cannot be reached; trying until they can",
            );
            Instant::now()
        });
        self.state.send_replace(State::Down(since, Arc::new(trouble)));
    }
}

/// The heartbeats of one connection.
struct Heart {
    origin: Origin,
    sent: VecDeque<(u64, Instant)>,
    next: u64,
    /// When the last one that came back was sent; at first, the connection's beginning.
    heard: Instant,
    is_live: bool,
}

impl Heart {
    /// No two connections use the same numbers: what was sent on an earlier one proves nothing about this.
    fn new(origin: Origin, connection: u64, began: Instant) -> Self {
        Self { origin, sent: VecDeque::new(), next: connection << 32, heard: began, is_live: false }
    }

    fn beat(&mut self) -> Message {
        let number = self.next;
        self.next += 1;
        self.sent.push_back((number, Instant::now()));
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
        Message::Beat(self.origin, number)
    }

    /// When it was sent, if it was on this connection.
    fn came_back(&mut self, number: u64) -> Option<Instant> {
        let (_, sent) = *self.sent.iter().find(|(sent, _)| *sent == number)?;
        self.sent.retain(|(older, _)| *older > number);
        self.heard = self.heard.max(sent);
        Some(sent)
    }
}

async fn finished(beating: &mut Option<BoxFuture<'static, RedisResult<Value>>>) -> RedisResult<Value> {
    match beating {
        Some(beating) => beating.await,
        None => pending().await,
    }
}

fn tell(link: Link, message: Message) -> BoxFuture<'static, RedisResult<Value>> {
    async move { link.ask(&Ask::Tell(message.encode())).await }.boxed()
}
