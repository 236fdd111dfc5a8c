//! What requests are answered with: one immutable snapshot shared by all workers, and what each worker has for itself.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::log::AccessLog;
use crate::clock::{Clock, Timestamp};
use crate::files::Files;
use crate::oidc::Provider;
use crate::origin::Origin;
use crate::policy::Permit;
use crate::request_id::RequestIds;
use crate::routing::RouteTable;
use crate::session::cookie::Cookies;
use crate::session::sealed::Seal;
use crate::session::store::Store;
use crate::session::store::used::UsedAttempts;
use crate::session::{Lifetimes, TokenSpec};
use crate::tokens::Tokens;
use crate::upstream::Upstream;
use crate::upstream::deadline::Deadlines;

/// One generation of the running configuration and the state that belongs to it. Never changed, only replaced.
pub struct Live {
    /// The time.
    pub clock: Clock,
    /// `public_url`.
    pub origin: Origin,
    /// The gateway's own cookies there.
    pub cookies: Cookies,
    /// Every route, the gateway's own paths among them.
    pub routes: RouteTable,
    /// Folders of static files, as `Target::Files` counts them.
    pub files: Vec<Files>,
    /// Who is signed in.
    pub sessions: Store,
    /// How long they stay so.
    pub lifetimes: Lifetimes,
    /// Claims that `/auth/session` may show.
    pub shown_claims: Vec<String>,
    /// Every `[tokens.NAME]`.
    pub token_specs: Vec<Arc<TokenSpec>>,
    /// Encrypts sign-in attempts for their browser.
    pub seal: Seal,
    /// Attempts that were already answered.
    pub used: UsedAttempts,
    /// Who signs people in.
    pub provider: Arc<Provider>,
    /// Access tokens for routes.
    pub tokens: Arc<Tokens>,
}

impl Live {
    /// `[tokens.NAME]`, if there is one.
    pub fn token(&self, name: &str) -> Option<&Arc<TokenSpec>> {
        self.token_specs.iter().find(|spec| spec.name == name)
    }

    /// A request that policy let pass extends its session's idle time.
    pub fn note_use(&self, permit: &Permit<'_>, now: Timestamp) {
        if let Some(session) = permit.caller().session() {
            session.touch(now);
        }
    }

    /// Forgets what is over. Called now and then, off the request path.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.sessions.sweep(now);
        self.used.sweep(now);
    }
}

/// How often [`Live::sweep`] is called.
pub const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// One worker: the shared snapshot, and connections and counters that never leave its thread.
pub struct Worker {
    live: Arc<Live>,
    /// Connections, as `Target::Upstream` counts them.
    pub upstreams: Vec<Upstream>,
    /// Names for requests.
    pub ids: RequestIds,
    /// Where access lines go.
    pub access: AccessLog,
    /// The time-outs of its upstreams.
    deadlines: Rc<Deadlines>,
}

impl Worker {
    /// A worker for that snapshot.
    pub fn new(
        live: Arc<Live>,
        upstreams: Vec<Upstream>,
        access: AccessLog,
        deadlines: Rc<Deadlines>,
    ) -> Self {
        Self { live, upstreams, ids: RequestIds::new(), access, deadlines }
    }

    /// What is due every [`crate::upstream::deadline::TICK`]: lines leave, and upstreams that were too slow are given
    /// up.
    pub fn tick(&self, now: Instant) {
        self.access.flush();
        self.deadlines.tick(now);
    }

    /// The snapshot. One request reads it once.
    pub fn live(&self) -> &Live {
        &self.live
    }
}
