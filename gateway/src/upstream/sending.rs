//! From the first attempt to the answer: what failed and may be tried again is, elsewhere where that is possible
//! (requirement TK-13). What may be is `again`'s judgement.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use http::Request;
use http::header::HOST;

use crate::body::{Body, Progress};
use crate::routing::{Forwarding, Retries};
use crate::stop::Stop;

use super::again::{self, Copy};
use super::attempt::{Failure, Kind, Limits};
use super::http1::Answer;
use super::station::Station;
use super::{Asked, Told, Upstream};

/// An answer, and who gave it.
pub(super) struct Given {
    pub(super) answer: Answer,
    pub(super) station: Rc<Station>,
}

/// What a request that is sent again goes by.
struct Task<'r> {
    limits: Limits,
    progress: Option<&'r Progress>,
    rules: Option<&'r Retries>,
    copy: Option<Copy>,
}

fn is_wanted_again(rules: Option<&Retries>, answer: &Answer) -> bool {
    rules.is_some_and(|rules| rules.statuses.contains(&answer.response.status()))
}

impl Upstream {
    /// One request, one answer, from the first server that gives one as far as the request may be sent again.
    pub(super) async fn send(
        &self,
        station: Rc<Station>,
        mut request: Request<Body>,
        special: Option<&Forwarding>,
        asked: &Asked,
        told: &mut Told,
    ) -> Result<Given, Stop> {
        let limits = special.map_or(self.usual, |special| Limits {
            connect: special.timeouts.connect.unwrap_or(self.usual.connect),
            response: special.timeouts.response.unwrap_or(self.usual.response),
        });
        let rules = special.and_then(|special| special.retries.as_ref());
        let is_repeatable = rules.is_some() || self.shared.settings.protocol.is_multiplexed();
        let copy = if is_repeatable && asked.handshake.is_none() { Copy::of(&request) } else { None };
        let progress = asked.progress.as_ref();
        if copy.is_some() {
            self.budget.pay_in();
        }
        told.server = Some(station.endpoint.server);
        let outcome = self.attempt(&station, &mut request, progress, limits).await;
        self.note(&station, &outcome);
        match outcome {
            Ok(answer) if copy.is_none() || !is_wanted_again(rules, &answer) => Ok(Given { answer, station }),
            outcome => {
                let task = Task { limits, progress, rules, copy };
                Box::pin(self.send_again(task, request, outcome, station, told)).await
            }
        }
    }

    /// Goes on after an attempt that failed: to another server with what was not sent, and with what may be sent twice
    /// where the route wants that (requirement TK-13).
    async fn send_again(
        &self,
        task: Task<'_>,
        mut request: Request<Body>,
        mut outcome: Result<Answer, Failure>,
        mut station: Rc<Station>,
        told: &mut Told,
    ) -> Result<Given, Stop> {
        let mut tried = vec![Rc::clone(&station)];
        let mut attempts = 1;
        loop {
            let again = match &outcome {
                Ok(answer) if !is_wanted_again(task.rules, answer) => None,
                Ok(_) => self.repeat(&task, attempts < task.rules.map_or(0, |rules| rules.attempts)),
                Err(failure) if failure.kind.is_unsent() => self
                    .may_pass_on(&task, failure.kind, &tried, attempts)
                    .then(|| std::mem::take(&mut request)),
                Err(failure) => self.repeat(&task, again::is_allowed(failure.kind, task.rules, attempts)),
            };
            let Some(again) = again else {
                return match outcome {
                    Ok(answer) => Ok(Given { answer, station }),
                    Err(failure) => Err(failure.into_stop()),
                };
            };
            request = again;
            // An answer that is not wanted ends here, before its connection is needed again.
            drop(outcome);
            if let Some(other) = self.choose_other(&tried) {
                tried.push(Rc::clone(&other));
                station = other;
            }
            request.headers_mut().insert(HOST, station.host.clone());
            attempts += 1;
            told.server = Some(station.endpoint.server);
            told.retries = told.retries.saturating_add(1);
            self.shared.counts.retries.fetch_add(1, Ordering::Relaxed);
            outcome = self.attempt(&station, &mut request, task.progress, task.limits).await;
            self.note(&station, &outcome);
        }
    }

    /// Whether a request of which nothing was sent is sent after all: always to another server, to the same one only if
    /// the route says so.
    fn may_pass_on(&self, task: &Task<'_>, kind: Kind, tried: &[Rc<Station>], attempts: u8) -> bool {
        if self.choose_other(tried).is_some() {
            return kind != Kind::Busy;
        }
        again::is_allowed(kind, task.rules, attempts) && self.may_spend()
    }

    /// The request once more, if it can be made, is allowed, and there were not too many of its kind.
    fn repeat(&self, task: &Task<'_>, is_allowed: bool) -> Option<Request<Body>> {
        let copy = task.copy.as_ref().filter(|_| is_allowed)?;
        self.may_spend().then(|| copy.again())
    }

    fn may_spend(&self) -> bool {
        let may = self.budget.spend();
        if !may {
            self.shared.counts.retries_refused.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    /// Remembers how the server did. Nothing but a look at one number where all is well.
    fn note(&self, station: &Station, outcome: &Result<Answer, Failure>) {
        let counts = &self.shared.counts;
        let health = &station.endpoint.health;
        match outcome {
            Ok(answer) if answer.response.status().is_server_error() && self.counts_server_errors() => {
                counts.server_errors.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) => {
                if health.succeeded() && self.shared.settings.eject.is_some() {
                    self.weigh();
                }
                return;
            }
            Err(failure) => {
                use Kind::{Broken, ConnectSlow, Late, Unreachable, Unsent};
                match failure.kind {
                    Unreachable | ConnectSlow => counts.unreachable.fetch_add(1, Ordering::Relaxed),
                    Broken | Unsent => counts.broken.fetch_add(1, Ordering::Relaxed),
                    Late => counts.timed_out.fetch_add(1, Ordering::Relaxed),
                    _ => 0,
                };
                if !failure.kind.blames_server() {
                    return;
                }
            }
        }
        if self.shared.note_failure(&station.endpoint, self.deadlines.now()) {
            self.weigh();
        }
    }

    fn counts_server_errors(&self) -> bool {
        self.shared.settings.eject.as_ref().is_some_and(|eject| eject.server_errors)
    }
}
