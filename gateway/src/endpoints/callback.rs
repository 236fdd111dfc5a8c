//! `/auth/callback`: the provider's answer. Refused before any network call unless it belongs to an attempt of this
//! very browser; the session cookie leaves only after every check passed (requirements sections 2 and 3).

use std::time::Duration;

use bytes::Bytes;
use http::header::{SET_COOKIE, USER_AGENT};
use http::{Method, Response};

use crate::access::Record;
use crate::body::Body;
use crate::intake::{Inbound, Peer};
use crate::live::Live;
use crate::oidc::callback::Answer;
use crate::policy::Permit;
use crate::respond;
use crate::session::attempt::LoginAttempt;
use crate::session::ending::Ending;
use crate::session::return_to::ReturnTo;
use crate::session::{Beginning, Device};
use crate::stop::{Reason, Refusal, Remedy, Stop};

use super::{onward, posted, sign_in};

/// The largest form that a provider may post.
const MAX_FORM: usize = 64 * 1024;
/// How much of a `User-Agent` is kept.
const MAX_AGENT: usize = 200;
/// Sign-ins completed within this time of each other count as rounds of a loop.
const ROUND: Duration = Duration::from_secs(30);

/// Completes a sign-in.
pub async fn answer(
    live: &Live,
    provider: usize,
    mut inbound: Inbound,
    permit: &Permit<'_>,
    record: &mut Record<'_>,
) -> Result<Response<Body>, Stop> {
    let encoded = parameters(&mut inbound).await?;
    let answer = Answer::parse(&encoded).map_err(try_again)?;
    let attempt = attempt_of(live, &inbound, &answer, record)?;
    if attempt.has_expired(inbound.now) {
        return Err(again(Reason::AttemptExpired, attempt.return_to));
    }
    if !live.sessions.claim(&attempt, answer.has_code(), inbound.now).await? {
        return Err(again(Reason::AttemptUsed, attempt.return_to));
    }
    let (return_to, previous) = (attempt.return_to.clone(), attempt.previous);
    let Some(provider) = live.providers.at(provider) else {
        return Err(try_again(Reason::WrongIssuer));
    };
    // An attempt that began with another provider is refused in there (requirement CB-05).
    let began = record.mark();
    let finished = provider.finish(attempt, answer, &live.token_specs).await;
    record.step("sign_in", began, finished.as_ref().err());
    let signed_in = match finished {
        // Nobody was asked anything, so nobody is told anything: one round, and whoever is signed in here stays so.
        Err(Stop::Refused(Refusal { reason: Reason::NobodySignedIn, .. })) => {
            record.reason = Some(Reason::NobodySignedIn);
            return Ok(respond::go_to(&return_to));
        }
        finished => finished?,
    };
    // Signing in over a session ends it: its cookie may be known to somebody else (requirement SI-14).
    let known = permit.caller().session().map(|session| session.key());
    let old: Vec<_> = known.into_iter().chain(previous.filter(|key| known != Some(*key))).collect();
    live.sessions.end_all(&old, Ending::SignedInAgain).await?;
    let beginning = Beginning {
        identity: signed_in.identity,
        credentials: signed_in.credentials,
        device: device(&inbound, record.client),
        origin: live.site(&inbound).origin.tag(),
    };
    let (id, session) = live.sessions.begin(beginning, inbound.now).await?;
    tracing::info!(target: "gateway::audit", event = "signed_in", request_id = record.request_id.as_str(), client = record.client.text(), subject = session.identity().pseudonym(), session = session.key().short(), "signed in");
    record.clear_session = false;
    let cookies = &live.site(&inbound).cookies;
    let mut response = if cookies.are_strict() {
        // A redirect would still count as the provider's, and the new cookie stay behind.
        onward::page(return_to.as_str(), &inbound.request_id)
    } else {
        respond::go_to(&return_to)
    };
    let rounds = (sign_in::rounds(live, &inbound).saturating_add(1)).to_string();
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, cookies.set_session(&id.reveal(), session.lifetimes().absolute));
    headers.append(SET_COOKIE, cookies.set_login(&cookies.login_name(sign_in::ROUNDS), &rounds, ROUND));
    Ok(response)
}

/// From where the person signs in, for their own list of sessions.
fn device(inbound: &Inbound, client: &Peer) -> Device {
    let agent = inbound.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent = agent.chars().take(MAX_AGENT).collect::<String>();
    Device { agent: agent.into(), address: client.text().into() }
}

/// The answer's parameters, from the query or the posted form.
async fn parameters(inbound: &mut Inbound) -> Result<Bytes, Stop> {
    if inbound.method() != Method::POST {
        return Ok(Bytes::copy_from_slice(inbound.query().unwrap_or_default().as_bytes()));
    }
    if posted::Kind::of(inbound.headers())? != posted::Kind::Form {
        return Err(Stop::refused(Reason::BadBody));
    }
    posted::read(inbound, MAX_FORM).await
}

/// The attempt that the answer's state names, from the cookie in which this browser keeps it.
fn attempt_of(
    live: &Live,
    inbound: &Inbound,
    answer: &Answer,
    record: &mut Record<'_>,
) -> Result<LoginAttempt, Stop> {
    let state = answer.state().ok_or_else(|| try_again(Reason::BadState))?;
    let site = live.site(inbound);
    let name = site.cookies.login_name(&sign_in::tag(state));
    let mut values =
        site.cookies.logins(inbound.headers()).filter(|(known, _)| *known == name).map(|(_, value)| value);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(try_again(Reason::BadState));
    };
    // Whatever comes of it, this attempt is over.
    record.clear_login = Some(name.clone());
    sign_in::open(live, site, &name, value).ok_or_else(|| try_again(Reason::BadState))
}

fn try_again(reason: Reason) -> Stop {
    again(reason, ReturnTo::home())
}

fn again(reason: Reason, return_to: ReturnTo) -> Stop {
    Stop::Refused(Refusal { reason, remedy: Remedy::TryAgain(return_to) })
}
