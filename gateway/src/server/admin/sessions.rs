//! The sessions, for operators: who is signed in, and the end of it. What is done here is written into the audit log.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::session::ending::Ending;
use crate::session::store::Overview;
use crate::session::store::backend::StoreError;
use crate::stop::causes;

use super::wish::{self, Whose, Wish};
use super::{Ends, Issue, reply};

/// Longer bodies are refused.
const MAX_BODY: usize = 64 * 1024;
/// A body must be there by then.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// How many sessions are ended at a time.
const BATCH: usize = 1_000;

/// Answers a request below `/sessions`.
pub(super) async fn answer(request: Request<Incoming>, issue: &Issue, ends: Ends) -> Response<Full<Bytes>> {
    if let Err(refused) = issue.operators.admit(request.headers(), ends.own) {
        tracing::warn!(
            target: "gateway::audit",
            event = "operator_refused",
            peer = %ends.peer.ip(),
            reason = refused.as_str(),
            "somebody who is no operator asked for sessions",
        );
        return refused.answer();
    }
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let wish = match (path.as_str(), &method) {
        ("/sessions", &(Method::GET | Method::HEAD)) => {
            return match wish::of_query(request.uri().query().unwrap_or_default()) {
                Ok(wish) => list(issue, ends, wish).await,
                Err(wrong) => reply::bad_request(&wrong),
            };
        }
        ("/sessions", _) => return reply::use_method("GET, HEAD"),
        ("/sessions/end", &Method::POST) => match body(request.into_body()).await {
            Ok(body) => wish::of_body(&body),
            Err(response) => return response,
        },
        ("/sessions/end", _) => return reply::use_method("POST"),
        (path, method) => {
            let id = path.strip_prefix("/sessions/").unwrap_or_default();
            match wish::of_id(id) {
                Ok(_) if method != Method::DELETE => return reply::use_method("DELETE"),
                read => read.map(|whose| Wish { whose, issuer: None }),
            }
        }
    };
    match wish {
        Ok(wish) => end(issue, ends, wish).await,
        Err(wrong) => reply::bad_request(&wrong),
    }
}

async fn body(body: Incoming) -> Result<Bytes, Response<Full<Bytes>>> {
    match tokio::time::timeout(BODY_LIMIT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(reply::problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "a body here has 64 KiB at most",
        )),
        Ok(Err(_)) => Err(reply::bad_request("the body did not come whole")),
        Err(_) => Err(reply::problem(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body took too long")),
    }
}

async fn list(issue: &Issue, ends: Ends, wish: Wish) -> Response<Full<Bytes>> {
    let now = issue.live.clock.now();
    let by = wish.whose.as_str();
    let (mut sessions, next) = match found(issue, wish).await {
        Ok(found) => found,
        Err(error) => return unavailable(ends, by, &error),
    };
    // What is over but not yet swept away is no session.
    sessions.retain(|session| now < session.end);
    let count = sessions.len();
    tracing::info!(
        target: "gateway::audit",
        event = "operator_listed",
        peer = %ends.peer.ip(),
        by,
        sessions = count,
        "an operator looked at sessions",
    );
    let sessions: Vec<Value> = sessions.iter().map(view).collect();
    reply::json(StatusCode::OK, &json!({ "now": now.rfc3339(), "sessions": sessions, "next": next }))
}

async fn end(issue: &Issue, ends: Ends, wish: Wish) -> Response<Full<Bytes>> {
    let by = wish.whose.as_str();
    let one = match &wish.whose {
        Whose::One(key) => Some(key.short()),
        _ => None,
    };
    let ended = match ended(issue, wish).await {
        Ok(ended) => ended,
        Err(error) => return unavailable(ends, by, &error),
    };
    tracing::info!(
        target: "gateway::audit",
        event = "operator_ended",
        peer = %ends.peer.ip(),
        by,
        session = one,
        sessions = ended,
        "an operator ended sessions",
    );
    if ended == 0 && one.is_some() {
        return reply::nothing_here("there is no session of that id");
    }
    reply::json(StatusCode::OK, &json!({ "ended": ended }))
}

/// Ends what is wished for, everywhere; how many there were.
async fn ended(issue: &Issue, wish: Wish) -> Result<usize, StoreError> {
    let store = &issue.live.sessions;
    let keys: Vec<SessionKey> = match wish.whose {
        Whose::One(key) => vec![key],
        _ => found(issue, wish).await?.0.iter().map(|session| session.key).collect(),
    };
    let mut ended = 0;
    for batch in keys.chunks(BATCH) {
        ended += store.end_all(batch, Ending::EndedByOperator).await?.len();
    }
    Ok(ended)
}

/// What is wished for, and where the next page begins.
async fn found(issue: &Issue, wish: Wish) -> Result<(Vec<Overview>, Option<String>), StoreError> {
    let Issue { live, operators, .. } = issue;
    let store = &live.sessions;
    let issuers = wish.issuer.map_or_else(|| operators.issuers.clone(), |issuer| vec![issuer]);
    let mut sessions = Vec::new();
    match wish.whose {
        Whose::Everybodys { cursor, limit } => return store.page(cursor.as_deref(), limit).await,
        Whose::One(key) => sessions = store.overviews(&[key]).await?,
        Whose::Subjects(subject) => {
            for issuer in issuers {
                sessions.extend(store.of_person(&issuer, &subject).await?);
            }
        }
        Whose::ProviderSessions(sid) => {
            for issuer in issuers {
                sessions.extend(store.of_provider_session(&issuer, &sid).await?);
            }
        }
    }
    Ok((sessions, None))
}

fn view(session: &Overview) -> Value {
    let Overview { key, summary, last_used, end } = session;
    json!({
        "id": key.to_text(),
        "issuer": summary.issuer,
        "subject": summary.subject,
        "name": summary.name,
        "provider_session": summary.provider_session,
        "started": Timestamp(summary.started).rfc3339(),
        "last_used": last_used.rfc3339(),
        "expires": end.rfc3339(),
        "address": summary.device.address,
        "agent": summary.device.agent,
    })
}

fn unavailable(ends: Ends, by: &str, error: &StoreError) -> Response<Full<Bytes>> {
    tracing::warn!(
        target: "gateway::audit",
        event = "operator_failed",
        peer = %ends.peer.ip(),
        by,
        error = causes(error),
        "an operator could not be served",
    );
    reply::store_unavailable()
}
