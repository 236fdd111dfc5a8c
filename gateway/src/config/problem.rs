//! What is wrong with a configuration, shown with its place and a way out. Knows nothing of what the keys mean.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::source::Source;

/// One thing to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, counted from 1.
    pub line: usize,
    /// Character in the line, counted from 1.
    pub column: usize,
    /// Path of the key, such as `provider.issuer` or `routes[0].token`; empty when it is about the file.
    pub key: String,
    /// What is wrong. Never holds a secret.
    pub message: String,
    /// What to do about it.
    pub help: String,
    span: Range<usize>,
}

/// Everything that is wrong with one configuration, in the order of the file. Never empty.
#[derive(Clone)]
pub struct Problems {
    name: String,
    source: String,
    list: Vec<Problem>,
    /// The files that were read; some problems go away when one of them changes.
    pub(super) sources: Vec<Source>,
}

impl Problems {
    /// A problem with the file as a whole, such as that it cannot be read.
    pub(super) fn of_file(name: &str, message: &str, help: &str) -> Self {
        let mut problems = Self::new(name, "");
        problems.add(0..0, "", message, help);
        problems
    }

    /// No problem yet. `source` is shown in excerpts, so its secrets are masked already.
    pub(super) fn new(name: &str, source: impl Into<String>) -> Self {
        Self { name: name.to_owned(), source: source.into(), list: Vec::new(), sources: Vec::new() }
    }

    /// Adds a problem at a place of the source.
    pub(super) fn add(&mut self, span: Range<usize>, key: &str, message: &str, help: &str) {
        let span = clamp(&self.source, span);
        let before = &self.source[..span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.list.push(Problem {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: key.to_owned(),
            message: printable(message),
            help: printable(help),
            span,
        });
        self.list.sort_by_key(|problem| problem.span.start);
    }

    /// The files that were read.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// What the configuration is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Each problem, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// All of them for people: excerpt, place and help; with colours where a terminal shows them.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut shown: Vec<String> =
            self.list.iter().map(|problem| self.render_one(&renderer, problem)).collect();
        let (count, plural) = (self.list.len(), if self.list.len() == 1 { "" } else { "s" });
        shown.push(format!("{}: {count} problem{plural}", printable(&self.name)));
        shown.join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, problem: &Problem) -> String {
        let title = Level::ERROR.primary_title(problem.message.as_str());
        let help = Level::HELP.message(problem.help.as_str());
        if self.source.is_empty() {
            return renderer.render(&[title.element(help)]);
        }
        let label = (!problem.key.is_empty()).then_some(problem.key.as_str());
        let place = AnnotationKind::Primary.span(problem.span.clone()).label(label);
        let excerpt = Snippet::source(self.source.as_str()).path(self.name.as_str()).annotation(place);
        renderer.render(&[title.element(excerpt).element(help)])
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// One line per problem, so that a failed `expect` in a test says what it has to.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Problem { line, column, key, message, help, .. } in &self.list {
            writeln!(f, "{}:{line}:{column}: {key}: {message} ({help})", self.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A span that lies in the text, on character borders and on one line, whatever the parser reported.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |length| start + length);
    let end = text.ceil_char_boundary(span.end.clamp(start, line_end));
    start..end
}

/// A text that cannot move the cursor, ring the bell or start a line of its own.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_problems() -> Problems {
        let mut problems = Problems::new("gateway.toml", "a = 1\ncafé = 2\n");
        problems.add(6..11, "café", "`café` is not known", "remove it");
        problems.add(4..5, "a", "expected a string", "write \"1\"");
        problems
    }

    #[test]
    fn a_problem_has_line_and_column_and_they_come_in_the_order_of_the_file() {
        let places: Vec<_> = two_problems()
            .iter()
            .map(|problem| (problem.line, problem.column, problem.key.clone()))
            .collect();
        assert_eq!(places, [(1, 5, "a".to_owned()), (2, 1, "café".to_owned())]);
    }

    #[test]
    fn the_rendering_shows_the_line_the_place_and_the_help() {
        let shown = two_problems().render(false);
        for part in [
            "error: expected a string",
            "gateway.toml:1:5",
            "a = 1",
            "help: remove it",
            "gateway.toml: 2 problems",
        ] {
            assert!(shown.contains(part), "{part:?} is not in\n{shown}");
        }
        assert!(!shown.contains('\u{1b}'), "plain text has no colours");
        assert!(two_problems().render(true).contains('\u{1b}'));
    }

    #[test]
    fn a_problem_of_the_file_needs_no_source() {
        let problems = Problems::of_file("x.toml", "it cannot be read", "does it exist?");
        assert_eq!((problems.len(), problems.iter().next().map(|problem| problem.line)), (1, Some(1)));
        assert!(problems.to_string().contains("help: does it exist?"));
    }

    #[test]
    fn a_place_outside_the_text_does_not_panic() {
        let mut problems = Problems::new("x", "é\r\n\n");
        for span in [0..99, 1..2, 99..100, 4..4, 3..5] {
            problems.add(span, "k", "m", "h");
        }
        assert!(problems.render(false).contains("5 problems"));
    }

    #[test]
    fn control_characters_are_escaped() {
        let problems = Problems::of_file("x", "bad \u{1b}[31m", "line\nbreak");
        assert!(problems.to_string().contains("bad \\u{1b}[31m"));
        assert!(problems.to_string().contains("line\\nbreak"));
    }
}
