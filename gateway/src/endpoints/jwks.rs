//! `/auth/jwks`: the public halves of the keys that the gateway signs with, for providers, and for
//! upstreams that are told who asks (RFC 7517). The same for
//! everybody, and no secret.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};

use crate::body::Body;
use crate::live::Live;

/// The keys, which may be kept for five minutes: a new key is known everywhere soon after it is published.
pub fn answer(live: &Live) -> Response<Body> {
    let mut response = Response::new(Body::Full(live.public_jwks.to_string().into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
