//! Signing in: the redirect to the provider, and the judgement of what comes back (authorization code flow with PKCE;
//! OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9207).

mod judgement;
mod overage;
pub(super) mod pushed;
mod request;
mod strength;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::oidc::ask::is_about_sign_in;
use crate::oidc::callback::{Answer, loggable};
use crate::oidc::discovery::Metadata;
use crate::oidc::id_token::{self, Expected, ExpectedNonce, Header, IdTokenError, Unverified};
use crate::oidc::keys::{Key, NoKey};
use crate::oidc::token_endpoint::{AnswerError, Granted};
use crate::oidc::{Provider, broken_off};
use crate::origin::Origin;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::session::attempt::LoginAttempt;
use crate::session::return_to::ReturnTo;
use crate::session::{Credentials, Held, Identity, TokenKind, TokenSpec};
use crate::stop::{Reason, Refusal, Remedy, Stop, Whose, causes};

/// What a browser wants of the provider.
#[derive(Clone, Debug)]
pub struct Want {
    /// Where to go afterwards.
    pub return_to: ReturnTo,
    /// Scopes beyond those of every sign-in: what a route's token needs.
    pub extra_scopes: Option<ScopeSet>,
    /// Which page of the provider to show first.
    pub purpose: Purpose,
    /// What the request's query held. Only the parameters that the configuration names are passed on, each once.
    pub parameters: Vec<(String, String)>,
}

/// Which page of the provider to show first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The sign-in page.
    SignIn,
    /// The page for new accounts, where the provider has one.
    SignUp,
    /// None at all: the provider says at once whether it knows who this is (OpenID Connect Core 1.0, section 3.1.2.1,
    /// `prompt=none`).
    Silent,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where to send the browser.
    pub location: String,
    /// What to remember until it comes back.
    pub attempt: LoginAttempt,
}

/// A person who signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub identity: Identity,
    /// What the gateway may do for them.
    pub credentials: Credentials,
}

impl Provider {
    /// Begins a sign-in, on `public_url` or on another site of the gateway's.
    ///
    /// # Errors
    /// [`Reason::ProviderUnavailable`] while the provider's metadata cannot be had; that or [`Reason::ProviderBroken`]
    /// where the request must be pushed and is not taken.
    pub async fn begin(self: &Arc<Self>, want: Want, site: Option<&Origin>) -> Result<Begun, Stop> {
        let metadata = match self.known.metadata() {
            Some(metadata) => metadata,
            None => self
                .on_runtime(|provider| async move { provider.metadata().await })
                .await
                .ok_or_else(broken_off)?
                .map_err(|error| Stop::failed(Whose::Provider, Reason::ProviderUnavailable, error))?,
        };
        let scopes = want
            .extra_scopes
            .as_ref()
            .map_or_else(|| self.settings.scopes.clone(), |extra| self.settings.scopes.union(extra));
        let mut attempt =
            LoginAttempt::start(&self.settings.issuer, scopes, want.return_to, self.clock.now());
        attempt.redirect_uri = site.map(|origin| origin.url(self.settings.redirect_uri.path()));
        attempt.silent = want.purpose == Purpose::Silent;
        let asked = request::parameters(&self.settings, &metadata, &attempt, want.purpose, &want.parameters);
        if metadata.push_to.is_none() {
            return Ok(Begun { location: request::location(&metadata, &asked), attempt });
        }
        let location = self.on_runtime(|provider| async move { provider.pushed(&metadata, &asked).await });
        Ok(Begun { location: location.await.ok_or_else(broken_off)??, attempt })
    }

    async fn pushed(&self, metadata: &Metadata, asked: &[(String, String)]) -> Result<String, Stop> {
        let name = self.push(metadata, asked).await?;
        Ok(request::pushed_location(&self.settings, metadata, name))
    }

