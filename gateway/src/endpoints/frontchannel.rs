//! `/auth/frontchannel-logout`: the provider loads this into a frame of its own page while somebody signs out there
//! (OpenID Connect Front-Channel Logout 1.0). Needs no cookie, because browsers keep cookies from frames of other sites:
//! issuer and `sid` together name the sessions. Anybody could load it, so it ends what fits exactly, tells nobody what it
//! did, and says nothing to the provider.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, Response};

use crate::access::Record;
use crate::body::Body;
use crate::intake::Inbound;
use crate::live::Live;
use crate::session::ending::Ending;
use crate::stop::Stop;

use super::{only, provider_of};

/// The same whatever came of it.
const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-out</title><p>Your sign-out has been noted.</p></html>\n";

/// Ends the sessions that issuer and `sid` name together.
pub async fn answer(live: &Live, inbound: &Inbound, record: &Record<'_>) -> Result<Response<Body>, Stop> {
    let query = inbound.query().unwrap_or_default().as_bytes();
    let pairs: Vec<_> = url::form_urlencoded::parse(query).into_owned().collect();
    if let (Some(issuer), Some(sid)) = (only(&pairs, "iss"), only(&pairs, "sid"))
        && provider_of(live, &issuer).is_some()
    {
        end(live, &issuer, &sid, record).await?;
    }
    Ok(page(live))
}

async fn end(live: &Live, issuer: &str, sid: &str, record: &Record<'_>) -> Result<(), Stop> {
    let mut sessions = live.sessions.of_provider_session(issuer, sid).await?;
    sessions.retain(|session| {
        session.summary.issuer == issuer && session.summary.provider_session.as_deref() == Some(sid)
    });
    let keys: Vec<_> = sessions.iter().map(|session| session.key).collect();
    let ended = live.sessions.end_all(&keys, Ending::FrontChannel).await?;
    tracing::info!(target: "gateway::audit", event = "frontchannel_logout", request_id = record.request_id.as_str(), sessions = ended.len(), "the provider ended sessions by way of a browser");
    Ok(())
}

/// The page, which the provider alone may frame (requirement FL-03).
fn page(live: &Live) -> Response<Body> {
    let ancestors = frame_ancestors(live);
    let policy =
        format!("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}");
    let mut response = Response::new(Body::Full(PAGE.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let closed = HeaderValue::from_static("frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).unwrap_or(closed));
    response
}

/// Whoever may frame it: the providers.
fn frame_ancestors(live: &Live) -> String {
    let mut origins: Vec<_> = live.providers.all().flat_map(|provider| provider.origins()).collect();
    origins.sort();
    origins.dedup();
    origins.join(" ")
}
