//! Bodies in chunks (RFC 9112, section 7.1), read strictly: a size is digits, a line ends with CR LF, and nothing is
//! repaired. Pure: bytes in, frames out.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Broken;

/// The longest line with a size, extensions and all.
const MAX_LINE: usize = 256;
/// The most bytes of trailers.
const MAX_TRAILERS: usize = 8 * 1024;
/// More extensions than this in one body are nobody's business but an attacker's.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// How far a body has been read.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    extensions: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

/// What comes next in a body.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// Bytes of it.
    Data(Bytes),
    /// Its end.
    End(Option<HeaderMap>),
    /// More must arrive first.
    Unknown,
}

impl Chunked {
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next piece off `bytes`.
    pub(super) fn next(&mut self, bytes: &mut BytesMut) -> Result<Piece, Broken> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = take_line(bytes, MAX_LINE)? else { return Ok(Piece::Unknown) };
                    let (size, extensions) = size(&line)?;
                    self.extensions += extensions;
                    if self.extensions > MAX_EXTENSIONS {
                        return Err(Broken::Chunk);
                    }
                    self.state = if size == 0 { State::Trailers } else { State::Data(size) };
                }
                State::Data(left) => {
                    if bytes.is_empty() {
                        return Ok(Piece::Unknown);
                    }
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Piece::Data(bytes.split_to(taken).freeze()));
                }
                State::DataEnd => match &bytes[..bytes.len().min(2)] {
                    b"\r\n" => {
                        bytes.advance(2);
                        self.state = State::Size;
                    }
                    b"" | b"\r" => return Ok(Piece::Unknown),
                    _ => return Err(Broken::Chunk),
                },
                State::Trailers => {
                    let piece = take_trailers(bytes)?;
                    if piece != Piece::Unknown {
                        self.state = State::Done;
                    }
                    return Ok(piece);
                }
                State::Done => return Ok(Piece::End(None)),
            }
        }
    }
}

/// A line without its end, once it is whole.
fn take_line(bytes: &mut BytesMut, longest: usize) -> Result<Option<BytesMut>, Broken> {
    let Some(newline) = bytes.iter().take(longest).position(|byte| *byte == b'\n') else {
        return if bytes.len() < longest { Ok(None) } else { Err(Broken::Chunk) };
    };
    let mut line = bytes.split_to(newline + 1);
    if newline == 0 || line[newline - 1] != b'\r' {
        return Err(Broken::Chunk);
    }
    line.truncate(newline - 1);
    Ok(Some(line))
}

/// A chunk's size, and how long its extensions are, which nobody reads.
fn size(line: &[u8]) -> Result<(u64, usize), Broken> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, rest) = line.split_at(end);
    // Blanks before a semicolon are old and harmless (RFC 9112, section 7.1.1, BWS); anything else is not an extension.
    let extension = rest.trim_ascii_start();
    let is_extension = extension.first().is_none_or(|byte| *byte == b';')
        && extension.iter().all(|byte| *byte == b'\t' || (0x20..0x7f).contains(byte) || *byte >= 0x80);
    let digits = std::str::from_utf8(digits).ok().filter(|digits| (1..=16).contains(&digits.len()));
    let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match size {
        Some(size) if is_extension => Ok((size, rest.len())),
        _ => Err(Broken::Chunk),
    }
}

/// The end with its trailers, once they are whole; nothing in place of none.
fn take_trailers(bytes: &mut BytesMut) -> Result<Piece, Broken> {
    if bytes.starts_with(b"\r\n") {
        bytes.advance(2);
        return Ok(Piece::End(None));
    }
    let mut fields = [httparse::EMPTY_HEADER; 32];
    match httparse::parse_headers(bytes, &mut fields) {
        // The library takes a line feed alone for the end of a line.
        Ok(httparse::Status::Complete((length, _))) if has_bare_line_feed(&bytes[..length]) => {
            Err(Broken::Chunk)
        }
        Ok(httparse::Status::Complete((length, fields))) => {
            let mut trailers = HeaderMap::with_capacity(fields.len());
            for field in fields {
                let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Broken::Chunk)?;
                let value = HeaderValue::from_bytes(field.value).map_err(|_| Broken::Chunk)?;
                trailers.append(name, value);
            }
            bytes.advance(length);
            Ok(Piece::End(Some(trailers)))
        }
        Ok(httparse::Status::Partial) if bytes.len() < MAX_TRAILERS => Ok(Piece::Unknown),
        _ => Err(Broken::Chunk),
    }
}

