//! The provider's own requests to apps: their key sets and their back-channel logout endpoints. To loopback only, no
//! redirects, short answers, little patience. Knows nothing of what is sent.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use url::Url;

use crate::people::lock;

/// How long an app may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much an app may answer.
const LARGEST_BODY: usize = 256 * 1024;

/// Why an app could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutsideError {
    #[error("{0} is no URL")]
    NotUrl(String),
    #[error("{0} is not on loopback, and it was not said where it is reached (Running::reach)")]
    NotLoopback(String),
    #[error("{0} did not answer within 5 seconds")]
    Slow(String),
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, std::io::Error),
    #[error("{0} did not answer properly: {1}")]
    Broken(String, hyper::Error),
    #[error("{0} answered too much, or broke off")]
    Body(String),
}

/// An app's answer, read whole.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The only maker of connections. Origins that are not on loopback by name may be given an address there.
#[derive(Default)]
pub(crate) struct Outside(Mutex<HashMap<String, SocketAddr>>);

impl Outside {
    /// From now on requests to this origin go there.
    pub(crate) fn reach(&self, origin: &str, address: SocketAddr) {
        lock(&self.0).insert(origin.trim_end_matches('/').to_owned(), address);
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Reply, OutsideError> {
        self.within(Method::GET, url, String::new()).await
    }

    /// Posts a form that is encoded already.
    pub(crate) async fn post(&self, url: &str, form: String) -> Result<Reply, OutsideError> {
        self.within(Method::POST, url, form).await
    }

    async fn within(&self, method: Method, url: &str, form: String) -> Result<Reply, OutsideError> {
        let asked = tokio::time::timeout(PATIENCE, self.ask(method, url, form)).await;
        asked.unwrap_or_else(|_| Err(OutsideError::Slow(url.to_owned())))
    }

    async fn ask(&self, method: Method, url: &str, form: String) -> Result<Reply, OutsideError> {
        let target = Url::parse(url).map_err(|_| OutsideError::NotUrl(url.to_owned()))?;
        let broken = |error| OutsideError::Broken(url.to_owned(), error);
        let address = self.address(&target).ok_or_else(|| OutsideError::NotLoopback(url.to_owned()))?;
        let socket = tokio::net::TcpStream::connect(address)
            .await
            .map_err(|error| OutsideError::Unreachable(url.to_owned(), error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(&method)
            .uri(&target[url::Position::BeforePath..url::Position::AfterQuery])
            .header(header::HOST, &target[url::Position::BeforeHost..url::Position::AfterPort])
            .header(header::ACCEPT, "application/json");
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request =
            request.body(Full::new(Bytes::from(form))).map_err(|_| OutsideError::NotUrl(url.to_owned()))?;
        let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, LARGEST_BODY).collect().await;
        connection.abort();
        let body = body.map_err(|_| OutsideError::Body(url.to_owned()))?.to_bytes();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn address(&self, url: &Url) -> Option<SocketAddr> {
        if let Some(address) = lock(&self.0).get(&url.origin().ascii_serialization()) {
            return Some(*address);
        }
        let ip = match url.host()? {
            url::Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            }
            url::Host::Domain(_) => return None,
            url::Host::Ipv4(ip) => IpAddr::V4(ip),
            url::Host::Ipv6(ip) => IpAddr::V6(ip),
        };
        let plain = url.scheme() == "http" && ip.is_loopback();
        plain.then(|| url.port_or_known_default().map(|port| SocketAddr::new(ip, port))).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_reached_unless_an_address_was_given() {
        let outside = Outside::default();
        let address = |url: &str| outside.address(&Url::parse(url).expect("a URL")).map(|a| a.to_string());
        assert_eq!(address("http://localhost:3000/x").as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(address("http://[::1]:3000/x").as_deref(), Some("[::1]:3000"));
        for elsewhere in ["http://app.example/x", "http://10.0.0.1/x", "https://localhost:3000/x"] {
            assert_eq!(address(elsewhere), None, "{elsewhere}");
        }
        outside.reach("https://app.example", SocketAddr::from(([127, 0, 0, 1], 8080)));
        assert_eq!(address("https://app.example/x").as_deref(), Some("127.0.0.1:8080"));
    }
}
