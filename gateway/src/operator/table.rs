//! A table of sessions that fits a terminal: what does not fit is shortened, then left out, the least important first.
//! What strangers chose, such as the name of their browser, cannot move the cursor.

use std::io::{self, Write};

/// One session, a text for each of [`COLUMNS`].
pub(super) type Row = [String; 9];

struct Column {
    title: &'static str,
    /// It may be shortened to this, if to anything.
    least: Option<usize>,
    /// Columns of a higher number are left out first; 0 never is.
    leave_out: u8,
}

const fn column(title: &'static str, least: Option<usize>, leave_out: u8) -> Column {
    Column { title, least, leave_out }
}

/// An id is needed whole: it is what sessions are ended by.
const COLUMNS: [Column; 9] = [
    column("ID", None, 0),
    column("SUBJECT", Some(10), 0),
    column("NAME", Some(8), 4),
    column("SIGNED IN", None, 3),
    column("AGE", None, 2),
    column("UNUSED", None, 1),
    column("ENDS IN", None, 1),
    column("ADDRESS", None, 5),
    column("BROWSER", Some(12), 6),
];
const GAP: usize = 2;

/// Which columns are shown, and how wide.
pub(super) struct Table {
    columns: Vec<(usize, usize)>,
}

impl Table {
    /// The layout for these rows in a terminal of that width, or for as wide as they are.
    pub(super) fn lay_out(rows: &[Row], width: Option<usize>) -> Self {
        let wanted = |index: usize| {
            let cells = rows.iter().map(|row| row[index].chars().count());
            cells.chain([COLUMNS[index].title.len()]).max().unwrap_or_default()
        };
        let mut columns: Vec<(usize, usize)> =
            (0..COLUMNS.len()).map(|index| (index, wanted(index))).collect();
        let Some(width) = width else {
            return Self { columns };
        };
        let least =
            |(index, wanted): (usize, usize)| COLUMNS[index].least.map_or(wanted, |least| least.min(wanted));
        let total = |widths: &mut dyn Iterator<Item = usize>| {
            widths.map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
        };
        while total(&mut columns.iter().map(|column| least(*column))) > width {
            let last = columns.iter().map(|(index, _)| COLUMNS[*index].leave_out).max().unwrap_or(0);
            if last == 0 {
                break;
            }
            columns.retain(|(index, _)| COLUMNS[*index].leave_out != last);
        }
        // The widest gives way first, so that short texts stay whole.
        while total(&mut columns.iter().map(|(_, wide)| *wide)) > width {
            let widest = columns
                .iter_mut()
                .filter(|(index, wide)| *wide > least((*index, *wide)))
                .max_by_key(|(_, wide)| *wide);
            match widest {
                Some((_, wide)) => *wide -= 1,
                None => break,
            }
        }
        Self { columns }
    }

    pub(super) fn write_head(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_line(|index| COLUMNS[index].title, out)
    }

    pub(super) fn write(&self, rows: &[Row], out: &mut impl Write) -> io::Result<()> {
        rows.iter().try_for_each(|row| self.write_line(|index| row[index].as_str(), out))
    }

    fn write_line<'a>(&self, cell: impl Fn(usize) -> &'a str, out: &mut impl Write) -> io::Result<()> {
        let mut line = String::new();
        for (index, wide) in &self.columns {
            let text = fitted(cell(*index), *wide);
            let blanks = (wide + GAP).saturating_sub(text.chars().count());
            line += &text;
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// The text in at most that many characters, each of which shows as one.
fn fitted(text: &str, wide: usize) -> String {
    let harmless = |c: char| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c };
    if text.chars().count() <= wide {
        return text.chars().map(harmless).collect();
    }
    let kept = text.chars().take(wide.saturating_sub(1)).map(harmless);
    kept.chain(['…']).collect()
}

/// Characters that turn the direction of writing, or take no room.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn row(subject: &str, agent: &str) -> Row {
        [ID, subject, "Alice Example", "2026-11-22 17:00Z", "2h 5m", "3m", "27m", "127.0.0.1", agent]
            .map(str::to_owned)
    }

    fn shown(rows: &[Row], width: Option<usize>) -> Vec<String> {
        let mut out = Vec::new();
        let table = Table::lay_out(rows, width);
        table.write_head(&mut out).expect("memory takes everything");
        table.write(rows, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_the_id_is_always_whole() {
        let rows =
            [row(&"a-very-long-subject".repeat(5), "Mozilla/5.0 (X11; Linux x86_64)"), row("bob", "curl")];
        for width in 60..200 {
            let lines = shown(&rows, Some(width));
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:#?}");
            assert!(lines[1].starts_with(ID) && lines[2].contains("bob"), "{width}: {lines:#?}");
        }
    }

    #[test]
    fn a_common_terminal_tells_who_and_when() {
        let lines = shown(&[row("alice", "Firefox")], Some(80));
        assert_eq!(lines[0].split_whitespace().next(), Some("ID"));
        for word in ["SUBJECT", "UNUSED", "ENDS IN"] {
            assert!(lines[0].contains(word), "{lines:#?}");
        }
        assert!(lines[1].contains("alice") && lines[1].contains("27m"), "{lines:#?}");
    }

    #[test]
    fn without_a_terminal_nothing_is_shortened() {
        let long = "a-very-long-subject".repeat(20);
        let lines = shown(&[row(&long, &"agent ".repeat(30))], None);
        assert!(lines[1].contains(&long) && lines[1].contains(&"agent ".repeat(29)), "{lines:#?}");
    }

    #[test]
    fn nothing_that_a_stranger_chose_moves_the_cursor() {
        let lines = shown(&[row("a\u{1b}[2Jb", "x\r\ny\u{202e}z\u{9b}1m\u{200b}")], None);
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(!lines[1].chars().any(|c| c.is_control() || is_invisible(c)), "{lines:#?}");
        assert!(lines[1].contains("a\u{fffd}[2Jb"));
    }
}
