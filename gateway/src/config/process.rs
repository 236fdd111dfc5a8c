//! `[reload]` and `[shutdown]`: how the process takes on another configuration, and how it ends.

use std::time::Duration;

use super::raw::Section;
use super::{check, schema};

/// How a running gateway learns of another configuration. It always does when it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Whether it looks by itself.
    pub watch: bool,
}

/// How the gateway ends when it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long it goes on as before and says that it is not ready, so that whoever sends it requests finds others.
    pub delay: Duration,
    /// How long requests in flight and open WebSockets may take after that.
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { delay: Duration::ZERO, grace: Duration::from_secs(10) }
    }
}

/// What waits for the end of a process kills it sooner or later.
const BOUNDS: [Duration; 2] = [Duration::ZERO, Duration::from_hours(1)];

/// Reads `[reload]`.
pub(super) fn reload(top: &Section<'_>) -> Option<Reload> {
    if !top.has("reload") {
        return Some(Reload { watch: true });
    }
    let section = top.section("reload", &schema::RELOAD)?;
    let watch = section.value("watch").map_or(Some(true), |value| value.flag())?;
    Some(Reload { watch })
}

/// Reads `[shutdown]`.
pub(super) fn shutdown(top: &Section<'_>) -> Option<Shutdown> {
    let default = Shutdown::default();
    if !top.has("shutdown") {
        return Some(default);
    }
    let section = top.section("shutdown", &schema::SHUTDOWN)?;
    let delay = check::time(&section, "delay", default.delay, BOUNDS);
    let grace = check::time(&section, "grace", default.grace, BOUNDS);
    Some(Shutdown { delay: delay?, grace: grace? })
}
