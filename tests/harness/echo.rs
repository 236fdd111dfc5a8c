//! An upstream that answers with the claims of the access token it was sent: whose token came with whose request. Keeps
//! nothing but two counts, so that it stands any load. Does not check tokens; it believes them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// A running echo. Dropped, it ends.
#[derive(Debug)]
pub struct Echo {
    port: u16,
    seen: Arc<AtomicUsize>,
    serving: AbortHandle,
}

impl Echo {
    /// Begins to listen, on the current runtime.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let seen = Arc::new(AtomicUsize::new(0));
        let serving = tokio::spawn(serve(listener, Arc::clone(&seen))).abort_handle();
        Self { port, seen, serving }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, seen: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let seen = Arc::clone(&seen);
                let service = service_fn(move |request: Request<Incoming>| {
                    seen.fetch_add(1, Ordering::Relaxed);
                    let answer = answer(request.headers());
                    async move { Ok::<_, Infallible>(answer) }
                });
                connections.spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The claims, or `{}` where no token came, or what is wrong with what came.
fn answer(headers: &HeaderMap) -> Response<Full<Bytes>> {
    let sent: Vec<&str> =
        headers.get_all("authorization").iter().filter_map(|value| value.to_str().ok()).collect();
    let claims = match *sent {
        [] => Bytes::from_static(b"{}"),
        [one] => claims(one).unwrap_or(Bytes::from_static(b"{\"wrong\":\"not a token\"}")),
        _ => Bytes::from_static(b"{\"wrong\":\"more than one token\"}"),
    };
    let mut response = Response::new(Full::from(claims));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

fn claims(authorization: &str) -> Option<Bytes> {
    let payload = authorization.strip_prefix("Bearer ")?.split('.').nth(1)?;
    URL_SAFE_NO_PAD.decode(payload).ok().map(Bytes::from)
}
