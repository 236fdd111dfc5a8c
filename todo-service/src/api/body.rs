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
        let bytes = within(PATIENCE, read(request)).await?;
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

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let slow = |_| Problem::new(Kind::RequestTimeout, "slow-body", "The body did not arrive in time.");
    tokio::time::timeout(patience, work).await.map_err(slow)?
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
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::*;
    use axum::http::{HeaderValue, StatusCode};
    use axum::response::IntoResponse;

    fn accepted(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_str(value).expect("a header value"));
        }
        check_media_type(&headers).is_ok()
    }

    type Arrival = Pin<Box<dyn Future<Output = std::io::Result<Bytes>> + Send>>;

    /// A body that comes in one piece, when it comes.
    struct Arriving(Option<Arrival>);

    impl hyper::body::Body for Arriving {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<std::io::Result<hyper::body::Frame<Bytes>>>> {
            let Some(arrival) = &mut self.0 else { return Poll::Ready(None) };
            let arrived = std::task::ready!(arrival.as_mut().poll(context));
            self.0 = None;
            Poll::Ready(Some(arrived.map(hyper::body::Frame::data)))
        }
    }

    /// A request whose body is still to come.
    fn unfinished() -> (tokio::io::DuplexStream, impl Future<Output = Result<Bytes, Problem>> + Send + 'static)
    {
        let (send, mut receive) = tokio::io::duplex(1024);
        let arriving = async move {
            let mut bytes = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut receive, &mut bytes).await.map(|_| Bytes::from(bytes))
        };
        let body = Arriving(Some(Box::pin(arriving)));
        (send, read(Request::new(axum::body::Body::new(body))))
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_in_time_is_given_up_and_one_that_does_is_read() {
        let (_held, reading) = unfinished();
        let refused = within(Duration::from_millis(50), reading).await.expect_err("too slow");
        assert_eq!(refused.into_response().status(), StatusCode::REQUEST_TIMEOUT);

        let (mut send, reading) = unfinished();
        let waiting = tokio::spawn(within(Duration::from_secs(60), reading));
        tokio::io::AsyncWriteExt::write_all(&mut send, b"{}").await.expect("it waits");
        drop(send);
        let body = waiting.await.expect("no panic").map_err(|problem| problem.into_response().status());
        assert_eq!(body, Ok(Bytes::from_static(b"{}")));
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
