//! `path`, `exact` and `methods`: which requests a route is for.

use crate::config::raw::{Section, Text};
use crate::config::suggest;
use crate::path;
use crate::routing::{Methods, Pattern};

/// Reads `path` or `exact`: a route has one of them.
pub(super) fn pattern(section: &Section<'_>) -> Option<Pattern> {
    if let Some(value) = section.value("exact") {
        let text = value.text()?;
        if section.has("path") {
            let message = "a route has a `path` and what is below it, or one `exact` path";
            section.report().problem(&value.place(), message, "remove one, or make two routes of it");
            return None;
        }
        return own(section, &text).map(Pattern::Exact);
    }
    own(section, &section.required("path")?.text()?).map(Pattern::Prefix)
}

/// How a path stands in the route's name: one that is exact is told from one that is not.
pub(super) fn shown(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Prefix(path) => path.clone(),
        Pattern::Exact(path) => format!("={path}"),
    }
}

/// A path that a route may have.
fn own(section: &Section<'_>, text: &Text<'_>) -> Option<String> {
    let canonical = canonical(section, text)?;
    let lower = canonical.to_ascii_lowercase();
    let problem = |message: &str, help: &str| {
        section.report().problem(&text.place, message, help);
        None
    };
    if lower == "/auth" || lower.starts_with("/auth/") {
        return problem("/auth belongs to the gateway", "choose another path");
    }
    if canonical.contains(';') {
        return problem(
            "no request reaches the route: paths are compared without their `;parameters`",
            "write the path without them",
        );
    }
    Some(canonical)
}

/// The canonical path, spelt canonically: the file should say what is compared.
pub(super) fn canonical(section: &Section<'_>, text: &Text<'_>) -> Option<String> {
    let problem = |message: String, help: String| {
        section.report().problem(&text.place, message, help);
        None
    };
    if let Some(star) = text.value.find(['*', '^', '[', ']', '{', '}', '(', ')', '|', '<', '>']) {
        let prefix = text.value[..star].trim_end_matches('/');
        let prefix = if prefix.starts_with('/') { prefix } else { "/" };
        return problem(
            "a path is a prefix, not a pattern".to_owned(),
            format!("write \"{}\": it matches everything below", prefix.escape_debug()),
        );
    }
    let canonical = match path::canonical(text.value) {
        Ok(canonical) => canonical,
        Err(path::PathError::NotAbsolute) => {
            return problem(
                "a path starts with a slash".to_owned(),
                format!("write \"/{}\"", text.value.escape_debug()),
            );
        }
        Err(error) => {
            return problem(
                error.to_string(),
                "write the path as browsers send it, without query".to_owned(),
            );
        }
    };
    if canonical != text.value {
        return problem(
            "the path has a simpler spelling, and that is what is compared".to_owned(),
            format!("write \"{canonical}\""),
        );
    }
    Some(canonical.into_owned())
}

/// Reads `methods`.
pub(super) fn methods(section: &Section<'_>, files: bool) -> Option<Methods> {
    let readable = Methods::from_names(["GET", "HEAD"]).ok()?;
    if !section.has("methods") {
        return Some(if files { readable } else { Methods::ALL });
    }
    let value = section.value("methods")?;
    let texts = value.unique_texts()?;
    if texts.is_empty() {
        section.report().problem(
            &value.place(),
            "without a method nobody reaches the route",
            "write [\"GET\", \"HEAD\"], or leave the key out",
        );
        return None;
    }
    let good = texts.iter().filter(|text| is_method(section, text, files)).count();
    if good < texts.len() {
        return None;
    }
    Methods::from_names(texts.iter().map(|text| text.value)).ok()
}

fn is_method(section: &Section<'_>, text: &Text<'_>, files: bool) -> bool {
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let shown = text.value.escape_debug();
    if Methods::from_names([text.value]).is_err() {
        let refused = ["TRACE", "CONNECT"].contains(&text.value);
        let message = if refused {
            format!("{shown} is never forwarded")
        } else {
            format!("\"{shown}\" is not a method the gateway forwards")
        };
        section.report().problem(
            &text.place,
            message,
            if refused { "remove it".to_owned() } else { suggest::help(text.value, NAMES, "") },
        );
        return false;
    }
    if files && !matches!(text.value, "GET" | "HEAD") {
        section.report().problem(
            &text.place,
            format!("files take GET and HEAD only, not {shown}"),
            "remove it, or forward it with a route of its own to an `upstream`",
        );
        return false;
    }
    true
}
