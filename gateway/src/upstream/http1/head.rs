//! Heads of messages as bytes: a request's written, an answer's read. One reading, or none (RFC 9112, sections 4 to 6).
//! Pure: knows nothing of connections.

use std::mem::MaybeUninit;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

use super::Broken;

/// The longest head that a server may send.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// The most header fields that a server may send.
const MAX_HEADERS: usize = 100;

/// Where a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    ToEnd,
}

/// An answer's head, read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection may serve another request after this answer.
    pub(super) keeps_alive: bool,
    /// How many bytes it had.
    pub(super) length: usize,
}

/// Writes a request's head. Its headers must hold nothing about the connection or the body's length.
pub(super) fn write<B>(request: &Request<B>, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.uri().path_and_query().map_or("/", |target| target.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        write_field(name.as_str().as_bytes(), value.as_bytes(), out);
    }
    match framing {
        Framing::Length(length) => {
            write_field(b"content-length", length.to_string().as_bytes(), out);
        }
        Framing::Chunked => write_field(b"transfer-encoding", b"chunked", out),
        // A server may wait for a length where the method makes it expect a body (RFC 9110, section 8.6).
        Framing::Empty if matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) => {
            write_field(b"content-length", b"0", out);
        }
        Framing::Empty | Framing::ToEnd => {}
    }
    out.extend_from_slice(b"\r\n");
}

pub(super) fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Reads an answer's head from the beginning of `bytes`; nothing while it is not whole. `headers` is an empty map whose
/// memory is used again.
pub(super) fn read(bytes: &[u8], method: &Method, headers: &mut HeaderMap) -> Result<Option<Head>, Broken> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut answer, bytes, &mut fields)
        .map_err(Broken::Head)?;
    let httparse::Status::Complete(length) = parsed else {
        return if bytes.len() < MAX_HEAD { Ok(None) } else { Err(Broken::TooLarge) };
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Broken::Status)?;
    let is_http11 = answer.version == Some(1);
    let mut said = Said::default();
    let mut map = std::mem::take(headers);
    for field in answer.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Broken::Field)?;
        if said.hear(&name, field.value)? {
            let value = HeaderValue::from_bytes(field.value).map_err(|_| Broken::Field)?;
            map.append(name, value);
        }
    }
    let framing = said.framing(status, method, is_http11)?;
    if said.chunked {
        map.remove(CONTENT_LENGTH);
    }
    let keeps_alive = said.keeps_alive(status, is_http11) && framing != Framing::ToEnd;
    Ok(Some(Head { status, headers: map, framing, keeps_alive, length }))
}

/// What a head says about its body and its connection.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    keeps: bool,
}

impl Said {
    /// Hears a field. True if it says anything beyond this connection.
    fn hear(&mut self, name: &HeaderName, value: &[u8]) -> Result<bool, Broken> {
        match *name {
            // Said once, and a number (RFC 9112, section 6.3).
            CONTENT_LENGTH if self.length.is_some() => return Err(Broken::Framing),
            CONTENT_LENGTH => self.length = Some(number(value).ok_or(Broken::Framing)?),
            // Under any other coding the bytes would go out unlabelled.
            TRANSFER_ENCODING if self.chunked || !value.eq_ignore_ascii_case(b"chunked") => {
                return Err(Broken::Framing);
            }
            TRANSFER_ENCODING => {
                self.chunked = true;
                return Ok(false);
            }
            CONNECTION => {
                let mut names_fields = false;
                for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    match word {
                        word if word.eq_ignore_ascii_case(b"close") => self.closes = true,
                        word if word.eq_ignore_ascii_case(b"keep-alive") => self.keeps = true,
                        _ => names_fields = true,
                    }
                }
                return Ok(names_fields);
            }
            _ => {}
        }
        Ok(true)
    }

    fn framing(&self, status: StatusCode, method: &Method, is_http11: bool) -> Result<Framing, Broken> {
        // HTTP/1.0 knows no chunks: who sends them does not mean what it says.
        if self.chunked && !is_http11 {
            return Err(Broken::Framing);
        }
        let is_bare = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || *method == Method::HEAD;
        Ok(match self.length {
            _ if is_bare => Framing::Empty,
            // Chunked wins over a length beside it.
            _ if self.chunked => Framing::Chunked,
            Some(0) => Framing::Empty,
            Some(length) => Framing::Length(length),
            None => Framing::ToEnd,
        })
    }

    /// A length beside chunks, or a body announced where there is none, is a sign that somebody on the way reads
    /// otherwise: nothing follows such an answer.
    fn keeps_alive(&self, status: StatusCode, is_http11: bool) -> bool {
        let is_doubtful = match status {
            StatusCode::NO_CONTENT => self.chunked || self.length.is_some_and(|length| length > 0),
            // Its length is that of the answer with status 200, which was not sent.
            StatusCode::NOT_MODIFIED => self.chunked,
            _ => self.chunked && self.length.is_some(),
        };
        !self.closes && (is_http11 || self.keeps) && !is_doubtful
    }
}

/// Digits alone: no sign, no blank, no second number.
fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if !all_digits {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// Whether a head, of which `known` bytes were there before, is whole: looked for where it can have become so.
pub(super) fn may_be_whole(bytes: &[u8], known: usize) -> bool {
    let from = known.saturating_sub(3);
    let mut after = &bytes[from..];
    while let Some(newline) = after.iter().position(|byte| *byte == b'\n') {
        after = &after[newline + 1..];
        if matches!(after, [b'\n', ..] | [b'\r', b'\n', ..]) {
            return true;
        }
    }
    false
}
