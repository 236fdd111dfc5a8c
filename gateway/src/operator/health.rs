//! Whether a gateway on this machine is well, for whoever watches over a container: no shell and no other program is
//! needed for it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::client::reachable;

/// Whoever asks has a limit of its own, and should hear why.
const LIMIT: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 64 * 1024;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether it is alive: if not, a restart may help.
    Alive,
    /// Whether requests may come.
    Ready,
}

impl Question {
    fn target(self) -> &'static str {
        match self {
            Self::Alive => "/healthz",
            Self::Ready => "/readyz",
        }
    }
}

/// Why it is not.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// The system chose the port.
    #[error("[listen] admin has port 0, so the system chose one: give it with --address")]
    NoPort,
    /// Nobody listens.
    #[error("no gateway answers at {0}: is it running, and is that its [listen] admin?")]
    NotRunning(SocketAddr, #[source] std::io::Error),
    /// Nothing comes.
    #[error("the gateway at {0} does not answer within {seconds} seconds", seconds = LIMIT.as_secs())]
    TooSlow(SocketAddr),
    /// What comes is something else.
    #[error("{0} does not answer as the admin listener of a gateway does: {1}")]
    Strange(SocketAddr, String),
    /// It says why itself.
    #[error("the gateway at {0} is not ready: {1}")]
    NotReady(SocketAddr, String),
}

/// Asks the gateway whose admin listener is at that address.
pub async fn ask(address: SocketAddr, question: Question) -> Result<(), Unwell> {
    let address = reachable(address);
    if address.port() == 0 {
        return Err(Unwell::NoPort);
    }
    let asked = tokio::time::timeout(LIMIT, exchange(address, question.target()));
    let (status, body) = asked.await.map_err(|_| Unwell::TooSlow(address))??;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let strange = || Unwell::Strange(address, format!("status {}", status.as_u16()));
    match question {
        Question::Alive if status == StatusCode::OK && answer["status"] == "alive" => Ok(()),
        Question::Ready if status == StatusCode::OK && answer["ready"] == true => Ok(()),
        Question::Ready if answer["ready"] == false => {
            let reasons = answer["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let reasons = reasons.map(|reason| reason.escape_debug().to_string()).collect::<Vec<_>>();
            Err(Unwell::NotReady(address, reasons.join("; ")))
        }
        Question::Alive | Question::Ready => Err(strange()),
    }
}

async fn exchange(address: SocketAddr, target: &str) -> Result<(StatusCode, Bytes), Unwell> {
    let strange = |error: &dyn std::error::Error| Unwell::Strange(address, error.to_string());
    let stream = TcpStream::connect(address).await.map_err(|error| Unwell::NotRunning(address, error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| strange(&error))?;
    let driver = tokio::spawn(connection);
    let request = Request::get(target).header(HOST, address.to_string()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| strange(&error))?;
    let (head, body) = sender.send_request(request).await.map_err(|error| strange(&error))?.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| strange(&*error))?;
    driver.abort();
    Ok((head.status, body.to_bytes()))
}
