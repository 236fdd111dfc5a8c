//! `/auth/sign-in`, `/auth/sign-up`, and the sign-in that a refused navigation begins by itself.

use std::sync::Arc;

use http::Response;
use http::header::SET_COOKIE;

use aws_lc_rs::digest;

use crate::body::Body;
use crate::hex;
use crate::identity;
use crate::intake::{self, Inbound};
use crate::live::Live;
use crate::oidc::{Provider, Purpose, Want};
use crate::respond;
use crate::session::attempt::{LIFETIME, LoginAttempt};
use crate::session::return_to::ReturnTo;
use crate::session::{KeyMemo, SessionKey};
use crate::site::{Site, SiteId};
use crate::stop::{Reason, Refusal, Remedy, SignIn, Stop};

use super::{choice, onward, parameter};

/// The most attempts under way in one browser; the oldest give way (requirement SI-06).
const MAX_ATTEMPTS: usize = 8;
/// The most bytes that all attempts of one browser may take in its `Cookie` header (requirement SI-06).
const MAX_ATTEMPT_BYTES: usize = 6 * 1024;
/// The most cookies cleared by one answer; the next one clears more.
const MAX_CLEARED: usize = 20;
/// After this many completed sign-ins in a row without a session coming back, the browser keeps no cookies.
const MAX_ROUNDS: u8 = 2;
/// The tag of the cookie that counts rounds.
pub(super) const ROUNDS: &str = "rounds";

