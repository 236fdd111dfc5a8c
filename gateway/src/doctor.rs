//! `gateway doctor`: whether things will work, asked of the real provider, the upstreams and the place for sessions, line
//! by line with the repair to type. Changes nothing anywhere.

mod files;
mod print;
mod store;
mod upstreams;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, Problems};
use crate::finding::{Finding, Observer, Report};
use crate::oidc;
use crate::upstream::Protocol;
use crate::upstream::tls::Tls;

pub use print::{Format, Printer};

/// Longer than all limits inside together, unless somebody drips bytes.
const LIMIT: Duration = Duration::from_mins(2);

/// Examines what the file says, and prints what is found. True if nothing stands in the way.
///
/// # Errors
/// Only if nothing can be printed, or no runtime be had.
pub fn run(path: &Path, format: Format, clock: &Clock, out: &mut dyn Write) -> std::io::Result<bool> {
    let mut printer = Printer::new(format, path, out);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let faults = match Config::load(path) {
        Ok(config) => runtime.block_on(examine(config, clock, &mut printer)),
        Err(problems) => {
            printer.problems(&problems);
            of_problems(&problems, &mut printer)
        }
    };
    printer.finish()?;
    Ok(faults == 0)
}

/// Examines everything that a sound configuration names. Returns how many faults there are.
pub async fn examine(config: Config, clock: &Clock, observer: &mut dyn Observer) -> usize {
    let mut report = Report::to(observer);
    if tokio::time::timeout(LIMIT, look_at(config, clock, &mut report)).await.is_err() {
        let found = format!("not finished after {} seconds", LIMIT.as_secs());
        let repair = "something answers too slowly: look at the last lines above";
        report.add(Finding::fault("doctor", "everything", found, repair));
    }
    report.faults()
}

async fn look_at(config: Config, clock: &Clock, report: &mut Report<'_>) {
    let found = format!(
        "is sound (routes: {}, upstreams: {}, tokens: {})",
        config.routes.len(),
        config.upstreams.len(),
        config.tokens.len()
    );
    report.add(Finding::ok("configuration", "the file", found));
    for warning in &config.warnings {
        let (what, repair) = of_warning(warning);
        report.add(Finding::warning("configuration", "the file", what, repair));
    }
    files::examine(&config, report);
    let tls = Tls::default().connector(Protocol::Http1);
    let are_several = config.providers.len() > 1;
    for provider in config.providers {
        let name = Arc::clone(&provider.name);
        report.about(are_several.then_some(&*name));
        oidc::doctor::examine(provider, &config.tokens, &config.other_urls, clock, &tls, report).await;
    }
    report.about(None);
    upstreams::examine(&config.upstreams, report).await;
    store::examine(&config.session, report).await;
}

/// A warning of the configuration, and what to type about it.
fn of_warning(warning: &str) -> (&str, String) {
    let Some((what, repair)) = warning.split_once("; ") else {
        return (warning, "see gateway/docs/configuration.md".to_owned());
    };
    match (repair.strip_prefix("run: chmod 600"), what.rsplit_once(" in ")) {
        (Some(""), Some((_, path))) => (what, format!("chmod 600 {path}")),
        _ => (what, repair.to_owned()),
    }
}

/// The problems of a configuration, as `gateway check` has them.
fn of_problems(problems: &Problems, observer: &mut dyn Observer) -> usize {
    let mut report = Report::to(observer);
    for problem in problems {
        let looked_at = if problem.key.is_empty() {
            format!("line {}", problem.line)
        } else {
            format!("{} (line {})", problem.key, problem.line)
        };
        report.add(Finding::fault("configuration", looked_at, &problem.message, &problem.help));
    }
    report.faults()
}
