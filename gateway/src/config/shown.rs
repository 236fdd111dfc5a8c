//! The configuration as the gateway understands it, for people: what is written, and beside it what holds where nothing
//! is written. Shows no secret (requirement LG-07), and means the same when it is read again.

use std::fmt::Write;

use toml::{Table as Toml, Value};

use super::raw::sounds_secret;
use super::schema::{self, Presence, Table};

/// Shows a text that was read without a problem.
pub(super) fn show(text: &str) -> String {
    let document: Toml = text.parse().unwrap_or_default();
    let mut shown = String::new();
    keys(&mut shown, &document, &schema::TOP);
    // What stands inside another table on the same line is shown there.
    for table in schema::ALL.iter().filter(|table| table.header.ends_with(']')) {
        let header = table.header.trim_matches(['[', ']']);
        if let Some(name) = header.strip_suffix(".NAME") {
            named(&mut shown, &document, name, table);
        } else if table.header.starts_with("[[") {
            let tables = document.get(header).and_then(Value::as_array).into_iter().flatten();
            for inner in tables.filter_map(Value::as_table) {
                section(&mut shown, &format!("[[{header}]]"), Some(inner), table);
            }
        } else if header == "provider" && document.contains_key("providers") {
            named(&mut shown, &document, "providers", table);
        } else {
            let mut path = header.split('.');
            let first = path.next().and_then(|name| document.get(name));
            let found = path.fold(first, |outer, name| outer.and_then(|outer| outer.get(name)));
            section(&mut shown, table.header, found.and_then(Value::as_table), table);
        }
    }
    shown
}

/// Each table of a table by its name.
fn named(shown: &mut String, document: &Toml, name: &str, table: &Table) {
    let tables = document.get(name).and_then(Value::as_table).into_iter().flatten();
    for (key, inner) in tables.filter_map(|(key, inner)| Some((key, inner.as_table()?))) {
        section(shown, &format!("[{name}.{}]", quoted(key)), Some(inner), table);
    }
}

/// A table; one that was left out as comments alone.
fn section(shown: &mut String, header: &str, inner: Option<&Toml>, table: &Table) {
    let mark = if inner.is_some() { "" } else { "# " };
    writeln!(shown, "\n{mark}{header}").expect("a String takes everything");
    keys(shown, inner.unwrap_or(&Toml::new()), table);
}

fn keys(shown: &mut String, inner: &Toml, table: &Table) {
    for key in table.keys.iter().filter(|key| !has_section(table, key.name)) {
        let line = match (inner.get(key.name), &key.presence) {
            (Some(Value::String(_)), _) if sounds_secret(key.name) => format!("{} = \"***\"", key.name),
            (Some(value), _) => format!("{} = {}", key.name, inline(value)),
            (None, Presence::Default(default)) => left_out(key.name, default),
            (None, Presence::Required) => continue,
        };
        writeln!(shown, "{line}").expect("a String takes everything");
    }
}

/// Whether what the key holds is shown as a table of its own.
fn has_section(table: &Table, key: &str) -> bool {
    let outer = table.header.trim_matches(['[', ']']);
    let path = if outer.is_empty() { key.to_owned() } else { format!("{outer}.{key}") };
    let is_its = |inner: &&Table| {
        let header = inner.header.trim_matches(['[', ']']);
        header == path || header.strip_suffix(".NAME") == Some(&*path)
    };
    path == "providers" || schema::ALL.iter().any(is_its)
}

/// As a comment: a value that could be written, or what holds without one.
fn left_out(name: &str, default: &str) -> String {
    let value = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    match value.filter(|value| !value.contains('`')) {
        Some(value) => format!("# {name} = {value}"),
        None => format!("# {name}: {}", default.replace('`', "")),
    }
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::Table(inner) if inner.is_empty() => "{}".to_owned(),
        Value::Table(inner) => {
            let members = inner.iter().map(|(key, value)| match value {
                Value::String(_) if sounds_secret(key) => format!("{} = \"***\"", quoted(key)),
                value => format!("{} = {}", quoted(key), inline(value)),
            });
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

fn quoted(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_bare { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Folder, GOOD};
    use super::*;

    #[test]
    fn what_is_shown_means_the_same_and_shows_what_was_left_out() {
        let folder = Folder::new();
        let shown = show(GOOD);
        assert_eq!(shown.parse::<Toml>().expect("TOML"), GOOD.parse::<Toml>().expect("TOML"));
        folder.read(&shown).unwrap_or_else(|problems| panic!("{problems}\n{shown}"));
        for line in ["# rotate = \"1h\"", "# grace = \"10s\"", "# watch = true"] {
            assert!(shown.lines().any(|found| found == line), "{line} is not in\n{shown}");
        }
        assert_eq!(show(&shown), shown);
    }

    #[test]
    fn whatever_sounds_secret_is_blotted_out_wherever_it_stands() {
        let shown = show(
            "[provider]\nclient_secret = \"abc\"\n[session]\nstore = { redis = \"x\", password = \"abc\" }",
        );
        assert!(!shown.contains("abc") && shown.contains("***"), "{shown}");
        let shown = show("[provider]\nclient_secret = { file = \"abc.secret\" }");
        assert!(shown.contains("client_secret = { file = \"abc.secret\" }"), "{shown}");
    }
}
