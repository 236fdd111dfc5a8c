//! A typed reader over the TOML tree that keeps going: it checks types, remembers every problem with its place, and
//! hands out what was right. (Deserialising with serde would stop at the first error.) Knows no key by name.

mod value;

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;
use super::schema::{self, Table};
use super::suggest;

pub(super) use value::Value;

/// Where in the file a key or value stands, and what the key is called.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) span: Range<usize>,
    pub(super) key: String,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// Text of the file, with its place.
pub(super) type Text<'d> = Placed<&'d str>;

/// Collects problems and warnings while the tree is walked.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: RefCell<Vec<(Place, String, String)>>,
    warnings: RefCell<Vec<String>>,
    masked: RefCell<Vec<Range<usize>>>,
}

impl Report {
    /// Remembers a problem.
    pub(super) fn problem(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.found.borrow_mut().push((place.clone(), message.into(), help.into()));
    }

    /// Remembers something that is not wrong, but that the operator should know of.
    pub(super) fn warning(&self, message: impl Into<String>) {
        self.warnings.borrow_mut().push(message.into());
    }

    /// Keeps a value out of every excerpt, because it is or may be a secret.
    pub(super) fn mask(&self, span: Range<usize>) {
        self.masked.borrow_mut().push(span);
    }

    /// The warnings, if there was no problem.
    pub(super) fn finish(self, name: &str, text: &str) -> Result<Vec<String>, Problems> {
        let found = self.found.into_inner();
        if found.is_empty() {
            return Ok(self.warnings.into_inner());
        }
        let mut problems = Problems::new(name, masked(text, &self.masked.into_inner()));
        for (place, message, help) in found {
            problems.add(place.span, &place.key, &message, &help);
        }
        Err(problems)
    }
}

/// The text with each of the spans blotted out, byte for byte, so that places stay where they are.
pub(super) fn masked(text: &str, spans: &[Range<usize>]) -> String {
    let mut shown = text.to_owned();
    for span in spans {
        let (start, end) = (text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end));
        let blot: String = text[start..end]
            .bytes()
            .map(|byte| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { '*' })
            .collect();
        shown.replace_range(start..end, &blot);
    }
    shown
}

/// A table being read.
pub(super) struct Section<'d> {
    report: &'d Report,
    table: &'d DeTable<'d>,
    schema: &'static Table,
    place: Place,
}

impl<'d> Section<'d> {
    /// The whole document.
    pub(super) fn top(report: &'d Report, document: &'d Spanned<DeTable<'d>>) -> Self {
        let place = Place { span: 0..0, key: String::new() };
        Self::open(report, document.get_ref(), &schema::TOP, place)
    }

    /// Opens a table and reports the keys that it must not have.
    fn open(report: &'d Report, table: &'d DeTable<'d>, schema: &'static Table, place: Place) -> Self {
        let section = Self { report, table, schema, place };
        for (key, value) in table {
            section.check_key(key, value);
        }
        section
    }

    fn check_key(&self, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let name = key.get_ref().as_ref();
        let place = Place { span: key.span(), key: self.path(name) };
        if self.schema.key(name).is_some() {
            return;
        }
        // A secret under a mistyped name is still a secret.
        if value.get_ref().is_str() && sounds_secret(name) {
            self.report.mask(value.span());
        }
        self.report.problem(
            &place,
            format!("unknown key `{}`", name.escape_debug()),
            self.known_instead(name),
        );
    }

    fn known_instead(&self, name: &str) -> String {
        if let Some(near) = suggest::nearest(name, self.schema.names()) {
            return format!("did you mean `{near}`?");
        }
        let elsewhere = schema::ALL
            .iter()
            .find(|table| table.header != self.schema.header && table.names().any(|known| known == name));
        if let Some(table) = elsewhere {
            let home = if table.header.is_empty() { "the top of the file" } else { table.header };
            return format!("`{name}` belongs to {home}");
        }
        let names: Vec<&str> = self.schema.names().collect();
        format!("the keys here are: {}", names.join(", "))
    }

    pub(super) fn report(&self) -> &'d Report {
        self.report
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the key is there, right or wrong.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// The value of a key as it stands.
    pub(super) fn value(&self, name: &'static str) -> Option<Value<'d>> {
        debug_assert!(
            self.schema.key(name).is_some(),
            "`{name}` is missing in the schema of {:?}",
            self.schema.header
        );
        let value = self.table.get(name)?;
        Some(Value::new(self.report, value, self.path(name)))
    }

    /// As [`value`](Self::value); reports that it is missing.
    pub(super) fn required(&self, name: &'static str) -> Option<Value<'d>> {
        let value = self.value(name);
        if value.is_none() {
            let kind = self.schema.key(name).map_or("value", |key| key.kind);
            let place = Place { span: self.place.span.clone(), key: self.path(name) };
            self.report.problem(
                &place,
                format!("`{name}` is missing"),
                format!("add `{name}` ({})", kind.replace('`', "")),
            );
        }
        value
    }

    /// A string, if the key is there and is one.
    pub(super) fn text(&self, name: &'static str) -> Option<Text<'d>> {
        self.value(name)?.text()
    }

    /// A list of strings without doubles, if the key is there and is one.
    pub(super) fn unique_texts(&self, name: &'static str) -> Option<Vec<Text<'d>>> {
        self.value(name)?.unique_texts()
    }

    /// A boolean, or its default.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> bool {
        self.value(name).map_or(default, |value| value.flag().unwrap_or(default))
    }

    /// A table of its own, if the key is there and is one.
    pub(super) fn section(&self, name: &'static str, schema: &'static Table) -> Option<Self> {
        self.value(name)?.section(schema)
    }

    /// The tables under `[name.…]`, each with its name.
    pub(super) fn named(&self, name: &'static str, schema: &'static Table) -> Vec<(Text<'d>, Option<Self>)> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        let Some(table) = value.table() else {
            return Vec::new();
        };
        let entry = |(key, inner): (&'d Spanned<std::borrow::Cow<'d, str>>, &'d Spanned<DeValue<'d>>)| {
            let path = format!("{}.{}", value.key(), key.get_ref());
            let place = Place { span: key.span(), key: path.clone() };
            let value = Value::new(self.report, inner, path);
            let section = value.get().is_table().then(|| value.section(schema)).flatten();
            if section.is_none() {
                value.wrong_type_because("a table", format!("write it under {}", schema.header));
            }
            (Placed { value: key.get_ref().as_ref(), place }, section)
        };
        table.iter().map(entry).collect()
    }

    fn path(&self, name: &str) -> String {
        let name = name.escape_debug();
        if self.place.key.is_empty() { name.to_string() } else { format!("{}.{name}", self.place.key) }
    }
}

/// Whether a key of that name holds something to hide.
pub(super) fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "password", "passwd", "private", "credential", "key"].iter().any(|part| name.contains(part))
}
