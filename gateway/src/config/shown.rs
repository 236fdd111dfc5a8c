//! The configuration as the gateway understands it, for people: what is written, and beside it what holds where nothing
//! is written. Shows no secret (requirement LG-07), and means the same when it is read again.

use std::fmt::Write;

use toml::{Table as Toml, Value};

use super::raw::sounds_secret;
use super::schema::{self, Key, Presence, Table};

/// Shows a text that was read without a problem.
pub(super) fn show(text: &str) -> String {
    let document: Toml = text.parse().unwrap_or_default();
    let mut shown = String::new();
    keys(&mut shown, &document, &schema::TOP, |key| {
        let is_section = schema::ALL.iter().any(|table| is_headed(table, key.name));
        !is_section
    });
    for table in schema::ALL.iter().filter(|table| !table.header.is_empty()) {
        let header = table.header.trim_matches(['[', ']']);
        match header.split_once('.') {
            Some((name, _)) => named(&mut shown, &document, name, table),
            None if table.header.starts_with("[[") => {
                let tables = document.get(header).and_then(Value::as_array).into_iter().flatten();
                for inner in tables.filter_map(Value::as_table) {
                    section(&mut shown, &format!("[[{header}]]"), inner, table);
                }
            }
            // Where it stands inside another table, it is shown there.
            None if !table.header.ends_with(']') => {}
            None => of_one(&mut shown, &document, header, table),
        }
    }
    shown
}

/// A table that may stand once; providers may have names instead.
fn of_one(shown: &mut String, document: &Toml, name: &str, table: &Table) {
    if name == "provider" && document.contains_key("providers") {
        return named(shown, document, "providers", table);
    }
    let empty = Toml::new();
    let inner = document.get(name).and_then(Value::as_table).unwrap_or(&empty);
    section(shown, &format!("[{name}]"), inner, table);
}

fn named(shown: &mut String, document: &Toml, name: &str, table: &Table) {
    let tables = document.get(name).and_then(Value::as_table).into_iter().flatten();
    for (key, inner) in tables.filter_map(|(key, inner)| Some((key, inner.as_table()?))) {
        section(shown, &format!("[{name}.{}]", quoted(key)), inner, table);
    }
}

fn is_headed(table: &Table, name: &str) -> bool {
    let header = table.header.trim_matches(['[', ']']);
    header.split('.').next() == Some(name) || (name == "providers" && header == "provider")
}

fn section(shown: &mut String, header: &str, inner: &Toml, table: &Table) {
    writeln!(shown, "\n{header}").expect("a String takes everything");
    keys(shown, inner, table, |_| true);
}

fn keys(shown: &mut String, inner: &Toml, table: &Table, wanted: impl Fn(&Key) -> bool) {
    for key in table.keys.iter().filter(|key| wanted(key)) {
        let line = match (inner.get(key.name), &key.presence) {
            (Some(Value::String(_)), _) if sounds_secret(key.name) => format!("{} = \"***\"", key.name),
            (Some(value), _) => format!("{} = {}", key.name, inline(value)),
            (None, Presence::Default(default)) => left_out(key.name, default),
            (None, Presence::Required | Presence::Later(_)) => continue,
        };
        writeln!(shown, "{line}").expect("a String takes everything");
    }
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
        assert_eq!(shown.parse::<Toml>().expect("TOML"), GOOD.parse::<Toml>().map(filled).expect("TOML"));
        folder.read(&shown).unwrap_or_else(|problems| panic!("{problems}\n{shown}"));
        for line in ["# rotate = \"1h\"", "# grace = \"10s\"", "# watch = true"] {
            assert!(shown.lines().any(|found| found == line), "{line} is not in\n{shown}");
        }
        assert_eq!(show(&shown), shown);
    }

    /// Sections without a key are shown too.
    fn filled(mut document: Toml) -> Toml {
        for table in schema::ALL.iter().filter(|table| table.header.ends_with(']')) {
            let name = table.header.trim_matches(['[', ']']);
            if !table.header.starts_with("[[") && !name.contains('.') && !document.contains_key(name) {
                document.insert(name.to_owned(), Value::Table(Toml::new()));
            }
        }
        document
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
