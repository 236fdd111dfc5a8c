//! How the running configuration stands to the file that it came from, for operators (requirement CF-06). Knows no
//! configuration; what is kept here may be shown, and holds no secret.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::clock::{Clock, Timestamp};
use crate::metrics::Metrics;

/// What came of the last tries to reload.
pub(super) struct Standing {
    clock: Clock,
    metrics: Arc<Metrics>,
    told: Mutex<Told>,
}

struct Told {
    generation: u64,
    since: Timestamp,
    refused: Option<Refused>,
}

struct Refused {
    at: Timestamp,
    problems: Vec<String>,
}

impl Standing {
    /// The configuration that the process began with is running.
    pub(super) fn begin(clock: Clock, metrics: Arc<Metrics>) -> Self {
        let told = Mutex::new(Told { generation: 1, since: clock.now(), refused: None });
        let standing = Self { clock, metrics, told };
        standing.adopted(1);
        standing
    }

    /// That generation runs now.
    pub(super) fn adopted(&self, generation: u64) {
        let since = self.clock.now();
        *self.lock() = Told { generation, since, refused: None };
        self.metrics.configuration_adopted(generation, since);
    }

    /// What is in the file does not run. Whether that is news.
    pub(super) fn refused(&self, problems: &[String]) -> bool {
        self.metrics.configuration_refused();
        let mut told = self.lock();
        let is_news = told.refused.as_ref().is_none_or(|refused| refused.problems != problems);
        told.refused = Some(Refused { at: self.clock.now(), problems: problems.to_vec() });
        is_news
    }

    /// What `/readyz` says of it.
    pub(super) fn view(&self) -> Value {
        let told = self.lock();
        let mut view = json!({ "generation": told.generation, "since": told.since.rfc3339() });
        if let Some(Refused { at, problems }) = &told.refused {
            view["newer_file_refused"] = json!({ "at": at.rfc3339(), "problems": problems });
        }
        view
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Nothing in here panics while it holds the lock.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Format;

    fn standing() -> (Standing, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new());
        (Standing::begin(Clock::system(), Arc::clone(&metrics)), metrics)
    }

    #[test]
    fn a_refused_file_is_shown_until_a_good_one_runs() {
        let (standing, metrics) = standing();
        let says = |line: &str| metrics.text(Format::Prometheus).lines().any(|found| found == line);
        assert!(standing.view().get("newer_file_refused").is_none());
        assert!(says("gateway_config_last_reload_successful 1") && says("gateway_config_generation 1"));
        standing.refused(&["gateway.toml:1: no".to_owned()]);
        assert_eq!(standing.view()["newer_file_refused"]["problems"][0], "gateway.toml:1: no");
        assert_eq!(standing.view()["generation"], 1);
        assert!(says("gateway_config_last_reload_successful 0") && says("gateway_config_generation 1"));
        standing.adopted(2);
        assert!(standing.view().get("newer_file_refused").is_none());
        assert!(says("gateway_config_last_reload_successful 1") && says("gateway_config_generation 2"));
    }

    #[test]
    fn the_same_trouble_twice_is_no_news() {
        let (standing, _) = standing();
        let [one, other] = ["a", "b"].map(|problem| vec![problem.to_owned()]);
        assert!(standing.refused(&one) && !standing.refused(&one) && standing.refused(&other));
        standing.adopted(2);
        assert!(standing.refused(&other));
    }
}
