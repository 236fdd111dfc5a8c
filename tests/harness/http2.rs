//! HTTP/2 from the client's side: a well-behaved client, and one that writes whatever frames a test wants.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::reply::Reply;
use crate::tls::Greeting;

/// No answer takes longer than this; a test that waits for more has found a hang.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client as it should be, on one connection.
#[derive(Debug)]
pub struct Http2 {
    /// For tests that stream.
    pub sender: SendRequest<Bytes>,
    driver: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    /// Connects to `localhost` at that port.
    ///
    /// # Panics
    /// If nobody there speaks HTTP/2.
    pub async fn connect(port: u16) -> Self {
        Self::over(Greeting::to("localhost").offering(&["h2"]).connect(port).await.expect("a handshake"))
            .await
    }

    /// On a connection that is there.
    ///
    /// # Panics
    /// If the other side does not speak HTTP/2.
    pub async fn over(stream: TlsStream<TcpStream>) -> Self {
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        Self { sender, driver: tokio::spawn(connection) }
    }

    /// Sends a request whose target is a whole URL, and reads the answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Reply, h2::Error> {
        let asked = format!("{} {}", request.method(), request.uri());
        let (parts, body) = request.into_parts();
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(Request::from_parts(parts, ()), body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(body, true)?;
        }
        let (parts, mut incoming) = response.await?.into_parts();
        let mut body = Vec::new();
        while let Some(data) = incoming.data().await {
            let data = data?;
            incoming.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        Ok(Reply { status: parts.status, headers: parts.headers, body: body.into(), asked })
    }

    /// Waits until the connection is over, and tells how.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn closed(self) -> Result<(), h2::Error> {
        let Self { sender, driver } = self;
        drop(sender);
        tokio::time::timeout(PATIENCE, driver).await.expect("it closes").expect("no panic")
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

#[expect(missing_docs, reason = "as RFC 9113, section 6, calls them")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// END_STREAM, or ACK.
pub const END_STREAM: u8 = 1;
/// The header block ends here.
pub const END_HEADERS: u8 = 4;

impl Frame {
    /// A frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// A whole header block in one frame.
    pub fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Self {
        Self::new(kind::HEADERS, flags | END_HEADERS, stream, block(fields))
    }

    /// As it is on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a frame").to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The error that a RST_STREAM or GOAWAY tells.
    pub fn error(&self) -> Option<u32> {
        let at = match self.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload.get(at..at + 4)?.try_into().ok()?))
    }

    /// The status in a header block that begins with it, as encoders write it.
    pub fn status(&self) -> Option<u16> {
        const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        if self.kind != kind::HEADERS {
            return None;
        }
        // An encoder that was told to do without a table says first that it does.
        let is_table_size = |byte: &u8| (0x20..0x3f).contains(byte);
        match self
            .payload
            .iter()
            .position(|byte| !is_table_size(byte))
            .map_or(&[][..], |at| &self.payload[at..])
        {
            [index @ 0x88..=0x8e, ..] => Some(INDEXED[usize::from(index - 0x88)]),
            // A literal whose name is entry 8 of the static table; the value plain or by Huffman's digits.
            [0x48 | 0x08 | 0x18, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
            [0x48 | 0x08 | 0x18, length, code @ ..] if length & 0x80 != 0 => huffman_digits(code),
            _ => None,
        }
    }
}

/// Three digits in the code of RFC 7541, appendix B: 0 to 2 take five bits, 3 to 9 six.
fn huffman_digits(code: &[u8]) -> Option<u16> {
    let mut bits = code.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let five = (0..5).try_fold(0, |value, _| Some(value << 1 | bits.next()?))?;
        let digit = if five < 3 { five } else { (five << 1 | bits.next()?).checked_sub(0x19)? + 3 };
        number = number * 10 + digit;
    }
    Some(number)
}

/// A header block without the table and without Huffman's code: what is written is what is meant.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        text(&mut bytes, name.as_bytes());
        text(&mut bytes, value.as_bytes());
    }
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        bytes.push(u8::try_from(length).expect("short"));
    } else {
        bytes.push(127);
        length -= 127;
        while length >= 128 {
            bytes.push(u8::try_from(length % 128).expect("seven bits") | 128);
            length /= 128;
        }
        bytes.push(u8::try_from(length).expect("seven bits"));
    }
    bytes.extend_from_slice(text);
}

/// A client that writes frames one by one.
#[derive(Debug)]
pub struct Frames {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
}

/// What begins a connection (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Frames {
    /// A connection on which nothing was said yet.
    ///
    /// # Panics
    /// If nobody there speaks HTTP/2.
    pub async fn silent(port: u16) -> Self {
        let stream = Greeting::to("localhost").offering(&["h2"]).connect(port).await.expect("a handshake");
        Self { stream, unread: Vec::new() }
    }

    /// A connection that began with these settings (identifier and value), and without a table of header fields.
    pub async fn open(port: u16, settings: &[(u16, u32)]) -> Self {
        let mut frames = Self::silent(port).await;
        // Without a table of its own the other side must write out each field, so that they can be read here.
        let payload: Vec<u8> = [(1, 0)]
            .iter()
            .chain(settings)
            .flat_map(|(name, value)| name.to_be_bytes().into_iter().chain(value.to_be_bytes()))
            .collect();
        frames.raw(PREFACE).await;
        frames.write(&Frame::new(kind::SETTINGS, 0, 0, payload)).await;
        frames
    }

    /// Writes bytes. A server that has closed already is no error: what it said is read next.
    pub async fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Writes a frame; tells whether somebody still reads.
    pub async fn write(&mut self, frame: &Frame) -> bool {
        self.raw(&frame.bytes()).await
    }

    /// The next frame; nothing when the other side is done.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn read(&mut self) -> Option<Frame> {
        let next = tokio::time::timeout(PATIENCE, self.next());
        next.await.expect("the other side neither says anything nor closes")
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            let mut buffer = vec![0; 16 * 1024];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let head: [u8; 9] = self.unread.get(..9)?.try_into().ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if self.unread.len() < 9 + length {
            return None;
        }
        let payload = self.unread.drain(..9 + length).skip(9).collect();
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload })
    }

    /// The next frame that `wanted` knows; everything before it is passed over, settings are acknowledged. Nothing when
    /// the other side is done.
    pub async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            if frame.kind == kind::SETTINGS && frame.flags & END_STREAM == 0 {
                self.write(&Frame::new(kind::SETTINGS, END_STREAM, 0, [])).await;
            }
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Waits until the other side closes; the error of its GOAWAY, if it said one.
    pub async fn closed(&mut self) -> Option<u32> {
        let mut told = None;
        while let Some(frame) = self.until(|_| true).await {
            if frame.kind == kind::GOAWAY {
                told = frame.error();
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_of_its_codes() {
        let status = |payload: &[u8]| Frame::new(kind::HEADERS, 0, 1, payload).status();
        assert_eq!(status(&[0x88]), Some(200));
        assert_eq!(status(&[0x8c]), Some(400));
        assert_eq!(status(&[0x20, 0x88]), Some(200));
        assert_eq!(status(b"\x48\x03421"), Some(421));
        // 4, 2, 1: 011010 00010 00001, padded with ones.
        assert_eq!(status(&[0x48, 0x82, 0b0110_1000, 0b0100_0001]), Some(421));
        // 5, 0, 3: 011011 00000 011001, padded with ones.
        assert_eq!(status(&[0x48, 0x83, 0b0110_1100, 0b0000_1100, 0b1111_1111]), Some(503));
    }
}
