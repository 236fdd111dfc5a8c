//! What a route changes on the way: `strip`, `replace`, `request_headers`, `response_headers`, `identity_headers`,
//! `identity_token`, `authorization`.

mod edits;
mod introduction;
mod rewrite;

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderName;

use crate::config::check;
use crate::config::raw::{Section, Value};
use crate::config::secrets::Surroundings;
use crate::routing::{Changes, Pattern};
use crate::rule::Rule;
use crate::session::introduction::Introduction;
use crate::upstream::headers::{is_governed_in_answers, is_governed_in_requests};

pub(super) use edits::secret_files;

/// What the keys of a route are read with.
pub(super) struct Around<'k> {
    pub(super) surroundings: &'k Surroundings<'k>,
    /// Whether the gateway has a key to sign with.
    pub(super) has_key: bool,
    /// How other routes introduce people: what is the same is made once for a session.
    pub(super) introductions: &'k mut Vec<Arc<Introduction>>,
}

const UPSTREAM_ONLY: [&str; 6] =
    ["strip", "replace", "request_headers", "identity_headers", "identity_token", "authorization"];

/// Reads them. Nothing where a route changes nothing.
pub(super) fn read(
    section: &Section<'_>,
    pattern: Option<&Pattern>,
    rule: Option<&Rule>,
    around: &mut Around<'_>,
) -> Option<Box<Changes>> {
    let mut is_misplaced = false;
    for key in UPSTREAM_ONLY.into_iter().filter(|_| !section.has("upstream")) {
        if let Some(value) = section.value(key) {
            let message = format!("`{key}` changes what an upstream gets");
            section.report().problem(&value.place(), message, "remove it, or add `upstream`");
            is_misplaced = true;
        }
    }
    let changes = Changes {
        rewrite: rewrite::read(section, pattern),
        request: edits::read(section, "request_headers", is_governed_in_requests, around.surroundings),
        response: edits::read(section, "response_headers", is_governed_in_answers, around.surroundings),
        introduction: introduction::read(section, around),
        passes_authorization: passes_authorization(section, rule),
    };
    check_apart(section, &changes);
    (!is_misplaced && changes != Changes::default()).then(|| Box::new(changes))
}

/// `authorization = "pass"`: a client's own credentials, for upstreams that check them themselves.
fn passes_authorization(section: &Section<'_>, rule: Option<&Rule>) -> bool {
    let words = [("drop", false), ("pass", true)];
    let passes = check::word(section, "authorization", &words, false).unwrap_or(false);
    let problem = |message: &str, help: &str| {
        if let Some(value) = section.value("authorization") {
            section.report().problem(&value.place(), message, help);
        }
    };
    if passes && section.has("token") {
        problem("a route sends one `Authorization`: the client's, or its `token`", "remove one of the two");
    } else if passes && !rule.is_some_and(Rule::is_public) {
        problem(
            "whoever has a session here needs no credentials of their own, and an upstream could take one for the other",
            "write allow = \"anyone\", so that the upstream alone decides, or remove it",
        );
    }
    passes
}

/// No header is both edited and filled in with who asks.
fn check_apart(section: &Section<'_>, changes: &Changes) {
    let Some(introduction) = &changes.introduction else {
        return;
    };
    for name in changes.request.names().filter(|name| names(introduction).any(|own| own == *name)) {
        if let Some(value) = section.value("request_headers") {
            let message = format!("`{name}` says who asks already, and is the gateway's alone");
            section.report().problem(&value.place(), message, "remove it here");
        }
    }
}

/// The headers that say who asks.
pub(super) fn names(introduction: &Introduction) -> impl Iterator<Item = &HeaderName> {
    introduction
        .lines
        .iter()
        .map(|line| &line.name)
        .chain(introduction.token.iter().map(|recipe| &recipe.header))
}

/// A header's name; otherwise reported.
fn header_name(value: &Value<'_>, section: &Section<'_>, text: &str) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    if name.is_none() {
        let message = format!("\"{}\" is not the name of a header", text.escape_debug());
        section.report().problem(&value.place(), message, "write a name such as \"X-Env\"");
    }
    name
}

/// Files that hold secrets, as the paths of a list of them.
pub(super) type Files = Vec<PathBuf>;
