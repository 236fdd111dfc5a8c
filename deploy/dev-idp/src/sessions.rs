//! Browsers and who is signed in in them: single sign-on. Knows nothing of apps, pages or passwords.
//!
//! A browser is known by a random cookie, kept here only by its hash. Signing in replaces the cookie, so a cookie
//! planted before is worth nothing afterwards; the browser's inner key stays, so sign-ins begun in other tabs go on.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::people::lock;
use crate::random;

/// Most browsers remembered; beyond it the ones unseen for longest go.
const MOST_BROWSERS: usize = 20_000;

/// A browser as this request found it.
#[derive(Clone)]
pub(crate) struct Browser {
    /// Stays the same when the cookie changes.
    pub(crate) key: String,
    /// Stands in every form shown to this browser.
    pub(crate) csrf: String,
    pub(crate) signed_in: Option<SignedIn>,
    seen: i64,
}

/// Who is signed in, since when.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) oid: String,
    pub(crate) auth_time: i64,
    pub(crate) sid: String,
}

/// All browsers, by the hash of their cookie.
pub(crate) struct Browsers {
    cookie: String,
    known: Mutex<HashMap<String, Browser>>,
}

impl Browsers {
    /// Cookies do not tell ports apart, so the name does: several providers may run side by side.
    pub(crate) fn new(port: u16) -> Self {
        Self { cookie: format!("dev-idp-session-{port}"), known: Mutex::default() }
    }

    /// The cookie's name.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The browser with this cookie. A sign-in older than `lifetime` seconds has ended.
    pub(crate) fn find(&self, cookie: Option<&str>, now: i64, lifetime: i64) -> Option<Browser> {
        let mut browsers = lock(&self.known);
        let browser = browsers.get_mut(&random::sha256_base64url(cookie?.as_bytes()))?;
        browser.seen = now;
        if browser.signed_in.as_ref().is_some_and(|who| now - who.auth_time >= lifetime) {
            browser.signed_in = None;
        }
        Some(browser.clone())
    }

    /// A browser met for the first time, and the header that gives it its cookie.
    pub(crate) fn welcome(&self, now: i64) -> (Browser, String) {
        let browser = Browser { key: random::token(), csrf: random::token(), signed_in: None, seen: now };
        let cookie = self.store(browser.clone());
        (browser, cookie)
    }

    /// Signs a person in and replaces the cookie. The same person keeps the session id.
    pub(crate) fn sign_in(&self, old_cookie: Option<&str>, oid: &str, now: i64) -> (Browser, String) {
        let old = old_cookie.and_then(|cookie| self.take(cookie));
        let (key, csrf, before) = match old {
            Some(old) => (old.key, old.csrf, old.signed_in),
            None => (random::token(), random::token(), None),
        };
        let sid = before.filter(|who| who.oid == oid).map_or_else(random::guid, |who| who.sid);
        let signed_in = Some(SignedIn { oid: oid.to_owned(), auth_time: now, sid });
        let browser = Browser { key, csrf, signed_in, seen: now };
        let cookie = self.store(browser.clone());
        (browser, cookie)
    }

    /// Forgets the browser, and gives the header that removes its cookie.
    pub(crate) fn sign_out(&self, cookie: Option<&str>) -> String {
        if let Some(cookie) = cookie {
            self.take(cookie);
        }
        format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0", self.cookie)
    }

    /// Ends every session of one person, as after a password reset. The sessions' ids.
    pub(crate) fn end_all(&self, oid: &str) -> Vec<String> {
        let mut browsers = lock(&self.known);
        let theirs =
            browsers.values_mut().filter_map(|browser| browser.signed_in.take_if(|who| who.oid == oid));
        theirs.map(|who| who.sid).collect()
    }

    /// The ids of one person's sessions.
    pub(crate) fn of(&self, oid: &str) -> Vec<String> {
        let browsers = lock(&self.known);
        let theirs = browsers.values().filter_map(|browser| browser.signed_in.as_ref());
        theirs.filter(|who| who.oid == oid).map(|who| who.sid.clone()).collect()
    }

    fn take(&self, cookie: &str) -> Option<Browser> {
        lock(&self.known).remove(&random::sha256_base64url(cookie.as_bytes()))
    }

    fn store(&self, browser: Browser) -> String {
        let value = random::token();
        let mut browsers = lock(&self.known);
        if browsers.len() >= MOST_BROWSERS {
            let mut seen: Vec<i64> = browsers.values().map(|browser| browser.seen).collect();
            seen.sort_unstable();
            let border = seen[seen.len() / 2];
            browsers.retain(|_, browser| browser.seen > border);
        }
        browsers.insert(random::sha256_base64url(value.as_bytes()), browser);
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", self.cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(cookie: &str) -> &str {
        cookie.split_once('=').and_then(|(_, rest)| rest.split_once(';')).expect("a Set-Cookie").0
    }

    #[test]
    fn signing_in_replaces_the_cookie_and_keeps_the_browser() {
        let browsers = Browsers::new(3002);
        let (anonymous, first) = browsers.welcome(0);
        let (alice, second) = browsers.sign_in(Some(value(&first)), "alice", 10);
        assert_eq!(anonymous.key, alice.key);
        assert!(browsers.find(Some(value(&first)), 11, 100).is_none(), "the planted cookie is dead");
        assert!(browsers.find(Some(value(&second)), 11, 100).is_some_and(|b| b.signed_in.is_some()));
    }

    #[test]
    fn a_session_ends_by_age_and_by_sign_out() {
        let browsers = Browsers::new(3002);
        let (_, cookie) = browsers.sign_in(None, "alice", 0);
        assert!(browsers.find(Some(value(&cookie)), 100, 100).is_some_and(|b| b.signed_in.is_none()));
        let (_, cookie) = browsers.sign_in(None, "alice", 0);
        browsers.sign_out(Some(value(&cookie)));
        assert!(browsers.find(Some(value(&cookie)), 1, 100).is_none());
    }

    #[test]
    fn the_session_id_stays_with_the_person_and_changes_with_another() {
        let browsers = Browsers::new(3002);
        let sid = |browser: Browser| browser.signed_in.expect("signed in").sid;
        let (alice, cookie) = browsers.sign_in(None, "alice", 0);
        let (again, cookie) = browsers.sign_in(Some(value(&cookie)), "alice", 5);
        let (bob, _) = browsers.sign_in(Some(value(&cookie)), "bob", 6);
        let (first, second, third) = (sid(alice), sid(again), sid(bob));
        assert!(first == second && second != third);
    }
}
