//! One event, one line, whatever is in it; and nothing of what other libraries know.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use proptest::prelude::*;
use serde_json::Value;

use super::line::{LONGEST, is_dangerous};
use super::*;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged by `events` under that format and level.
fn logged(format: Format, level: &str, events: impl FnOnce()) -> String {
    let paper = Paper::default();
    let writer = paper.clone();
    let log = Log { format: Some(format), level: level.to_owned(), access: true };
    let subscriber = subscriber_with(&log, move || writer.clone()).expect("a level");
    subscriber::with_default(subscriber, events);
    let bytes = paper.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(bytes).expect("text")
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

const NASTY: &str = "a\r\nWARN gateway: forged\u{1b}[31m\u{0}\u{7f}\u{9b}\u{2028}\u{202e}\"quoted\" \\n é";

fn nasty_event() {
    let error = io::Error::other(NASTY);
    let error: &(dyn std::error::Error + 'static) = &error;
    tracing::info!(target: "gateway::x", text = NASTY, shown = %NASTY, debug = ?NASTY, error, number = 7, yes = true, "message {NASTY}");
}

#[test]
fn json_is_one_object_a_line_whatever_is_in_it() {
    let text = logged(Format::Json, "info", nasty_event);
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(!text.trim_end().chars().any(is_dangerous), "{text:?}");
    let line = json(&text);
    assert_eq!((line["level"].as_str(), line["target"].as_str()), (Some("INFO"), Some("gateway::x")));
    assert_eq!((line["text"].as_str(), line["shown"].as_str()), (Some(NASTY), Some(NASTY)));
    assert_eq!(line["message"].as_str(), Some(&*format!("message {NASTY}")));
    assert_eq!((&line["number"], &line["yes"]), (&Value::from(7), &Value::from(true)));
    assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{text}");
}

#[test]
fn text_is_one_line_an_event_whatever_is_in_it() {
    let text = logged(Format::Text, "info", nasty_event);
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(!text.trim_end().chars().any(is_dangerous), "{text:?}");
    assert!(text.contains(" INFO gateway::x: message a\\r\\nWARN gateway: forged\\u001b"), "{text}");
    assert!(text.contains(" number=7 yes=true"), "{text}");
}

#[test]
fn text_keeps_plain_values_plain_and_quotes_the_others() {
    let text = logged(
        Format::Text,
        "info",
        || tracing::info!(target: "gateway", issuer = "http://localhost:3002", name = "a b=c", shown = %"x y=z", "ready"),
    );
    assert!(
        text.ends_with("gateway: ready issuer=http://localhost:3002 name=\"a b=c\" shown=\"x y=z\"\n"),
        "{text}"
    );
}

#[test]
fn an_error_is_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);
    let outer = Outer(io::Error::other("inner"));
    let text = logged(Format::Json, "info", || {
        tracing::warn!(target: "gateway", error = &outer as &(dyn std::error::Error + 'static), "failed");
    });
    assert_eq!(json(&text)["error"], "outer: inner");
}

#[test]
fn long_values_are_cut() {
    let long = "é".repeat(1 << 20);
    for format in [Format::Json, Format::Text] {
        let text = logged(format, "info", || tracing::info!(target: "gateway", long, "end"));
        assert!(
            text.len() < 3 * LONGEST && text.contains('…') && text.contains("end"),
            "{} bytes",
            text.len()
        );
    }
}

#[test]
fn other_libraries_are_heard_from_warn_upwards_only() {
    let text = logged(Format::Json, "trace", || {
        tracing::trace!(target: "hyper::proto", "authorization: Bearer x");
        tracing::debug!(target: "h2::client", "authorization: Bearer x");
        tracing::info!(target: "openidconnect", "client_secret x");
        tracing::info!(target: "gateways", "client_secret x");
        tracing::warn!(target: "hyper", "one");
        tracing::error!(target: "rustls", "two");
        tracing::trace!(target: "gateway::oidc", "three");
        tracing::info!(target: "gateway", "four");
    });
    let messages: Vec<_> = text.lines().map(|line| json(line)["message"].clone()).collect();
    assert_eq!(messages, ["one", "two", "three", "four"]);
}

#[test]
fn the_level_decides_about_the_rest() {
    let events = || {
        tracing::debug!(target: "gateway::oidc", "one");
        tracing::debug!(target: "gateway", "two");
        tracing::info!(target: "gateway", "three");
        tracing::warn!(target: "hyper", "four");
    };
    assert_eq!(logged(Format::Text, "info,gateway::oidc=debug", events).lines().count(), 3);
    assert_eq!(logged(Format::Text, "error", events), "");
    assert_eq!(logged(Format::Text, "off", events), "");
}

#[test]
fn spans_add_nothing_to_a_line() {
    let text = logged(Format::Json, "trace", || {
        let _span = tracing::info_span!(target: "gateway", "request", cookie = "x").entered();
        tracing::info!(target: "gateway", "in a span");
    });
    assert!(text.contains("in a span") && !text.contains("cookie"), "{text}");
}

#[test]
fn a_filter_that_is_none_is_an_error() {
    let log = Log { format: None, level: "info,gateway=loud".to_owned(), access: true };
    assert!(matches!(subscriber_with(&log, io::sink), Err(Error::Level(_))));
}

#[test]
fn logging_begins_once_and_can_be_asked_for_twice() {
    let log = Log { format: Some(Format::Json), level: "info".to_owned(), access: true };
    let first = try_init_with(&log, io::sink).expect("a level");
    let second = try_init_with(&log, io::sink).expect("a level");
    assert!(!second, "one begin is enough, and the first was {first}");
    assert!(matches!(init_with(&log, io::sink), Err(Error::Twice(_))));
}

proptest! {
    #[test]
    fn every_value_comes_back_from_json(value in "(\\PC|\\pC|\"|\\\\){0,40}") {
        let text = logged(Format::Json, "info", || tracing::info!(target: "gateway", value, "message"));
        prop_assert_eq!(text.matches('\n').count(), 1);
        let line = json(&text);
        prop_assert_eq!(line["value"].as_str(), Some(&*value));
    }
}
