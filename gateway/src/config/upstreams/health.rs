//! `queue`, `eject` and `health` of an upstream: what becomes of requests when its servers are full or fail.

use std::time::Duration;

use http::uri::PathAndQuery;

use crate::config::raw::Section;
use crate::config::{check, schema};
use crate::upstream::{Check, Ejection, Queue};

const QUEUE: Queue = Queue { length: 100, wait: Duration::from_secs(1) };
const WAIT_BOUNDS: [Duration; 2] = [Duration::from_millis(100), Duration::from_mins(1)];

const EJECTION: Ejection = Ejection {
    failures: 5,
    time: Duration::from_secs(5),
    longest: Duration::from_mins(5),
    server_errors: false,
};
const EJECTION_BOUNDS: [Duration; 2] = [Duration::from_millis(100), Duration::from_hours(1)];

const INTERVAL: Duration = Duration::from_secs(10);
const INTERVAL_BOUNDS: [Duration; 2] = [Duration::from_millis(100), Duration::from_hours(1)];
const TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT_BOUNDS: [Duration; 2] = [Duration::from_millis(10), Duration::from_mins(1)];

/// Reads `queue`.
pub(super) fn queue(upstream: &Section<'_>) -> Option<Queue> {
    if !upstream.has("queue") {
        return Some(QUEUE);
    }
    if !upstream.has("max_connections") {
        let place = upstream.value("queue")?.place();
        let message = "without `max_connections` nobody ever waits";
        upstream.report().problem(&place, message, "add `max_connections`, or remove `queue`");
    }
    let table = upstream.section("queue", &schema::QUEUE)?;
    let length = check::number(&table, "length", QUEUE.length, 0..=100_000);
    let wait = check::time(&table, "wait", QUEUE.wait, WAIT_BOUNDS);
    Some(Queue { length: length?, wait: wait? })
}

/// Reads `eject`; nothing inside where failures never leave a server out.
pub(super) fn eject(upstream: &Section<'_>) -> Option<Option<Ejection>> {
    let Some(value) = upstream.value("eject") else {
        return Some(Some(EJECTION));
    };
    if value.get().as_bool() == Some(false) {
        return Some(None);
    }
    let table = value.section(&schema::EJECT)?;
    let failures = check::number(&table, "failures", EJECTION.failures, 1..=1_000);
    let time = check::time(&table, "time", EJECTION.time, EJECTION_BOUNDS);
    let longest = check::time(&table, "longest", EJECTION.longest, EJECTION_BOUNDS);
    let server_errors = table.flag("server_errors", EJECTION.server_errors);
    let (time, longest) = (time?, longest?);
    if longest < time {
        let place = table.value("longest").or_else(|| table.value("time"))?.place();
        table.report().problem(
            &place,
            "`longest` is shorter than `time`",
            "write a longer one, or a shorter `time`",
        );
        return None;
    }
    Some(Some(Ejection { failures: failures?, time, longest, server_errors }))
}

/// Reads `health`; nothing inside where servers are not asked.
pub(super) fn check(upstream: &Section<'_>) -> Option<Option<Check>> {
    if !upstream.has("health") {
        return Some(None);
    }
    let table = upstream.section("health", &schema::HEALTH)?;
    let path = path(&table);
    let interval = check::time(&table, "interval", INTERVAL, INTERVAL_BOUNDS);
    let timeout = check::time(&table, "timeout", TIMEOUT, TIMEOUT_BOUNDS);
    let healthy = check::number(&table, "healthy", 2, 1..=100);
    let unhealthy = check::number(&table, "unhealthy", 3, 1..=100);
    Some(Some(Check {
        path: path?,
        interval: interval?,
        timeout: timeout?,
        healthy: healthy?,
        unhealthy: unhealthy?,
    }))
}

fn path(table: &Section<'_>) -> Option<PathAndQuery> {
    let text = table.required("path")?.text()?;
    let path = PathAndQuery::try_from(text.value).ok();
    let path = path.filter(|_| text.value.starts_with('/') && !text.value.contains('#'));
    if path.is_none() {
        let message = "this is not the path of a health check";
        table.report().problem(
            &text.place,
            message,
            "write the path that the service answers, such as \"/healthz\"",
        );
    }
    path
}
