//! The access token that a route asks for: held, or got from the provider.
//!
//! A request is answered with what is held as long as that is valid; a newer token is got behind it, ahead of expiry.
//! What is a person's is kept in their session and nowhere else; what is the gateway's own is kept here, and never in a
//! session (requirement TK-14). Knows nothing of requests or routes.

mod client;
mod exchange;
mod failure;
mod keep;
mod lease;
mod losses;
mod pace;
mod refresh;
mod renewal;
mod tasks;
#[cfg(test)]
mod tests;
mod turn;

use std::sync::Arc;

use http::HeaderValue;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::clock::{Clock, Timestamp};
use crate::oidc::{Ask, Provider};
use crate::providers::Providers;
use crate::secret::Secret;
use crate::session::return_to::ReturnTo;
use crate::session::store::Store;
use crate::session::{Session, TokenFor, TokenSpec};
use crate::stop::Stop;

use client::ClientTokens;
use failure::NoToken;
use lease::Timing;
use tasks::Tasks;
use turn::Queues;

/// Gets access tokens.
pub struct Tokens {
    providers: Arc<Providers>,
    sessions: Arc<Store>,
    clock: Clock,
    timing: Timing,
    queues: Arc<Queues>,
    clients: ClientTokens,
    tasks: Tasks,
}

impl Tokens {
    /// Tokens of that provider, for every one of `specs`; the provider is asked on `runtime`.
    pub fn new(
        providers: Arc<Providers>,
        sessions: Arc<Store>,
        specs: &[Arc<TokenSpec>],
        clock: Clock,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            providers,
            sessions,
            clock,
            timing: Timing::default(),
            queues: Arc::default(),
            clients: ClientTokens::of(specs),
            tasks: Tasks::on(runtime),
        })
    }

    /// The same by other settings: of these providers, for every one of `specs`. The sessions stay, and with them whose
    /// turn it is; so do the gateway's own tokens that still mean the same.
    pub fn succeed(&self, providers: Arc<Providers>, specs: &[Arc<TokenSpec>]) -> Arc<Self> {
        let gives_same = |spec: &TokenSpec| {
            let of = |providers: &Providers| providers.for_token(spec.provider.as_deref()).map(Arc::as_ptr);
            of(&self.providers) == of(&providers)
        };
        Arc::new(Self {
            clients: self.clients.succeed(specs, gives_same),
            providers,
            sessions: Arc::clone(&self.sessions),
            clock: self.clock.clone(),
            timing: self.timing,
            queues: Arc::clone(&self.queues),
            tasks: self.tasks.clone(),
        })
    }

    /// The prebuilt header, if a token is held that it is not time to renew yet. No lock, no allocation but the header's
    /// own reference count: every proxied request comes by here.
    pub fn ready(&self, wanted: TokenFor<'_>, now: Timestamp) -> Option<HeaderValue> {
        match wanted {
            TokenFor::Session(session, spec) => session.state().credentials.held(spec)?.fresh(now).cloned(),
            TokenFor::Gateway(spec) => self.clients.fresh(spec, now),
        }
    }

    /// The header, got from the provider if need be. `return_to` is where a person who must sign in comes back to.
    ///
    /// # Errors
    /// - [`Reason::SessionOver`](crate::stop::Reason::SessionOver): the session ended, or the provider ended it just now.
    /// - [`Reason::ConsentRequired`](crate::stop::Reason::ConsentRequired): the person must sign in for this token; the
    ///   session goes on.
    /// - [`Reason::ScopeNotGranted`](crate::stop::Reason::ScopeNotGranted): the provider granted less than the token
    ///   needs.
    /// - a fault of the provider or of the session store, when there is no token that is still valid.
    pub async fn obtain(
        self: &Arc<Self>,
        wanted: TokenFor<'_>,
        return_to: ReturnTo,
    ) -> Result<HeaderValue, Stop> {
        let spec = wanted.spec();
        let obtained = timeout(self.timing.patience, async {
            match wanted {
                TokenFor::Session(session, spec) => self.for_session(session, spec).await,
                TokenFor::Gateway(spec) => self.for_gateway(spec).await,
            }
        });
        // What takes longer goes on, and is there for the next request.
        let obtained = obtained.await.unwrap_or_else(|_| Err(NoToken::too_slow()));
        obtained.map_err(|no_token| no_token.into_stop(spec, return_to))
    }

    /// Waits until nothing is under way, so that no refresh token's successor is lost when the process ends. What is
    /// under way can take long; it is the caller who has no more time.
    pub async fn finished(&self) {
        self.tasks.finished().await;
    }

    /// The provider that a session's person signed in with. Without it there is nobody to ask.
    fn provider_of(&self, session: &Session) -> Result<&Arc<Provider>, NoToken> {
        self.providers.of(&session.identity()).ok_or(NoToken::ConsentRequired)
    }

    /// Gives a refresh token back to the provider, behind everybody's back.
    fn revoke(&self, session: &Session, refresh_token: Option<Secret<String>>) {
        let Some(token) = refresh_token else { return };
        let Ok(provider) = self.provider_of(session).map(Arc::clone) else { return };
        self.tasks.spawn(async move {
            if let Err(fault) = provider.revoke(&token).await {
                tracing::warn!(
                    target: "gateway::oidc",
                    event = "revocation_failed",
                    error = fault.causes(),
                    "a refresh token could not be taken back",
                );
            }
        });
    }
}

/// What the provider is asked for.
fn ask_of(spec: &TokenSpec) -> Ask<'_> {
    Ask { scopes: &spec.scopes, resources: &spec.resources, audience: spec.audience.as_deref() }
}
