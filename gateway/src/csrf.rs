//! Whether a request that a cookie authenticates was sent by the site itself (requirements section 5).
//! Requests without a session carry no authority that another site could borrow; they pass, and policy judges them.

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderName, Method};

use crate::caller::Caller;
use crate::intake::{Inbound, SEC_FETCH_SITE, single};
use crate::origin::Origin;
use crate::routing::{Csrf, Route};
use crate::stop::{Reason, Stop};
use crate::websocket::Handshake;

/// The header that scripts of the site send and no form, link or foreign script can: `X-CSRF: 1`.
pub static X_CSRF: HeaderName = HeaderName::from_static("x-csrf");

/// Lets pass what the site itself sent.
pub fn check(inbound: &Inbound, route: &Route, caller: &Caller, origin: &Origin) -> Result<(), Stop> {
    let judged = if route.websocket && Handshake::of(inbound).is_some() {
        judge_handshake(inbound, origin)
    } else {
        let cors = route.edge.as_ref().and_then(|edge| edge.cors.as_ref());
        let is_invited = cors.is_some_and(|policy| policy.takes_with_session(inbound.headers()));
        judge(inbound, route.csrf, caller, origin, is_invited)
    };
    judged.map_err(Stop::refused)
}

/// A WebSocket is opened across origins without a preflight and read across origins too, and scripts cannot add a header
/// to it. But every browser says truly where it comes from: that must be here, also where everybody may pass, or any site
/// could talk through its visitors' browsers (requirement CS-09).
fn judge_handshake(inbound: &Inbound, origin: &Origin) -> Result<(), Reason> {
    let is_ours = single(inbound.headers(), &ORIGIN).is_some_and(|value| value == origin.as_str());
    if is_ours { Ok(()) } else { Err(Reason::CrossSite) }
}

/// `is_invited`: the route's own list says that scripts of that origin may act for the person here. Where the route asks for
/// the header they need it, too; browsers ask for them first, and let pages of no other origin send it.
fn judge(
    inbound: &Inbound,
    mode: Csrf,
    caller: &Caller,
    origin: &Origin,
    is_invited: bool,
) -> Result<(), Reason> {
    // A preflight asks on behalf of another origin. Those that a route grants something were answered before; to all
    // others the answer is no, here and not upstream (requirement CS-04).
    if inbound.method() == Method::OPTIONS && inbound.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return Err(Reason::CrossSite);
    }
    if mode == Csrf::Exempt || caller.session().is_none() {
        return Ok(());
    }
    if mode == Csrf::Header && single(inbound.headers(), &X_CSRF).is_none_or(|value| value != "1") {
        return Err(Reason::CsrfHeaderMissing);
    }
    let safe = matches!(*inbound.method(), Method::GET | Method::HEAD);
    if safe || is_invited || is_same_origin(inbound, origin) { Ok(()) } else { Err(Reason::CrossSite) }
}

/// `Origin` equal to ours, or without it `Sec-Fetch-Site: same-origin`. A request that says neither is refused: every
/// browser of today says at least one on unsafe methods, and a program can add the header.
fn is_same_origin(inbound: &Inbound, origin: &Origin) -> bool {
    let headers = inbound.headers();
    let site = headers.contains_key(&SEC_FETCH_SITE).then(|| single(headers, &SEC_FETCH_SITE));
    let site_is = |wanted: &str| matches!(site, Some(Some(value)) if value == wanted);
    if headers.contains_key(ORIGIN) {
        let same = single(headers, &ORIGIN).is_some_and(|value| value == origin.as_str());
        return same && (site.is_none() || site_is("same-origin") || site_is("none"));
    }
    site_is("same-origin")
}

