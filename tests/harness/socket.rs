//! A WebSocket as a browser's script holds it. Knows nothing of who answers.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use url::Url;

use crate::ask::Ask;

/// Nothing that is waited for here takes longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// At that address; or at the gateway on port `at`, where a load balancer would send it.
    pub(crate) async fn open(ask: &Ask, url: &Url, at: Option<u16>) -> Self {
        let port = url.port().unwrap_or(80);
        let mut request = http::Request::get(url.as_str().replacen("http", "ws", 1))
            .header("host", format!("{}:{port}", url.host_str().unwrap_or_default()));
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a request");
        let connection = TcpStream::connect(("127.0.0.1", at.unwrap_or(port))).await.expect("it listens");
        let opening = tokio_tungstenite::client_async(request, connection);
        let opened = tokio::time::timeout(PATIENCE, opening).await.expect("an answer in time");
        let (stream, _) = opened.unwrap_or_else(|error| panic!("no WebSocket at {url}: {error:?}"));
        Self { stream }
    }

    /// Says something.
    ///
    /// # Panics
    /// If the WebSocket is closed.
    pub async fn say(&mut self, message: impl Into<Message>) {
        self.stream.send(message.into()).await.expect("it is open");
    }

    /// What comes next: text, bytes or a farewell; nothing when the connection is closed.
    ///
    /// # Panics
    /// If nothing comes.
    pub async fn hear(&mut self) -> Option<Message> {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(message)) => return Some(message),
                    Some(Err(Error::Protocol(_) | Error::Io(_) | Error::ConnectionClosed)) | None => {
                        return None;
                    }
                    Some(Err(error)) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("something comes, or the end")
    }

    /// Fails the test unless an echo comes back.
    pub async fn must_echo(&mut self, text: &str) {
        self.say(text).await;
        assert_eq!(self.hear().await, Some(Message::text(text)));
    }

    /// Waits until the other side closes, and tells how long that took.
    pub async fn closed(&mut self) -> Duration {
        let begin = Instant::now();
        while self.hear().await.is_some() {}
        begin.elapsed()
    }

    /// Says good-bye and waits until the other side does.
    pub async fn close(mut self) {
        self.stream.close(None).await.expect("it is open");
        while self.hear().await.is_some() {}
    }
}
