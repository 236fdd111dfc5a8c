//! What would become of a request, as it is told. Knows nothing of how that was found out.

use crate::respond;
use crate::stop::{Refusal, Remedy, Stop};

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Passed,
    /// It ends here.
    Refused,
    /// Nothing is decided by it.
    Note,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// A word for it that stays the same.
    pub name: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
}

/// What an upstream would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `[upstreams.NAME]`.
    pub upstream: String,
    /// Its servers' addresses.
    pub servers: Vec<String>,
    /// Method and target.
    pub line: String,
    /// Each header line. Secrets are named in «guillemets».
    pub headers: Vec<(String, String)>,
    /// How long things may take.
    pub times: String,
}

/// What would become of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Each step, in order.
    pub steps: Vec<Step>,
    /// What would go upstream, if it got there.
    pub sent: Option<Sent>,
}

impl Account {
    /// Whether the request would be let pass.
    pub fn is_allowed(&self) -> bool {
        self.steps.iter().all(|step| step.verdict != Verdict::Refused)
    }

    pub(super) fn add(&mut self, name: &'static str, verdict: Verdict, found: impl Into<String>) {
        self.steps.push(Step { name, verdict, found: found.into() });
    }

    pub(super) fn refuse(&mut self, name: &'static str, stop: &Stop) {
        let (status, title) = respond::told(stop);
        let reason = stop.reason().as_str();
        let also = match stop {
            Stop::Refused(Refusal { remedy: Remedy::SignIn(_), .. }) => {
                "; pages are sent to sign in instead".to_owned()
            }
            Stop::Refused(Refusal { remedy: Remedy::Methods(allow), .. }) => format!("; it takes {allow}"),
            _ => String::new(),
        };
        self.add(name, Verdict::Refused, format!("{} {reason}: {title}{also}", status.as_u16()));
    }
}
