//! `/auth/sign-out` and the page people land on afterwards. The local session ends first, so that no failure at the
//! provider can keep somebody signed in here (requirements LO-01 to LO-07).

use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::access::Record;
use crate::body::Body;
use crate::entropy;
use crate::intake::Inbound;
use crate::live::Live;
use crate::oidc::Carriage;
use crate::pages::{Form, Page};
use crate::policy::Permit;
use crate::respond::{self, Reader};
use crate::session::Session;
use crate::session::ending::Ending;
use crate::site::{Site, SiteId};
use crate::stop::{Fault, Stop};

use super::{SIGNED_OUT, parameter, sign_in};

/// Has the browser drop what pages of this site kept in it; cookies stay, so that other tabs can go on signing in
/// (requirement LO-09).
static CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// The note that the provider could not be told.
const UNREACHABLE: &str = "unreachable";

/// Ends the session here, gives the refresh token back, then sends the browser to end it at the provider.
///
/// Without a session nothing is done and nothing cleared: such a request needs not come from this site, because the
/// session's cookie stays behind when another site posts here, and must not take that cookie away (requirement LO-02).
pub async fn answer(
    live: &Live,
    inbound: &Inbound,
    permit: &Permit<'_>,
    record: &mut Record<'_>,
) -> Result<Response<Body>, Stop> {
    let reader = Reader::of(inbound.headers());
    // Signing out twice, or without a session, is fine.
    let Some(session) = permit.caller().session() else {
        return Ok(lead_to(SIGNED_OUT, reader));
    };
    live.sessions.end(session, Ending::SignedOut).await?;
    tracing::info!(target: "gateway::audit", event = "signed_out", request_id = record.request_id.as_str(), client = record.client.text(), subject = session.identity().pseudonym(), session = session.key().short(), "signed out");
    record.clear_session = true;
    record.clear_login = Some(live.site(inbound).cookies.login_name(sign_in::ROUNDS));
    let mut response = onward(live, live.site(inbound), session, reader, record).await;
    if live.clear_site_data {
        response.headers_mut().insert(&CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\", \"storage\""));
    }
    Ok(response)
}

/// Gives the refresh token back, and says where the browser goes next.
async fn onward(
    live: &Live,
    site: &Site,
    session: &Session,
    reader: Reader,
    record: &Record<'_>,
) -> Response<Body> {
    if let Err(fault) = give_back(live, session).await {
        tracing::warn!(target: "gateway", request_id = record.request_id.as_str(), cause = fault.causes(), "the provider could not be told of a sign-out");
        // Sending the browser to a provider that does not answer would strand it there.
        return lead_to(&format!("{SIGNED_OUT}?provider={UNREACHABLE}"), reader);
    }
    let provider = live.providers.of(&session.identity());
    let end_session = provider.and_then(|provider| {
        let back = (site.id != SiteId::FIRST).then(|| site.origin.url(SIGNED_OUT));
        provider.end_session(&session.credentials().id_token, &entropy::token(), back)
    });
    let Some(end_session) = end_session else {
        return lead_to(SIGNED_OUT, reader);
    };
    if reader == Reader::Program {
        return lead_to(&end_session.address_for_scripts(), reader);
    }
    match end_session.carriage() {
        Carriage::Address(address) => lead_to(&address, reader),
        Carriage::Form(action, fields) => {
            let form = Form { action: &action, fields: &fields, button: "Go on" };
            let page = Page {
                status: StatusCode::OK,
                heading: "One moment",
                message: "You are signed out of this site. You are being taken to the sign-in service, to be signed out there too.",
                actions: &[(SIGNED_OUT, "Stay signed in there")],
            };
            page.posting(&form, &record.request_id)
        }
    }
}

fn lead_to(next: &str, reader: Reader) -> Response<Body> {
    match reader {
        Reader::Person => respond::see_other(next),
        Reader::Program => {
            respond::json_response(StatusCode::OK, &json!({ "signed_out": true, "location": next }))
        }
    }
}

/// Gives the refresh token back to the provider, within two seconds.
pub(super) async fn give_back(live: &Live, session: &Session) -> Result<(), Fault> {
    match (&session.credentials().refresh_token, live.providers.of(&session.identity())) {
        (Some(token), Some(provider)) => provider.revoke(token).await,
        _ => Ok(()),
    }
}

/// The page after sign-out. Shows the same to everybody and does nothing, whatever `state` it is called with
/// (requirement LO-05).
pub fn landing(inbound: &Inbound) -> Response<Body> {
    let message = if parameter(inbound, "provider").is_some_and(|note| note == UNREACHABLE) {
        "You are signed out of this site. The sign-in service could not be reached, so you may still be signed in there: \
         close the browser if others use this computer."
    } else {
        "Your session on this site has ended, and nothing of it is left in this browser."
    };
    let actions = [("/auth/sign-in", "Sign in again"), ("/", "Go to the front page")];
    let page = Page { status: StatusCode::OK, heading: "You are signed out", message, actions: &actions };
    page.render(&inbound.request_id)
}
