//! Answers to a refresh that were lost on the way, and with them perhaps what takes the place of the refresh token that is
//! spent now. Providers that allow for this give it once more, but for seconds only: so it is asked for here and now, and
//! not when another request happens to come by.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::session::TokenSpec;
use crate::stop::Fault;

use super::failure::NoToken;
use super::renewal::Flight;

/// An answer is asked for again while what was asked first is not older than this. Where answers take for ever, the time
/// is over sooner than the pauses are.
const WORTH_ASKING: Duration = Duration::from_secs(5);

/// The losses of one refresh.
pub(super) struct Losses {
    began: Instant,
    pauses: std::array::IntoIter<Duration, 3>,
    are_some: bool,
}

impl Losses {
    /// At its beginning.
    pub(super) fn none_yet(pauses: [Duration; 3]) -> Self {
        Self { began: Instant::now(), pauses: pauses.into_iter(), are_some: false }
    }

    /// Whether anything was lost so far.
    pub(super) fn are_some(&self) -> bool {
        self.are_some
    }

    /// Waits until it is time to ask once more, or says that this is over.
    pub(super) async fn bear(
        &mut self,
        flight: &Flight,
        spec: &TokenSpec,
        fault: Fault,
    ) -> Result<(), NoToken> {
        let is_worth_it = !self.are_some || self.began.elapsed() < WORTH_ASKING;
        self.are_some = true;
        let Some(pause) = self.pauses.next().filter(|_| is_worth_it) else {
            return Err(NoToken::Lost(fault));
        };
        log_lost(flight, spec, &fault);
        sleep(pause).await;
        if flight.session.has_ended() { Err(NoToken::SessionOver(None)) } else { Ok(()) }
    }
}

fn log_lost(flight: &Flight, spec: &TokenSpec, fault: &Fault) {
    tracing::warn!(
        target: "gateway::oidc",
        event = "refresh_repeated",
        session = flight.session.key().short(),
        token = spec.name,
        error = fault.causes(),
        "the answer to a refresh was lost, and it is tried once more",
    );
}
