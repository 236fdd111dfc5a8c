//! Pushed authorization requests (RFC 9126): the request goes to the provider directly, and the browser carries only
//! the name that the provider gave it. What cannot be pushed is not asked at all (requirement SI-19).

use http::StatusCode;

use crate::oidc::Provider;
use crate::oidc::discovery::Metadata;
use crate::oidc::http::{CallError, TOTAL_LIMIT};
use crate::oidc::json::{self, JsonError};
use crate::oidc::token_endpoint::Denial;
use crate::stop::{Reason, Stop, Whose};

/// Longer names make addresses that somebody on the way refuses.
const LONGEST_NAME: usize = 2_048;

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::oidc) enum PushError {
    /// Requests are not pushed to this provider.
    #[error("there is no endpoint for pushed requests")]
    NoPlace,
    /// Nothing readable came back.
    #[error("the request could not be pushed")]
    Call(#[from] CallError),
    /// 5xx or 429: try again later.
    #[error("the endpoint for pushed requests answered {0}")]
    Busy(StatusCode),
    /// It said no.
    #[error("the endpoint for pushed requests answered {0}: {1}")]
    Denied(StatusCode, Denial),
    /// It said yes in a way that cannot be used.
    #[error("the answer of the endpoint for pushed requests is refused")]
    Json(#[from] JsonError),
    /// `request_uri` is empty, endless or holds what no name has.
    #[error("the answer of the endpoint for pushed requests has no usable \"request_uri\"")]
    RequestUri,
    /// A status that this endpoint never has.
    #[error("the endpoint for pushed requests answered {0}")]
    Status(StatusCode),
}

impl From<PushError> for Stop {
    fn from(error: PushError) -> Self {
        let is_transient = match &error {
            PushError::Busy(_) => true,
            PushError::Call(cause) => cause.is_transient(),
            _ => false,
        };
        let reason = if is_transient { Reason::ProviderUnavailable } else { Reason::ProviderBroken };
        Self::failed(Whose::Provider, reason, error)
    }
}

impl Provider {
    /// Pushes a request, and says under which name the provider keeps it.
    pub(super) async fn push(
        &self,
        metadata: &Metadata,
        parameters: &[(String, String)],
    ) -> Result<String, PushError> {
        let url = metadata.push_to.as_ref().ok_or(PushError::NoPlace)?;
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reply = self.post_as_client(metadata, url, &parameters, TOTAL_LIMIT).await?;
        match reply.status {
            // Section 2.2 says 201; some say 200.
            StatusCode::CREATED | StatusCode::OK => read(&reply.body),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(PushError::Busy(status))
            }
            status if status.is_client_error() => Err(PushError::Denied(status, Denial::read(&reply.body))),
            status => Err(PushError::Status(status)),
        }
    }
}

/// The name in an answer. How long it is good for does not matter: the browser goes there at once.
pub(in crate::oidc) fn read(body: &[u8]) -> Result<String, PushError> {
    let members = json::object(body)?;
    let name = json::text(&members, "request_uri")?;
    let is_plain = name.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    if name.is_empty() || name.len() > LONGEST_NAME || !is_plain {
        return Err(PushError::RequestUri);
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_fits_into_an_address_is_taken() {
        let answer = |name: &str| format!(r#"{{"request_uri":"{name}","expires_in":60}}"#);
        let read = |name: &str| read(answer(name).as_bytes());
        assert_eq!(read("urn:ietf:params:oauth:request_uri:6esc").expect("sound").len(), 38);
        for bad in ["", "a b", "a\\nb", "é", &"a".repeat(LONGEST_NAME + 1)] {
            assert!(matches!(read(bad), Err(PushError::RequestUri)), "{bad}");
        }
        for bad in ["[]", "{}", r#"{"request_uri":7}"#, "<html>", r#"{"request_uri":"a","request_uri":"b"}"#]
        {
            assert!(matches!(super::read(bad.as_bytes()), Err(PushError::Json(_))), "{bad}");
        }
    }
}
