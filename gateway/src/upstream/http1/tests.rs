//! Exchanges with servers that say what they should, and what no server should.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a server does on one connection: after each request it has read to the blank line, it says the next of these.
type Script = Vec<&'static [u8]>;

/// Room for one idle connection.
#[derive(Clone, Default)]
struct Pool(Rc<RefCell<Option<Connection>>>);

impl Lease for Pool {
    fn give_back(self, connection: Connection) {
        *self.0.borrow_mut() = Some(connection);
    }
}

/// A server with a script for each connection, in turn; and what it was told on each.
struct Server {
    address: std::net::SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    scratch: Scratch,
    pool: Pool,
}

impl Server {
    async fn new(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        tokio::spawn(async move {
            for (number, script) in scripts.into_iter().enumerate() {
                let (stream, _) = listener.accept().await.expect("a connection");
                ears.lock().expect("unharmed").push(Vec::new());
                tokio::spawn(play(stream, script, Arc::clone(&ears), number));
            }
        });
        Self { address, heard, scratch: Scratch::default(), pool: Pool::default() }
    }

    /// Over an idle connection, if there is one; whether there was.
    async fn send(&self, mut request: Request<Body>) -> (bool, Result<Answer, Failure>) {
        let idle = self.pool.0.borrow_mut().take().and_then(|mut idle| idle.is_quiet().then_some(idle));
        let reused = idle.is_some();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            let stream = TcpStream::connect(self.address).await.expect("it listens");
            Connection::new(Stream::Plain(stream), None)
        };
        (reused, connection.exchange(&mut request, &self.scratch, self.pool.clone()).await)
    }

    fn heard(&self, connection: usize) -> String {
        String::from_utf8_lossy(&self.heard.lock().expect("unharmed")[connection]).into_owned()
    }
}

async fn play(mut stream: TcpStream, script: Script, heard: Arc<Mutex<Vec<Vec<u8>>>>, number: usize) {
    let mut bytes = [0; 4096];
    for answer in script {
        loop {
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            let mut heard = heard.lock().expect("unharmed");
            heard[number].extend_from_slice(&bytes[..read]);
            if read == 0 || heard[number].ends_with(b"\r\n\r\n") {
                break;
            }
        }
        // Byte by byte where the script says so, so that the client gets it in pieces.
        for piece in answer.split_inclusive(|byte| *byte == b'|') {
            let piece = piece.strip_suffix(b"|").unwrap_or(piece);
            let _ = stream.write_all(piece).await;
            tokio::task::yield_now().await;
        }
    }
}

fn get() -> Request<Body> {
    request(Method::GET, Body::Empty)
}

fn request(method: Method, body: Body) -> Request<Body> {
    let request = Request::builder().method(method).uri("/a?b=c").header("host", "upstream");
    request.body(body).expect("a request")
}

/// Status and body, or the failure.
async fn read(answer: Result<Answer, Failure>) -> Result<(u16, Bytes), String> {
    let answer = answer.map_err(|failure| format!("{failure:?}"))?;
    let status = answer.response.status().as_u16();
    let body = answer.response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

/// What becomes of one answer to a GET, and whether the connection is kept.
async fn outcome(answer: &'static [u8]) -> (Result<(u16, Bytes), String>, bool) {
    let server = Server::new(vec![vec![answer]]).await;
    let (_, answer) = server.send(get()).await;
    let read = read(answer).await;
    let kept = server.pool.0.borrow().is_some();
    (read, kept)
}

#[tokio::test]
async fn a_request_is_written_as_it_is_meant_and_its_answer_read() {
    let server = Server::new(vec![vec![b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"; 2]]).await;
    for turn in [false, true] {
        let (reused, answer) = server.send(get()).await;
        assert_eq!(reused, turn, "the second goes over the connection of the first");
        assert_eq!(read(answer).await, Ok((200, Bytes::from_static(b"hi"))));
    }
    assert_eq!(server.heard(0), "GET /a?b=c HTTP/1.1\r\nhost: upstream\r\n\r\n".repeat(2));
}

#[tokio::test]
async fn every_way_to_end_a_body_is_understood_however_it_arrives() {
    for (answer, body, kept) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], &b"hello"[..], true),
        (b"HTTP/1.1 200 OK\r\nCont|ent-Length: 5\r\n|\r\nhel|lo", b"hello", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", true),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", true),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", true),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", b"", true),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b"", false),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", b"", false),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", b"", false),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", true),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n|hel\r\n2|\r\nlo\r\n0\r\n|\r\n",
            b"hello",
            true,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhel|lo", b"hello", false),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", false),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", b"hello", true),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\nhello", b"hello", false),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n|HTTP/1.1 204 No Content\r\n\r\n", b"", true),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", true),
    ] {
        let (read, was_kept) = outcome(answer).await;
        let said = answer.escape_ascii();
        assert_eq!(read.map(|(_, body)| body), Ok(Bytes::from_static(body)), "{said}");
        assert_eq!(was_kept, kept, "{said}");
    }
}

