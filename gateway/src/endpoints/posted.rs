//! The bodies that the gateway's own paths read: small, in time, and of a kind that was asked for. Knows nothing of what
//! is in them.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::intake::{Inbound, single};
use crate::stop::{Reason, Stop, Whose};

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What kind of body was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `application/x-www-form-urlencoded`
    Form,
    /// `application/json`
    Json,
}

impl Kind {
    /// The kind that the request says.
    ///
    /// # Errors
    /// [`Reason::BadBody`] for every other kind, or none.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Stop> {
        let text = single(headers, &CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = text.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Ok(Self::Form)
        } else if kind.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else {
            Err(Stop::refused(Reason::BadBody))
        }
    }
}

/// The whole body, of at most `most` bytes.
pub(super) async fn read(inbound: &mut Inbound, most: usize) -> Result<Bytes, Stop> {
    let body = Limited::new(std::mem::take(&mut inbound.body), most).collect();
    let Ok(body) = tokio::time::timeout(TIMEOUT, body).await else {
        return Err(Stop::refused(Reason::BadBody));
    };
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Stop::refused(Reason::BodyTooLarge)),
        Err(error) => Err(Stop::failed(Whose::Client, Reason::ClientGone, error)),
    }
}
