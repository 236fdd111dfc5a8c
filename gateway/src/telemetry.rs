//! What the gateway writes down: one line per event, JSON for machines or text for people. Knows no event by name.
//!
//! Three promises (requirements LG-01 and LG-03). No line holds what another library would print of a request: other
//! crates than this one are heard at `warn` and `error` only, whatever the level. No value makes a line of its own,
//! moves a cursor or fills the disk: control characters are escaped in both formats and long values are cut. Spans
//! are off, so that nothing is carried into lines unseen.

mod line;

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata, Subscriber, subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::access::Format;
use line::Line;

/// What to log, and how: the resolved `[log]` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks; if this is left open, text on a terminal and JSON elsewhere.
    pub format: Option<Format>,
    /// A filter such as `info` or `info,gateway::oidc=debug`.
    pub level: String,
    /// Whether each request gets a line of the access log, which `access` writes.
    pub access: bool,
}

impl Log {
    /// How lines on standard output look.
    pub fn format(&self) -> Format {
        self.format.unwrap_or(if io::stdout().is_terminal() { Format::Text } else { Format::Json })
    }
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not one. The configuration checks it, so this is for other callers.
    #[error("the log level cannot be read")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// Something in this process logs already.
    #[error("logging was begun already")]
    Twice(#[from] subscriber::SetGlobalDefaultError),
}

/// Begins to log on standard output, for the whole process.
pub fn init(log: &Log) -> Result<(), Error> {
    let color =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    subscriber::set_global_default(subscriber_for(log, log.format(), color, io::stdout)?)?;
    Ok(())
}

/// Begins to log to `writer`, for the whole process; JSON if the format is left open.
pub fn init_with<W>(log: &Log, writer: W) -> Result<(), Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    subscriber::set_global_default(subscriber_with(log, writer)?)?;
    Ok(())
}

/// What [`init_with`] installs; for tests that log in one thread only.
pub fn subscriber_with<W>(log: &Log, writer: W) -> Result<impl Subscriber + Send + Sync, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    subscriber_for(log, log.format.unwrap_or(Format::Json), false, writer)
}

/// As [`init_with`]; whether it was the first to begin. Tests of one process share what the first one installed.
pub fn try_init_with<W>(log: &Log, writer: W) -> Result<bool, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match init_with(log, writer) {
        Ok(()) => Ok(true),
        Err(Error::Twice(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

// The global default is set without the bridge from the `log` crate, on purpose: what speaks only through that one
// (rustls among them) stays silent.
fn subscriber_for<W>(
    log: &Log,
    format: Format,
    color: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let capped = filter_fn(is_heard).with_max_level_hint(LevelFilter::TRACE);
    let filter = EnvFilter::builder().with_regex(false).parse(&log.level)?.and(capped);
    let layer =
        tracing_subscriber::fmt::layer().with_ansi(color).with_writer(writer).event_format(Line(format));
    Ok(Registry::default().with(layer.with_filter(filter)))
}

/// Whether an event may be logged at all, before the level of the configuration is asked.
fn is_heard(event: &Metadata<'_>) -> bool {
    let target = event.target();
    let own = target == "gateway" || target.starts_with("gateway::");
    event.is_event() && (own || *event.level() <= Level::WARN)
}

#[cfg(test)]
mod tests;
