//! What a request pays before it is heard: rates of routes and of the gateway's own paths (requirements RL-02, BL-11).
//! Counts by the client's address, which a trusted proxy may have told, or by session.

use std::num::NonZeroU32;
use std::time::Duration;

use http::{Response, StatusCode};

use crate::access::Record;
use crate::body::Body;
use crate::caller::Caller;
use crate::intake::Peer;
use crate::limits::{By, Rate, RouteRate, household};
use crate::live::Live;
use crate::rates::{Key, TooMany};
use crate::stop::{Reason, Refusal, Remedy, Stop};

/// What all clients together ask of `/auth`, in the table of rates.
const AUTH: u64 = 1;
/// What one client asks of `/auth`.
const AUTH_OF_CLIENT: u64 = 2;
/// What one client asked of it in vain.
const AUTH_IN_VAIN: u64 = 3;
/// Of whom it was said that it holds too many connections.
const CONNECTIONS: u64 = 4;

/// Takes the toll of a route that counts by address, before anything else is known.
pub fn of_address(live: &Live, toll: RouteRate, record: &Record<'_>) -> Result<(), Stop> {
    if toll.by != By::Address {
        return Ok(());
    }
    take(live, Key { limit: toll.id, who: household(record.client.address) }, toll.rate, record)
}

/// Takes the toll of a route that counts by session, once it is known who asks.
pub fn of_session(live: &Live, toll: RouteRate, caller: &Caller, record: &Record<'_>) -> Result<(), Stop> {
    if toll.by != By::Session {
        return Ok(());
    }
    take(live, Key { limit: toll.id, who: who(caller, record) }, toll.rate, record)
}

/// Takes the toll of `/auth`, and of a sign-in that begins by itself.
pub fn of_auth(live: &Live, caller: Option<&Caller>, record: &Record<'_>) -> Result<(), Stop> {
    if let Some(rate) = of_one(live, record) {
        let who = caller.map_or_else(|| household(record.client.address), |caller| who(caller, record));
        take(live, Key { limit: AUTH_OF_CLIENT, who }, rate, record)?;
    }
    let all = live.limits.auth.map(|rate| take(live, Key { limit: AUTH, who: 0 }, rate, record));
    all.unwrap_or(Ok(()))
}

/// Refuses a client that asked in vain too often, where only that counts: a provider may have many people to sign out at
/// once, and each of its tokens that is good must be heard.
pub fn before_token(live: &Live, record: &Record<'_>) -> Result<(), Stop> {
    let Some(rate) = of_one(live, record) else {
        return Ok(());
    };
    let found = live.rates.look(in_vain(record), rate, record.time);
    found.map_err(|too_many| refused(in_vain(record), &too_many, record))
}

/// Counts a token that was no good.
pub fn after_token(live: &Live, outcome: &Result<Response<Body>, Stop>, record: &Record<'_>) {
    let is_bad = match outcome {
        Ok(response) => response.status() == StatusCode::BAD_REQUEST,
        Err(stop) => matches!(stop, Stop::Refused(_)),
    };
    if let Some(rate) = of_one(live, record).filter(|_| is_bad) {
        let _ = live.rates.take(in_vain(record), rate, record.time);
    }
}

/// Says that a client holds all the connections that it may have.
pub fn of_connection(live: &Live, peer: &Peer) {
    let key = Key { limit: CONNECTIONS, who: household(peer.address) };
    let once_a_minute = Rate { requests: NonZeroU32::MIN, per: Duration::from_mins(1) };
    if live.rates.take(key, once_a_minute, live.clock.now()).is_ok() {
        tracing::warn!(
            target: "gateway",
            event = "too_many_connections",
            client = peer.text(),
            "a client holds as many connections as it may"
        );
    }
}

fn in_vain(record: &Record<'_>) -> Key {
    Key { limit: AUTH_IN_VAIN, who: household(record.client.address) }
}

/// The rate of one client. This machine itself is none: whoever stands in front of the gateway here, and is no trusted
/// proxy, speaks for everybody.
fn of_one(live: &Live, record: &Record<'_>) -> Option<Rate> {
    live.limits.auth_per_client.filter(|_| !record.client.address.is_loopback())
}

fn who(caller: &Caller, record: &Record<'_>) -> u128 {
    caller.session().map_or_else(|| household(record.client.address), |session| session.key().number())
}

fn take(live: &Live, key: Key, rate: Rate, record: &Record<'_>) -> Result<(), Stop> {
    live.rates.take(key, rate, record.time).map_err(|too_many| refused(key, &too_many, record))
}

/// Said once a minute of one client, so that a flood does not become one of lines.
fn refused(key: Key, too_many: &TooMany, record: &Record<'_>) -> Stop {
    if too_many.is_news {
        tracing::warn!(
            target: "gateway",
            event = "rate_limited",
            client = if key.limit == AUTH { "everybody" } else { record.client.text() },
            route = record.route,
            request_id = record.request_id.as_str(),
            "a client asks too much"
        );
    }
    Stop::Refused(Refusal { reason: Reason::TooManyRequests, remedy: Remedy::Wait(too_many.wait) })
}
