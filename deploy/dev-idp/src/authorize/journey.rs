//! Journeys: sign-ins under way, each bound to the browser that began it. Any number may be open in one browser. Knows
//! nothing of pages.

use std::collections::HashMap;
use std::sync::Mutex;

use super::request::AuthorizeRequest;
use crate::people::codes::{Passcode, Purpose};
use crate::people::lock;
use crate::random;

/// How long a journey may take, in seconds.
const LIFETIME: i64 = 3600;
/// Most journeys under way; beyond it the oldest half goes.
const MOST: usize = 20_000;

/// One sign-in under way.
#[derive(Clone)]
pub(crate) struct Journey {
    pub(crate) request: AuthorizeRequest,
    browser: String,
    started: i64,
    /// The address typed in so far.
    pub(crate) email: Option<String>,
    /// The passcode sent last, and how many were sent.
    pub(crate) passcode: Option<Passcode>,
    pub(crate) passcodes_sent: u8,
    /// The address that a passcode has proved, and for what.
    pub(crate) proved: Option<(Purpose, String)>,
    /// Who has signed in during this journey.
    pub(crate) authenticated: Option<String>,
    /// "Use another account" was chosen.
    pub(crate) another_account: bool,
    /// The signed-in account was chosen.
    pub(crate) account_chosen: bool,
    /// Consent was given during this journey.
    pub(crate) consented: bool,
}

impl Journey {
    pub(crate) fn new(request: AuthorizeRequest, browser: &str, now: i64) -> Self {
        Self {
            email: request.login_hint.as_deref().and_then(crate::people::email),
            request,
            browser: browser.to_owned(),
            started: now,
            passcode: None,
            passcodes_sent: 0,
            proved: None,
            authenticated: None,
            another_account: false,
            account_chosen: false,
            consented: false,
        }
    }
}

/// All journeys under way.
#[derive(Default)]
pub(crate) struct Journeys(Mutex<HashMap<String, Journey>>);

impl Journeys {
    pub(crate) fn begin(&self, journey: Journey, now: i64) -> String {
        let id = random::token();
        let mut journeys = lock(&self.0);
        if journeys.len() >= MOST {
            journeys.retain(|_, journey| now - journey.started < LIFETIME);
            let mut starts: Vec<i64> = journeys.values().map(|journey| journey.started).collect();
            starts.sort_unstable();
            if let Some(border) = starts.get(MOST / 2) {
                journeys.retain(|_, journey| journey.started > *border);
            }
        }
        journeys.insert(id.clone(), journey);
        id
    }

    /// The journey, if it is this browser's and not too old.
    pub(crate) fn get(&self, id: &str, browser: &str, now: i64) -> Option<Journey> {
        let journeys = lock(&self.0);
        let journey = journeys.get(id)?;
        (random::same(&journey.browser, browser) && now - journey.started < LIFETIME).then(|| journey.clone())
    }

    /// Changes a journey that is there.
    pub(crate) fn change<T>(&self, id: &str, change: impl FnOnce(&mut Journey) -> T) -> Option<T> {
        lock(&self.0).get_mut(id).map(change)
    }

    pub(crate) fn end(&self, id: &str) -> Option<Journey> {
        lock(&self.0).remove(id)
    }
}
