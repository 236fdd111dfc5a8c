//! `[session]`: how long people stay signed in, and what scripts may know of them.

use std::time::Duration;

use crate::session::Lifetimes;

use super::raw::Section;
use super::{check, duration, schema};

/// What `[session]` says.
pub(super) struct Found {
    pub(super) lifetimes: Lifetimes,
    pub(super) shown_claims: Vec<String>,
}

const IDLE: Duration = Duration::from_mins(30);
const ABSOLUTE: Duration = Duration::from_hours(8);
const RENEWAL: Duration = Duration::from_hours(1);
const BOUNDS: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(30 * 24)];
const SHOWN: [&str; 7] = ["sub", "name", "preferred_username", "email", "oid", "tid", "roles"];

/// Reads `[session]`.
pub(super) fn read(top: &Section<'_>) -> Option<Found> {
    if !top.has("session") {
        return Some(Found {
            lifetimes: Lifetimes { idle: IDLE, absolute: ABSOLUTE, renewal: RENEWAL },
            shown_claims: SHOWN.map(str::to_owned).to_vec(),
        });
    }
    let section = top.section("session", &schema::SESSION)?;
    let (lifetimes, claims, store) = (lifetimes(&section), claims(&section), store(&section));
    store?;
    Some(Found { lifetimes: lifetimes?, shown_claims: claims? })
}

fn lifetimes(section: &Section<'_>) -> Option<Lifetimes> {
    let (idle, absolute) =
        (check::time(section, "idle", IDLE, BOUNDS), check::time(section, "absolute", ABSOLUTE, BOUNDS));
    let (idle, absolute) = (idle?, absolute?);
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
    Some(Lifetimes { idle, absolute, renewal: RENEWAL })
}

/// Only one store exists so far, so there is nothing to hand on.
fn store(section: &Section<'_>) -> Option<()> {
    let Some(value) = section.value("store") else {
        return Some(());
    };
    match value.get().as_str() {
        Some("memory") => Some(()),
        Some(other) => {
            section.report().problem(
                &value.place(),
                format!("\"{}\" is not a store", other.escape_debug()),
                "write \"memory\"",
            );
            None
        }
        None => {
            // A Redis URL may hold a password.
            section.report().mask(value.place().span);
            let known = value
                .get()
                .as_table()
                .is_some_and(|table| table.contains_key("file") || table.contains_key("redis"));
            if known {
                section.report().problem(
                    &value.place(),
                    "this store is not available yet",
                    "write \"memory\"; a restart then signs everybody out",
                );
            } else {
                value.wrong_type("the string \"memory\"");
            }
            None
        }
    }
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
