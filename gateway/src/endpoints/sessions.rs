//! `/auth/sessions`: where a person is signed in, and ending what should not be. Shows and ends the sessions of whoever
//! asks, and says of no other whether there is one.

mod page;

use std::cmp::Reverse;
use std::sync::Arc;

use futures_util::future::join_all;
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Record;
use crate::body::Body;
use crate::clock::Timestamp;
use crate::csrf;
use crate::intake::Inbound;
use crate::live::Live;
use crate::policy::Permit;
use crate::respond::{self, Reader};
use crate::session::browser::Browser;
use crate::session::ending::Ending;
use crate::session::return_to::OWN_PAGE;
use crate::session::store::Overview;
use crate::session::{Session, SessionKey};
use crate::stop::{Reason, Stop};

use super::{posted, sign_out};

/// The largest body.
const MAX_BODY: usize = 4 * 1024;
/// The field that says what to end.
const END: &str = "end";
/// Instead of an id: all sessions but the one that asks.
const OTHERS: &str = "others";

/// Lists the sessions of whoever asks, or ends some of them.
pub async fn answer(
    live: &Live,
    mut inbound: Inbound,
    permit: &Permit<'_>,
    record: &Record<'_>,
) -> Result<Response<Body>, Stop> {
    let Some(session) = permit.caller().session() else {
        return Err(Stop::refused(Reason::NoSession));
    };
    if inbound.method() == Method::POST {
        let wish = read_wish(&mut inbound).await?;
        let ended = end(live, session, &wish, inbound.now, record).await?;
        return Ok(match Reader::of(inbound.headers()) {
            Reader::Person => respond::see_other(OWN_PAGE),
            Reader::Program => respond::json_response(StatusCode::OK, &json!({ "ended": ended })),
        });
    }
    if !inbound.is_navigation() && csrf::is_foreign_read(&inbound) {
        return Err(Stop::refused(Reason::CrossSite));
    }
    let mut sessions = of_this_person(live, session, inbound.now).await?;
    sessions.sort_by_key(|other| (other.key != session.key(), Reverse(other.last_used), other.key));
    Ok(match Reader::of(inbound.headers()) {
        Reader::Person => page::render(&sessions, session.key(), &inbound),
        Reader::Program => {
            let lines: Vec<_> = sessions.iter().map(|other| line(other, session.key())).collect();
            respond::json_response(StatusCode::OK, &json!({ "sessions": lines }))
        }
    })
}

fn line(other: &Overview, current: SessionKey) -> Value {
    let device = &other.summary.device;
    json!({
        "id": other.key.to_text(),
        "current": other.key == current,
        "started": Timestamp(other.summary.started).rfc3339(),
        "last_used": other.last_used.rfc3339(),
        "expires": other.end.rfc3339(),
        "address": device.address,
        "agent": device.agent,
        "browser": Browser::of(&device.agent).to_string(),
    })
}

/// The live sessions of the person whose session this is: same issuer, same subject.
async fn of_this_person(live: &Live, session: &Session, now: Timestamp) -> Result<Vec<Overview>, Stop> {
    let identity = session.identity();
    let mut sessions = live.sessions.of_person(&identity.issuer, &identity.subject).await?;
    sessions.retain(|other| {
        let same = other.summary.issuer == *identity.issuer && other.summary.subject == identity.subject;
        same && now < other.end
    });
    Ok(sessions)
}

/// What is asked for, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    end: String,
}

/// The one thing that the body asks for.
async fn read_wish(inbound: &mut Inbound) -> Result<String, Stop> {
    let kind = posted::Kind::of(inbound.headers())?;
    let body = posted::read(inbound, MAX_BODY).await?;
    let wish = match kind {
        posted::Kind::Json => serde_json::from_slice(&body).ok().map(|wish: Wish| wish.end),
        posted::Kind::Form => {
            let mut fields = url::form_urlencoded::parse(&body);
            match (fields.next(), fields.next()) {
                (Some((name, value)), None) if name == END => Some(value.into_owned()),
                _ => None,
            }
        }
    };
    wish.ok_or_else(|| Stop::refused(Reason::BadBody))
}

/// Ends what was asked for, and tells how many sessions that were.
async fn end(
    live: &Live,
    session: &Session,
    wish: &str,
    now: Timestamp,
    record: &Record<'_>,
) -> Result<usize, Stop> {
    let mut others: Vec<_> =
        of_this_person(live, session, now).await?.iter().map(|other| other.key).collect();
    others.retain(|key| *key != session.key());
    if wish != OTHERS {
        let key = SessionKey::from_text(wish);
        if key == Some(session.key()) {
            return Err(Stop::refused(Reason::OwnSession));
        }
        others.retain(|other| key == Some(*other));
        if others.is_empty() {
            return Err(Stop::refused(Reason::NoSuchSession));
        }
    }
    let at_hand = live.sessions.at_hand(&others);
    let ended = live.sessions.end_all(&others, Ending::EndedByPerson).await?;
    tracing::info!(target: "gateway::audit", event = "sessions_ended_by_person", request_id = record.request_id.as_str(), session = session.key().short(), count = ended.len(), "a person ended other sessions of theirs");
    give_back(live, &at_hand, record).await;
    Ok(ended.len())
}

/// Gives back the refresh tokens that can be: those of sessions that another gateway holds open only with their cookies.
async fn give_back(live: &Live, sessions: &[Arc<Session>], record: &Record<'_>) {
    let told = join_all(sessions.iter().map(|session| sign_out::give_back(live, session))).await;
    for fault in told.into_iter().filter_map(Result::err) {
        tracing::warn!(target: "gateway", request_id = record.request_id.as_str(), cause = fault.causes(), "the provider could not be told that a session was ended");
    }
}
