//! Access tokens of the gateway's own, by client credentials: one for each `[tokens.NAME]` that may be the gateway's, for
//! all requests of the process. They come from nobody's session and never get into one (requirements TK-14, TK-15).

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderValue;

use crate::clock::Timestamp;
use crate::oidc::AccessToken;
use crate::session::{Held, TokenSpec};
use crate::stop::{Reason, Whose};

use super::failure::NoToken;
use super::renewal::sufficient;
use super::turn::{Queue, Turn};
use super::{Tokens, ask_of};

/// All of them.
pub(super) struct ClientTokens {
    slots: Box<[Arc<Slot>]>,
}

/// One of them.
struct Slot {
    spec: Arc<TokenSpec>,
    held: ArcSwapOption<Held>,
    queue: Arc<Queue>,
}

impl ClientTokens {
    /// A place for each of `specs` that may be the gateway's own.
    pub(super) fn of(specs: &[Arc<TokenSpec>]) -> Self {
        let slot = |spec: &Arc<TokenSpec>| {
            let (held, queue) = (ArcSwapOption::empty(), Arc::default());
            Arc::new(Slot { spec: Arc::clone(spec), held, queue })
        };
        Self { slots: specs.iter().filter(|spec| spec.is_for_anyone()).map(slot).collect() }
    }

    /// A place for each of `specs`: the very same where the token is still the same and `gives_same` says that who gives
    /// it is, too.
    pub(super) fn succeed(&self, specs: &[Arc<TokenSpec>], gives_same: impl Fn(&TokenSpec) -> bool) -> Self {
        let anew = Self::of(specs).slots.into_iter().map(|slot| {
            let known = self.slot(&slot.spec).filter(|known| gives_same(&known.spec));
            known.map_or(slot, Arc::clone)
        });
        Self { slots: anew.collect() }
    }

    /// The header, while there is no need for a newer token.
    pub(super) fn fresh(&self, spec: &Arc<TokenSpec>, now: Timestamp) -> Option<HeaderValue> {
        self.slot(spec)?.held.load().as_ref()?.fresh(now).cloned()
    }

    fn slot(&self, spec: &Arc<TokenSpec>) -> Option<&Arc<Slot>> {
        self.slots.iter().find(|slot| Arc::ptr_eq(&slot.spec, spec) || slot.spec == *spec)
    }
}

impl Tokens {
    /// The header of the gateway's own token. One that is still valid serves at once, and is renewed behind it.
    pub(super) async fn for_gateway(self: &Arc<Self>, spec: &Arc<TokenSpec>) -> Result<HeaderValue, NoToken> {
        let Some(slot) = self.clients.slot(spec) else {
            return Err(NoToken::fault(Whose::Gateway, Reason::Internal, NotTheGateways));
        };
        if let Some(held) = slot.held.load().as_ref()
            && let Some(header) = held.usable(self.clock.now())
        {
            if let Some(turn) = slot.queue.try_take()
                && slot.fresh(self.clock.now()).is_none()
                && turn.pace.check(&spec.name, self.clock.now()).is_ok()
            {
                self.tasks.spawn(Arc::clone(self).renew_own(turn, Arc::clone(slot)));
            }
            return Ok(header.clone());
        }
        let turn = slot.queue.take().await?;
        if let Some(held) = slot.held.load().as_ref() {
            let now = self.clock.now();
            if let Some(header) = held.usable(now) {
                return Ok(header.clone());
            }
            if held.is_too_narrow(now) {
                return Err(NoToken::ScopeNotGranted);
            }
        }
        turn.pace.check(&spec.name, self.clock.now())?;
        // A task of its own: those who wait shall not begin anew because the first of them went away.
        let renewal = self.tasks.spawn(Arc::clone(self).renew_own(turn, Arc::clone(slot)));
        renewal.await.unwrap_or_else(|error| Err(NoToken::fault(Whose::Gateway, Reason::Internal, error)))
    }

    async fn renew_own(self: Arc<Self>, mut turn: Turn, slot: Arc<Slot>) -> Result<HeaderValue, NoToken> {
        let (spec, asked) = (&slot.spec, self.clock.now());
        let got = match self.providers.for_token(spec.provider.as_deref()) {
            Some(provider) => provider.client_credentials(&ask_of(spec)).await.map_err(NoToken::from),
            None => Err(NoToken::fault(Whose::Gateway, Reason::Internal, NotTheGateways)),
        };
        turn.pace.note(&spec.name, self.clock.now(), &got);
        let header = got.and_then(|token| {
            let AccessToken { authorization, expires, granted } = token;
            let held = Held::new(spec, authorization, [asked, expires], granted.covers(&spec.scopes));
            let header = sufficient(&held);
            slot.held.store(Some(Arc::new(held)));
            header
        });
        if let Err(no_token) = &header {
            let (reason, error) = no_token.told();
            tracing::warn!(
                target: "gateway::oidc",
                event = "client_token_failed",
                token = spec.name,
                reason,
                error,
                "an access token of the gateway's own could not be had",
            );
        }
        header
    }
}

impl Slot {
    fn fresh(&self, now: Timestamp) -> Option<HeaderValue> {
        self.held.load().as_ref()?.fresh(now).cloned()
    }
}

/// Policy does not let this happen.
#[derive(Debug, thiserror::Error)]
#[error("a person's token was asked for in the gateway's name")]
struct NotTheGateways;
