//! `request_headers` and `response_headers`: which lines are set, added and removed.

use http::{HeaderName, HeaderValue};
use toml::de::DeValue;

use crate::config::raw::{Section, Value, sounds_secret};
use crate::config::schema;
use crate::config::secrets::{self, Surroundings, Wanted};
use crate::routing::Edits;

use super::{Files, header_name};

/// An upstream's key; short ones exist.
const KEY: Wanted =
    Wanted { lines: false, shortest: 8, where_from: "write what the upstream wants to see in this header" };
/// Longer lines are refused by most servers.
const LONGEST: usize = 4_096;

type Lines = Vec<(HeaderName, HeaderValue)>;

/// Reads one of the two tables.
pub(super) fn read(
    section: &Section<'_>,
    key: &'static str,
    is_governed: fn(&HeaderName) -> bool,
    around: &Surroundings<'_>,
) -> Edits {
    let Some(table) = section.section(key, &schema::EDITS) else {
        return Edits::default();
    };
    let name = |value: &Value<'_>, text: &str| free_name(&table, value, text, is_governed);
    let lines = |key| lines(&table, key, &name, around);
    let (set, add) = (lines("set"), lines("add"));
    let remove = table.value("remove").and_then(|value| value.list()).unwrap_or_default();
    let remove: Vec<_> = remove.iter().filter_map(|value| name(value, value.text()?.value)).collect();
    let edits = Edits { remove, set, add };
    check_once(&table, &edits);
    if edits.is_empty() && ["set", "add", "remove"].iter().all(|key| !table.has(key)) {
        let help = "write set = { \"X-Name\" = \"value\" }, add = { … } or remove = [\"X-Name\"]";
        table.report().problem(table.place(), "nothing is edited", help);
    }
    edits
}

fn lines(
    table: &Section<'_>,
    key: &'static str,
    name: &dyn Fn(&Value<'_>, &str) -> Option<HeaderName>,
    around: &Surroundings<'_>,
) -> Lines {
    let entries = table.value(key).and_then(|value| value.entries()).unwrap_or_default();
    entries
        .iter()
        .filter_map(|(text, value)| {
            name(value, text.value).zip(self::value(table, text.value, value, around))
        })
        .collect()
}

/// A name that routes may edit; otherwise reported.
fn free_name(
    table: &Section<'_>,
    value: &Value<'_>,
    text: &str,
    is_governed: fn(&HeaderName) -> bool,
) -> Option<HeaderName> {
    let name = header_name(value, table, text)?;
    if !is_governed(&name) {
        return Some(name);
    }
    let help = match name.as_str() {
        "authorization" => "name a `token`; or, on a route for everybody, write authorization = \"pass\"",
        "set-cookie" | "cookie" => "cookies are the app's and the gateway's own",
        other if other.starts_with("access-control-") => {
            "an upstream or a header cannot open this origin to others"
        }
        _ => "remove it",
    };
    table.report().problem(&value.place(), format!("`{name}` is not for a route to edit"), help);
    None
}

/// A line's value: text, or where a secret is. Secrets are marked, so that they are never printed.
fn value(
    table: &Section<'_>,
    name: &str,
    value: &Value<'_>,
    around: &Surroundings<'_>,
) -> Option<HeaderValue> {
    let report = table.report();
    if value.get().is_table() {
        let secret = secrets::read(value, &KEY, report, around)?.secret;
        let mut line = plain(secret.expose());
        if let Some(line) = &mut line {
            line.set_sensitive(true);
        } else {
            let message = "the secret holds what no header can carry";
            report.problem(&value.place(), message, "letters, digits and signs of ASCII, on one line");
        }
        return line;
    }
    if sounds_secret(name) || name.to_ascii_lowercase().contains("token") {
        report.mask(value.place().span);
        let help = "write { file = \"path\" } or { env = \"NAME\" }";
        report.problem(&value.place(), "a secret must not stand in the configuration", help);
        return None;
    }
    let text = value.text()?;
    let line = plain(text.value);
    if line.is_none() {
        let message = "this is not what a header can carry";
        let help = "write visible ASCII, without blanks at the ends; to have no such header, use `remove`";
        report.problem(&text.place, message, help);
    }
    line
}

fn plain(text: &str) -> Option<HeaderValue> {
    let is_plain = !text.is_empty()
        && text.len() <= LONGEST
        && text.trim() == text
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain { HeaderValue::from_str(text).ok() } else { None }
}

/// Names that differ by letter case alone are one header.
fn check_once(table: &Section<'_>, edits: &Edits) {
    let once = |names: Vec<&HeaderName>| {
        for (position, name) in names.iter().enumerate() {
            if names[..position].contains(name) {
                let message = format!("`{name}` stands here twice");
                table.report().problem(table.place(), message, "remove one: letter case makes no difference");
            }
        }
    };
    once(edits.set.iter().map(|(name, _)| name).chain(&edits.remove).collect());
    once(edits.add.iter().map(|(name, _)| name).collect());
    once(edits.set.iter().chain(&edits.add).map(|(name, _)| name).collect());
}

/// The files that secrets of all routes come from, before any route is read: no folder that is served may hold one.
pub(in crate::config::routes) fn secret_files(routes: &[Value<'_>], around: &Surroundings<'_>) -> Files {
    let tables = routes.iter().filter_map(|route| route.get().as_table()?.get("request_headers"));
    let lines = tables
        .filter_map(|edits| edits.get_ref().as_table())
        .flat_map(|edits| ["set", "add"].into_iter().filter_map(|key| edits.get(key)?.get_ref().as_table()))
        .flat_map(|lines| lines.values());
    let files = lines.filter_map(|line| match line.get_ref().as_table()?.get("file")?.get_ref() {
        DeValue::String(path) => Some(around.path(path)),
        _ => None,
    });
    files.collect()
}
