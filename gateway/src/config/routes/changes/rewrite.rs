//! `strip` and `replace`: which prefix the upstream sees.

use crate::config::raw::Section;
use crate::config::routes::matching;
use crate::routing::{Pattern, Rewrite};

/// Reads both; a route has one of them at most.
pub(super) fn read(section: &Section<'_>, pattern: Option<&Pattern>) -> Option<Rewrite> {
    let report = section.report();
    let is_stripped = section.flag("strip", false);
    let inside = section.text("replace");
    if let (true, Some(inside)) = (is_stripped, &inside) {
        let help = "keep `replace`, or remove it where nothing comes in the place of the prefix";
        report.problem(&inside.place, "a prefix is taken off or replaced, not both", help);
        return None;
    }
    if let Some(inside) = &inside {
        let inside = matching::canonical(section, inside)?;
        return Some(Rewrite::new(pattern?.path(), &inside));
    }
    let (true, Some(strip)) = (is_stripped, section.value("strip")) else {
        return None;
    };
    match pattern? {
        Pattern::Exact(_) => {
            let message = "of an exact path nothing would be left";
            report.problem(&strip.place(), message, "write `replace = \"/path\"`");
            None
        }
        Pattern::Prefix(path) if path == "/" => {
            report.problem(&strip.place(), "there is no prefix to take off", "remove it");
            None
        }
        Pattern::Prefix(path) => Some(Rewrite::new(path, "/")),
    }
}