/// Whether a script of another site asks for something that holds session data. Browsers that do not say are let
/// pass: without CORS headers they show the answer to nobody else.
pub fn is_foreign_read(inbound: &Inbound) -> bool {
    inbound.headers().get_all(&SEC_FETCH_SITE).iter().any(|value| value != "same-origin" && value != "none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::clock::Timestamp;
    use crate::request_id::RequestIds;
    use std::sync::Arc;

    fn outcome(method: &str, mode: Csrf, signed_in: bool, headers: &[(&str, &str)]) -> Result<(), Reason> {
        let origin = Origin::parse("https://app.example").expect("valid");
        let request = http::Request::builder().method(method).uri("/api").header("host", "app.example");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let sites = crate::site::tests::sites(&["https://app.example"]);
        let inbound =
            crate::intake::admit(parts, Body::Empty, &sites, RequestIds::new().next(), Timestamp(0));
        let inbound = inbound.expect("admitted");
        let caller = if signed_in {
            Caller::Session(Arc::new(crate::session::tests::started(0).1))
        } else {
            Caller::Anonymous { stale_cookie: false }
        };
        judge(&inbound, mode, &caller, &origin, false)
    }

    const CSRF: (&str, &str) = ("x-csrf", "1");
    const OURS: (&str, &str) = ("origin", "https://app.example");

    #[test]
    fn an_api_read_needs_the_header_with_its_value_once() {
        assert_eq!(outcome("GET", Csrf::Header, true, &[CSRF]), Ok(()));
        for headers in [
            &[][..],
            &[("x-csrf", "")],
            &[("x-csrf", "0")],
            &[("x-csrf", "1 ")],
            &[CSRF, CSRF],
            &[("x_csrf", "1")],
        ] {
            // Surrounding white space is trimmed by HTTP itself, so "1 " is not sent by this builder but by nobody else either.
            assert_eq!(
                outcome("GET", Csrf::Header, true, headers),
                Err(Reason::CsrfHeaderMissing),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn an_api_write_needs_the_header_and_the_same_origin() {
        assert_eq!(outcome("POST", Csrf::Header, true, &[CSRF, OURS]), Ok(()));
        assert_eq!(outcome("DELETE", Csrf::Header, true, &[CSRF, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(outcome("POST", Csrf::Header, true, &[OURS]), Err(Reason::CsrfHeaderMissing));
        for headers in [
            &[CSRF][..],
            &[CSRF, ("origin", "null")],
            &[CSRF, ("origin", "https://evil.example")],
            &[CSRF, ("origin", "http://app.example")],
            &[CSRF, ("origin", "https://app.example:8443")],
            &[CSRF, ("origin", "https://sub.app.example")],
            &[CSRF, ("origin", "https://app.example.evil")],
            &[CSRF, ("sec-fetch-site", "same-site")],
            &[CSRF, ("sec-fetch-site", "cross-site")],
            &[CSRF, ("sec-fetch-site", "none")],
            &[CSRF, OURS, ("sec-fetch-site", "cross-site")],
            &[CSRF, ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
            &[CSRF, OURS, OURS],
        ] {
            assert_eq!(outcome("POST", Csrf::Header, true, headers), Err(Reason::CrossSite), "{headers:?}");
        }
    }

    #[test]
    fn a_form_of_a_server_rendered_app_needs_the_same_origin_only() {
        assert_eq!(outcome("GET", Csrf::Origin, true, &[]), Ok(()));
        assert_eq!(outcome("POST", Csrf::Origin, true, &[OURS]), Ok(()));
        assert_eq!(outcome("POST", Csrf::Origin, true, &[]), Err(Reason::CrossSite));
        assert_eq!(
            outcome("POST", Csrf::Origin, true, &[("content-type", "text/plain")]),
            Err(Reason::CrossSite)
        );
    }

    #[test]
    fn preflights_are_answered_here_whoever_asks() {
        let preflight = [("access-control-request-method", "POST"), ("origin", "https://evil.example")];
        for signed_in in [true, false] {
            assert_eq!(outcome("OPTIONS", Csrf::Origin, signed_in, &preflight), Err(Reason::CrossSite));
        }
        assert_eq!(outcome("OPTIONS", Csrf::Origin, false, &[]), Ok(()));
    }

    #[test]
    fn without_a_session_there_is_no_authority_to_borrow() {
        assert_eq!(outcome("POST", Csrf::Header, false, &[]), Ok(()));
    }

    #[test]
    fn a_websocket_says_where_it_comes_from_whoever_opens_it() {
        use http::HeaderValue;
        let ours = Origin::parse("https://app.example").expect("valid");
        let from = |origins: &[&'static str]| {
            let handshake = crate::websocket::tests::inbound(|inbound| {
                for origin in origins {
                    inbound.parts.headers.append(ORIGIN, HeaderValue::from_static(origin));
                }
            });
            judge_handshake(&handshake, &ours)
        };
        assert_eq!(from(&["https://app.example"]), Ok(()));
        for origins in [
            &[][..],
            &["null"],
            &["https://evil.example"],
            &["http://app.example"],
            &["https://app.example:8443"],
            &["https://app.example.evil"],
            &["wss://app.example"],
            &["https://app.example/"],
            &["https://app.example", "https://app.example"],
        ] {
            assert_eq!(from(origins), Err(Reason::CrossSite), "{origins:?}");
        }
    }
}
