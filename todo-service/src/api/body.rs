//! The body of a write: JSON, at most 64 KiB, one object, read strictly, and not for ever. Knows nothing of fields.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::App;
use crate::json;
use crate::problem::{Kind, Problem};

/// The largest accepted body, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// How long a client may take to send it.
const PATIENCE: Duration = Duration::from_secs(15);

/// The members of the one object in a request's body.
pub(super) struct JsonBody(pub(super) Map<String, Value>);

impl FromRequest<App> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        let bytes = tokio::time::timeout(PATIENCE, read(request)).await.map_err(|_| {
            Problem::new(Kind::RequestTimeout, "slow-body", "The body did not arrive in time.")
        })??;
        json::object(&bytes).map(Self).map_err(|fault| malformed(&format!("The body is refused: {fault}.")))
    }
}

/// `application/json` (or, for the sake of PATCH, `application/merge-patch+json`), in UTF-8 and not compressed.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let parameters = parameters.trim().to_ascii_lowercase();
    let json = matches!(essence.as_str(), "application/json" | "application/merge-patch+json");
    let utf8 = matches!(parameters.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"");
    if json && utf8 && values.next().is_none() && !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(());
    }
    let detail = "Send Content-Type: application/json, in UTF-8 and without a Content-Encoding.";
    Err(Problem::new(Kind::UnsupportedMediaType, "media-type", detail))
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), MAX_BODY);
    match body.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::new(Kind::ContentTooLarge, "body-too-large", "Send at most 64 KiB."))
        }
        Err(_) => Err(malformed("The body broke off.")),
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::new(Kind::MalformedRequest, "malformed-body", detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn accepted(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_str(value).expect("a header value"));
        }
        check_media_type(&headers).is_ok()
    }

    #[test]
    fn json_in_utf_8_is_accepted_and_nothing_else() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"] {
            assert!(accepted(&[good]), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "text/json",
            "application/jsonx",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!accepted(&[bad]), "{bad}");
        }
        assert!(!accepted(&[]));
        assert!(!accepted(&["application/json", "application/json"]));
    }
}
