//! A step inside this site, where cookies are `SameSite=Strict`: a browser that another site sent here leaves the session
//! behind, and brings it along once a page of this very site leads on. Needs no script, and is taken once.

use http::Response;
use http::StatusCode;

use crate::body::Body;
use crate::intake::Inbound;
use crate::live::Live;
use crate::pages::Page;
use crate::request_id::RequestId;
use crate::respond;
use crate::session::return_to::ReturnTo;

use super::{CONTINUE, parameter};

/// Says in a query that the step was taken.
const TAKEN: &str = "continued";

/// Whether another site sent the browser here, so that it may have a session all the same.
pub(super) fn is_needed(live: &Live, inbound: &Inbound) -> bool {
    let cookies = &live.site(inbound).cookies;
    cookies.are_strict()
        && inbound.is_navigation()
        && inbound.comes_from_another_site()
        && parameter(inbound, TAKEN).is_none()
        && matches!(cookies.session(inbound.headers()), Ok(None))
}

/// The page that leads to where the browser wanted to go. Not straight: a page that leads to its own address reloads it,
/// and a reload may count as coming from where the first load came from.
pub(super) fn to_same(inbound: &Inbound) -> Response<Body> {
    page(&format!("{CONTINUE}?{}", query("return_to", inbound.return_to().as_str())), &inbound.request_id)
}

/// The same for one of the gateway's own addresses, which takes the note that the step was taken.
pub(super) fn to_own(inbound: &Inbound) -> Response<Body> {
    let target = match inbound.query() {
        None => format!("{}?{}", inbound.path(), query(TAKEN, "1")),
        Some(own) => format!("{}?{own}&{}", inbound.path(), query(TAKEN, "1")),
    };
    page(&target, &inbound.request_id)
}

fn query(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

/// A page that leads on by itself.
pub(super) fn page(target: &str, request_id: &RequestId) -> Response<Body> {
    let page = Page {
        status: StatusCode::OK,
        heading: "One moment",
        message: "You are being taken to the page that you asked for.",
        actions: &[(target, "Go on")],
    };
    page.leading_on(target, request_id)
}

/// `/auth/continue`: the step itself.
pub(super) fn step(inbound: &Inbound) -> Response<Body> {
    respond::go_to(&ReturnTo::or_home(parameter(inbound, "return_to").as_deref()))
}