    /// Judges the provider's answer to an attempt and, if everything holds, says who signed in.
    ///
    /// `specs` are the configuration's access tokens: one whose scopes were asked for by this very attempt is taken
    /// from the answer, so that no second call is needed for it. The caller has made sure that the attempt was never
    /// answered before.
    ///
    /// # Errors
    /// [`Reason::NobodySignedIn`] where a silent attempt found nobody; that is an answer like another, and the person
    /// goes on. A refusal with [`crate::stop::Remedy::TryAgain`] for an answer that does not hold; a fault for a provider that
    /// cannot be reached or talks nonsense.
    pub async fn finish(
        self: &Arc<Self>,
        attempt: LoginAttempt,
        answer: Answer,
        specs: &[Arc<TokenSpec>],
    ) -> Result<SignedIn, Stop> {
        let specs = specs.to_vec();
        let signed_in =
            self.on_runtime(|provider| async move { provider.judge(&attempt, &answer, &specs).await });
        signed_in.await.ok_or_else(broken_off)?
    }

    async fn judge(
        &self,
        attempt: &LoginAttempt,
        answer: &Answer,
        specs: &[Arc<TokenSpec>],
    ) -> Result<SignedIn, Stop> {
        let metadata = self.metadata().await;
        let metadata =
            metadata.map_err(|error| Stop::failed(Whose::Provider, Reason::ProviderUnavailable, error))?;
        let code = judgement::code(&self.settings, &metadata, attempt, answer, self.clock.now()).map_err(
            |reason| {
                if reason == Reason::NobodySignedIn {
                    let remedy = Remedy::TryAgain(attempt.return_to.clone());
                    return Stop::Refused(Refusal { reason, remedy });
                }
                let said = answer.error.as_deref().map_or("", loggable);
                reject(reason, said, attempt)
            },
        )?;
        let granted = self.redeem(&metadata, attempt, code).await?;
        let (id_token, claims) = self.verify_sign_in(&metadata, attempt, code, &granted).await?;
        let claims = self.with_userinfo(&metadata, &granted, claims).await;
        let claims = claims.map_err(|error| judgement::of_userinfo(error, attempt))?;
        let lacks_groups = overage::lacks_groups(&claims);
        let identity = self.identity(attempt, &granted, claims);
        if lacks_groups {
            overage::warn(&identity.pseudonym());
        }
        tracing::info!(
            target: "gateway::oidc",
            event = "sign_in",
            subject = identity.pseudonym(),
            scopes = %identity.granted,
            "somebody signed in",
        );
        let access = self.held(&granted, &identity.granted, specs);
        let credentials = Credentials { id_token, refresh_token: granted.refresh_token, access };
        Ok(SignedIn { identity, credentials })
    }

