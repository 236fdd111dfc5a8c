//! From a request to the caller behind it. A cookie that opens nothing is the same as none, but for being cleared
//! (requirements SE-05, EP-02); two cookies are refused (SE-07).

use crate::access::Record;
use crate::caller::Caller;
use crate::intake::Inbound;
use crate::session::store::{Found, Store};
use crate::session::{Identity, KeyMemo, SessionId};
use crate::site::Site;
use crate::stop::{Reason, Stop};

/// Finds the session that the request's cookie names, and nothing else: a client's own headers prove nothing.
///
/// # Errors
/// - [`Reason::AmbiguousCookie`].
/// - [`Reason::StoreUnavailable`]: whose session it is cannot be known.
pub async fn establish(
    inbound: &Inbound,
    site: &Site,
    sessions: &Store,
    memo: &KeyMemo,
    record: Option<&mut Record<'_>>,
) -> Result<Caller, Stop> {
    let Some(value) = site.cookies.session(inbound.headers()).map_err(Stop::refused)? else {
        return Ok(Caller::Anonymous { stale_cookie: false });
    };
    let found = memo.shown(value).map_or(Found::Nothing, |shown| sessions.find(shown, inbound.now));
    let session = match found {
        Found::Session(session) => Some(session),
        Found::Nothing => None,
        Found::Unsure => match SessionId::parse(value) {
            Some(id) => {
                let began = record.as_ref().and_then(|record| record.mark());
                let opened = Box::pin(sessions.open(&id, inbound.now)).await.map_err(Stop::from);
                if let Some(record) = record {
                    record.step("session", began, opened.as_ref().err());
                }
                opened?
            }
            None => None,
        },
    };
    // A cookie that was carried here from another site opens nothing (requirement SE-06).
    let session = session.filter(|session| session.is_of(site.origin.tag()));
    Ok(session.map_or(Caller::Anonymous { stale_cookie: true }, Caller::Session))
}

/// The caller on a route that is for everybody: while the sessions cannot be looked up, that is nobody in particular.
pub fn or_anybody(caller: Result<Caller, Stop>) -> Result<Caller, Stop> {
    match caller {
        Err(stop) if stop.reason() == Reason::StoreUnavailable => {
            Ok(Caller::Anonymous { stale_cookie: false })
        }
        caller => caller,
    }
}

/// The caller, if whoever signed them in is still trusted. People of a provider that was taken out of the configuration are
/// nobody here; their cookie stays, because another gateway may have a newer configuration than this one.
pub fn while_trusted(caller: Caller, is_trusted: impl FnOnce(&Identity) -> bool) -> Caller {
    match caller {
        Caller::Session(session) if !is_trusted(&session.state().identity) => {
            Caller::Anonymous { stale_cookie: false }
        }
        caller => caller,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn whoever_was_signed_in_by_a_provider_that_is_gone_is_nobody() {
        let alice = || Caller::Session(Arc::new(crate::session::tests::started(0).1));
        assert!(while_trusted(alice(), |_| true).session().is_some());
        let gone = while_trusted(alice(), |_| false);
        assert!(matches!(gone, Caller::Anonymous { stale_cookie: false }));
        let stale = while_trusted(Caller::Anonymous { stale_cookie: true }, |_| false);
        assert!(matches!(stale, Caller::Anonymous { stale_cookie: true }));
    }
}
