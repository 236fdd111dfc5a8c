//! A call whose answer is looked at as it is: any status, a redirect that is not followed, a page, the server's time.
//! For examinations only; the limits are those of every other call.

use bytes::Bytes;
use http::header::{ACCEPT, DATE, HeaderMap, LOCATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use url::Url;

use super::{CallError, HttpClient, Kind, MAX_BODY, TOTAL_LIMIT, is_acceptable, kind, place};

/// An answer, whatever it is.
pub(in crate::oidc) struct Look {
    pub(in crate::oidc) status: StatusCode,
    /// `Location`: where a redirect leads.
    pub(in crate::oidc) location: Option<String>,
    /// `Date`: what time it is over there.
    pub(in crate::oidc) date: Option<String>,
    /// Whether it says that it is JSON, or says nothing, and is not compressed.
    pub(in crate::oidc) is_json: bool,
    pub(in crate::oidc) body: Bytes,
}

impl HttpClient {
    /// GETs whatever is there.
    pub(in crate::oidc) async fn look(&self, url: &Url, accept: &'static str) -> Result<Look, CallError> {
        let place = place(url);
        if !is_acceptable(url) {
            return Err(CallError::Insecure(place));
        }
        let mut request = Request::get(url.as_str()).body(Full::default()).map_err(CallError::Address)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("gateway doctor"));
        match tokio::time::timeout(TOTAL_LIMIT, self.exchange_any(&place, request)).await {
            Ok(look) => look,
            Err(_) => Err(CallError::Timeout(place)),
        }
    }

    async fn exchange_any(&self, place: &str, request: Request<Full<Bytes>>) -> Result<Look, CallError> {
        let answer = self.plain.request(request).await.map_err(|error| {
            if error.is_connect() {
                CallError::Connect(place.to_owned(), error)
            } else {
                CallError::Broken(place.to_owned(), error.into())
            }
        })?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                CallError::TooLarge(place.to_owned())
            } else {
                CallError::Broken(place.to_owned(), error)
            }
        })?;
        Ok(Look {
            status: parts.status,
            location: text(&parts.headers, &LOCATION),
            date: text(&parts.headers, &DATE),
            is_json: kind(&parts.headers) == Some(Kind::Json),
            body: body.to_bytes(),
        })
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
