//! A token of a session: from what is held, or by one renewal at a time, here and among gateways (requirement TK-05).
//! How each kind of token is got is told in `refresh` and `exchange`.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tokio::task::JoinError;

use crate::metrics::RefreshResult;
use crate::session::ending::Ending;
use crate::session::{Held, Session, TokenKind, TokenSpec};
use crate::stop::{Reason, Whose};

use super::Tokens;
use super::failure::NoToken;
use super::lease::Lease;
use super::turn::Turn;

/// A renewal under way. Whoever has this is the only one, among all gateways, to get tokens for the session.
pub(super) struct Flight {
    pub(super) session: Arc<Session>,
    pub(super) turn: Turn,
    pub(super) lease: Lease,
}

/// What a renewal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A request waits for any token that may be used.
    Usable,
    /// Nobody waits: what is held still serves, and shall be replaced in time.
    Fresh,
}

impl Tokens {
    /// The header for a session. A token that is still valid serves at once, and is renewed behind it.
    pub(super) async fn for_session(
        self: &Arc<Self>,
        session: &Arc<Session>,
        spec: &Arc<TokenSpec>,
    ) -> Result<HeaderValue, NoToken> {
        let queue = self.queues.of(session.key(), self.clock.now());
        if let Some(Ok(header)) = self.held(session, spec, Need::Usable) {
            if session.is_live(self.clock.now())
                && let Some(turn) = queue.try_take()
            {
                self.renew_behind(turn, session, spec);
            }
            return Ok(header);
        }
        let turn = queue.take().await?;
        // Whoever had the turn before may have got it, or may have found that the session is over.
        if !session.is_live(self.clock.now()) {
            return Err(NoToken::SessionOver(None));
        }
        if let Some(held) = self.held(session, spec, Need::Usable) {
            return held;
        }
        turn.pace.check(&spec.name, self.clock.now())?;
        let (tokens, session, spec) = (Arc::clone(self), Arc::clone(session), Arc::clone(spec));
        // A task of its own: a browser that goes away must not take a spent refresh token's successor with it.
        let renewal = self.tasks.spawn(async move { tokens.renew(turn, session, &spec, Need::Usable).await });
        tokio::select! {
            biased;
            renewed = renewal => renewed.unwrap_or_else(|error| Err(broken_off(error))),
            unsaved = queue.unsaved() => Err(unsaved),
        }
    }

    fn renew_behind(self: &Arc<Self>, turn: Turn, session: &Arc<Session>, spec: &Arc<TokenSpec>) {
        let is_renewed = self.held(session, spec, Need::Fresh).is_some();
        if is_renewed || turn.pace.check(&spec.name, self.clock.now()).is_err() {
            return;
        }
        let (tokens, session, spec) = (Arc::clone(self), Arc::clone(session), Arc::clone(spec));
        self.tasks.spawn(async move { tokens.renew(turn, session, &spec, Need::Fresh).await });
    }

    /// One renewal, from taking the lease to giving it back.
    async fn renew(
        &self,
        turn: Turn,
        session: Arc<Session>,
        spec: &Arc<TokenSpec>,
        need: Need,
    ) -> Result<HeaderValue, NoToken> {
        let lease = match need {
            Need::Usable => Lease::take(&self.sessions, &session, self.timing).await?,
            Need::Fresh => match Lease::try_take(&self.sessions, &session, self.timing).await? {
                Some(lease) => lease,
                None => return Err(another_is_at_it()),
            },
        };
        let mut flight = Flight { session, turn, lease };
        let renewed = self.renew_alone(&mut flight, spec, need).await;
        // Before the turn: whoever has that next wants the lease too.
        flight.lease.release().await;
        renewed
    }

