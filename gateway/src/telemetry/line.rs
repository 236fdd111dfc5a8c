//! One event as one line, JSON or text. What is dangerous in a value is escaped, what is long is cut.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::access::Format;

/// The longest value written, in characters; the rest is cut.
pub(super) const LONGEST: usize = 4096;

/// Writes one event as one line.
pub(super) struct Line(pub(super) Format);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match self.0 {
            Format::Json => write_json(&mut out, event),
            Format::Text => write_text(&mut out, event),
        }
    }
}

fn write_json(out: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    out.write_str("{\"timestamp\":\"")?;
    SystemTime.format_time(out)?;
    write!(
        out,
        "\",\"level\":\"{}\",\"target\":\"{}\"",
        event.metadata().level(),
        event.metadata().target()
    )?;
    let mut fields = JsonFields { out, result: Ok(()) };
    event.record(&mut fields);
    fields.result?;
    out.write_str("}\n")
}

fn write_text(out: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let (level, target) = (*event.metadata().level(), event.metadata().target());
    SystemTime.format_time(out)?;
    if out.has_ansi_escapes() {
        let color = match level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            Level::DEBUG => 34,
            Level::TRACE => 35,
        };
        write!(out, " \x1b[{color}m{level:>5}\x1b[0m \x1b[2m{target}\x1b[0m:")?;
    } else {
        write!(out, " {level:>5} {target}:")?;
    }
    for message in [true, false] {
        let mut fields = TextFields { out, message, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
    }
    out.write_char('\n')
}

/// `,"name":value` for each field.
struct JsonFields<'o, 'w> {
    out: &'o mut Writer<'w>,
    result: fmt::Result,
}

impl JsonFields<'_, '_> {
    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.result.is_ok() {
            self.result = write!(self.out, ",\"{}\":{value}", field.name());
        }
    }

    fn quoted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.result.is_ok() {
            self.result = write!(self.out, ",\"{}\":\"", field.name())
                .and_then(|()| Escaped::new(self.out, true).write_fmt(value))
                .and_then(|()| self.out.write_char('"'));
        }
    }
}

impl Visit for JsonFields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.quoted(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.quoted(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.quoted(field, format_args!("{}", Chain(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.bare(field, format_args!("{value}"));
        } else {
            self.quoted(field, format_args!("{value}"));
        }
    }
}

/// ` message`, then ` name=value` for each other field.
struct TextFields<'o, 'w> {
    out: &'o mut Writer<'w>,
    message: bool,
    result: fmt::Result,
}

impl TextFields<'_, '_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let message = field.name() == "message";
        if self.result.is_err() || message != self.message {
            return;
        }
        self.result = if message { self.out.write_char(' ') } else { write!(self.out, " {}=", field.name()) }
            .and_then(|()| Escaped::new(self.out, false).write_fmt(value));
    }
}

impl Visit for TextFields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    // Quoted, so that a value with spaces cannot pass for two fields.
    fn record_str(&mut self, field: &Field, value: &str) {
        let plain =
            !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "-_.:/@+[]".contains(c));
        if plain || field.name() == "message" {
            self.write(field, format_args!("{value}"));
        } else {
            self.write(field, format_args!("{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.write(field, format_args!("{:?}", Chain(value).to_string()));
    }
}

/// An error and what caused it, on one line.
struct Chain<'e>(&'e (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}

/// Passes text on, but no control character and no more than [`LONGEST`] characters.
struct Escaped<'o, 'w> {
    out: &'o mut Writer<'w>,
    json: bool,
    left: usize,
}

impl<'o, 'w> Escaped<'o, 'w> {
    fn new(out: &'o mut Writer<'w>, json: bool) -> Self {
        Self { out, json, left: LONGEST }
    }

    fn escape(&mut self, c: char) -> fmt::Result {
        match c {
            '\n' => self.out.write_str("\\n"),
            '\r' => self.out.write_str("\\r"),
            '\t' => self.out.write_str("\\t"),
            '"' | '\\' if self.json => write!(self.out, "\\{c}"),
            _ => write!(self.out, "\\u{:04x}", u32::from(c)),
        }
    }
}

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                return Ok(());
            }
            self.left -= 1;
            if is_dangerous(c) || (self.json && matches!(c, '"' | '\\')) {
                self.escape(c)?;
            } else {
                self.out.write_char(c)?;
            }
            if self.left == 0 {
                self.out.write_char('…')?;
            }
        }
        Ok(())
    }
}

/// Control characters, line separators, and marks that turn the direction of text around: what makes a line look like
/// two, or like another one.
pub(super) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
