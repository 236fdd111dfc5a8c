//! What requests are answered with: one immutable snapshot shared by all workers, and what each worker has for itself.

mod worker;

use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderMap, HeaderValue};

use crate::clock::{Clock, Timestamp};
use crate::files::Files;
use crate::intake::{self, Inbound};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::otlp::Traces;
use crate::places::Places;
use crate::policy::Permit;
use crate::providers::Providers;
use crate::proxies::Proxies;
use crate::rates::Rates;
use crate::routing::RouteTable;
use crate::session::doors::LEAVES_WITHIN;
use crate::session::sealed::Seal;
use crate::session::store::Store;
use crate::session::{SessionId, SessionKey, TokenSpec};
use crate::site::{Site, Sites};
use crate::stop::causes;
use crate::tokens::Tokens;
use crate::upstream::{Forwarded, Shared};
use crate::vouch::Vouch;

pub use worker::{Generation, Worker};

/// One generation of the running configuration and the state that belongs to it. Never changed, only replaced: what
/// survives the configuration is behind an `Arc` that the next generation holds, too.
pub struct Live {
    /// 1 for what the process began with, and one more with each reload.
    pub number: u64,
    /// The time.
    pub clock: Clock,
    /// `public_url` and `other_urls`, each with the gateway's own cookies there.
    pub sites: Sites,
    /// Every route, the gateway's own paths among them.
    pub routes: RouteTable,
    /// Whether the configuration says to look for changes of it.
    pub watches: bool,
    /// Folders of static files, as `Target::Files` counts them.
    pub files: Vec<Files>,
    /// The services behind the gateway, as `Target::Upstream` counts them. Each worker has connections of its own.
    pub upstreams: Vec<Arc<Shared>>,
    /// What they are told of the public address, for each site.
    pub forwarded: Vec<Forwarded>,
    /// Whose word about whom they speak for counts.
    pub proxies: Proxies,
    /// How much one client may ask.
    pub limits: Limits,
    /// Who asked how much.
    pub rates: Arc<Rates>,
    /// Who holds how many connections.
    pub places: Arc<Places>,
    /// Whether scripts of another origin may read anything here.
    pub has_cors: bool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The way of traces; nothing where there is nothing to do for any request.
    pub traces: Option<Arc<Traces>>,
    /// Who is signed in.
    pub sessions: Arc<Store>,
    /// Whether signing out empties what pages of this site kept in the browser.
    pub clear_site_data: bool,
    /// Claims that `/auth/session` may show.
    pub shown_claims: Vec<String>,
    /// Every `[tokens.NAME]`.
    pub token_specs: Vec<Arc<TokenSpec>>,
    /// Encrypts sign-in attempts for their browser.
    pub seal: Seal,
    /// The keys that the gateway signs with, as it publishes them.
    pub public_jwks: serde_json::Value,
    /// Who tells upstreams who asks.
    pub vouch: Vouch,
    /// Who signs people in.
    pub providers: Arc<Providers>,
    /// Access tokens for routes.
    pub tokens: Arc<Tokens>,
}

impl Live {
    /// The site that a request names which is not admitted.
    pub fn site_of(&self, headers: &HeaderMap) -> &Site {
        self.sites.by_name(intake::single(headers, &HOST))
    }

    /// The site that a request is for.
    pub fn site(&self, inbound: &Inbound) -> &Site {
        self.sites.at(inbound.site)
    }

    /// `[tokens.NAME]`, if there is one that people sign in for.
    pub fn token(&self, name: &str) -> Option<&TokenSpec> {
        self.token_specs
            .iter()
            .find(|spec| spec.name == name && spec.is_for_sessions())
            .map(|spec| spec.root())
    }

    /// A request that policy let pass extends its session's idle time.
    pub fn note_use(&self, permit: &Permit<'_>, now: Timestamp) {
        if let Some(session) = permit.caller().session() {
            self.sessions.note_use(session, now);
        }
    }

    /// Whether the answer should bring the browser a new identifier of its session. Answers of public routes may be kept
    /// by caches: no.
    pub fn is_renewal_due(&self, permit: &Permit<'_>, now: Timestamp) -> bool {
        let session = permit.caller().session();
        session.is_some_and(|session| session.state().renewal_due <= now) && permit.is_private()
    }

    /// A new identifier for the session of this request, as a cookie; nothing if it is on its way already. A store that
    /// fails here is no reason to refuse the request: the old identifier still works.
    pub async fn renew(&self, permit: &Permit<'_>, inbound: &Inbound) -> Option<HeaderValue> {
        let session = permit.caller().session()?;
        let cookies = &self.site(inbound).cookies;
        let shown = SessionId::parse(cookies.session(inbound.headers()).ok()??)?;
        let renewed = self.sessions.renew(session, &shown, inbound.now).await.ok()??;
        let left = session.absolute_end().0.saturating_sub(inbound.now.0);
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
        Some(cookies.set_session(&renewed.reveal(), left))
    }

    /// Whether a new identifier that was made for a request at `made` may still leave with its answer. Not for a session
    /// that ended while the request was answered: the browser may have, or get right now, the cookie of another.
    pub fn may_show_new(&self, session: Option<SessionKey>, made: Timestamp) -> bool {
        let is_in_time = self.clock.now() < made.plus(LEAVES_WITHIN);
        is_in_time && session.is_some_and(|key| !self.sessions.at_hand(&[key]).is_empty())
    }

    /// Looks after the sessions. Called every [`TEND_EVERY`], off the request path.
    pub async fn tend(&self) {
        let now = self.clock.now();
        if let Err(error) = self.sessions.tend(now).await {
            tracing::warn!(target: "gateway", error = causes(&error), "the session store could not be tended");
        }
    }
}

/// How often [`Live::tend`] is called: uses that were not written down yet are lost when the process is killed.
pub const TEND_EVERY: Duration = Duration::from_secs(5);
