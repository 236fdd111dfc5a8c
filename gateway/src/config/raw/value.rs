//! One value of the tree, and the questions that may be asked of it. Whatever it is not is reported.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::schema::Table;

use super::{Place, Placed, Report, Section, Text};

/// A value being read.
pub(in crate::config) struct Value<'d> {
    report: &'d Report,
    found: &'d Spanned<DeValue<'d>>,
    key: String,
}

impl<'d> Value<'d> {
    /// The value `found` of the key with that path.
    pub(super) fn new(report: &'d Report, found: &'d Spanned<DeValue<'d>>, key: String) -> Self {
        Self { report, found, key }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(in crate::config) fn place(&self) -> Place {
        Place { span: self.found.span(), key: self.key.clone() }
    }

    pub(in crate::config) fn get(&self) -> &'d DeValue<'d> {
        self.found.get_ref()
    }

    /// A string; otherwise reported.
    pub(in crate::config) fn text(&self) -> Option<Text<'d>> {
        if let DeValue::String(text) = self.get() {
            return Some(Placed { value: text.as_ref(), place: self.place() });
        }
        self.wrong_type("a string");
        None
    }

    /// A boolean; otherwise reported.
    pub(in crate::config) fn flag(&self) -> Option<bool> {
        let flag = self.get().as_bool();
        if flag.is_none() {
            self.wrong_type("true or false");
        }
        flag
    }

    /// A whole number; otherwise reported.
    pub(in crate::config) fn number(&self) -> Option<Placed<i64>> {
        if let DeValue::Integer(number) = self.get()
            && let Ok(value) = i64::from_str_radix(number.as_str(), number.radix())
        {
            return Some(Placed { value, place: self.place() });
        }
        self.wrong_type("a whole number");
        None
    }

    /// A list; otherwise reported.
    pub(in crate::config) fn list(&self) -> Option<Vec<Value<'d>>> {
        let DeValue::Array(items) = self.get() else {
            self.wrong_type("a list");
            return None;
        };
        let item = |(position, found)| Value::new(self.report, found, format!("{}[{position}]", self.key));
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A list of strings. What is no string is reported and left out, so that the others are still checked; `None` if
    /// nothing is left of a list that was not empty.
    pub(in crate::config) fn texts(&self) -> Option<Vec<Text<'d>>> {
        let items = self.list()?;
        let texts: Vec<Text<'d>> = items.iter().filter_map(Value::text).collect();
        (!texts.is_empty() || items.is_empty()).then_some(texts)
    }

    /// As [`texts`](Self::texts); what stands there twice is reported too.
    pub(in crate::config) fn unique_texts(&self) -> Option<Vec<Text<'d>>> {
        let texts = self.texts()?;
        for (position, text) in texts.iter().enumerate() {
            if texts[..position].iter().any(|earlier| earlier.value == text.value) {
                self.report.problem(
                    &text.place,
                    format!("\"{}\" stands here twice", text.value.escape_debug()),
                    "remove one",
                );
            }
        }
        Some(texts)
    }

    /// A table of its own; otherwise reported.
    pub(in crate::config) fn section(&self, schema: &'static Table) -> Option<Section<'d>> {
        let table = self.table()?;
        Some(Section::open(self.report, table, schema, self.place()))
    }

    /// The names and values of a table whose names are free; otherwise reported.
    pub(in crate::config) fn entries(&self) -> Option<Vec<(Text<'d>, Value<'d>)>> {
        let entry = |(name, found): (&'d Spanned<Cow<'d, str>>, &'d Spanned<DeValue<'d>>)| {
            let key = format!("{}.{}", self.key, name.get_ref().escape_debug());
            let place = Place { span: name.span(), key: key.clone() };
            (Placed { value: name.get_ref().as_ref(), place }, Value::new(self.report, found, key))
        };
        Some(self.table()?.iter().map(entry).collect())
    }

    pub(super) fn table(&self) -> Option<&'d DeTable<'d>> {
        if let DeValue::Table(table) = self.get() {
            return Some(table);
        }
        self.wrong_type("a table");
        None
    }

    /// Reports that the value should have been `wanted`.
    pub(in crate::config) fn wrong_type(&self, wanted: &str) {
        let help = match self.get() {
            DeValue::String(_) if wanted == "a list" => "write it in brackets: [\"…\"]".to_owned(),
            DeValue::String(_) => format!("write {wanted}, without quotes"),
            DeValue::Array(_) => format!("write {wanted}, without brackets"),
            DeValue::Table(_) if wanted == "a list" && self.key == "routes" => {
                "write double brackets: [[routes]]".to_owned()
            }
            _ => format!("write {wanted}"),
        };
        self.wrong_type_because(wanted, help);
    }

    /// As [`wrong_type`](Self::wrong_type), with help of its own.
    pub(super) fn wrong_type_because(&self, wanted: &str, help: String) {
        self.report.problem(&self.place(), format!("expected {wanted}, found {}", self.kind()), help);
    }

    fn kind(&self) -> &'static str {
        match self.get() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }
}
