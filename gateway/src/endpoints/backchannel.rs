//! `/auth/backchannel-logout`: the provider says that somebody's session there is over, and every session that came of it
//! ends here before the answer (OpenID Connect Back-Channel Logout 1.0). No cookie plays a part.
//!
//! Refresh tokens are not revoked: the provider decides what becomes of them (section 2.7).

use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};

use crate::access::Record;
use crate::body::Body;
use crate::clock::Timestamp;
use crate::intake::Inbound;
use crate::live::Live;
use crate::oidc::logout_token::{LogoutToken, LogoutTokenError, Whose, claimed_issuer};
use crate::respond;
use crate::secret::Secret;
use crate::session::SessionKey;
use crate::session::ending::Ending;
use crate::session::store::Summary;
use crate::stop::{self, Reason, Stop, causes};

use super::{only, posted, provider_of};

/// The largest form.
const MAX_FORM: usize = 64 * 1024;

/// Ends the sessions that a logout token is about.
///
/// What is wrong with the token is answered 400, for good. What is not its fault (no keys, no store) is 503: the token
/// stays good, so that the provider may send it again.
pub async fn answer(
    live: &Live,
    mut inbound: Inbound,
    record: &mut Record<'_>,
) -> Result<Response<Body>, Stop> {
    if !matches!(posted::Kind::of(inbound.headers()), Ok(posted::Kind::Form)) {
        return Err(Stop::refused(Reason::BadMediaType));
    }
    let form = posted::read(&mut inbound, MAX_FORM).await?;
    let fields: Vec<_> = url::form_urlencoded::parse(&form).into_owned().collect();
    let Some(text) = only(&fields, "logout_token").map(Secret::new) else {
        return Ok(refuse(Reason::BadLogoutToken, "there is not one logout_token", record));
    };
    let provider = claimed_issuer(&text).and_then(|issuer| provider_of(live, &issuer).cloned());
    let Some(provider) = provider else {
        return Ok(refuse(Reason::BadLogoutToken, "it names no issuer that is known here", record));
    };
    let token = match provider.verify_logout_token(text).await {
        Ok(token) => token,
        Err(LogoutTokenError::Refused(cause)) => {
            return Ok(refuse(Reason::BadLogoutToken, &causes(&*cause), record));
        }
        Err(error @ LogoutTokenError::NoKeys) => {
            return Err(Stop::failed(stop::Whose::Provider, Reason::ProviderUnavailable, error));
        }
        Err(LogoutTokenError::Busy) => return Err(Stop::refused(Reason::Busy)),
    };
    match carry_out(live, &token, inbound.now).await? {
        Some(ended) => {
            tracing::info!(target: "gateway::audit", event = "backchannel_logout", request_id = record.request_id.as_str(), sessions = ended, "the provider ended sessions");
            let mut response = Response::new(Body::Empty);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        None => Ok(refuse(Reason::LogoutTokenUsed, "its \"jti\" came before", record)),
    }
}

/// Ends what the token is about, and says how many sessions that were; nothing if the token came before. Sessions are
/// looked up first: while that fails, the token was not used.
async fn carry_out(live: &Live, token: &LogoutToken, now: Timestamp) -> Result<Option<usize>, Stop> {
    let sessions = meant(live, token).await?;
    if !live.sessions.claim_once(token.name, now, token.over.since(now)).await? {
        return Ok(None);
    }
    match live.sessions.end_all(&sessions, Ending::BackChannel).await {
        Ok(ended) => {
            if !ended.is_empty() {
                live.sessions.until_heard().await;
            }
            Ok(Some(ended.len()))
        }
        Err(error) => {
            // They are over in this process, and the store is told when it can be. Whoever asks again may ask again.
            if let Err(error) = live.sessions.unclaim(token.name).await {
                tracing::debug!(target: "gateway::session", error = causes(&error), "a logout token that could not be carried out stays used");
            }
            Err(error.into())
        }
    }
}

async fn meant(live: &Live, token: &LogoutToken) -> Result<Vec<SessionKey>, Stop> {
    let sessions = match &token.whose {
        Whose::Session { sid, .. } => live.sessions.of_provider_session(&token.issuer, sid).await?,
        Whose::Person { subject } => live.sessions.of_person(&token.issuer, subject).await?,
    };
    Ok(sessions
        .iter()
        .filter(|session| is_meant(&session.summary, token))
        .map(|session| session.key)
        .collect())
}

/// Whether a token is about a session: all that it names fits, and the session is not younger than the token. Both times
/// are the provider's own, so that its clock may differ from ours (requirement BL-07).
fn is_meant(session: &Summary, token: &LogoutToken) -> bool {
    let is_theirs = match &token.whose {
        Whose::Session { sid, subject } => {
            session.provider_session.as_ref() == Some(sid)
                && subject.as_ref().is_none_or(|subject| *subject == session.subject)
        }
        Whose::Person { subject } => *subject == session.subject,
    };
    is_theirs && session.issuer == token.issuer && session.asserted <= token.issued.0
}

fn refuse(reason: Reason, detail: &str, record: &mut Record<'_>) -> Response<Body> {
    tracing::info!(target: "gateway::audit", event = "backchannel_logout_refused", request_id = record.request_id.as_str(), reason = reason.as_str(), detail, "a logout token was refused");
    respond::invalid_request(reason, record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Device;

    const ISSUER: &str = "http://localhost:3002";

    fn session() -> Summary {
        Summary {
            issuer: ISSUER.to_owned(),
            subject: "alice".to_owned(),
            name: None,
            provider_session: Some("s-1".to_owned()),
            started: 5_000,
            asserted: 1_000,
            device: Device::default(),
        }
    }

    fn token(whose: Whose) -> LogoutToken {
        let issued = Timestamp(1_000);
        LogoutToken { issuer: ISSUER.to_owned(), whose, issued, name: [0; 32], over: Timestamp(1_120) }
    }

    fn about(sid: &str, subject: Option<&str>) -> LogoutToken {
        token(Whose::Session { sid: sid.to_owned(), subject: subject.map(str::to_owned) })
    }

    fn person(subject: &str) -> LogoutToken {
        token(Whose::Person { subject: subject.to_owned() })
    }

    #[test]
    fn all_that_a_token_names_must_fit() {
        assert!(is_meant(&session(), &about("s-1", None)));
        assert!(is_meant(&session(), &about("s-1", Some("alice"))));
        assert!(is_meant(&session(), &person("alice")));
        assert!(!is_meant(&session(), &about("s-1", Some("bob"))));
        assert!(!is_meant(&session(), &about("s-2", Some("alice"))));
        assert!(!is_meant(&session(), &person("bob")));
        let elsewhere = LogoutToken { issuer: "http://localhost:3009".to_owned(), ..person("alice") };
        assert!(!is_meant(&session(), &elsewhere));
        let nameless = Summary { provider_session: None, ..session() };
        assert!(!is_meant(&nameless, &about("s-1", Some("alice"))) && is_meant(&nameless, &person("alice")));
    }

    #[test]
    fn a_session_younger_than_the_token_is_not_meant_whatever_our_own_clock_says() {
        let younger = Summary { asserted: 1_001, started: 0, ..session() };
        for token in [person("alice"), about("s-1", None), about("s-1", Some("alice"))] {
            assert!(!is_meant(&younger, &token));
            assert!(is_meant(&session(), &token));
        }
    }
}
