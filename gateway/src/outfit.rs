//! What the answers of a route wear on their way out: which scripts may read them, how long caches may keep them, and
//! whether they are compressed. Measured while the request is judged, put on when the answer's head is there. Never
//! decompresses anything (requirements CS-04, HD-14, RL-06).

mod compression;

use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::body::Body;
use crate::cors::Granted;
use crate::intake::Inbound;
use crate::routing::{Compress, Edge};

use compression::Wish;

/// What one answer is to wear.
#[derive(Default)]
pub struct Outfit<'live> {
    granted: Option<Granted<'live>>,
    cache_control: Option<&'live HeaderValue>,
    compression: Option<Wish>,
}

impl<'live> Outfit<'live> {
    /// What every answer wears, be it a refusal.
    pub fn begin(edge: &'live Edge, headers: &HeaderMap) -> Option<Box<Self>> {
        let granted = edge.cors.as_ref()?.grant(headers);
        Some(Box::new(Self { granted: Some(granted), ..Self::default() }))
    }

    /// What the answer wears to a request that was let pass.
    pub fn measure(&mut self, edge: &'live Edge, has_session: bool, inbound: &Inbound) {
        self.cache_control = edge.cache_control.as_ref();
        let is_compressed = match edge.compress {
            Compress::Never => false,
            Compress::ToNobody => !has_session,
            Compress::Always => true,
        };
        if is_compressed {
            self.compression = Some(Wish::of(inbound.headers(), *inbound.method() == Method::HEAD));
        }
    }

    /// Puts on what it wears if the request went through.
    pub fn put_on(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(value) = self.cache_control
            && may_be_kept(response.status(), response.headers())
        {
            response.headers_mut().insert(CACHE_CONTROL, value.clone());
        }
        match &self.compression {
            Some(wish) => wish.fulfil(response),
            None => response,
        }
    }

    /// Tells the browser which scripts may read the answer.
    pub fn tell_scripts(&self, headers: &mut HeaderMap) {
        if let Some(granted) = &self.granted {
            granted.put_on(headers);
        }
    }
}

/// What was found, and sets nobody's cookie: that one is for whoever got it.
fn may_be_kept(status: StatusCode, headers: &HeaderMap) -> bool {
    (status.is_success() || status == StatusCode::NOT_MODIFIED) && !headers.contains_key(SET_COOKIE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(status: u16, headers: &[(&'static str, &'static str)]) -> Option<String> {
        let value = HeaderValue::from_static("public, max-age=60");
        let outfit = Outfit { cache_control: Some(&value), ..Outfit::default() };
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = outfit.put_on(answer.body(Body::Empty).expect("an answer"));
        answer.headers().get(CACHE_CONTROL).map(|value| value.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn what_was_found_is_kept_and_nothing_else() {
        let wanted = Some("public, max-age=60".to_owned());
        assert_eq!(dressed(200, &[]), wanted);
        assert_eq!(dressed(304, &[]), wanted);
        assert_eq!(dressed(200, &[("cache-control", "no-cache")]), wanted, "the route has the last word");
        for status in [302, 401, 404, 500] {
            assert_eq!(dressed(status, &[]), None, "{status}");
        }
        assert_eq!(dressed(200, &[("set-cookie", "a=b")]), None, "a cookie is for one");
    }
}
