//! An account for people: a line for each step, and below them what goes upstream.

use std::io::{self, Write};

use super::{Account, Sent, Verdict};

/// Prints it, with colours where a terminal shows them.
///
/// # Errors
/// What cannot be written.
pub fn print(account: &Account, color: bool, out: &mut dyn Write) -> io::Result<()> {
    for step in &account.steps {
        let (word, begin) = match step.verdict {
            Verdict::Passed => ("ok", "\u{1b}[32m"),
            Verdict::Refused => ("refused", "\u{1b}[31m"),
            Verdict::Note => ("", ""),
        };
        let (begin, end) = if color && !begin.is_empty() { (begin, "\u{1b}[0m") } else { ("", "") };
        writeln!(out, "{begin}{word:<8}{end}{:<8} {}", step.name, printable(&step.found))?;
    }
    let Some(Sent { servers, line, headers, times, .. }) = &account.sent else {
        return Ok(());
    };
    writeln!(out, "\nto {} ({times}):\n", servers.join(" or "))?;
    writeln!(out, "    {}", printable(line))?;
    for (name, value) in headers {
        writeln!(out, "    {}: {}", printable(name), printable(value))?;
    }
    Ok(())
}

/// A text that cannot move the cursor or start a line of its own, whoever wrote it.
fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.chars().flat_map(escaped).collect()
}
