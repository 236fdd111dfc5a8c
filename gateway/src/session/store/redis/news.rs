//! What gateways write on the channel, byte by byte. Whoever may write there can at worst make gateways look up a session
//! once more; nothing is believed.

use crate::session::SessionKey;

/// Who wrote: random, new with each start.
pub(super) type Origin = [u8; 16];

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Nothing happened; the writer wants to hear itself.
    Beat(Origin, u64),
    /// Sessions are over.
    Ended(Origin, Vec<SessionKey>),
    /// A session was replaced.
    Changed(Origin, SessionKey),
}

const BEAT: u8 = b'B';
const ENDED: u8 = b'E';
const CHANGED: u8 = b'C';

impl Message {
    /// Kind, origin, content.
    pub(super) fn encode(&self) -> Vec<u8> {
        let start = |kind: u8, origin: &Origin| {
            let mut bytes = vec![kind];
            bytes.extend_from_slice(origin);
            bytes
        };
        match self {
            Self::Beat(origin, number) => {
                let mut bytes = start(BEAT, origin);
                bytes.extend_from_slice(&number.to_be_bytes());
                bytes
            }
            Self::Ended(origin, keys) => {
                let mut bytes = start(ENDED, origin);
                bytes.extend(keys.iter().flat_map(SessionKey::as_bytes));
                bytes
            }
            Self::Changed(origin, key) => {
                let mut bytes = start(CHANGED, origin);
                bytes.extend_from_slice(key.as_bytes());
                bytes
            }
        }
    }

    /// Nothing for what no gateway wrote.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (origin, content) = rest.split_first_chunk::<16>()?;
        match *kind {
            BEAT => Some(Self::Beat(*origin, u64::from_be_bytes(content.try_into().ok()?))),
            ENDED if content.len().is_multiple_of(32) => {
                let keys = content.chunks_exact(32).filter_map(|chunk| chunk.try_into().ok());
                Some(Self::Ended(*origin, keys.map(SessionKey::from_bytes).collect()))
            }
            CHANGED => Some(Self::Changed(*origin, SessionKey::from_bytes(content.try_into().ok()?))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let key = |byte| SessionKey::from_bytes([byte; 32]);
        for message in [
            Message::Beat([1; 16], u64::MAX - 1),
            Message::Ended([2; 16], vec![key(3), key(4)]),
            Message::Ended([2; 16], Vec::new()),
            Message::Changed([5; 16], key(6)),
        ] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        let good = Message::Changed([5; 16], SessionKey::from_bytes([6; 32])).encode();
        let longer = [&good[..], b"x"].concat();
        for bytes in [&b""[..], b"hello", &good[..20], &longer, &[b'X'; 49], &[b'E'; 50], &[b'B'; 40]] {
            assert_eq!(Message::decode(bytes), None);
        }
        assert!(Message::decode(&good).is_some());
    }
}
