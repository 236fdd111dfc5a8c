//! An upstream that speaks WebSocket: it sends back what it hears, and remembers who came.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderMap;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// A running echo. When it hears `bye` it closes.
#[derive(Debug)]
pub struct SocketEcho {
    shared: Arc<Shared>,
    port: u16,
    serving: AbortHandle,
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicUsize,
    open: AtomicUsize,
    heads: Mutex<Vec<HeaderMap>>,
}

impl SocketEcho {
    /// Begins to listen, on the current runtime.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::<Shared>::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Self { shared, port, serving }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections were ever made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many WebSockets are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// The headers of the last handshake.
    ///
    /// # Panics
    /// If there was none.
    pub fn last(&self) -> HeaderMap {
        self.shared.heads().last().cloned().expect("somebody came")
    }
}

impl Drop for SocketEcho {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn heads(&self) -> std::sync::MutexGuard<'_, Vec<HeaderMap>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts for as long as it lives.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(converse(stream, Arc::clone(&shared)));
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    #[expect(clippy::result_large_err, reason = "the library wants it so")]
    let remember = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        shared.heads().push(request.headers().clone());
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, remember).await else { return };
    let _open = Counted::new(&shared);
    while let Some(Ok(message)) = socket.next().await {
        if message == Message::text("bye") {
            let _ = socket.close(None).await;
            return;
        }
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