/// A person asked to sign in or up, or a page asked whether somebody is signed in at the provider (`prompt=none`). Frames, prefetches and scripts are told the address instead (requirement SI-12).
pub async fn requested(live: &Live, inbound: &Inbound, purpose: Purpose) -> Result<Response<Body>, Stop> {
    let return_to = ReturnTo::or_home(parameter(inbound, "return_to").as_deref());
    let token = parameter(inbound, "token").and_then(|name| live.token(&name));
    if !intake::may_begin_sign_in(inbound.method(), inbound.headers()) {
        let provider = parameter(inbound, "provider").map(|name| Arc::from(&*name));
        let token = token.map(|spec| spec.name.clone());
        let remedy = Remedy::SignIn(SignIn { return_to, token, provider });
        return Err(Stop::Refused(Refusal { reason: Reason::NoSession, remedy }));
    }
    // The session that this sign-in will end comes along only from here.
    if onward::is_needed(live, inbound) {
        return Ok(onward::to_own(inbound));
    }
    let parameters =
        url::form_urlencoded::parse(inbound.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let named = parameter(inbound, "provider");
    let named = named.as_deref().or(token.and_then(|spec| spec.provider.as_deref()));
    let Some(provider) = named.map_or_else(|| live.providers.only(), |name| live.providers.named(name))
    else {
        return Ok(choice::page(live, inbound));
    };
    let is_silent = purpose == Purpose::SignIn && parameter(inbound, "prompt").is_some_and(|it| it == "none");
    let purpose = if is_silent { Purpose::Silent } else { purpose };
    let want = Want { return_to, extra_scopes: token.map(|spec| spec.scopes.clone()), purpose, parameters };
    begin(live, provider, inbound, want).await
}

/// A navigation that policy refused goes to the provider at once, unless it has been there twice already.
pub async fn automatic(live: &Live, inbound: &Inbound, wanted: SignIn) -> Result<Response<Body>, Stop> {
    if onward::is_needed(live, inbound) {
        return Ok(onward::to_same(inbound));
    }
    if rounds(live, inbound) >= MAX_ROUNDS {
        let remedy = Remedy::TryAgain(wanted.return_to);
        return Err(Stop::Refused(Refusal { reason: Reason::SignInLoop, remedy }));
    }
    let named = wanted.provider.as_deref();
    let Some(provider) = named.map_or_else(|| live.providers.only(), |name| live.providers.named(name))
    else {
        return Ok(respond::see_other(&respond::sign_in_address(&wanted)));
    };
    let token = wanted.token.as_ref().and_then(|name| live.token(name));
    let extra_scopes = token.map(|spec| spec.scopes.clone());
    let want =
        Want { return_to: wanted.return_to, extra_scopes, purpose: Purpose::SignIn, parameters: Vec::new() };
    begin(live, provider, inbound, want).await
}

/// How many sign-ins this browser has completed within half a minute.
pub(super) fn rounds(live: &Live, inbound: &Inbound) -> u8 {
    let cookies = &live.site(inbound).cookies;
    let name = cookies.login_name(ROUNDS);
    let value = cookies.logins(inbound.headers()).find(|(known, _)| *known == name).map(|(_, value)| value);
    value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or(0)
}

pub(super) async fn begin(
    live: &Live,
    provider: &Arc<Provider>,
    inbound: &Inbound,
    want: Want,
) -> Result<Response<Body>, Stop> {
    let site = live.site(inbound);
    let here = (site.id != SiteId::FIRST).then(|| site.origin.clone());
    let mut begun = provider.begin(want, here.as_ref()).await?;
    begun.attempt.previous = current_session(live, inbound).await;
    let cookies = &site.cookies;
    let name = cookies.login_name(&tag(begun.attempt.state.expose()));
    let sealed = live.seal.close(&label(site, &name), begun.attempt.to_bytes());
    let mut response = respond::see_other(&begun.location);
    for stale in surplus(live, inbound, name.len() + sealed.len()) {
        response.headers_mut().append(SET_COOKIE, cookies.clear_login(&stale));
    }
    response.headers_mut().append(SET_COOKIE, cookies.set_login(&name, &sealed, LIFETIME));
    Ok(response)
}

/// The session that the browser has now.
async fn current_session(live: &Live, inbound: &Inbound) -> Option<SessionKey> {
    let memo = KeyMemo::default();
    let caller = identity::establish(inbound, live.site(inbound), &live.sessions, &memo, None).await.ok()?;
    caller.session().map(|session| session.key())
}

/// Names an attempt's cookie by its state without giving the state away: 16 hexadecimal digits of its hash.
pub(super) fn tag(state: &str) -> String {
    let hash = digest::digest(&digest::SHA256, state.as_bytes());
    hex::encode(&hash.as_ref()[..8])
}

/// The attempt that the cookie of that name holds, if this gateway sealed it there.
pub(super) fn open(live: &Live, site: &Site, name: &str, value: &[u8]) -> Option<LoginAttempt> {
    LoginAttempt::from_bytes(&live.seal.open(&label(site, name), value)?)
}

/// To what an attempt is sealed: its cookie's name and its site, so that it opens on no other (requirement SE-06).
fn label(site: &Site, name: &str) -> String {
    format!("{name} {}", site.origin.as_str())
}

/// Login cookies that must go so that one more of `size` bytes fits: whatever opens nothing or has expired, then the
/// oldest.
fn surplus(live: &Live, inbound: &Inbound, size: usize) -> Vec<String> {
    let site = live.site(inbound);
    let rounds = site.cookies.login_name(ROUNDS);
    let mut kept = Vec::new();
    let mut surplus = Vec::new();
    for (name, value) in site.cookies.logins(inbound.headers()).filter(|(name, _)| *name != rounds) {
        match open(live, site, name, value) {
            Some(attempt) if !attempt.has_expired(inbound.now) => {
                kept.push((attempt.started, name, name.len() + value.len()));
            }
            _ => surplus.push(name.to_owned()),
        }
    }
    // Newest first. Of attempts of one second the later stands later in the header, as browsers send them.
    kept.reverse();
    kept.sort_by_key(|(started, ..)| std::cmp::Reverse(*started));
    let mut bytes = size;
    for (position, (_, name, length)) in kept.into_iter().enumerate() {
        bytes += length;
        if position + 1 >= MAX_ATTEMPTS || bytes > MAX_ATTEMPT_BYTES {
            surplus.push(name.to_owned());
        }
    }
    surplus.truncate(MAX_CLEARED);
    surplus
}
