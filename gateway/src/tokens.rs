//! The access token that a route asks for: held, or got with the session's refresh token.
//!
//! A refresh token may be spent only once, so each session has one lease, and who holds it alone refreshes; the others
//! wait and look again (requirement TK-05). Knows nothing of requests or routes.

mod lease;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::runtime::Handle;

use crate::clock::{Clock, Timestamp};
use crate::oidc::{Ask, Provider, RefreshError, Refreshed};
use crate::secret::Secret;
use crate::session::ending::Ending;
use crate::session::return_to::ReturnTo;
use crate::session::store::{Changed, Store};
use crate::session::{Held, Session, State, TokenSpec};
use crate::stop::{Fault, Reason, Refusal, Remedy, SignIn, Stop, Whose};

use lease::{Lease, Leases, Outcome};

/// A token is renewed this long before it expires, so that none expires on its way to the upstream. Tokens that live
/// no longer than this are still used, and renewed at most every [`lease::PAUSE`].
const SKEW: Duration = Duration::from_secs(30);

/// Gets access tokens for sessions.
pub struct Tokens {
    provider: Arc<Provider>,
    sessions: Arc<Store>,
    clock: Clock,
    runtime: Handle,
    leases: Leases,
}

impl Tokens {
    /// Tokens of that provider; refreshes run on `runtime`.
    pub fn new(provider: Arc<Provider>, sessions: Arc<Store>, clock: Clock, runtime: Handle) -> Arc<Self> {
        Arc::new(Self { provider, sessions, clock, runtime, leases: Leases::default() })
    }

    /// The prebuilt header, if the session holds a token that lasts. No lock, no allocation but the header's own
    /// reference count: every proxied request comes by here.
    pub fn ready(session: &Session, spec: &Arc<TokenSpec>, now: Timestamp) -> Option<HeaderValue> {
        let credentials = session.credentials();
        let held = credentials.held(spec)?;
        (now < held.expires.minus(SKEW)).then(|| sufficient(held).cloned()).flatten()
    }

    /// The header, got from the provider if need be. `return_to` is where a person who must sign in comes back to.
    ///
    /// # Errors
    /// - [`Reason::SessionOver`]: the session ended, or the provider ended it just now.
    /// - [`Reason::ConsentRequired`]: the person must sign in for this token; the session goes on.
    /// - [`Reason::ScopeNotGranted`]: the provider granted less than the token needs.
    /// - a fault of the provider, when there is no token that is still valid.
    pub async fn obtain(
        self: &Arc<Self>,
        session: Arc<Session>,
        spec: Arc<TokenSpec>,
        return_to: ReturnTo,
    ) -> Result<HeaderValue, Stop> {
        let tokens = Arc::clone(self);
        // A task of its own: a browser that goes away must not take a spent refresh token's successor with it.
        let work = async move { tokens.obtain_now(&session, &spec, return_to).await };
        let work = self.runtime.spawn(work);
        work.await.unwrap_or_else(|error| Err(Stop::failed(Whose::Gateway, Reason::Internal, error)))
    }

    async fn obtain_now(
        &self,
        session: &Arc<Session>,
        spec: &Arc<TokenSpec>,
        return_to: ReturnTo,
    ) -> Result<HeaderValue, Stop> {
        let entry = self.leases.of(session.key(), self.clock.now());
        // While another request renews, a token that is still valid serves.
        let mut lease = match (entry.try_lock(), self.still_valid(session, spec)) {
            (Ok(lease), _) => lease,
            (Err(_), Some(Ok(header))) => return Ok(header),
            (Err(_), _) => entry.lock().await,
        };
        if !session.is_live(self.clock.now()) {
            return Err(session_over(return_to));
        }
        if let Some(header) = Self::ready(session, spec, self.clock.now()) {
            return Ok(header);
        }
        let held = self.still_valid(session, spec);
        // What was granted too narrowly stays so until it expires: asking again would bring the same.
        if let Some(Err(())) = held {
            return Err(Stop::refused(Reason::ScopeNotGranted));
        }
        let held = held.and_then(Result::ok);
        if let Some(outcome) = lease.recent(&spec.name, self.clock.now()) {
            match (outcome, &held) {
                (_, Some(header)) => return Ok(header.clone()),
                (Outcome::ConsentRequired, None) => return Err(consent_required(spec, return_to)),
                (Outcome::Failed(whose, reason), None) => return Err(lease::too_soon(whose, reason)),
                // It came and has expired already: providers may be that quick.
                (Outcome::Refreshed, None) => {}
            }
        }
        self.refresh(session, spec, &mut lease, held, return_to).await
    }

