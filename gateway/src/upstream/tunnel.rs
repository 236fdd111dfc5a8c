//! A connection that has become a tunnel: bytes both ways, as they come, until a side is done or the session behind it
//! ends. It reads no frames; what is said inside is between client and upstream.

mod pump;

use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{self, Either};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::body::{BrokenOff, Progress};
use crate::clock::Timestamp;
use crate::session::Session;

use super::deadline::Deadlines;
use super::http1::Upgraded;
use super::limits::Rest;
use super::vigil::Vigil;
use pump::Pump;

/// How long a side may go on after the other has said its last.
const LINGER: Duration = Duration::from_secs(10);
/// How often bytes of the client count as a use of its session, at most.
const USE_EVERY: Duration = Duration::from_secs(5);

/// What a tunnel needs of its worker.
pub(super) struct Surroundings {
    pub(super) deadlines: Rc<Deadlines>,
    pub(super) vigil: Rc<Vigil>,
    /// Time-outs, where the route has some for what stays open.
    pub(super) rest: Option<Rest>,
}

/// Does the tunnel's work. Dropped or done, both connections are closed.
pub(super) async fn run(
    client: OnUpgrade,
    upstream: Upgraded,
    session: Option<Arc<Session>>,
    around: Surroundings,
) {
    // A side that is gone already needs no tunnel.
    let Ok(client) = client.await else {
        return;
    };
    let client = TokioIo::new(client);
    let passed = Progress::default();
    let mut uses = session.clone().map(|session| {
        let next = around.vigil.now();
        Uses { session, vigil: Rc::clone(&around.vigil), next }
    });
    let note_up = |bytes: &[u8]| {
        passed.note();
        if let Some(uses) = &mut uses {
            uses.note(bytes);
        }
    };
    let copying = pin!(copy(client, upstream, note_up, |_| passed.note(), &around.deadlines));
    let end = pin!(end_of(session, &around, || passed.count()));
    if let Either::Right((why, _)) = future::select(copying, end).await {
        tracing::debug!(target: "gateway", cause = %why, "a WebSocket was closed");
    }
}

/// Waits for what ends a tunnel that both sides would keep open.
async fn end_of(session: Option<Arc<Session>>, around: &Surroundings, passed: impl Fn() -> u64) -> BrokenOff {
    let session_over = pin!(async {
        match session {
            Some(session) => around.vigil.end_of(session).await,
            None => pending().await,
        }
    });
    let time_over = pin!(async {
        match around.rest {
            Some(rest) => rest.over(Rc::clone(&around.deadlines), passed).await,
            None => pending().await,
        }
    });
    match future::select(session_over, time_over).await {
        Either::Left(_) => BrokenOff::SessionOver,
        Either::Right((why, _)) => why,
    }
}

/// Copies both ways until both sides are done, one is broken, or one is done for [`LINGER`].
async fn copy(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut upstream: impl AsyncRead + AsyncWrite + Unpin,
    mut note_up: impl FnMut(&[u8]),
    mut note_down: impl FnMut(&[u8]),
    deadlines: &Rc<Deadlines>,
) {
    let (mut up, mut down) = (Pump::default(), Pump::default());
    // For each direction, whether its end was passed on; an error when one is broken.
    let mut flow = |cx: &mut Context<'_>| -> io::Result<(bool, bool)> {
        let up = up.poll(cx, &mut client, &mut upstream, &mut note_up)?;
        let down = down.poll(cx, &mut upstream, &mut client, &mut note_down)?;
        Ok((up.is_ready(), down.is_ready()))
    };
    let first = poll_fn(|cx| match flow(cx) {
        Ok((false, false)) => Poll::Pending,
        done => Poll::Ready(done),
    });
    if !matches!(first.await, Ok((up, down)) if up != down) {
        return;
    }
    let second = poll_fn(|cx| match flow(cx) {
        Ok((up, down)) if up != down => Poll::Pending,
        _ => Poll::Ready(()),
    });
    // How the rest ends, nobody waits for.
    let _ = deadlines.within(LINGER, second).await;
}

/// A client that sends keeps its session in use.
struct Uses {
    session: Arc<Session>,
    vigil: Rc<Vigil>,
    next: Timestamp,
}

impl Uses {
    fn note(&mut self, bytes: &[u8]) {
        if is_pong(bytes) {
            return;
        }
        let now = self.vigil.now();
        // What is over stays over.
        if now >= self.next && self.session.is_live(now) {
            self.vigil.note_use(&self.session, now);
            self.next = now.plus(USE_EVERY);
        }
    }
}

/// Whether the bytes are one masked pong (RFC 6455, section 5.5.3) and nothing else. Browsers answer an upstream's pings
/// by themselves, also when nobody has been there for hours. A guess: the bytes may begin inside a frame. Where it is
/// wrong a use counts that was none, or the next one counts.
fn is_pong(bytes: &[u8]) -> bool {
    matches!(bytes, [0x8a, length, ..] if *length >= 0x80 && bytes.len() == 6 + usize::from(length & 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::session::store::Store;
    use crate::session::store::tests::settings;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn a_pong_is_told_from_what_a_person_sends() {
        assert!(is_pong(&[0x8a, 0x80, 1, 2, 3, 4]));
        assert!(is_pong(&[0x8a, 0x82, 1, 2, 3, 4, 5, 6]));
        for other in [
            &[][..],
            &[0x8a],
            &[0x81, 0x80, 1, 2, 3, 4],
            &[0x8a, 0x00],
            &[0x8a, 0x80, 1, 2, 3, 4, 0x81, 0x80, 1, 2, 3, 4],
        ] {
            assert!(!is_pong(other), "{other:?}");
        }
    }

    #[tokio::test]
    async fn what_a_client_sends_keeps_its_session_in_use_but_revives_none() {
        let offset = Arc::new(AtomicI64::new(0));
        let clock = Clock::shifted(Arc::clone(&offset));
        let vigil = Rc::new(Vigil::new(clock, Arc::new(Store::in_memory(settings()))));
        let session = vigil.begin().await;
        let mut uses = Uses { session: Arc::clone(&session), vigil: Rc::clone(&vigil), next: vigil.now() };
        let before = session.idle_end();
        offset.store(50, Ordering::Relaxed);
        uses.note(&[0x8a, 0x80, 1, 2, 3, 4]);
        assert_eq!(session.idle_end(), before, "a pong is nobody's doing");
        uses.note(b"hi");
        let moved = session.idle_end();
        assert!(moved >= before.plus(Duration::from_secs(50)));
        offset.store(500, Ordering::Relaxed);
        uses.note(b"hi");
        assert_eq!(session.idle_end(), moved, "it was over by then");
    }
}
