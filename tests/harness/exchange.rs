//! One request and its answer over HTTP/1.1, with TLS or without, to this computer only. Knows nothing of cookies.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Url;

use crate::ask::Ask;
use crate::reply::Reply;
use crate::tls::Greeting;

/// One request on a connection of its own; to another port than the address says, where a load balancer would do that.
pub(crate) async fn exchange(ask: &Ask, url: &Url, port: Option<u16>) -> Reply {
    attempt(ask, url, port).await.unwrap_or_else(|error| panic!("{} {url}: {error}", ask.method))
}

/// Like [`exchange`], where nobody may be listening.
pub(crate) async fn attempt(ask: &Ask, url: &Url, port: Option<u16>) -> Result<Reply, Broken> {
    let port = port.or(url.port()).unwrap_or(80);
    let mut line = if url.scheme() == "https" {
        let greeting = Greeting::to(url.host_str().unwrap_or_default()).offering(&["http/1.1"]);
        Line::over(greeting.connect(port).await.map_err(Broken::Refused)?).await?
    } else {
        Line::connect(port).await?
    };
    line.exchange(ask, url).await
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Nobody listens.
    Refused(std::io::Error),
    /// The connection broke before the whole answer was there.
    Off(hyper::Error),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "{error}"),
            Self::Off(error) => write!(f, "{error}"),
        }
    }
}

/// A connection that is used for one request after the other.
#[derive(Debug)]
pub(crate) struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: tokio::task::JoinHandle<()>,
}

impl Line {
    pub(crate) async fn connect(port: u16) -> Result<Self, Broken> {
        Self::over(TcpStream::connect(("127.0.0.1", port)).await.map_err(Broken::Refused)?).await
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, Broken> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Broken::Off)?;
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, driver })
    }

    /// Whether it was still open when last looked at.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(crate) async fn exchange(&mut self, ask: &Ask, url: &Url) -> Result<Reply, Broken> {
        let asked = format!("{} {url}", ask.method);
        let request = request(ask, url);
        self.sender.ready().await.map_err(Broken::Off)?;
        let (parts, body) = self.sender.send_request(request).await.map_err(Broken::Off)?.into_parts();
        let body = body.collect().await.map_err(Broken::Off)?.to_bytes();
        Ok(Reply { status: parts.status, headers: parts.headers, body, asked })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn request(ask: &Ask, url: &Url) -> http::Request<Full<Bytes>> {
    let host = url.host_str().unwrap_or_default();
    let here = host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1";
    assert!(here && matches!(url.scheme(), "http" | "https"), "{url} is not on this computer");
    let mut request = http::Request::builder().method(ask.method.as_str()).uri(local(url));
    if !ask.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", format!("{host}:{}", url.port().unwrap_or(80)));
    }
    for (name, value) in &ask.headers {
        request = request.header(name.as_str(), value.as_str());
    }
    request.body(Full::new(ask.body.clone())).unwrap_or_else(|error| panic!("{} {url}: {error}", ask.method))
}

/// Path and query.
pub(crate) fn local(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", url.path())
}