    async fn renew_alone(
        &self,
        flight: &mut Flight,
        spec: &Arc<TokenSpec>,
        need: Need,
    ) -> Result<HeaderValue, NoToken> {
        let begun = Instant::now();
        // Another gateway may have done it, or may have ended the session.
        self.sessions.reload(&flight.session).await?;
        if !flight.session.is_live(self.clock.now()) {
            return Err(NoToken::SessionOver(None));
        }
        if let Some(held) = self.held(&flight.session, spec, need) {
            self.sessions.metrics().refreshed(RefreshResult::Shared, begun.elapsed());
            return held;
        }
        let got = self.get(flight, spec).await;
        if let Some(result) = result_of(&got) {
            self.sessions.metrics().refreshed(result, begun.elapsed());
        }
        flight.turn.pace.note(&spec.name, self.clock.now(), &got);
        if let Err(no_token) = &got {
            log_failure(&flight.session, spec, no_token);
        }
        got
    }

    /// A token from the provider, kept in the session: its header. Boxed because one kind of token needs another.
    pub(super) fn get<'a>(
        &'a self,
        flight: &'a mut Flight,
        spec: &'a Arc<TokenSpec>,
    ) -> BoxFuture<'a, Result<HeaderValue, NoToken>> {
        Box::pin(async move {
            match &spec.kind {
                TokenKind::User | TokenKind::UserOrClient => self.refresh(flight, spec).await,
                TokenKind::Exchange(from) | TokenKind::OnBehalfOf(from) => {
                    self.exchange(flight, spec, from).await
                }
                TokenKind::Client => Err(NoToken::fault(Whose::Gateway, Reason::Internal, NotAPersons)),
            }
        })
    }

    /// What the session holds for that need: the header, or that there is none although nothing else can be had before
    /// it expires.
    pub(super) fn held(
        &self,
        session: &Session,
        spec: &Arc<TokenSpec>,
        need: Need,
    ) -> Option<Result<HeaderValue, NoToken>> {
        let now = self.clock.now();
        let state = session.state();
        let held = state.credentials.held(spec)?;
        if held.is_too_narrow(now) {
            return Some(Err(NoToken::ScopeNotGranted));
        }
        let header = match need {
            Need::Usable => held.usable(now),
            Need::Fresh => held.fresh(now),
        };
        header.cloned().map(Ok)
    }
}

/// The header of a token that has just come, if it was granted for all it must be.
pub(super) fn sufficient(held: &Held) -> Result<HeaderValue, NoToken> {
    // However short its life: the request that waits for it gets it.
    if held.suffices { Ok(held.authorization.clone()) } else { Err(NoToken::ScopeNotGranted) }
}

/// What a renewal came to, for metrics.
fn result_of(got: &Result<HeaderValue, NoToken>) -> Option<RefreshResult> {
    Some(match got {
        Ok(_) | Err(NoToken::ScopeNotGranted) => RefreshResult::Refreshed,
        Err(NoToken::SessionOver(Some(Ending::IdentityMismatch))) => RefreshResult::IdentityMismatch,
        Err(NoToken::SessionOver(Some(_))) => RefreshResult::InvalidGrant,
        // Somebody else ended it meanwhile, which says nothing of the provider.
        Err(NoToken::SessionOver(None)) => return None,
        Err(NoToken::ConsentRequired) => RefreshResult::ConsentRequired,
        Err(NoToken::Away(..) | NoToken::Lost(_)) => RefreshResult::Transient,
        Err(NoToken::Fault(fault)) if fault.whose == Whose::Store => RefreshResult::StoreUnavailable,
        Err(NoToken::Refused(_) | NoToken::Fault(_)) => RefreshResult::Broken,
    })
}

fn log_failure(session: &Session, spec: &TokenSpec, no_token: &NoToken) {
    let (reason, error) = no_token.told();
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

fn broken_off(error: JoinError) -> NoToken {
    NoToken::fault(Whose::Gateway, Reason::Internal, error)
}

fn another_is_at_it() -> NoToken {
    NoToken::fault(Whose::Gateway, Reason::ProviderUnavailable, AnotherIsAtIt)
}

/// Nobody waits for this.
#[derive(Debug, thiserror::Error)]
#[error("another gateway is getting the session's tokens")]
struct AnotherIsAtIt;

/// Policy does not let this happen.
#[derive(Debug, thiserror::Error)]
#[error("a token of the gateway's own was asked for in a person's name")]
struct NotAPersons;
