//! Whether a request is sent once more: what allows it, what it is made of, and how many may be. Pure.

use std::cell::Cell;

use http::request::Parts;
use http::{Method, Request};

use crate::body::Body;
use crate::routing::Retries;

use super::attempt::Kind;

/// A retry is paid for by so many requests: at most one in five is sent again, so that no storm arises.
const PRICE: u32 = 5;
/// So many retries may be made before requests have paid for them.
const RESERVE: u32 = 10;

/// How many retries one worker may make at one upstream.
#[derive(Debug)]
pub(super) struct Budget(Cell<u32>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Cell::new(RESERVE * PRICE))
    }

    /// A request that might be sent again.
    pub(super) fn pay_in(&self) {
        self.0.set((self.0.get() + 1).min(RESERVE * PRICE));
    }

    /// Whether a retry may be made; it is paid for then.
    pub(super) fn spend(&self) -> bool {
        let rest = self.0.get().checked_sub(PRICE);
        self.0.set(rest.unwrap_or(self.0.get()));
        rest.is_some()
    }
}

/// A request that can be sent more than once: idempotent (RFC 9110, section 9.2.2) and without a body.
pub(super) struct Copy(Parts);

impl Copy {
    /// A copy of that request, if it is one of those.
    pub(super) fn of(request: &Request<Body>) -> Option<Self> {
        let is_idempotent = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        );
        if !is_idempotent || !matches!(request.body(), Body::Empty) {
            return None;
        }
        let mut copy = Request::new(());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        Some(Self(copy.into_parts().0))
    }

    /// The request once more.
    pub(super) fn again(&self) -> Request<Body> {
        Request::from_parts(self.0.clone(), Body::Empty)
    }
}

/// How often a request that its server never looked at is sent, where the route says nothing of retries.
const UNTOUCHED: u8 = 2;

/// Whether a request that may have arrived and failed like that may be sent again, after so many attempts.
pub(super) fn is_allowed(kind: Kind, rules: Option<&Retries>, attempts: u8) -> bool {
    let most = rules.map_or(UNTOUCHED, |rules| rules.attempts);
    let is_wanted = match kind {
        Kind::Refused => true,
        Kind::Unreachable | Kind::ConnectSlow | Kind::Unsent => rules.is_some_and(|rules| rules.connect),
        Kind::Broken => rules.is_some_and(|rules| rules.reset),
        Kind::Late => rules.is_some_and(|rules| rules.timeout),
        Kind::Starved | Kind::Busy | Kind::Client => false,
    };
    is_wanted && attempts < most
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn at_most_one_request_in_five_is_sent_again(wishes in proptest::collection::vec(any::<bool>(), 0..2_000)) {
            let budget = Budget::new();
            let mut retries = 0;
            for wish in &wishes {
                budget.pay_in();
                if *wish && budget.spend() {
                    retries += 1;
                }
            }
            let most = RESERVE as usize + wishes.len() / PRICE as usize;
            prop_assert!(retries <= most, "{retries} of {}", wishes.len());
        }
    }

    #[test]
    fn only_idempotent_requests_without_a_body_can_be_copied() {
        let request = |method: Method, body: Body| {
            let mut request = Request::new(body);
            *request.method_mut() = method;
            request
        };
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE] {
            let copy = Copy::of(&request(method.clone(), Body::Empty)).expect("a copy");
            assert_eq!(copy.again().method(), method);
            let with_body = request(method, Body::Full(Bytes::from_static(b"x")));
            assert!(Copy::of(&with_body).is_none());
        }
        for method in [Method::POST, Method::PATCH] {
            assert!(Copy::of(&request(method, Body::Empty)).is_none());
        }
    }

    #[test]
    fn what_may_have_arrived_is_sent_again_only_where_the_route_says_so() {
        let rules = Retries { attempts: 3, connect: false, reset: true, timeout: false, statuses: vec![] };
        assert!(!is_allowed(Kind::Broken, None, 1));
        assert!(is_allowed(Kind::Broken, Some(&rules), 1) && is_allowed(Kind::Broken, Some(&rules), 2));
        assert!(!is_allowed(Kind::Broken, Some(&rules), 3));
        assert!(!is_allowed(Kind::Late, Some(&rules), 1));
        assert!(!is_allowed(Kind::Busy, Some(&rules), 1) && !is_allowed(Kind::Client, Some(&rules), 1));
        assert!(is_allowed(Kind::Refused, None, 1) && !is_allowed(Kind::Refused, None, 2));
    }
}
