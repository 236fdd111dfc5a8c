//! How findings are shown: lines for people, with what is under way on a terminal; one JSON document for programs.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::config::Problems;
use crate::finding::{Finding, Level, Observer};

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// People.
    Text,
    /// Programs: one object, when all is done.
    Json,
}

/// Shows findings as they come. What cannot be written is told at the end.
pub struct Printer<'p> {
    format: Format,
    name: String,
    out: &'p mut dyn Write,
    /// Colours, and a line that says what is under way.
    on_terminal: bool,
    findings: Vec<Finding>,
    /// Whether the configuration's problems were shown with their places already.
    told: bool,
    trouble: Option<io::Error>,
}

const CLEAR_LINE: &str = "\r\u{1b}[K";

impl<'p> Printer<'p> {
    /// Prints what is found about the configuration at `path`.
    pub fn new(format: Format, path: &Path, out: &'p mut dyn Write) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let on_terminal = format == Format::Text && !plain && io::stdout().is_terminal();
        let name = path.display().to_string();
        Self { format, name, out, on_terminal, findings: Vec::new(), told: false, trouble: None }
    }

    /// Shows the problems of a configuration with their places in the file, as `gateway check` does.
    pub(super) fn problems(&mut self, problems: &Problems) {
        if self.format == Format::Text {
            self.told = true;
            let shown = problems.render(self.on_terminal);
            self.write(&format!("{shown}\n"));
        }
    }

    /// Writes what is left to write.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let count = |level| self.findings.iter().filter(|finding| finding.level == level).count();
        let (faults, warnings) = (count(Level::Fault), count(Level::Warning));
        let text = match self.format {
            Format::Json => {
                let findings: Vec<Value> = self.findings.iter().map(as_json).collect();
                let all = json!({
                    "config": self.name,
                    "faults": faults,
                    "warnings": warnings,
                    "findings": findings,
                });
                format!("{all:#}\n")
            }
            Format::Text if self.told => String::new(),
            Format::Text => {
                let clear = if self.on_terminal { CLEAR_LINE } else { "" };
                let plural = |count| if count == 1 { "" } else { "s" };
                let counted =
                    format!("{faults} fault{}, {warnings} warning{}", plural(faults), plural(warnings));
                format!("{clear}\n{}: {counted}\n", self.name)
            }
        };
        self.write(&text);
        self.out.flush()?;
        self.trouble.map_or(Ok(()), Err)
    }

    fn write(&mut self, text: &str) {
        if self.trouble.is_none() {
            self.trouble = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).err();
        }
    }
}

impl Observer for Printer<'_> {
    fn looking(&mut self, at: &str) {
        if self.on_terminal {
            self.write(&format!("{CLEAR_LINE}… {}", printable(at)));
        }
    }

    fn found(&mut self, finding: Finding) {
        if self.format == Format::Text && !self.told {
            let clear = if self.on_terminal { CLEAR_LINE } else { "" };
            let shown = as_text(&finding, self.on_terminal);
            self.write(&format!("{clear}{shown}"));
        }
        self.findings.push(finding);
    }
}

/// One line, and below it what to type.
fn as_text(finding: &Finding, color: bool) -> String {
    let Finding { level, check, looked_at, found, repair } = finding;
    let (begin, end) = match level {
        _ if !color => ("", ""),
        Level::Ok => ("\u{1b}[32m", "\u{1b}[0m"),
        Level::Warning => ("\u{1b}[33m", "\u{1b}[0m"),
        Level::Fault => ("\u{1b}[31m", "\u{1b}[0m"),
    };
    let (looked_at, found) = (printable(looked_at), printable(found));
    // What was looked at often begins with the word for it.
    let word = if looked_at.starts_with(check) { String::new() } else { format!("{check}: ") };
    let first = format!("{begin}{:<8}{end}{word}{looked_at}: {found}\n", level.as_str());
    let repairs = repair.iter().flat_map(|repair| repair.lines());
    let further = repairs.map(|line| format!("        -> {}\n", printable(line)));
    std::iter::once(first).chain(further).collect()
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "level": finding.level.as_str(),
        "check": finding.check,
        "looked_at": finding.looked_at,
        "found": finding.found,
        "repair": finding.repair,
    })
}

/// A text that cannot move the cursor or start a line of its own, whoever wrote it.
fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.chars().flat_map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format, finding: Finding) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new(format, Path::new("gateway.toml"), &mut out);
        printer.found(finding);
        printer.finish().expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_line_says_how_bad_what_where_and_what_to_type() {
        let fault =
            Finding::fault("issuer", "provider.issuer", "another", "issuer = \"x\"\nmetadata_url = \"y\"");
        let text = printed(Format::Text, fault.clone());
        assert!(
            text.starts_with("fault   issuer: provider.issuer: another\n        -> issuer = \"x\"\n"),
            "{text}"
        );
        assert!(text.ends_with("gateway.toml: 1 fault, 0 warnings\n"), "{text}");
        let json: Value = serde_json::from_str(&printed(Format::Json, fault)).expect("JSON");
        assert_eq!(json["faults"], 1);
        assert_eq!(json["findings"][0]["check"], "issuer");
    }

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        let text = printed(Format::Text, Finding::ok("issuer", "x", "evil \u{1b}[2J\nok      all"));
        assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[2J\\nok"), "{text}");
    }
}
