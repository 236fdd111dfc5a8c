//! A token that is got in exchange for another one of the same person (RFC 8693, and Entra's on-behalf-of flow). Whatever
//! the provider says of it, the session goes on.

use std::sync::Arc;

use http::HeaderValue;

use crate::oidc::{AccessToken, GrantError, Provider, SubjectKind, bearer_of};
use crate::session::{TokenKind, TokenSpec};

use super::failure::NoToken;
use super::keep::Came;
use super::renewal::{Flight, Need, sufficient};
use super::{Tokens, ask_of};

impl Tokens {
    /// A token for what `spec` asks, in exchange for the one for what `from` asks.
    pub(super) async fn exchange(
        &self,
        flight: &mut Flight,
        spec: &Arc<TokenSpec>,
        from: &Arc<TokenSpec>,
    ) -> Result<HeaderValue, NoToken> {
        let provider = Arc::clone(self.provider_of(&flight.session)?);
        let held = self.held(&flight.session, from, Need::Usable).transpose()?;
        let mut may_renew = held.is_some();
        let mut subject = match held {
            Some(held) => held,
            None => self.get(flight, from).await?,
        };
        loop {
            let asked = self.clock.now();
            match Self::exchange_once(&provider, &subject, spec).await {
                Ok(token) => {
                    let came = Came::by_exchange(spec, asked, token);
                    self.keep(flight, &came).await?;
                    return sufficient(&came.held);
                }
                // It was held for a while and may have been revoked since; one that is new is refused for good.
                Err(GrantError::InvalidGrant(_)) if may_renew => {
                    may_renew = false;
                    subject = self.get(flight, from).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn exchange_once(
        provider: &Provider,
        subject: &HeaderValue,
        spec: &TokenSpec,
    ) -> Result<AccessToken, GrantError> {
        let token = bearer_of(subject).expect("every header that is held was made from a token");
        match spec.kind {
            TokenKind::OnBehalfOf(_) => provider.on_behalf_of(&token, &ask_of(spec)).await,
            _ => provider.exchange(&token, SubjectKind::AccessToken, &ask_of(spec)).await,
        }
    }
}
