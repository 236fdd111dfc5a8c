//! An app's own addresses: a small server that remembers what it was sent and says what it was told to say.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

/// Method and path, the Host, and the body.
pub(crate) type Heard = (String, String, String);

/// A listener on a free port; gone when the test's runtime is.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    says: Arc<Mutex<(u16, String)>>,
}

impl Listener {
    pub(crate) async fn start(status: u16, body: &str) -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let listener = Self {
            address: socket.local_addr().expect("an address"),
            heard: Arc::default(),
            says: Arc::new(Mutex::new((status, body.to_owned()))),
        };
        let this = listener.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let this = this.clone();
                let service = hyper::service::service_fn(move |request| this.clone().answer(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        listener
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let what = format!("{} {}", request.method(), request.uri());
        let host =
            request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        let body =
            request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        self.heard.lock().expect("whole").push((what, host, body));
        let (status, body) = self.says.lock().expect("whole").clone();
        let answer = Response::builder().status(status).header("cache-control", "no-store");
        Ok(answer.body(Full::new(Bytes::from(body))).expect("an answer"))
    }

    /// What it says from now on.
    pub(crate) fn say(&self, status: u16, body: &str) {
        *self.says.lock().expect("whole") = (status, body.to_owned());
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("whole").clone()
    }
}
