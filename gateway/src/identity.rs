//! From a request to the caller behind it. A cookie that opens nothing is the same as none, but for being cleared
//! (requirements SE-05, EP-02); two cookies are refused (SE-07).

use crate::caller::Caller;
use crate::intake::Inbound;
use crate::session::KeyMemo;
use crate::session::cookie::Cookies;
use crate::session::store::Store;
use crate::stop::Stop;

/// Finds the session that the request's cookie names, and nothing else: a client's own headers prove nothing.
pub fn establish(
    inbound: &Inbound,
    cookies: &Cookies,
    sessions: &Store,
    memo: &KeyMemo,
) -> Result<Caller, Stop> {
    let Some(value) = cookies.session(inbound.headers()).map_err(Stop::refused)? else {
        return Ok(Caller::Anonymous { stale_cookie: false });
    };
    let session = memo.key(value).and_then(|key| sessions.find(key, inbound.now));
    Ok(session.map_or(Caller::Anonymous { stale_cookie: true }, Caller::Session))
}
