//! `[limits]`, and rates wherever they stand.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::limits::{Limits, Rate};

use super::raw::{Section, Value};
use super::{check, schema};

/// The word for what has no limit.
pub(super) const UNLIMITED: &str = "unlimited";
/// In which time a rate may count.
const PER: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(24)];

/// Reads `[limits]`.
pub(super) fn read(top: &Section<'_>) -> Option<Limits> {
    let default = Limits::default();
    if !top.has("limits") {
        return Some(default);
    }
    let section = top.section("limits", &schema::LIMITS)?;
    let connections = match section.value("connections_per_address") {
        None => Some(default.connections_per_address),
        Some(value) => unless_unlimited(&value, "a number", |value| number(&section, value)).ok(),
    };
    let rate = |key, default| match section.value(key) {
        None => Some(default),
        Some(value) => unless_unlimited(&value, "a table", |value| rate(&value.section(&schema::RATE)?)).ok(),
    };
    let (of_client, auth) = (rate("auth_per_client", default.auth_per_client), rate("auth", default.auth));
    Some(Limits { connections_per_address: connections?, auth_per_client: of_client?, auth: auth? })
}

/// It is wrong, and that was reported.
struct Wrong;

/// Nothing for `"unlimited"`, else what `read` makes of it.
fn unless_unlimited<'d, T>(
    value: &Value<'d>,
    otherwise: &str,
    read: impl FnOnce(&Value<'d>) -> Option<T>,
) -> Result<Option<T>, Wrong> {
    match value.get().as_str() {
        Some(UNLIMITED) => Ok(None),
        Some(_) => {
            value.wrong_type(&format!("{otherwise}, or \"{UNLIMITED}\""));
            Err(Wrong)
        }
        None => read(value).map(Some).ok_or(Wrong),
    }
}

/// `{ requests = 100, per = "1m" }`, of a table that may have other keys beside.
pub(super) fn rate(section: &Section<'_>) -> Option<Rate> {
    let requests = section.required("requests").and_then(|value| number(section, &value));
    let per = section.required("per").and_then(|_| check::time(section, "per", PER[0], PER));
    let rate = Rate { requests: requests?, per: per? };
    if rate.per.as_nanos() < u128::from(rate.requests.get()) {
        let help = "write fewer `requests`, or a longer time";
        section.report().problem(section.place(), "more than one request each nanosecond", help);
        return None;
    }
    Some(rate)
}

fn number(section: &Section<'_>, value: &Value<'_>) -> Option<NonZeroU32> {
    const MOST: u32 = 1_000_000;
    let number = value.number()?;
    let found = u32::try_from(number.value).ok().filter(|number| *number <= MOST).and_then(NonZeroU32::new);
    if found.is_none() {
        let message = format!("{} is out of bounds", number.value);
        let help = format!("choose from 1 to {MOST}, or write \"{UNLIMITED}\"");
        section.report().problem(&number.place, message, help);
    }
    found
}
