//! Takes a TOML table apart key by key, so that one mistake does not hide the next. Whatever is left at the end is an
//! unknown key. Knows nothing of which keys there are.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigProblem;

/// One table of the document, less the keys that were taken already.
pub(super) struct Section {
    /// As in `issuers[0].`; empty for the document.
    prefix: String,
    line: Option<usize>,
    values: BTreeMap<String, Entry>,
    /// Keys that somebody asked for, for suggestions.
    known: Vec<&'static str>,
    lines: BTreeMap<String, usize>,
}

struct Entry {
    line: usize,
    value: Plain,
}

/// A TOML value with its places resolved to lines.
enum Plain {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Plain>),
    Table(Section),
    Other,
}

pub(super) type Problems = Vec<ConfigProblem>;

impl Section {
    pub(super) fn of_document(text: &str, problems: &mut Problems) -> Option<Self> {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = error.span().map(|span| line_at(text, span.start));
            problems.push(ConfigProblem::whole(error.message().trim()).at(line));
        }
        let complete = errors.is_empty();
        complete.then(|| Self::of(text, String::new(), None, document.get_ref()))
    }

    fn of(text: &str, prefix: String, line: Option<usize>, table: &DeTable<'_>) -> Self {
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let line = line_at(text, key.span().start);
            let value = plain(text, &format!("{prefix}{name}"), value);
            values.insert(name, Entry { line, value });
        }
        let lines = values.iter().map(|(name, entry)| (name.clone(), entry.line)).collect();
        Self { prefix, line, values, known: Vec::new(), lines }
    }

    /// The key in full, as in `issuers[0].audiences`.
    pub(super) fn name_of(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Where the key stands, or else where its table begins.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.lines.get(key).copied().or(self.line)
    }

    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> ConfigProblem {
        ConfigProblem::new(self.name_of(key), message).at(self.line_of(key))
    }

    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let missing = !self.values.contains_key(key);
        if missing {
            problems.push(self.problem(key, "is missing"));
        }
        self.optional_text(key, problems)
    }

    pub(super) fn optional_text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        match self.take(key)?.value {
            Plain::Text(text) => Some(text),
            _ => self.wrong_type(key, "a text in quotes", problems),
        }
    }

    pub(super) fn optional_flag(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        match self.take(key)?.value {
            Plain::Flag(flag) => Some(flag),
            _ => self.wrong_type(key, "true or false", problems),
        }
    }

    pub(super) fn optional_number(&mut self, key: &'static str, problems: &mut Problems) -> Option<u64> {
        match self.take(key)?.value {
            Plain::Number(number) if number >= 0 => u64::try_from(number).ok(),
            _ => self.wrong_type(key, "a whole number", problems),
        }
    }

    pub(super) fn texts(&mut self, key: &'static str, problems: &mut Problems) -> Option<Vec<String>> {
        let missing = !self.values.contains_key(key);
        if missing {
            problems.push(self.problem(key, "is missing"));
        }
        self.optional_texts(key, problems)
    }

    pub(super) fn optional_texts(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Vec<String>> {
        let Plain::List(values) = self.take(key)?.value else {
            return self.wrong_type(key, "a list of texts in quotes", problems);
        };
        let mut texts = Vec::new();
        for value in values {
            let Plain::Text(text) = value else {
                return self.wrong_type(key, "a list of texts in quotes", problems);
            };
            texts.push(text);
        }
        Some(texts)
    }

    /// The table `[key]`, or `key = { … }`.
    pub(super) fn table(&mut self, key: &'static str, problems: &mut Problems) -> Option<Self> {
        self.table_not_text(key, "must be a table", problems)
    }

    /// The same, where people might write something else: then they are told so.
    pub(super) fn table_not_text(
        &mut self,
        key: &'static str,
        instead: &'static str,
        problems: &mut Problems,
    ) -> Option<Self> {
        if let Plain::Table(table) = self.take(key)?.value {
            return Some(table);
        }
        problems.push(self.problem(key, instead));
        None
    }

    /// The entries of `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Self> {
        let wanted = "a list of tables, each begun with a line like [[issuers]]";
        let values = match self.take(key).map(|entry| entry.value) {
            None => return Vec::new(),
            Some(Plain::List(values)) => values,
            Some(_) => return self.wrong_type(key, wanted, problems).unwrap_or_default(),
        };
        let mut tables = Vec::new();
        for value in values {
            match value {
                Plain::Table(table) => tables.push(table),
                _ => return self.wrong_type(key, wanted, problems).unwrap_or_default(),
            }
        }
        tables
    }

    /// Reads a text further; a refusal becomes a problem of the key.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
        problems: &mut Problems,
    ) -> Option<T> {
        read(text).map_err(|why| problems.push(self.problem(key, format!("{text:?} {why}")))).ok()
    }

    /// Reports what nobody asked for.
    pub(super) fn finish(&mut self, problems: &mut Problems) {
        for (name, entry) in std::mem::take(&mut self.values) {
            let closest = self.known.iter().max_by(|a, b| {
                let nearness = |known: &str| strsim::jaro_winkler(known, &name);
                nearness(a).total_cmp(&nearness(b))
            });
            let fix = match closest {
                Some(known) if strsim::jaro_winkler(known, &name) > 0.8 => format!("did you mean {known}?"),
                _ => format!("the keys here are {}", self.known.join(", ")),
            };
            problems.push(
                ConfigProblem::new(self.name_of(&name), format!("is not a known key; {fix}"))
                    .at(Some(entry.line)),
            );
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        self.values.remove(key)
    }

    fn wrong_type<T>(&self, key: &str, wanted: &str, problems: &mut Problems) -> Option<T> {
        problems.push(self.problem(key, format!("must be {wanted}")));
        None
    }
}

fn plain(text: &str, name: &str, value: &Spanned<DeValue<'_>>) -> Plain {
    match value.get_ref() {
        DeValue::String(value) => Plain::Text(value.to_string()),
        DeValue::Boolean(value) => Plain::Flag(*value),
        DeValue::Integer(value) => {
            i64::from_str_radix(value.as_str(), value.radix()).map_or(Plain::Other, Plain::Number)
        }
        DeValue::Array(values) => Plain::List(
            values
                .iter()
                .enumerate()
                .map(|(number, value)| plain(text, &format!("{name}[{number}]"), value))
                .collect(),
        ),
        DeValue::Table(table) => {
            let line = line_at(text, value.span().start);
            Plain::Table(Section::of(text, format!("{name}."), Some(line), table))
        }
        DeValue::Float(_) | DeValue::Datetime(_) => Plain::Other,
    }
}

/// The line, counted from 1, that holds this byte.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}
