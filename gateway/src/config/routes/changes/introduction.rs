//! `identity_headers` and `identity_token`: what the upstream is told of who asks.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::config::check;
use crate::config::raw::{Section, Value};
use crate::config::schema;
use crate::session::introduction::{Form, Introduction, Line, Recipe};
use crate::upstream::headers::is_governed_in_requests;
use crate::vouch::{LIFETIMES, OWN_CLAIMS};

use super::{Around, header_name};

const LIFETIME: Duration = Duration::from_mins(5);
const HEADER: &str = "X-Identity-Token";

/// Reads both. Routes that say the same share one.
pub(super) fn read(section: &Section<'_>, around: &mut Around<'_>) -> Option<Arc<Introduction>> {
    let introduction = Introduction { lines: lines(section), token: token(section, around.has_key) };
    let header = introduction.token.as_ref().map(|token| &token.header);
    if let Some(line) = introduction.lines.iter().find(|line| Some(&line.name) == header)
        && let Some(value) = section.value("identity_token")
    {
        let message = format!("`{}` stands in `identity_headers` too", line.name);
        section.report().problem(&value.place(), message, "give the token a header of its own");
    }
    if introduction == Introduction::default() {
        return None;
    }
    let known = around.introductions.iter().find(|known| ***known == introduction).cloned();
    Some(known.unwrap_or_else(|| {
        let new = Arc::new(introduction);
        around.introductions.push(Arc::clone(&new));
        new
    }))
}

fn lines(section: &Section<'_>) -> Vec<Line> {
    let entries = section.value("identity_headers").and_then(|value| value.entries()).unwrap_or_default();
    let mut found: Vec<Line> = Vec::with_capacity(entries.len());
    for (text, value) in &entries {
        let claim = claim(value);
        let name = own_name(section, value, text.value);
        if let Some(name) = &name
            && found.iter().any(|line| line.name == *name)
        {
            let message = format!("`{name}` stands here twice");
            section.report().problem(&text.place, message, "remove one: letter case makes no difference");
        } else if let Some((name, (claim, form))) = name.zip(claim) {
            found.push(Line { name, claim, form });
        }
    }
    found
}

/// `"claim"`, or `{ claim = "claim", form = "json" }`.
fn claim(value: &Value<'_>) -> Option<(String, Form)> {
    if !value.get().is_table() {
        return Some((value.text()?.value.to_owned(), Form::Text));
    }
    let section = value.section(&schema::IDENTITY_LINE)?;
    let form = check::word(&section, "form", &[("text", Form::Text), ("json", Form::Json)], Form::Text);
    let claim = section.required("claim")?.text()?;
    Some((claim.value.to_owned(), form?))
}

/// A name that the gateway alone fills in; otherwise reported.
fn own_name(section: &Section<'_>, value: &Value<'_>, text: &str) -> Option<HeaderName> {
    let name = header_name(value, section, text)?;
    if name.as_str().contains('_') {
        let message = format!(
            "many servers read `{name}` and `{}` as one, and clients may send the other",
            hyphened(&name)
        );
        section.report().problem(&value.place(), message, "write hyphens instead of underscores");
        return None;
    }
    if is_governed_in_requests(&name) || name.as_str().starts_with("content-") {
        let message = format!("`{name}` has another meaning, which no claim can take");
        section.report().problem(&value.place(), message, "write a name of your own, such as \"X-User\"");
        return None;
    }
    Some(name)
}

fn hyphened(name: &HeaderName) -> String {
    name.as_str().replace('_', "-")
}

fn token(section: &Section<'_>, has_key: bool) -> Option<Recipe> {
    let value = section.value("identity_token")?;
    let table = value.section(&schema::IDENTITY_TOKEN)?;
    let report = table.report();
    if !has_key {
        let help = "add [identity] key = { file = \"identity.key\" }; make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out identity.key";
        report.problem(&value.place(), "the gateway has no key to sign with", help);
    }
    let header = table.value("header");
    let header = match &header {
        Some(value) => own_name(&table, value, value.text()?.value),
        None => own_name(&table, &value, HEADER),
    };
    let audience = table.required("audience").and_then(|value| value.text());
    if let Some(empty) = audience.as_ref().filter(|text| text.value.trim().is_empty()) {
        report.problem(&empty.place, "a token is for somebody", "write the upstream's own name");
    }
    let texts = if table.has("claims") { table.unique_texts("claims")? } else { Vec::new() };
    for text in texts.iter().filter(|text| OWN_CLAIMS[..6].contains(&text.value)) {
        let message = format!("`{}` of the token is the gateway's to say", text.value);
        report.problem(&text.place, message, "remove it");
    }
    let claims = texts.iter().map(|text| text.value.to_owned()).collect();
    let lifetime = check::time(&table, "lifetime", LIFETIME, LIFETIMES);
    Some(Recipe { header: header?, audience: audience?.value.to_owned(), claims, lifetime: lifetime? })
}
