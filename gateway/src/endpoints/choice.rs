//! The page on which people choose whom to sign in with, where there are several. Everything else that the sign-in was
//! asked with goes along.

use http::{Response, StatusCode};
use url::form_urlencoded;

use crate::body::Body;
use crate::intake::Inbound;
use crate::live::Live;
use crate::pages::Page;

/// One link for each provider, in the order of the configuration.
pub(super) fn page(live: &Live, inbound: &Inbound) -> Response<Body> {
    let links: Vec<_> = live
        .providers
        .all()
        .map(|provider| (link(inbound, &provider.settings().name), provider.settings().label.as_str()))
        .collect();
    let actions: Vec<_> = links.iter().map(|(target, label)| (target.as_str(), *label)).collect();
    let page = Page {
        status: StatusCode::OK,
        heading: "Sign in",
        message: "Choose the service that knows you.",
        actions: &actions,
    };
    page.render(&inbound.request_id)
}

/// This very request, for that provider.
fn link(inbound: &Inbound, provider: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("provider", provider);
    let asked = form_urlencoded::parse(inbound.query().unwrap_or_default().as_bytes());
    query.extend_pairs(asked.filter(|(name, _)| name != "provider"));
    format!("{}?{}", inbound.path(), query.finish())
}
