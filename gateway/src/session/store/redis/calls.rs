//! Asking Redis with a limit: while there is no connection for long, the answer is no at once; while there is none for a
//! moment, questions wait for it; and no question takes longer than a person waits for a page.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::{RedisError, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::super::backend::StoreError;
use super::failure::{Slow, Trouble, is_broken, is_read_only, told};
use super::link::Link;
use super::scripts::Ask;

/// No question takes longer, reconnecting included.
const LIMIT: Duration = Duration::from_millis(900);
/// For so long after a connection broke, questions wait for the next one.
const PATIENCE: Duration = Duration::from_millis(500);
/// Questions asked at once; the limit holds for each such bundle.
const BUNDLE: usize = 256;

/// Whether there is a connection.
pub(super) enum State {
    /// Yes; each has a number of its own.
    Up(Link, u64),
    /// Not since then, and why.
    Down(Instant, Arc<Trouble>),
}

/// Whoever keeps the connection, seen by those who use it.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) state: watch::Receiver<State>,
    /// Numbers of connections that no longer lead to the master.
    pub(super) suspects: mpsc::Sender<u64>,
}

/// What came back.
pub(super) struct Answers {
    /// One for each question, in order.
    pub(super) values: Vec<Value>,
    /// Some were asked twice because a connection broke, so that the first time may have counted, too.
    pub(super) repeated: bool,
}

/// Whether a question may be asked again after its connection broke, when nobody knows whether it was heard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Yes,
    No,
}

impl Calls {
    /// The answer to one question.
    pub(super) async fn one(&self, ask: Ask) -> Result<Value, StoreError> {
        let answers = self.all(vec![ask], Repeat::Yes).await?;
        Ok(answers.values.into_iter().next().unwrap_or(Value::Nil))
    }

    /// The answers to many questions, asked at once. Without an order: what must come first is asked first.
    pub(super) async fn all(&self, asks: Vec<Ask>, repeat: Repeat) -> Result<Answers, StoreError> {
        let mut answers = Answers { values: Vec::with_capacity(asks.len()), repeated: false };
        for bundle in asks.chunks(BUNDLE) {
            let repeated = self.bundle(bundle, repeat, &mut answers.values).await?;
            answers.repeated |= repeated;
        }
        Ok(answers)
    }

    async fn bundle(
        &self,
        asks: &[Ask],
        repeat: Repeat,
        values: &mut Vec<Value>,
    ) -> Result<bool, StoreError> {
        let deadline = Instant::now() + LIMIT;
        let (mut link, mut number) = self.connection(None, deadline).await?;
        let mut repeated = false;
        loop {
            let error = match timeout_at(deadline, ask_all(&link, asks)).await {
                Ok(Ok(answers)) => {
                    values.extend(answers);
                    return Ok(repeated);
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(StoreError::Unreachable(Box::new(Slow))),
            };
            let refused = is_read_only(&error);
            if refused {
                // A full queue already holds the same news.
                let _ = self.suspects.try_send(number);
            }
            let again = refused || (repeat == Repeat::Yes && is_broken(&error));
            if !again {
                return Err(told(error));
            }
            repeated |= !refused;
            match self.connection(Some(number), deadline).await {
                Ok(next) => (link, number) = next,
                Err(_) => return Err(told(error)),
            }
        }
    }

    /// The connection, or the next one after `not`.
    async fn connection(&self, not: Option<u64>, deadline: Instant) -> Result<(Link, u64), StoreError> {
        let mut state = self.state.clone();
        loop {
            let (until, why) = match &*state.borrow_and_update() {
                State::Up(link, number) if not != Some(*number) => return Ok((link.clone(), *number)),
                State::Up(..) => (deadline, Arc::new(Trouble::Demoted)),
                State::Down(since, why) => (deadline.min(*since + PATIENCE), Arc::clone(why)),
            };
            match timeout_at(until, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Arc::new(Trouble::Stopped).into()),
                Err(_) => return Err(why.into()),
            }
        }
    }
}

async fn ask_all(link: &Link, asks: &[Ask]) -> Result<Vec<Value>, RedisError> {
    match asks {
        [ask] => Ok(vec![link.ask(ask).await?]),
        _ => try_join_all(asks.iter().map(|ask| link.ask(ask))).await,
    }
}