fn has_bare_line_feed(lines: &[u8]) -> bool {
    lines.split_inclusive(|byte| *byte == b'\n').any(|line| !line.ends_with(b"\r\n"))
}

/// One chunk, short enough to be copied, at the end of `out`.
pub(super) fn write(data: &[u8], out: &mut Vec<u8>) {
    write_size(data.len(), out);
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The line before a chunk's data.
pub(super) fn write_size(size: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
}

/// The last chunk, with trailers if there are any.
pub(super) fn write_end(trailers: Option<&HeaderMap>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        super::head::write_field(name.as_str().as_bytes(), value.as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that a body holds, when it arrives in pieces of that size; and what was left after it.
    fn read(wire: &[u8], step: usize) -> Result<(Vec<u8>, Option<HeaderMap>, usize), Broken> {
        let (mut chunked, mut bytes, mut data) = (Chunked::default(), BytesMut::new(), Vec::new());
        let mut arriving = wire.chunks(step.max(1));
        loop {
            match chunked.next(&mut bytes)? {
                Piece::Data(piece) => data.extend_from_slice(&piece),
                Piece::End(trailers) => {
                    return Ok((data, trailers, bytes.len() + arriving.flatten().count()));
                }
                Piece::Unknown => match arriving.next() {
                    Some(piece) => bytes.extend_from_slice(piece),
                    None => return Err(Broken::Truncated),
                },
            }
        }
    }

    #[test]
    fn chunks_are_joined_wherever_the_network_cuts_them() {
        let wire = b"4\r\nWiki\r\n5;name=value\r\npedia\r\n0\r\n\r\nHTTP/1.1";
        for step in 1..wire.len() {
            let (data, trailers, left) = read(wire, step).expect("well-formed");
            assert_eq!((data.as_slice(), trailers, left), (&b"Wikipedia"[..], None, 8));
        }
    }

    #[test]
    fn trailers_are_read_as_fields() {
        for step in [1, 7, 100] {
            let (_, trailers, _) = read(b"0\r\ngrpc-status: 0\r\n\r\n", step).expect("well-formed");
            assert_eq!(trailers.expect("some")["grpc-status"], "0");
        }
    }

    #[test]
    fn what_another_reader_could_take_for_something_else_is_refused() {
        for wire in [
            &b"\r\n\r\n"[..],
            b"4\nWiki\r\n0\r\n\r\n",
            b"4\r\nWiki0\r\n\r\n",
            b"4\r\nWiki\n0\r\n\r\n",
            b"+4\r\nWiki\r\n0\r\n\r\n",
            b"-4\r\nWiki\r\n0\r\n\r\n",
            b"0x4\r\nWiki\r\n0\r\n\r\n",
            b" 4\r\nWiki\r\n0\r\n\r\n",
            b"4 x\r\nWiki\r\n0\r\n\r\n",
            b"4;\x01\r\nWiki\r\n0\r\n\r\n",
            b"10000000000000000\r\nWiki\r\n0\r\n\r\n",
            b"4\r\nWiki\r\n0\r\nno colon\r\n\r\n",
            b"4\r\nWiki\r\n0\r\n\n",
            b"4\r\nWiki\r\n0\r\nname: value\n\r\n",
            b"4\r\nWiki\r\n0\r\nname: value\r\n\n",
        ] {
            assert!(matches!(read(wire, 3), Err(Broken::Chunk)), "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn lines_and_extensions_without_end_are_refused() {
        let long = [b"4;".as_slice(), &[b'x'; MAX_LINE]].concat();
        assert!(matches!(read(&long, 64), Err(Broken::Chunk)));
        let many = format!("1;{}\r\nx\r\n", "y".repeat(200)).repeat(100);
        assert!(matches!(read(many.as_bytes(), 64), Err(Broken::Chunk)));
        let trailers = format!("0\r\n{}", "name: value\r\n".repeat(1_000));
        assert!(matches!(read(trailers.as_bytes(), 64), Err(Broken::Chunk)));
    }

    proptest! {
        #[test]
        fn what_is_written_in_chunks_is_read_as_it_was(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 0..8),
            step in 1_usize..600,
        ) {
            let mut wire = Vec::new();
            for piece in &pieces {
                write(piece, &mut wire);
            }
            write_end(None, &mut wire);
            let (data, _, left) = read(&wire, step).expect("well-formed");
            prop_assert_eq!((data, left), (pieces.concat(), 0));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(wire in prop::collection::vec(any::<u8>(), 0..300), step in 1_usize..50) {
            let _ = read(&wire, step);
        }
    }
}
