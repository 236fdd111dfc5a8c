//! Spending a session's refresh token: once, and whatever comes of it is either kept, or given back, or ends the session.

use std::sync::Arc;

use http::HeaderValue;

use crate::oidc::RefreshError;
use crate::secret::Secret;
use crate::session::ending::Ending;
use crate::session::{Credentials, TokenSpec};
use crate::stop::{Reason, Whose};

use super::failure::NoToken;
use super::keep::Came;
use super::losses::Losses;
use super::renewal::{Flight, Need, sufficient};
use super::{Tokens, ask_of};

impl Tokens {
    /// A new token by the session's refresh token.
    pub(super) async fn refresh(
        &self,
        flight: &mut Flight,
        spec: &Arc<TokenSpec>,
    ) -> Result<HeaderValue, NoToken> {
        let (mut losses, mut may_follow) = (Losses::none_yet(self.timing.again), true);
        loop {
            let state = flight.session.state().clone();
            let Some(spent) = state.credentials.refresh_token.clone() else {
                return Err(NoToken::ConsentRequired);
            };
            if !flight.lease.is_certain() {
                return Err(NoToken::fault(Whose::Store, Reason::StoreUnavailable, InDoubt));
            }
            let asked = self.clock.now();
            match self
                .provider_of(&flight.session)?
                .refresh(&state.credentials, &state.identity, &ask_of(spec))
                .await
            {
                Ok(refreshed) => {
                    let came = Came::by_refresh(spec, asked, spent, refreshed);
                    return self.keep_refreshed(flight, came).await;
                }
                Err(RefreshError::Lost(fault)) => losses.bear(flight, spec, fault).await?,
                // To where something was lost there may be no way for a moment.
                Err(RefreshError::Transient(fault, None)) if losses.are_some() => {
                    losses.bear(flight, spec, fault).await?;
                }
                Err(RefreshError::InvalidGrant) => {
                    // What was spent here may have been replaced elsewhere.
                    self.sessions.reload(&flight.session).await?;
                    if is_the_one(&flight.session.credentials(), &spent) {
                        self.sessions.end(&flight.session, Ending::InvalidGrant).await?;
                    }
                    if flight.session.has_ended() {
                        return Err(NoToken::SessionOver(Some(Ending::InvalidGrant)));
                    }
                    if let Some(held) = self.held(&flight.session, spec, Need::Usable) {
                        return held;
                    }
                    if !may_follow {
                        return Err(NoToken::fault(Whose::Store, Reason::StoreUnavailable, InDoubt));
                    }
                    may_follow = false;
                }
                Err(RefreshError::IdentityMismatch(successor)) => {
                    self.revoke(&flight.session, successor.or(Some(spent)));
                    self.sessions.end(&flight.session, Ending::IdentityMismatch).await?;
                    return Err(NoToken::SessionOver(Some(Ending::IdentityMismatch)));
                }
                Err(RefreshError::ConsentRequired) => return Err(NoToken::ConsentRequired),
                Err(RefreshError::Transient(fault, pause)) => return Err(NoToken::Away(fault, pause)),
                Err(RefreshError::Broken(fault)) => return Err(NoToken::Refused(fault)),
            }
        }
    }

    async fn keep_refreshed(&self, flight: &Flight, came: Came) -> Result<HeaderValue, NoToken> {
        let kept = self.keep(flight, &came).await;
        if matches!(kept, Err(NoToken::SessionOver(_))) {
            // It ended meanwhile: what came is taken back (requirement TK-17).
            self.revoke(&flight.session, came.successor.or(came.spent));
        }
        kept.and_then(|()| sufficient(&came.held))
    }
}

/// Whether that refresh token is still the one of these credentials.
pub(super) fn is_the_one(credentials: &Credentials, refresh_token: &Secret<String>) -> bool {
    credentials.refresh_token.as_ref().is_some_and(|known| known.matches(refresh_token.expose()))
}

/// This process was silent for so long that another gateway may have taken the lease, or another is seen to have.
#[derive(Debug, thiserror::Error)]
#[error("the session store did not keep other gateways from refreshing")]
struct InDoubt;
