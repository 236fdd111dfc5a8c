//! The opening handshake of a WebSocket (RFC 6455, section 4): what a client must ask and an upstream must answer before
//! bytes flow freely. It knows nothing of what flows then.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use crate::body::Body;
use crate::intake::{Inbound, single};

/// What a server joins to the client's key to show that it speaks WebSocket (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A client's wish for a WebSocket, in exactly the one form that RFC 6455 gives it.
#[derive(Debug)]
pub struct Handshake {
    key: HeaderValue,
}

impl Handshake {
    /// The handshake that a request is; nothing if it is any other request, however much it looks like one.
    pub fn of(inbound: &Inbound) -> Option<Self> {
        let headers = inbound.headers();
        if !asks_for_websocket(headers) {
            return None;
        }
        let key = single(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key))?;
        let is_version_13 = single(headers, &SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
        let is_bare_get = inbound.method() == Method::GET
            && inbound.parts.version == Version::HTTP_11
            && matches!(inbound.body, Body::Empty);
        (is_bare_get && is_version_13).then(|| Self { key: key.clone() })
    }

    /// Asks an upstream for the same, in headers from which everything about connections was removed.
    pub fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_KEY, self.key.clone());
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }

    /// Whether an upstream's 101 says that it read this handshake and speaks WebSocket from here on.
    pub fn is_answered_by(&self, headers: &HeaderMap) -> bool {
        let accept = single(headers, &SEC_WEBSOCKET_ACCEPT);
        asks_for_websocket(headers) && accept.is_some_and(|accept| *accept == self.accept())
    }

    /// Says so to the client, in headers from which everything about connections was removed.
    pub fn answer(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept());
        headers.remove(CONTENT_LENGTH);
    }

    fn accept(&self) -> HeaderValue {
        let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(self.key.as_bytes());
        hash.update(GUID);
        HeaderValue::try_from(STANDARD.encode(hash.finish())).expect("base64 is visible ASCII")
    }
}

/// `Upgrade: websocket` and nothing else, and `Connection` says that it is meant.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let is_websocket = |upgrade: &HeaderValue| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket");
    single(headers, &UPGRADE).is_some_and(is_websocket) && lists(headers, &CONNECTION, b"upgrade")
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &[u8]) -> bool {
    let mut words = headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    words.any(|word| word.trim_ascii().eq_ignore_ascii_case(wanted))
}

/// Sixteen bytes in base64.
fn is_key(key: &HeaderValue) -> bool {
    // The engine wants room for whole groups of three.
    key.len() == 24 && STANDARD.decode_slice(key, &mut [0; 18]) == Ok(16)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::request_id::RequestIds;
    use bytes::Bytes;

    /// A handshake with the key of RFC 6455, section 1.3, and `edit` done to it.
    pub(crate) fn inbound(edit: impl FnOnce(&mut Inbound)) -> Inbound {
        let request = http::Request::get("/chat")
            .header("host", "app.example")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13");
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let sites = crate::site::tests::sites(&["https://app.example"]);
        let id = RequestIds::new().next();
        let mut inbound =
            crate::intake::admit(parts, Body::Empty, &sites, id, Timestamp(0)).expect("admitted");
        edit(&mut inbound);
        inbound
    }

    fn handshake() -> Handshake {
        Handshake::of(&inbound(|_| {})).expect("a handshake")
    }

    fn is_one_with(name: &'static str, values: &[&'static str]) -> bool {
        let edited = inbound(|inbound| {
            inbound.parts.headers.remove(name);
            for value in values {
                inbound.parts.headers.append(name, HeaderValue::from_static(value));
            }
        });
        Handshake::of(&edited).is_some()
    }

    #[test]
    fn a_handshake_has_exactly_one_form() {
        assert!(Handshake::of(&inbound(|_| {})).is_some());
        assert!(Handshake::of(&inbound(|request| request.parts.method = Method::POST)).is_none());
        assert!(Handshake::of(&inbound(|request| request.parts.version = Version::HTTP_10)).is_none());
        let with_body = |request: &mut Inbound| request.body = Body::Full(Bytes::from_static(b"x"));
        assert!(Handshake::of(&inbound(with_body)).is_none());
    }

    #[test]
    fn each_of_its_headers_stands_alone_and_says_what_it_must() {
        const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
        for (name, right, wrong) in [
            (
                "upgrade",
                &["websocket"][..],
                &[&[][..], &["h2c"], &["foo"], &["websocket, h2c"], &["websocket", "websocket"]][..],
            ),
            (
                "connection",
                &["close", "upgrade"],
                &[&[], &["keep-alive"], &["upgraded"], &["upgrade;x"], &["sec-websocket-key"]],
            ),
            ("sec-websocket-version", &["13"], &[&[], &["12"], &["13, 8"], &["13", "13"], &["777"]]),
            (
                "sec-websocket-key",
                &[KEY],
                &[
                    &[],
                    &[""],
                    &[KEY, KEY],
                    &["dGhlIHNhbXBsZSBub25jZQ"],
                    &["dGhlIHNhbXBsZSBub25jZQ=!"],
                    // Seventeen bytes, fifteen bytes, and bits that no byte has.
                    &["dGhlIHNhbXBsZSBub25jZXg="],
                    &["dGhlIHNhbXBsZSBub25j"],
                    &["dGhlIHNhbXBsZSBub25jZR=="],
                ],
            ),
        ] {
            assert!(is_one_with(name, right), "{name}: {right:?}");
            for values in wrong {
                assert!(!is_one_with(name, values), "{name}: {values:?}");
            }
        }
    }

    #[test]
    fn an_upstream_shows_that_it_read_the_key() {
        // The answer that RFC 6455, section 1.3, gives for its key.
        let right = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        let map = |lines: &[(&'static str, &'static str)]| -> HeaderMap {
            let parse = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            lines.iter().map(parse).collect()
        };
        assert!(handshake().is_answered_by(&map(&right)));
        for missing in 0..right.len() {
            let mut lines = right.to_vec();
            lines.remove(missing);
            assert!(!handshake().is_answered_by(&map(&lines)), "{lines:?}");
        }
        for (at, wrong) in
            [(1, "foo"), (2, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo"), (2, "x3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]
        {
            let mut lines = right.to_vec();
            lines[at].1 = wrong;
            assert!(!handshake().is_answered_by(&map(&lines)), "{lines:?}");
        }
        let mut doubled = map(&right);
        doubled.append(SEC_WEBSOCKET_ACCEPT, doubled[SEC_WEBSOCKET_ACCEPT].clone());
        assert!(!handshake().is_answered_by(&doubled));
    }

    #[test]
    fn what_is_asked_upstream_is_a_handshake_too_and_its_answer_is_one() {
        let (mut asked, mut answered) = (HeaderMap::new(), HeaderMap::new());
        handshake().ask(&mut asked);
        assert!(Handshake::of(&inbound(|inbound| inbound.parts.headers = asked)).is_some());
        answered.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        handshake().answer(&mut answered);
        assert!(handshake().is_answered_by(&answered) && !answered.contains_key(CONTENT_LENGTH));
    }
}
