//! Checks that several sections share: names, URLs, durations, scopes, one of a few words.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use crate::origin;
use crate::scope::{Scope, ScopeSet};

use super::placeholder::is_placeholder;
use super::raw::{Report, Section, Text};
use super::{duration, suggest};

/// For problems that a whole page explains better than a line.
pub(super) const SEE_REFERENCE: &str = "see gateway/docs/configuration.md";

/// A name that may appear in logs, metrics and URLs; otherwise reported.
pub(super) fn name(report: &Report, name: &Text<'_>) -> Option<String> {
    let fits = (1..=64).contains(&name.value.len());
    if fits && name.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Some(name.value.to_owned());
    }
    report.problem(
        &name.place,
        "this name cannot be used in logs and URLs",
        "use 1 to 64 letters, digits, \"-\", \"_\" and \".\"",
    );
    None
}

/// The one of `words` that a key says, or `default`; otherwise reported.
pub(super) fn word<T: Copy>(
    section: &Section<'_>,
    key: &'static str,
    words: &[(&'static str, T)],
    default: T,
) -> Option<T> {
    let Some(value) = section.value(key) else {
        return Some(default);
    };
    let text = value.text()?;
    let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let help = suggest::help(text.value, words.iter().map(|(word, _)| *word), "");
        section.report().problem(
            &text.place,
            format!("\"{}\" is not a choice here", text.value.escape_debug()),
            help,
        );
    }
    found
}

/// A duration within bounds, or `default`; otherwise reported.
pub(super) fn time(
    section: &Section<'_>,
    key: &'static str,
    default: Duration,
    bounds: [Duration; 2],
) -> Option<Duration> {
    let Some(value) = section.value(key) else {
        return Some(default);
    };
    if let Some(number) = value.get().as_integer() {
        let help = format!("write the unit too: \"{number}s\" or \"{number}m\"");
        section.report().problem(&value.place(), "a duration needs a unit", help);
        return None;
    }
    let text = value.text()?;
    let Some(found) = duration::parse(text.value) else {
        section.report().problem(
            &text.place,
            format!("\"{}\" is not a duration", text.value.escape_debug()),
            format!("write {}", duration::FORM),
        );
        return None;
    };
    let [least, most] = bounds;
    if found < least || found > most {
        let help = format!("choose from {} to {}", duration::print(least), duration::print(most));
        section.report().problem(&text.place, format!("{} is out of bounds", duration::print(found)), help);
        return None;
    }
    Some(found)
}

/// A whole number within bounds, or `default`; otherwise reported.
pub(super) fn number<T: TryFrom<i64>>(
    section: &Section<'_>,
    key: &'static str,
    default: T,
    bounds: RangeInclusive<i64>,
) -> Option<T> {
    let Some(value) = section.value(key) else {
        return Some(default);
    };
    let number = value.number()?;
    let fits = T::try_from(number.value).ok().filter(|_| bounds.contains(&number.value));
    if fits.is_none() {
        let help = format!("choose from {} to {}", bounds.start(), bounds.end());
        section.report().problem(&number.place, format!("{} is out of bounds", number.value), help);
    }
    fits
}

/// Scopes by their grammar; every wrong one is reported.
pub(super) fn scopes(report: &Report, texts: &[Text<'_>]) -> Option<ScopeSet> {
    let mut good = Vec::with_capacity(texts.len());
    for text in texts {
        match text.value.parse::<Scope>() {
            Ok(_) if is_placeholder(text.value) => {
                report.problem(
                    &text.place,
                    "this is a placeholder, not a scope",
                    "write the scope's full name, such as \"api://todo-service/ToDoList.Read\"",
                );
            }
            Ok(scope) => good.push(scope),
            Err(_) if text.value.contains(' ') => {
                let parts: Vec<String> = text
                    .value
                    .split_whitespace()
                    .map(|part| format!("\"{}\"", part.escape_debug()))
                    .collect();
                report.problem(&text.place, "one string per scope", format!("write [{}]", parts.join(", ")));
            }
            Err(error) => {
                report.problem(&text.place, error.to_string(), "write the scope as the provider names it")
            }
        }
    }
    (good.len() == texts.len()).then(|| good.into_iter().collect())
}

/// A URL that may be fetched or compared: absolute, https unless on loopback, without user name or fragment;
/// otherwise reported.
pub(super) fn url(report: &Report, text: &Text<'_>, example: &str) -> Option<Url> {
    let help = format!("write a URL such as \"{example}\"");
    if is_placeholder(text.value) || text.value.contains(['<', '>']) || text.value.contains("Enter_the_") {
        report.problem(&text.place, "this URL still holds a placeholder", help);
        return None;
    }
    let Some(url) = Url::parse(text.value).ok().filter(Url::has_host) else {
        report.problem(&text.place, "this is not an absolute URL", help);
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        report.mask(text.place.span.clone());
        report.problem(&text.place, "a URL here must not hold a user name or password", help);
        return None;
    }
    if url.fragment().is_some() {
        report.problem(&text.place, "a URL here must not hold a fragment", "remove \"#\" and what follows");
        return None;
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if origin::is_loopback(&url) => Some(url),
        "http" => {
            report.problem(&text.place, "plain http is for loopback only", "write https://");
            None
        }
        other => {
            report.problem(&text.place, format!("the scheme \"{other}\" cannot be used here"), help);
            None
        }
    }
}
