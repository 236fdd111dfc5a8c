//! `cors` of a route: which other origins' scripts may read its answers.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::config::raw::{Section, Text, Value};
use crate::config::{check, schema};
use crate::cors::{Origins, Policy};
use crate::csrf::X_CSRF;
use crate::origin::Origin;
use crate::routing::Methods;

/// Browsers remember a preflight for two hours at most, some for a day.
const MAX_AGE: [Duration; 2] = [Duration::ZERO, Duration::from_hours(24)];
const DEFAULT_MAX_AGE: Duration = Duration::from_mins(10);

/// Reads it.
pub(super) fn read(route: &Section<'_>, value: &Value<'_>, taken: Methods) -> Option<Policy> {
    let section = value.section(&schema::CORS)?;
    let credentials = section.flag("credentials", false);
    let origins = section.required("origins").and_then(|value| origins(&section, &value, credentials));
    let methods = methods(&section, taken);
    let max_age = check::time(&section, "max_age", DEFAULT_MAX_AGE, MAX_AGE);
    let mut headers = names(&section, "headers");
    if credentials && let Some(names) = &mut headers {
        // Without it no request with a session would pass.
        names.push(X_CSRF.clone());
    }
    let expose = names(&section, "expose");
    if credentials && !route.has("upstream") {
        let message = "files are the same for everybody: a session plays no part";
        route.report().problem(section.place(), message, "remove `credentials`");
    }
    Some(Policy {
        origins: origins?,
        credentials,
        methods: HeaderValue::try_from(methods?.to_string()).ok()?,
        headers: joined(&headers?),
        expose: joined(&expose?),
        max_age: HeaderValue::from(max_age?.as_secs()),
    })
}

fn origins(section: &Section<'_>, value: &Value<'_>, credentials: bool) -> Option<Origins> {
    let texts = value.unique_texts()?;
    let report = section.report();
    if texts.is_empty() {
        let help = "name one such as \"https://other.example\", or remove `cors`";
        report.problem(&value.place(), "scripts of no origin may read anything", help);
        return None;
    }
    if let Some(any) = texts.iter().find(|text| text.value == "*") {
        if credentials {
            // Requirement CF-02.
            let message = "every site could then act for the people who are signed in here";
            report.problem(&any.place, message, "name the origins, or remove `credentials`");
            return None;
        }
        if texts.len() > 1 {
            report.problem(&any.place, "\"*\" is every origin already", "remove the others, or \"*\"");
            return None;
        }
        return Some(Origins::Any);
    }
    let listed: Option<Vec<_>> = texts.iter().map(|text| origin(section, text)).collect();
    listed.map(Origins::Listed)
}

/// As browsers write it.
fn origin(section: &Section<'_>, text: &Text<'_>) -> Option<HeaderValue> {
    let help = "write scheme, host and port only, such as \"https://other.example\"";
    let problem = |message: String| {
        section.report().problem(&text.place, message, help);
        None
    };
    match Origin::parse(text.value) {
        _ if text.value.contains('*') => {
            problem("an origin is compared whole, so there are no patterns".to_owned())
        }
        Ok(origin) if origin.is_secure() || origin.is_loopback() => {
            HeaderValue::from_str(origin.as_str()).ok()
        }
        Ok(_) => problem("anybody on the way can change scripts that come by plain http".to_owned()),
        Err(error) => problem(format!("this is no origin: {error}")),
    }
}

fn methods(section: &Section<'_>, taken: Methods) -> Option<Methods> {
    let Some(texts) = section.value("methods").map(|value| value.unique_texts()) else {
        return Some(taken);
    };
    let texts = texts?;
    let mut names = Vec::with_capacity(texts.len());
    for text in &texts {
        match Methods::from_names([text.value]) {
            Ok(method) if method.overlaps(taken) => names.push(text.value),
            Ok(_) => {
                let message = format!("the route does not take {}", text.value);
                section.report().problem(&text.place, message, format!("it takes {taken}"));
            }
            Err(_) => {
                let message = format!("\"{}\" is not a method", text.value.escape_debug());
                section.report().problem(&text.place, message, format!("write one of {taken}, in capitals"));
            }
        }
    }
    (names.len() == texts.len()).then(|| Methods::from_names(names).ok()).flatten()
}

fn names(section: &Section<'_>, key: &'static str) -> Option<Vec<HeaderName>> {
    let Some(value) = section.value(key) else {
        return Some(Vec::new());
    };
    let texts = value.unique_texts()?;
    let name = |text: &Text<'_>| {
        let name = HeaderName::from_bytes(text.value.as_bytes()).ok();
        if name.is_none() {
            let message = format!("\"{}\" is not the name of a header", text.value.escape_debug());
            section.report().problem(
                &text.place,
                message,
                "write it as it is sent, such as \"Content-Type\"",
            );
        }
        name
    };
    let found: Vec<_> = texts.iter().filter_map(name).collect();
    (found.len() == texts.len()).then_some(found)
}

fn joined(names: &[HeaderName]) -> Option<HeaderValue> {
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    (!names.is_empty()).then(|| HeaderValue::try_from(names.join(", ")).ok()).flatten()
}
