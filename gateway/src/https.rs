//! Showing the way to TLS: page loads that came without it are sent to the same path of the configured origin, and
//! everything else is refused, because what it carries has travelled in the clear already (requirement TL-02).

use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use crate::body::Body;
use crate::intake;
use crate::origin::Origin;
use crate::path;
use crate::stop::Reason;

/// The answer to a request that came without TLS. Looks at no cookie.
pub fn show_the_way(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Response<Body>, Reason> {
    let is_page =
        matches!(*method, Method::GET | Method::HEAD) && intake::is_navigation(&Method::GET, headers);
    if !is_page {
        return Err(Reason::PlainHttp);
    }
    target(uri, origin).map(moved)
}

/// The same path and query on the configured origin, in the one reading that they have. `Host` plays no part.
fn target(uri: &Uri, origin: &Origin) -> Result<HeaderValue, Reason> {
    if uri.path().len() + uri.query().map_or(0, str::len) > intake::MAX_TARGET {
        return Err(Reason::TargetTooLong);
    }
    let path = path::canonical(uri.path()).map_err(|_| Reason::BadPath)?;
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    HeaderValue::try_from(origin.url(&target)).map_err(|_| Reason::BadPath)
}

fn moved(location: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    // Browsers keep such an answer for ever unless told otherwise; a site may go back to another port.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
