//! `[log]`: what is logged, and how.

use crate::access::Format;
use crate::telemetry::Log;

use super::raw::{Report, Section, Text};
use super::{check, schema, suggest};

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const FORMATS: [(&str, Option<Format>); 3] =
    [("auto", None), ("json", Some(Format::Json)), ("text", Some(Format::Text))];

/// Reads `[log]`.
pub(super) fn read(top: &Section<'_>) -> Option<Log> {
    if !top.has("log") {
        return Some(Log { format: None, level: "info".to_owned(), access: true });
    }
    let section = top.section("log", &schema::LOG)?;
    let format = check::word(&section, "format", &FORMATS, None);
    let level = if section.has("level") {
        section.text("level").and_then(|text| level(section.report(), &text))
    } else {
        Some("info".to_owned())
    };
    let access = section.flag("access", true);
    Some(Log { format: format?, level: level?, access })
}

/// The filter as written. The filter's own parser takes almost every word for a module's name, so a mistyped level
/// would silently log nothing.
fn level(report: &Report, text: &Text<'_>) -> Option<String> {
    let mut good = true;
    for directive in text.value.split(',').map(str::trim) {
        let (target, level) =
            directive.split_once('=').map_or((None, directive), |(target, level)| (Some(target), level));
        let known = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        let fits = target.is_none_or(|target| {
            !target.is_empty()
                && target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'))
        });
        if !known || !fits {
            good = false;
            let otherwise =
                "write a level, or module=level, separated by commas, such as \"info,gateway::oidc=debug\"";
            let help = if fits { suggest::help(level, LEVELS, otherwise) } else { otherwise.to_owned() };
            report.problem(&text.place, format!("\"{}\" is not a level", directive.escape_debug()), help);
        }
    }
    good.then(|| text.value.to_owned())
}
