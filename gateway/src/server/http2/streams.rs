//! The requests of one connection as tasks of its worker: how many there are, which of them stand still because their
//! client takes nothing, and how many were taken back. Never leaves its thread.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// How many more requests a client may take back than it lets be answered. Each was begun, and perhaps sent upstream, for
/// nothing; people who leave a page take back a few dozen.
const MAX_TAKEN_BACK: u32 = 200;
/// How many are forgiven each time a connection is looked at.
const FORGIVEN: u32 = 10;

/// All streams of one connection.
pub(super) struct Streams {
    stalled: Duration,
    open: Cell<usize>,
    taken_back: Cell<u32>,
    /// The stream that was begun last; its task is started right after.
    begun: Cell<Option<Rc<Stream>>>,
}

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Whether bytes are waiting for the client to take them, not for anybody else.
    pub(super) is_writing: Cell<bool>,
    /// How many pieces were handed out.
    pub(super) pieces: Cell<u64>,
    /// Whether the last was.
    pub(super) is_whole: Cell<bool>,
}

impl Streams {
    /// None yet. One that can write nothing for that long is given up.
    pub(super) fn new(stalled: Duration) -> Self {
        Self { stalled, open: Cell::new(0), taken_back: Cell::new(0), begun: Cell::new(None) }
    }

    /// A request came; [`Executor`] gets its task next.
    pub(super) fn begin(&self) -> Rc<Stream> {
        let stream = Rc::new(Stream::default());
        self.begun.set(Some(Rc::clone(&stream)));
        stream
    }

    /// How many are being answered.
    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// Whether the client took back more requests than any honest one does.
    pub(super) fn are_abused(&self) -> bool {
        self.taken_back.get() > MAX_TAKEN_BACK
    }

    /// Time has passed.
    pub(super) fn forgive(&self) {
        self.taken_back.set(self.taken_back.get().saturating_sub(FORGIVEN));
    }

    fn ended(&self, is_whole: bool) {
        self.open.set(self.open.get() - 1);
        let taken_back = self.taken_back.get();
        self.taken_back.set(if is_whole { taken_back.saturating_sub(1) } else { taken_back + 1 });
    }

    async fn run(self: Rc<Self>, work: impl Future<Output = ()>, stream: Rc<Stream>) {
        let mut work = pin!(work);
        let mut patience = Patience { span: self.stalled, pieces: 0, sleep: None };
        poll_fn(|cx| {
            if work.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            patience.poll(&stream, cx)
        })
        .await;
        self.ended(stream.is_whole.get());
    }
}

/// Waits for a client to take what was handed out. Most streams never wait, and need no timer.
struct Patience {
    span: Duration,
    pieces: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn poll(&mut self, stream: &Stream, cx: &mut Context<'_>) -> Poll<()> {
        if !stream.is_writing.get() {
            self.sleep = None;
            return Poll::Pending;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.span)));
        if self.pieces != stream.pieces.get() {
            self.pieces = stream.pieces.get();
            sleep.as_mut().reset(Instant::now() + self.span);
        }
        sleep.as_mut().poll(cx)
    }
}

/// Starts the tasks of streams where their connection is.
#[derive(Clone)]
pub(super) struct Executor(pub(super) Rc<Streams>);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, work: F) {
        match self.0.begun.take() {
            Some(stream) => {
                self.0.open.set(self.0.open.get() + 1);
                drop(tokio::task::spawn_local(Rc::clone(&self.0).run(work, stream)));
            }
            None => drop(tokio::task::spawn_local(work)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    fn writing(streams: &Rc<Streams>) -> Rc<Stream> {
        let stream = streams.begin();
        hyper::rt::Executor::execute(&Executor(Rc::clone(streams)), pending());
        stream.is_writing.set(true);
        stream
    }

    async fn here<T>(work: impl Future<Output = T>) -> T {
        tokio::task::LocalSet::new().run_until(work).await
    }

    #[tokio::test]
    async fn a_stream_whose_client_takes_nothing_is_given_up_and_one_that_waits_for_its_upstream_is_not() {
        here(async {
            let streams = Rc::new(Streams::new(Duration::from_millis(20)));
            let (_, second) = (writing(&streams), writing(&streams));
            second.is_writing.set(false);
            assert_eq!(streams.open(), 2);
            while streams.open() == 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(streams.open(), 1);
        })
        .await;
    }

    #[test]
    fn who_takes_back_more_than_is_answered_is_noticed() {
        let streams = Streams::new(Duration::ZERO);
        let end = |is_whole| {
            streams.open.set(1);
            streams.ended(is_whole);
        };
        for _ in 0..1_000 {
            end(false);
            end(true);
        }
        assert!(!streams.are_abused());
        for _ in 0..=MAX_TAKEN_BACK {
            end(false);
        }
        assert!(streams.are_abused());
        streams.forgive();
        assert!(!streams.are_abused());
    }
}
