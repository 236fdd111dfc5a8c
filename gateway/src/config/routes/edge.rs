//! What a route asks of clients and what its answers wear: `max_body`, `rate_limit`, `cors`, `compress` and
//! `cache_control`.

mod cors;

use std::hash::{DefaultHasher, Hash, Hasher};

use http::HeaderValue;

use crate::config::raw::{Section, Value};
use crate::config::{check, limits, schema, size};
use crate::limits::{By, RouteRate};
use crate::routing::{Compress, Edge, MaxBody, Methods};

/// What else is known of the route.
pub(super) struct About<'a> {
    pub(super) name: &'a str,
    pub(super) methods: Methods,
    /// Whether it makes no difference who asks.
    pub(super) is_indifferent: bool,
}

/// Reads what is there. After a problem the rest is still checked.
pub(super) fn read(route: &Section<'_>, about: &About<'_>) -> Option<Box<Edge>> {
    let keys = ["rate_limit", "cors", "compress", "cache_control"];
    if !keys.iter().any(|key| route.has(key)) {
        return None;
    }
    Some(Box::new(Edge {
        cors: route.value("cors").and_then(|value| cors::read(route, &value, about.methods)),
        rate: route.value("rate_limit").and_then(|value| rate(&value, about.name)),
        compress: route.value("compress").and_then(|value| compress(route, &value)).unwrap_or_default(),
        cache_control: cache_control(route, about.is_indifferent),
    }))
}

/// Reads `max_body`.
pub(super) fn max_body(route: &Section<'_>) -> MaxBody {
    let Some(value) = route.value("max_body") else {
        // What is streamed for hours is of any size.
        return if route.flag("grpc", false) { MaxBody::UNLIMITED } else { MaxBody::default() };
    };
    if !route.has("upstream") {
        route.report().problem(
            &value.place(),
            "nobody sends a body to files",
            "remove it, or add `upstream`",
        );
    }
    if value.get().as_str() == Some(limits::UNLIMITED) {
        return MaxBody::UNLIMITED;
    }
    size::read(route, &value).map(MaxBody).unwrap_or_default()
}

fn rate(value: &Value<'_>, name: &str) -> Option<RouteRate> {
    let section = value.section(&schema::RATE_LIMIT)?;
    let by = check::word(&section, "by", &[("address", By::Address), ("session", By::Session)], By::Address);
    let (rate, by) = (limits::rate(&section), by);
    let (rate, by) = (rate?, by?);
    // The same for the same limit of the same route, so that a reload forgets nobody; never one of the gateway's own.
    let mut hasher = DefaultHasher::new();
    (name, rate, by).hash(&mut hasher);
    Some(RouteRate { id: hasher.finish() | 1 << 32, rate, by })
}

fn compress(route: &Section<'_>, value: &Value<'_>) -> Option<Compress> {
    if let Some(flag) = value.get().as_bool() {
        return Some(if flag { Compress::ToNobody } else { Compress::Never });
    }
    if value.get().as_str() == Some("always") {
        return Some(Compress::Always);
    }
    if value.get().as_str().is_some() {
        let message = "this is not a choice here";
        route.report().problem(&value.place(), message, "write true, false or \"always\"");
        return None;
    }
    value.wrong_type("true, false or \"always\"");
    None
}

/// Shared caches may keep only what is the same for everybody (requirement HD-14).
fn cache_control(route: &Section<'_>, is_indifferent: bool) -> Option<HeaderValue> {
    let text = route.text("cache_control")?;
    let problem = |message: &str, help: &str| {
        route.report().problem(&text.place, message, help);
        None
    };
    let is_plain = text.value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let directives: Vec<_> =
        text.value.split(',').map(|directive| directive.trim().to_ascii_lowercase()).collect();
    if !is_plain || directives.iter().any(String::is_empty) {
        return problem("this is not a Cache-Control header", "write such as \"public, max-age=3600\"");
    }
    let says = |word: &str| {
        directives.iter().any(|directive| directive.split('=').next().is_some_and(|name| name.trim() == word))
    };
    let is_private = (says("private") || says("no-store")) && !says("public") && !says("s-maxage");
    if !is_indifferent && !is_private {
        return problem(
            "caches that many people share would keep what one of them was shown",
            "begin it with \"private\", or let the route be for allow = \"anyone\", without a token of a person",
        );
    }
    HeaderValue::from_str(text.value).ok()
}