    /// Spends the code. Once: whatever goes wrong, it is never sent again (RFC 6749, section 4.1.2).
    async fn redeem(
        &self,
        metadata: &Metadata,
        attempt: &LoginAttempt,
        code: &Secret<String>,
    ) -> Result<Granted, Stop> {
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose().as_str()),
            ("redirect_uri", attempt.redirect_uri.as_deref().unwrap_or(self.settings.redirect_uri.as_str())),
            ("code_verifier", attempt.verifier.expose().as_str()),
        ];
        // One access token has one audience; those of the others are got when a route asks for them.
        parameters.extend(self.settings.resources.first().map(|resource| ("resource", resource.as_str())));
        let answer = self.ask_for_tokens(metadata, &parameters).await;
        answer.map_err(|error| judgement::of_exchange(error, attempt))
    }

    async fn verify_sign_in(
        &self,
        metadata: &Metadata,
        attempt: &LoginAttempt,
        code: &Secret<String>,
        granted: &Granted,
    ) -> Result<(Secret<String>, Map<String, Value>), Stop> {
        let Some(id_token) = granted.id_token.clone() else {
            return Err(Stop::failed(Whose::Provider, Reason::ProviderBroken, AnswerError::NoIdToken));
        };
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            tenants: &self.settings.tenants,
            nonce: ExpectedNonce::Exactly(&attempt.nonce),
            access_token: granted.access_token.expose(),
            code: Some(code.expose()),
            now: self.clock.now(),
        };
        let claims = self.verify(metadata, &id_token, &expected).await;
        let claims = claims.map_err(|error| judgement::of_id_token(error, attempt))?;
        strength::check(&self.settings.request, &claims, attempt.started, self.clock.now())
            .map_err(|error| reject_because(error.reason(), &error, attempt))?;
        Ok((id_token, claims))
    }

    /// Verifies an ID token of this provider, whatever it was got for.
    pub(super) async fn verify(
        &self,
        metadata: &Metadata,
        id_token: &Secret<String>,
        expected: &Expected<'_>,
    ) -> Result<Map<String, Value>, IdTokenError> {
        let token = Unverified::parse(id_token, &metadata.algorithms)?;
        let key = self.key_for(metadata, &token.header).await?;
        token.verify(&key, expected)
    }

    /// The provider's key for a token with this header.
    pub(super) async fn key_for(&self, metadata: &Metadata, header: &Header) -> Result<Key, NoKey> {
        let (url, id) = (&metadata.jwks_uri, header.key_id.as_deref());
        self.known.keys.find(&self.client, url, id, header.algorithm).await
    }

    fn identity(&self, attempt: &LoginAttempt, granted: &Granted, claims: Map<String, Value>) -> Identity {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (issuer, subject) = (text("iss"), text("sub"));
        // The configured text is shared; a multi-tenant issuer is told apart by its tenant.
        let issuer =
            if issuer == *self.settings.issuer { Arc::clone(&self.settings.issuer) } else { issuer.into() };
        let scopes = granted.scopes.clone().unwrap_or_else(|| attempt.scopes.clone());
        let provider_session = claims.get("sid").and_then(Value::as_str).map(str::to_owned);
        // It was checked with the token.
        let asserted = id_token::moment(&claims, "iat").ok().flatten().unwrap_or_else(|| self.clock.now());
        let claims = id_token::about_the_person(claims);
        let provider = Arc::clone(&self.settings.issuer);
        let claims = claims.into();
        Identity { provider, issuer, subject, claims, granted: scopes, provider_session, asserted }
    }

    /// The answer's access token, where it is good for exactly what a route asks for and nothing more: a token that
    /// may do more never stands in for a narrower one (requirement TK-02). Where resources are named, on either side,
    /// scopes do not tell what a token is for; and one that must be exchanged is not the one that came.
    fn held(&self, granted: &Granted, scopes: &ScopeSet, specs: &[Arc<TokenSpec>]) -> Vec<Held> {
        if !self.settings.resources.is_empty() {
            return Vec::new();
        }
        let for_apis: ScopeSet = scopes.only(|scope| !is_about_sign_in(scope));
        let is_plain = |spec: &TokenSpec| {
            matches!(spec.kind, TokenKind::User | TokenKind::UserOrClient)
                && spec.resources.is_empty()
                && spec.audience.is_none()
        };
        let is_exact = |spec: &&Arc<TokenSpec>| spec.scopes == for_apis && is_plain(spec);
        let now = self.clock.now();
        let times = [now, now.plus(granted.life)];
        let held = |spec: &Arc<TokenSpec>| Held::new(spec, granted.authorization(), times, true);
        specs.iter().filter(is_exact).map(held).collect()
    }
}

/// A refusal of a callback, logged where it is made: what the browser sees says nothing of the cause.
fn reject(reason: Reason, detail: &str, attempt: &LoginAttempt) -> Stop {
    tracing::warn!(
        target: "gateway::oidc",
        event = "callback_rejected",
        reason = reason.as_str(),
        detail,
        "a sign-in was refused",
    );
    Stop::Refused(Refusal { reason, remedy: Remedy::TryAgain(attempt.return_to.clone()) })
}

/// The same for a cause that has sources.
fn reject_because(reason: Reason, cause: &dyn std::error::Error, attempt: &LoginAttempt) -> Stop {
    reject(reason, &causes(cause), attempt)
}

#[cfg(test)]
mod tests;
