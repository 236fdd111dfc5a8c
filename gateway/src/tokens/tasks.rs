//! Work that must not end because a browser went away, and for which a gateway that stops waits a while.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Tasks of the shared runtime, counted.
#[derive(Clone)]
pub(super) struct Tasks {
    runtime: Handle,
    running: Arc<watch::Sender<usize>>,
}

impl Tasks {
    /// None yet.
    pub(super) fn on(runtime: Handle) -> Self {
        Self { runtime, running: Arc::new(watch::Sender::new(0)) }
    }

    /// Runs `work` to its end, whoever waits for it.
    pub(super) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let counted = Counted::new(Arc::clone(&self.running));
        self.runtime.spawn(async move {
            let _counted = counted;
            work.await
        })
    }

    /// Waits until there are none.
    pub(super) async fn finished(&self) {
        // Fails only when the sender is gone, and that is in here.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// One of them; also when it panics or the runtime goes down.
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn new(running: Arc<watch::Sender<usize>>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(running)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}
