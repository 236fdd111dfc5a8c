//! An upstream that remembers every byte it was sent and answers what it was told to. Knows just enough HTTP to tell
//! where a request ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// What it answers unless told otherwise.
const USUAL: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

/// A running recorder.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Mutex<Shared>>,
    port: u16,
    serving: AbortHandle,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Vec<Seen>,
    bytes: usize,
    next: VecDeque<Answer>,
    always: Option<Answer>,
}

#[derive(Clone, Debug)]
struct Answer {
    bytes: Vec<u8>,
    close: bool,
}

/// One request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Request line and headers, byte for byte.
    pub head: String,
    /// The body, chunks and all if it was chunked.
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl Seen {
    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// Every value of a header, in order.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The one value of a header; nothing if there is none or more than one.
    pub fn value(&self, name: &str) -> Option<&str> {
        match *self.values(name) {
            [value] => Some(value),
            _ => None,
        }
    }
}

impl Recorder {
    /// Begins to listen, on the current runtime.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Self { shared, port, serving }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared().seen.clone()
    }

    /// The last request.
    ///
    /// # Panics
    /// If there was none.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the upstream was asked")
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.shared().seen.len()
    }

    /// Fails the test if a single byte arrived.
    #[track_caller]
    pub fn must_be_untouched(&self) {
        let shared = self.shared();
        assert_eq!(shared.bytes, 0, "the upstream was sent {:?}", shared.seen);
    }

    /// Forgets what came so far.
    pub fn forget(&self) {
        let mut shared = self.shared();
        shared.seen.clear();
        shared.bytes = 0;
    }

    /// Answers the next request with these bytes.
    pub fn answer_once(&self, bytes: impl Into<Vec<u8>>) {
        self.shared().next.push_back(Answer { bytes: bytes.into(), close: false });
    }

    /// Answers the next request with these bytes, and closes the connection.
    pub fn answer_once_and_close(&self, bytes: impl Into<Vec<u8>>) {
        self.shared().next.push_back(Answer { bytes: bytes.into(), close: true });
    }

    /// Answers every request with these bytes.
    pub fn answer_always(&self, bytes: impl Into<Vec<u8>>) {
        self.shared().always = Some(Answer { bytes: bytes.into(), close: false });
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        connections.spawn(converse(stream, number, Arc::clone(&shared)));
    }
}

async fn converse(mut stream: TcpStream, connection: usize, shared: Arc<Mutex<Shared>>) {
    let mut bytes = Vec::new();
    loop {
        let Some((head, body)) = request(&mut stream, &mut bytes, &shared).await else { return };
        let answer = {
            let mut shared = lock(&shared);
            shared.seen.push(Seen { head, body, connection });
            let usual = Answer { bytes: USUAL.to_vec(), close: false };
            shared.next.pop_front().or_else(|| shared.always.clone()).unwrap_or(usual)
        };
        if stream.write_all(&answer.bytes).await.is_err() || answer.close {
            return;
        }
    }
}

/// The next request on the connection; nothing when the other side is done.
async fn request(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    shared: &Mutex<Shared>,
) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(head_length) = find(bytes, b"\r\n\r\n").map(|at| at + 4) {
            let head = String::from_utf8_lossy(&bytes[..head_length]).into_owned();
            if let Some(body_length) = body_length(&head, &bytes[head_length..]) {
                let rest = bytes.split_off(head_length + body_length);
                let body = bytes.split_off(head_length);
                *bytes = rest;
                return Some((head, body));
            }
        }
        let mut buffer = vec![0; 16 * 1024];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => {
                lock(shared).bytes += count;
                bytes.extend_from_slice(&buffer[..count]);
            }
        }
    }
}

/// How long the body is, once all of it is there.
fn body_length(head: &str, after: &[u8]) -> Option<usize> {
    let head = head.to_ascii_lowercase();
    if head.contains("\r\ntransfer-encoding:") {
        // The last chunk, and whatever trailers follow it.
        let last = if after.starts_with(b"0\r\n") { 0 } else { find(after, b"\r\n0\r\n")? + 2 };
        return find(&after[last..], b"\r\n\r\n").map(|end| last + end + 4);
    }
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    (after.len() >= length).then_some(length)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
