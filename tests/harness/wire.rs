//! Requests byte by byte over TCP, for HTTP that no client library would write.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer takes longer than this; a test that waits for more has found a hang.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection on which bytes are written as they are.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// Sends `bytes` and gives everything that comes back until the other side closes. The side to us is left open, as a
/// browser would; so `bytes` should make the other side close.
pub async fn raw(port: u16, bytes: &[u8]) -> String {
    let mut wire = Wire::connect(port).await;
    wire.send(bytes).await;
    wire.rest().await
}

impl Wire {
    /// Connects to a port of this computer.
    ///
    /// # Panics
    /// If nobody listens.
    pub async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        Self { stream, unread: Vec::new() }
    }

    /// Writes.
    pub async fn send(&mut self, bytes: &[u8]) {
        // A server that refuses early may have closed already; what it said is read next.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Everything until the other side closes.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn rest(&mut self) -> String {
        let reading = async { while self.fill().await {} };
        let closed = tokio::time::timeout(PATIENCE, reading).await.is_ok();
        assert!(closed, "the other side does not close; so far: {}", String::from_utf8_lossy(&self.unread));
        self.take(self.unread.len())
    }

    /// One answer with a `Content-Length` (or none): head and body. What follows stays for the next call.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn answer(&mut self) -> String {
        let reading = async {
            loop {
                if let Some(length) = whole(&self.unread) {
                    return length;
                }
                if !self.fill().await {
                    return self.unread.len();
                }
            }
        };
        let length = tokio::time::timeout(PATIENCE, reading).await.expect("an answer in time");
        self.take(length)
    }

    /// Reads until `wanted` is among what came and was not taken yet.
    ///
    /// # Panics
    /// If that takes too long, or the other side closes.
    pub async fn until(&mut self, wanted: &str) {
        let reading = async {
            while find(&self.unread, wanted.as_bytes()).is_none() {
                assert!(
                    self.fill().await,
                    "closed before {wanted:?}: {}",
                    String::from_utf8_lossy(&self.unread)
                );
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("it comes in time");
    }

    /// Whether the other side has closed, as far as is known by now. What came meanwhile is kept.
    pub fn is_closed(&mut self) -> bool {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return true,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Reads and forgets the rest of what is to come, until the other side closes, and tells how much it was.
    pub async fn drain(&mut self) -> u64 {
        let mut count = u64::try_from(self.unread.len()).unwrap_or(u64::MAX);
        self.unread.clear();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return count,
                Ok(read) => count += read as u64,
            }
        }
    }

    async fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 16 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }

    fn take(&mut self, length: usize) -> String {
        let taken: Vec<u8> = self.unread.drain(..length).collect();
        String::from_utf8_lossy(&taken).into_owned()
    }
}

/// The length of the first message, once all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head_end = find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let body = if head.contains("\r\ntransfer-encoding: chunked") {
        find(&bytes[head_end..], b"0\r\n\r\n")? + 5
    } else {
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
        length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
    };
    (bytes.len() >= head_end + body).then_some(head_end + body)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
