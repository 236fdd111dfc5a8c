//! How a session stands in the file: fixed numbers first, then the summary, then the body.
//! When it was used last stands elsewhere, so that a use never rewrites a record.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::store::backend::{IndexKey, Stored};

/// The first byte of every record. Another layout gets another number.
const LAYOUT: u8 = 1;
const HAS_PROVIDER_SESSION: u8 = 1;

/// The bytes of a record, without the time of the last use.
pub(super) fn encode(stored: &Stored) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(100 + stored.summary.len() + stored.body.len());
    bytes.push(LAYOUT);
    bytes.push(if stored.provider_session.is_some() { HAS_PROVIDER_SESSION } else { 0 });
    bytes.extend_from_slice(&stored.version.to_be_bytes());
    bytes.extend_from_slice(&stored.idle.as_secs().to_be_bytes());
    bytes.extend_from_slice(&stored.absolute_end.0.to_be_bytes());
    bytes.extend_from_slice(&stored.subject.0);
    bytes.extend(stored.provider_session.into_iter().flat_map(|index| index.0));
    bytes.extend_from_slice(&(stored.summary.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&stored.summary);
    bytes.extend_from_slice(&stored.body);
    bytes
}

/// What [`encode`] wrote, read where it lies.
pub(super) struct Record<'a> {
    pub(super) version: u64,
    pub(super) idle: Duration,
    pub(super) absolute_end: Timestamp,
    pub(super) subject: IndexKey,
    pub(super) provider_session: Option<IndexKey>,
    pub(super) summary: &'a [u8],
    pub(super) body: &'a [u8],
}

impl<'a> Record<'a> {
    /// Nothing if no gateway wrote those bytes.
    pub(super) fn decode(mut bytes: &'a [u8]) -> Option<Self> {
        let [LAYOUT, flags] = take(&mut bytes)? else { return None };
        let version = u64::from_be_bytes(take(&mut bytes)?);
        let idle = Duration::from_secs(u64::from_be_bytes(take(&mut bytes)?));
        let absolute_end = Timestamp(i64::from_be_bytes(take(&mut bytes)?));
        let subject = IndexKey(take(&mut bytes)?);
        let provider_session = match flags {
            0 => None,
            HAS_PROVIDER_SESSION => Some(IndexKey(take(&mut bytes)?)),
            _ => return None,
        };
        let length = usize::try_from(u64::from_be_bytes(take(&mut bytes)?)).ok()?;
        let (summary, body) = bytes.split_at_checked(length)?;
        Some(Self { version, idle, absolute_end, subject, provider_session, summary, body })
    }

    /// As [`Stored::end`].
    pub(super) fn end(&self, last_used: Timestamp) -> Timestamp {
        last_used.plus(self.idle).min(self.absolute_end)
    }

    /// Every index entry that leads here.
    pub(super) fn indexes(&self) -> impl Iterator<Item = IndexKey> + use<> {
        [Some(self.subject), self.provider_session].into_iter().flatten()
    }

    pub(super) fn stored(&self, last_used: Timestamp) -> Stored {
        Stored {
            version: self.version,
            body: self.body.to_vec(),
            summary: self.summary.to_vec(),
            last_used,
            idle: self.idle,
            absolute_end: self.absolute_end,
            subject: self.subject,
            provider_session: self.provider_session,
        }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(provider_session: Option<IndexKey>) -> Stored {
        Stored {
            version: 7,
            body: b"body".to_vec(),
            summary: b"summary".to_vec(),
            last_used: Timestamp(1_000),
            idle: Duration::from_secs(60),
            absolute_end: Timestamp(9_000),
            subject: IndexKey([1; 32]),
            provider_session,
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_half_of_one_is_not() {
        for stored in [stored(None), stored(Some(IndexKey([2; 32])))] {
            let bytes = encode(&stored);
            let record = Record::decode(&bytes).expect("a record");
            assert_eq!(record.stored(stored.last_used), stored);
            assert_eq!(record.end(stored.last_used), stored.end());
            let head = bytes.len() - b"body".len();
            assert!((0..head).all(|length| Record::decode(&bytes[..length]).is_none()));
        }
    }

    #[test]
    fn another_layout_is_not_guessed_at() {
        let mut bytes = encode(&stored(None));
        bytes[0] = 2;
        assert!(Record::decode(&bytes).is_none());
        bytes[0] = LAYOUT;
        bytes[1] = 2;
        assert!(Record::decode(&bytes).is_none());
    }
}
