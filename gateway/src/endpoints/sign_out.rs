//! `/auth/sign-out` and the page people land on afterwards. The local session ends first, so that no failure at the
//! provider can keep somebody signed in here (requirements LO-01 to LO-07).

use http::{Response, StatusCode};
use serde_json::json;

use crate::access::Record;
use crate::body::Body;
use crate::entropy;
use crate::intake::Inbound;
use crate::live::Live;
use crate::pages::Page;
use crate::policy::Permit;
use crate::respond::{self, Reader};
use crate::session::Session;
use crate::session::ending::Ending;
use crate::stop::{Fault, Stop};

use super::{SIGNED_OUT, parameter, sign_in};

/// The note that the provider could not be told.
const UNREACHABLE: &str = "unreachable";

/// Ends the session here, gives the refresh token back, then sends the browser to end it at the provider.
pub async fn answer(
    live: &Live,
    inbound: &Inbound,
    permit: &Permit<'_>,
    record: &mut Record<'_>,
) -> Result<Response<Body>, Stop> {
    let next = match permit.caller().session() {
        // Signing out twice, or without a session, is fine.
        None => SIGNED_OUT.to_owned(),
        Some(session) => {
            live.sessions.end(session, Ending::SignedOut).await?;
            tracing::info!(target: "gateway::audit", event = "signed_out", request_id = record.request_id.as_str(), session = session.key().short(), "signed out");
            let credentials = session.credentials();
            match give_back(live, session).await {
                Ok(()) => live
                    .providers
                    .of(&session.identity())
                    .and_then(|provider| provider.end_session_url(&credentials.id_token, &entropy::token()))
                    .unwrap_or_else(|| SIGNED_OUT.to_owned()),
                // Sending the browser to a provider that does not answer would strand it there.
                Err(fault) => {
                    tracing::warn!(target: "gateway", request_id = record.request_id.as_str(), cause = fault.causes(), "the provider could not be told of a sign-out");
                    format!("{SIGNED_OUT}?provider={UNREACHABLE}")
                }
            }
        }
    };
    record.clear_session = true;
    record.clear_login = Some(live.cookies.login_name(sign_in::ROUNDS));
    Ok(match Reader::of(inbound.headers()) {
        Reader::Person => respond::see_other(&next),
        Reader::Program => {
            respond::json_response(StatusCode::OK, &json!({ "signed_out": true, "location": next }))
        }
    })
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
