//! One HTTP call to an admin listener on this machine, on a connection of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::secret::Secret;

use super::problem::Problem;

/// From connecting until the last byte: a store with many sessions may take its time.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer answers are no page of sessions.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// An admin listener, and the token that it wants to be shown.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
    token: Secret<String>,
}

impl Admin {
    /// The listener that `configured` tells of, or the one at `address`. The token goes in the clear, so it must not leave
    /// this machine.
    pub fn new(
        configured: SocketAddr,
        address: Option<SocketAddr>,
        token: Option<Secret<String>>,
    ) -> Result<Self, Problem> {
        let address = reachable(address.unwrap_or(configured));
        if address.port() == 0 {
            return Err(Problem::NoPort);
        }
        if !address.ip().is_loopback() && address.ip() != configured.ip() {
            return Err(Problem::Elsewhere(address));
        }
        Ok(Self { address, token: token.ok_or(Problem::NoToken)? })
    }

    pub(super) async fn get(&self, target: &str) -> Result<Bytes, Problem> {
        self.call(Method::GET, target, String::new()).await
    }

    pub(super) async fn post(&self, target: &str, body: String) -> Result<Bytes, Problem> {
        self.call(Method::POST, target, body).await
    }

    /// What a good answer says.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, Problem> {
        serde_json::from_slice(answer).map_err(|error| self.strange(&error.to_string()))
    }

    pub(super) fn strange(&self, what: &str) -> Problem {
        Problem::Strange(self.address, what.to_owned())
    }

    async fn call(&self, method: Method, target: &str, body: String) -> Result<Bytes, Problem> {
        let exchange = self.exchange(method, target, body);
        let (status, answer) =
            tokio::time::timeout(LIMIT, exchange).await.map_err(|_| Problem::TooSlow(self.address))??;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let problem: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let (reason, detail) = (problem["reason"].as_str(), problem["detail"].as_str());
        Err(match (status, reason) {
            (StatusCode::UNAUTHORIZED, Some(_)) => Problem::WrongToken,
            (StatusCode::FORBIDDEN, Some("no_token_configured")) => Problem::GatewayHasNoToken,
            (StatusCode::NOT_FOUND, Some(_)) => Problem::NotFound,
            (StatusCode::SERVICE_UNAVAILABLE, Some("store_unavailable")) => Problem::StoreUnavailable,
            (_, Some(_)) => {
                Problem::Refused(self.address, detail.unwrap_or_default().escape_debug().to_string())
            }
            (status, None) => self.strange(&format!("status {status}")),
        })
    }

    async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: String,
    ) -> Result<(StatusCode, Bytes), Problem> {
        let broken = |error: &dyn std::error::Error| self.strange(&error.to_string());
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|error| Problem::NotRunning(self.address, error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let driver = tokio::spawn(connection);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose()))
            .map_err(|error| broken(&error))?;
        bearer.set_sensitive(true);
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, self.address.to_string())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, bearer)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(&error))?;
        let (head, answer) = sender.send_request(request).await.map_err(|error| broken(&error))?.into_parts();
        let answer = Limited::new(answer, MAX_BODY).collect().await.map_err(|error| broken(&*error))?;
        driver.abort();
        Ok((head.status, answer.to_bytes()))
    }
}

/// Who listens on every address is reached at this machine's own.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(configured: &str, address: Option<&str>) -> Result<Admin, Problem> {
        let parse = |text: &str| text.parse().expect("an address");
        Admin::new(parse(configured), address.map(parse), Some(Secret::new("token".to_owned())))
    }

    fn place(configured: &str, address: Option<&str>) -> String {
        admin(configured, address).expect("an address of this machine").address.to_string()
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        assert_eq!(place("127.0.0.1:3003", None), "127.0.0.1:3003");
        assert_eq!(place("0.0.0.0:3003", None), "127.0.0.1:3003");
        assert_eq!(place("[::]:3003", None), "[::1]:3003");
        assert_eq!(place("10.0.0.7:3003", None), "10.0.0.7:3003");
        assert_eq!(place("0.0.0.0:3003", Some("127.0.0.1:9000")), "127.0.0.1:9000");
    }

    #[test]
    fn the_token_goes_to_no_other_machine() {
        assert!(matches!(admin("127.0.0.1:3003", Some("10.0.0.8:3003")), Err(Problem::Elsewhere(_))));
        assert!(matches!(admin("0.0.0.0:3003", Some("10.0.0.8:3003")), Err(Problem::Elsewhere(_))));
    }

    #[test]
    fn a_port_and_a_token_are_needed() {
        assert!(matches!(admin("127.0.0.1:0", None), Err(Problem::NoPort)));
        assert!(admin("127.0.0.1:0", Some("127.0.0.1:9000")).is_ok());
        let address = "127.0.0.1:3003".parse().expect("an address");
        assert!(matches!(Admin::new(address, None, None), Err(Problem::NoToken)));
    }
}
