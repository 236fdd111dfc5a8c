//! `/auth/session`: what a page may know of the session. Names, times and scopes; never a token (requirement SE-15).

use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::body::Body;
use crate::clock::Timestamp;
use crate::csrf;
use crate::intake::Inbound;
use crate::live::Live;
use crate::policy::Permit;
use crate::respond;
use crate::session::{Session, TokenSpec};
use crate::stop::{Reason, Stop};

/// Tells whether somebody is signed in, and who. Scripts of other sites are refused.
pub fn answer(live: &Live, inbound: &Inbound, permit: &Permit<'_>) -> Result<Response<Body>, Stop> {
    if csrf::is_foreign_read(inbound) {
        return Err(Stop::refused(Reason::CrossSite));
    }
    let body = match permit.caller().session() {
        None => json!({ "signed_in": false, "now": inbound.now.rfc3339() }),
        Some(session) => view(live, session, inbound.now),
    };
    Ok(respond::json_response(StatusCode::OK, &body))
}

fn view(live: &Live, session: &Session, now: Timestamp) -> Value {
    let identity = session.identity();
    let known = identity.claims.to_map();
    let claims: Map<String, Value> =
        live.shown_claims.iter().filter_map(|name| Some((name.clone(), known.get(name)?.clone()))).collect();
    json!({
        "signed_in": true,
        "name": identity.display_name(),
        "claims": claims,
        "now": now.rfc3339(),
        "idle_expires_at": session.idle_end().rfc3339(),
        "expires_at": session.absolute_end().rfc3339(),
        "tokens": tokens(live, session, now),
    })
}

/// Every token that routes may ask for in the person's name, and whether the gateway holds one that is still good.
fn tokens(live: &Live, session: &Session, now: Timestamp) -> Vec<Value> {
    let credentials = session.credentials();
    let view = |spec: &Arc<TokenSpec>| {
        let held = credentials.held(spec).filter(|held| now < held.expires);
        let scopes: Vec<_> = spec.scopes.names().collect();
        json!({
            "name": spec.name,
            "scopes": scopes,
            "held": held.is_some(),
            "expires_at": held.map(|held| held.expires.rfc3339()),
        })
    };
    live.token_specs.iter().filter(|spec| spec.is_for_sessions()).map(view).collect()
}