    async fn refresh(
        &self,
        session: &Arc<Session>,
        spec: &Arc<TokenSpec>,
        lease: &mut Lease,
        held: Option<HeaderValue>,
        return_to: ReturnTo,
    ) -> Result<HeaderValue, Stop> {
        let credentials = session.credentials();
        if credentials.refresh_token.is_none() {
            return held.ok_or_else(|| consent_required(spec, return_to));
        }
        let ask = Ask::for_token(spec);
        let refreshed = self.provider.refresh(&credentials, &session.identity(), &ask).await;
        let now = self.clock.now();
        match refreshed {
            Ok(refreshed) => {
                lease.note(&spec.name, now, Outcome::Refreshed);
                self.store(session, spec, refreshed, return_to).await
            }
            Err(RefreshError::InvalidGrant) => {
                self.sessions.end(session, Ending::InvalidGrant).await?;
                Err(session_over(return_to))
            }
            Err(RefreshError::IdentityMismatch(successor)) => {
                self.sessions.end(session, Ending::IdentityMismatch).await?;
                self.revoke(successor.or(credentials.refresh_token.clone()));
                Err(session_over(return_to))
            }
            Err(RefreshError::ConsentRequired) => {
                log_failure(session, spec, "consent_required", None);
                lease.note(&spec.name, now, Outcome::ConsentRequired);
                held.ok_or_else(|| consent_required(spec, return_to))
            }
            Err(
                RefreshError::Transient(fault, _) | RefreshError::Lost(fault) | RefreshError::Broken(fault),
            ) => {
                log_failure(session, spec, fault.reason.as_str(), Some(&fault));
                lease.note(&spec.name, now, Outcome::Failed(fault.whose, fault.reason));
                held.ok_or(Stop::Failed(fault))
            }
        }
    }

    /// Puts what came into the session before anything of it is used (requirement TK-06); unless the session ended
    /// meanwhile, when what came is taken back (requirement TK-17).
    async fn store(
        &self,
        session: &Arc<Session>,
        spec: &Arc<TokenSpec>,
        refreshed: Refreshed,
        return_to: ReturnTo,
    ) -> Result<HeaderValue, Stop> {
        let held = Held {
            spec: Arc::clone(spec),
            authorization: refreshed.authorization,
            expires: refreshed.expires,
            suffices: refreshed.granted.covers(&spec.scopes),
        };
        let header = sufficient(&held).cloned();
        let changed = self.sessions.change(session, |state| {
            let mut after = state.credentials.with(held.clone());
            if let Some(successor) = &refreshed.refresh_token {
                after.refresh_token = Some(successor.clone());
            }
            if let Some(id_token) = &refreshed.id_token {
                after.id_token = id_token.clone();
            }
            Some(State { credentials: Arc::new(after), ..state.clone() })
        });
        if changed.await? == Changed::Over {
            self.revoke(refreshed.refresh_token.or(session.credentials().refresh_token.clone()));
            return Err(session_over(return_to));
        }
        header.ok_or_else(|| {
            log_failure(session, spec, Reason::ScopeNotGranted.as_str(), None);
            Stop::refused(Reason::ScopeNotGranted)
        })
    }

    /// A token that has not expired, although it is time to renew it: its header, or `Err` if it was granted for less
    /// than it must be.
    fn still_valid(&self, session: &Session, spec: &Arc<TokenSpec>) -> Option<Result<HeaderValue, ()>> {
        let credentials = session.credentials();
        let held = credentials.held(spec).filter(|held| self.clock.now() < held.expires)?;
        Some(sufficient(held).cloned().ok_or(()))
    }

    fn revoke(&self, refresh_token: Option<Secret<String>>) {
        let Some(token) = refresh_token else { return };
        let provider = Arc::clone(&self.provider);
        self.runtime.spawn(async move {
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

/// The header of a token that was granted for all it must be.
fn sufficient(held: &Held) -> Option<&HeaderValue> {
    held.suffices.then_some(&held.authorization)
}

fn session_over(return_to: ReturnTo) -> Stop {
    let remedy = Remedy::SignIn(SignIn { return_to, token: None });
    Stop::Refused(Refusal { reason: Reason::SessionOver, remedy })
}

fn consent_required(spec: &TokenSpec, return_to: ReturnTo) -> Stop {
    let remedy = Remedy::SignIn(SignIn { return_to, token: Some(spec.name.clone()) });
    Stop::Refused(Refusal { reason: Reason::ConsentRequired, remedy })
}

fn log_failure(session: &Session, spec: &TokenSpec, reason: &str, fault: Option<&Fault>) {
    let error = fault.map(Fault::causes);
    tracing::warn!(
        target: "gateway::oidc",
        event = "refresh_failed",
        session = session.key().short(),
        token = spec.name,
        reason,
        error,
        "an access token could not be had",
    );
}

#[cfg(test)]
mod tests;