#[tokio::test]
async fn an_answer_that_has_two_readings_or_none_is_refused() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"200 OK\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName: a\x00b\r\n\r\n",
    ] {
        let (read, kept) = outcome(answer).await;
        assert!(read.is_err() && !kept, "{} was read as {read:?}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn heads_and_interim_answers_have_their_bounds() {
    let long = format!("HTTP/1.1 200 OK\r\nName: {}", "x".repeat(head::MAX_HEAD)).leak().as_bytes();
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "name: value\r\n".repeat(101)).leak().as_bytes();
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(MAX_INTERIM + 1).leak().as_bytes();
    for answer in [long, many, interim] {
        assert!(outcome(answer).await.0.is_err());
    }
}

#[tokio::test]
async fn who_says_more_than_was_asked_is_not_asked_again() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        let (read, kept) = outcome(answer).await;
        assert_eq!(read, Ok((200, Bytes::from_static(b"hi"))));
        assert!(!kept, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn what_arrives_while_nobody_asks_ends_the_connection() {
    let script: Script = vec![b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi|HTTP/1.1 200 OK\r\n\r\n"];
    let server = Server::new(vec![script, vec![b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]]).await;
    let (_, first) = server.send(get()).await;
    assert_eq!(read(first).await, Ok((200, Bytes::from_static(b"hi"))));
    // Polled, not slept for: until the extra answer, or the end of the connection, has been noticed.
    while server.pool.0.borrow_mut().as_mut().is_some_and(Connection::is_quiet) {
        tokio::task::yield_now().await;
    }
    let (reused, second) = server.send(get()).await;
    assert!(!reused);
    assert_eq!(read(second).await, Ok((200, Bytes::from_static(b"hi"))));
}

#[tokio::test]
async fn bodies_go_up_with_their_length_or_in_chunks() {
    let answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let chunks = || {
        let frames = ["Wiki", "pedia"].map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from(piece))));
        Body::Upstream(Box::pin(StreamBody::new(stream::iter(frames))))
    };
    for (method, body, head, sent) in [
        (Method::POST, Body::Full(Bytes::from_static(b"x\r\n\r\n")), "content-length: 5\r\n", "x\r\n\r\n"),
        (Method::POST, Body::Empty, "content-length: 0\r\n", ""),
        (Method::DELETE, Body::Empty, "", ""),
        (Method::PUT, chunks(), "transfer-encoding: chunked\r\n", "4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n"),
    ] {
        let server = Server::new(vec![vec![answer]]).await;
        let (_, got) = server.send(request(method.clone(), body)).await;
        assert_eq!(read(got).await, Ok((200, Bytes::from_static(b"hi"))));
        // The server answers after the head; the rest is on its way.
        let wanted = format!("{method} /a?b=c HTTP/1.1\r\nhost: upstream\r\n{head}\r\n{sent}");
        assert!(wanted.starts_with(&server.heard(0)), "{}", server.heard(0));
    }
}

#[tokio::test]
async fn a_large_body_goes_up_whole_while_the_answer_comes_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let size = 3_000_000;
    // An echo: what it has read it sends back, before it has read all.
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (mut read, mut write) = stream.split();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(read.read_u8().await.expect("a head"));
        }
        write
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())
            .await
            .expect("read");
        tokio::io::copy(&mut read.take(size), &mut write).await.expect("read");
    });
    let (scratch, pool) = (Scratch::default(), Pool::default());
    let connection =
        Connection::new(Stream::Plain(TcpStream::connect(address).await.expect("it listens")), None);
    let bytes: Vec<u8> = (0..size).map(|number| u8::try_from(number % 251).expect("small")).collect();
    let mut request = request(Method::POST, Body::Full(Bytes::from(bytes.clone())));
    let answer = connection.exchange(&mut request, &scratch, pool.clone()).await;
    let (status, body) = read(answer).await.expect("echoed");
    assert_eq!(status, 200);
    assert!(body == bytes);
    assert!(pool.0.borrow().is_some());
}

#[tokio::test]
async fn a_client_that_breaks_off_is_told_from_a_server_that_does() {
    let server = Server::new(vec![vec![]]).await;
    let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(BodyError::from("gone"))];
    let body = Body::Upstream(Box::pin(StreamBody::new(stream::iter(frames))));
    let (_, answer) = server.send(request(Method::POST, body)).await;
    assert!(matches!(answer, Err(Failure::Client(_))));
    let server = Server::new(vec![vec![b"HTTP/1.1 2"]]).await;
    assert!(matches!(server.send(get()).await.1, Err(Failure::Server(Broken::Closed))));
}
