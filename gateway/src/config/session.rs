//! `[session]`: how long people stay signed in, where that is kept, and what scripts may know of it.

mod cookies;
mod keys;
mod store;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::origin::Origin;
use crate::session::Lifetimes;
use crate::session::cookie::Style;
use crate::session::store::Choice;
use crate::session::vault::ServerKey;

use super::raw::Section;
use super::secrets::Surroundings;
use super::{check, duration, schema};

/// What `[session]` says.
pub(super) struct Found {
    pub(super) settings: SessionSettings,
    /// Files that must not be served.
    pub(super) files: Vec<PathBuf>,
}

/// How long people stay signed in, where that is kept, and what scripts may know of it.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// The most sessions of one person; nothing for no limit.
    pub max_per_person: Option<NonZeroUsize>,
    /// Where sessions are kept.
    pub store: Choice,
    /// The keys that lock them there, newest first; none where the gateway makes its own.
    pub keys: Vec<ServerKey>,
    /// Whether signing out empties what pages of the site kept in the browser.
    pub clear_site_data: bool,
    /// Claims that `/auth/session` may show.
    pub shown_claims: Vec<String>,
    /// How the session's cookie is written.
    pub cookies: Style,
}

const IDLE: Duration = Duration::from_mins(30);
const ABSOLUTE: Duration = Duration::from_hours(8);
const RENEWAL: Duration = Duration::from_hours(1);
const MAX_PER_USER: i64 = 10_000;
const BOUNDS: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(30 * 24)];
const SHOWN: [&str; 7] = ["sub", "name", "preferred_username", "email", "oid", "tid", "roles"];

/// Reads `[session]`.
pub(super) fn read(
    top: &Section<'_>,
    public_url: Option<&Origin>,
    around: &Surroundings<'_>,
) -> Option<Found> {
    if !top.has("session") {
        let settings = SessionSettings {
            lifetimes: Lifetimes { idle: IDLE, absolute: ABSOLUTE, renewal: RENEWAL },
            max_per_person: None,
            store: store::default(around),
            keys: Vec::new(),
            clear_site_data: true,
            shown_claims: SHOWN.map(str::to_owned).to_vec(),
            cookies: Style::default(),
        };
        return Some(Found { settings, files: Vec::new() });
    }
    let section = top.section("session", &schema::SESSION)?;
    let (lifetimes, max_per_person, shown_claims) =
        (lifetimes(&section), max_per_person(&section), claims(&section));
    let clear_site_data = clear_site_data(&section);
    let cookies = cookies::read(&section, public_url);
    let (store, mut files) = store::read(&section, around);
    let (keys, key_files) = keys::read(&section, store.as_ref(), around);
    files.extend(key_files);
    if let Some(Choice::File(path)) = &store {
        files.push(path.clone());
    }
    let settings = SessionSettings {
        lifetimes: lifetimes?,
        max_per_person: max_per_person.ok()?,
        store: store?,
        keys: keys?,
        clear_site_data: clear_site_data?,
        shown_claims: shown_claims?,
        cookies: cookies?,
    };
    Some(Found { settings, files })
}

fn clear_site_data(section: &Section<'_>) -> Option<bool> {
    section.value("clear_site_data").map_or(Some(true), |value| value.flag())
}

/// Nothing inside for no limit, nothing at all for a wrong one, which is reported.
fn max_per_person(section: &Section<'_>) -> Result<Option<NonZeroUsize>, ()> {
    let Some(value) = section.value("max_per_user") else {
        return Ok(None);
    };
    let number = value.number().ok_or(())?;
    let max = usize::try_from(number.value).ok().and_then(NonZeroUsize::new);
    if max.is_none() || number.value > MAX_PER_USER {
        let help = format!("write a number from 1 to {MAX_PER_USER}, or leave it out for no limit");
        section.report().problem(&number.place, "nobody can have that many sessions", help);
        return Err(());
    }
    Ok(max)
}

fn lifetimes(section: &Section<'_>) -> Option<Lifetimes> {
    let (idle, absolute) =
        (check::time(section, "idle", IDLE, BOUNDS), check::time(section, "absolute", ABSOLUTE, BOUNDS));
    let renewal = check::time(section, "rotate", RENEWAL, BOUNDS);
    let (idle, absolute, renewal) = (idle?, absolute?, renewal?);
    if idle > absolute {
        // Whichever was written, or the first of both.
        let place = section
            .value("idle")
            .or_else(|| section.value("absolute"))
            .map_or_else(|| section.place().clone(), |value| value.place());
        let message = format!(
            "a session cannot idle longer ({}) than it lives ({})",
            duration::print(idle),
            duration::print(absolute)
        );
        section.report().problem(&place, message, "make `idle` at most `absolute`");
        return None;
    }
    Some(Lifetimes { idle, absolute, renewal })
}

fn claims(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("claims") {
        return Some(SHOWN.map(str::to_owned).to_vec());
    }
    let texts = section.unique_texts("claims")?;
    let mut found = Vec::with_capacity(texts.len());
    for text in &texts {
        if text.value.is_empty() || text.value.contains('*') {
            section.report().problem(
                &text.place,
                "this is not the name of a claim",
                "list the claims one by one",
            );
        } else {
            found.push(text.value.to_owned());
        }
    }
    (found.len() == texts.len()).then_some(found)
}
