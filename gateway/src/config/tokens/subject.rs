//! `from`: which token is given for which. Every chain must end at a person's own.

use std::sync::Arc;

use crate::config::raw::{Report, Text};
use crate::config::suggest;
use crate::session::{TokenKind, TokenSpec};

use super::{Draft, Kind};

/// Puts drafts together, one token in another where one is given for the other. In the order of `names`.
pub(super) fn join(
    report: &Report,
    names: &[&str],
    drafts: Vec<Option<Draft<'_>>>,
) -> Vec<Option<Arc<TokenSpec>>> {
    let mut joining = Joining { report, names, drafts, made: vec![None; names.len()] };
    (0..names.len()).map(|number| joining.make(number, &mut Vec::new())).collect()
}

struct Joining<'j, 'd> {
    report: &'j Report,
    names: &'j [&'j str],
    drafts: Vec<Option<Draft<'d>>>,
    made: Vec<Option<Arc<TokenSpec>>>,
}

impl Joining<'_, '_> {
    /// The token of that number. `path` are those that it is wanted for. Each draft is used once, so that each problem
    /// is told once.
    fn make(&mut self, number: usize, path: &mut Vec<usize>) -> Option<Arc<TokenSpec>> {
        if let Some(made) = &self.made[number] {
            return Some(Arc::clone(made));
        }
        let Draft { kind, spec, from } = self.drafts[number].take()?;
        path.push(number);
        let kind = match (kind, from) {
            (Kind::Exchange, Some(from)) => TokenKind::Exchange(self.subject(&from, path)?),
            (Kind::OnBehalfOf, Some(from)) => TokenKind::OnBehalfOf(self.subject(&from, path)?),
            (Kind::Client, _) => TokenKind::Client,
            (Kind::UserOrClient, _) => TokenKind::UserOrClient,
            (Kind::User, _) => TokenKind::User,
            // `from` is required of these, and was missed.
            (Kind::Exchange | Kind::OnBehalfOf, None) => return None,
        };
        path.pop();
        let made = Arc::new(TokenSpec { kind, ..spec });
        self.made[number] = Some(Arc::clone(&made));
        Some(made)
    }

    fn subject(&mut self, from: &Text<'_>, path: &mut Vec<usize>) -> Option<Arc<TokenSpec>> {
        let Some(number) = self.names.iter().position(|name| *name == from.value) else {
            let help = suggest::help(from.value, self.names.iter().copied(), "");
            self.report.problem(
                &from.place,
                format!("there is no token \"{}\"", from.value.escape_debug()),
                help,
            );
            return None;
        };
        if let Some(start) = path.iter().position(|on_it| *on_it == number) {
            let round: Vec<_> =
                path[start..].iter().chain([&number]).map(|on_it| self.names[*on_it]).collect();
            let message = format!("round in circles: {}", round.join(" from "));
            self.report.problem(&from.place, message, "begin with a token of kind \"user\"");
            return None;
        }
        let subject = self.make(number, path)?;
        if !subject.is_for_sessions() {
            let message =
                format!("\"{}\" is the gateway's own token, and no person stands behind it", subject.name);
            self.report.problem(&from.place, message, "name a token of kind \"user\"");
            return None;
        }
        Some(subject)
    }
}
