//! The access tokens that routes ask for, and those that are held: what they are for, whose they are, how long they serve.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use http::HeaderValue;

use crate::clock::Timestamp;
use crate::entropy;
use crate::hex;
use crate::scope::ScopeSet;

use super::Session;

/// A token is renewed at least this long before it expires, if it lives long enough: so that none expires on its way to
/// the upstream, and there is time to try more than once.
const SKEW: Duration = Duration::from_secs(30);

/// An access token that a route asks for, by the name it has in the configuration (`[tokens.NAME]`).
#[derive(Debug, PartialEq, Eq)]
pub struct TokenSpec {
    /// `NAME`.
    pub name: String,
    /// The provider that gives it (`[providers.NAME]`); nothing for whichever the person signed in with.
    pub provider: Option<Arc<str>>,
    /// The scopes to ask the provider for.
    pub scopes: ScopeSet,
    /// Whose token it is, and how it is got.
    pub kind: TokenKind,
    /// The services that it is for, by address (RFC 8707); mostly empty, because scopes name the service.
    pub resources: Vec<String>,
    /// The service that it is for, by the provider's name of it (RFC 8693, section 2.1; some providers take it elsewhere
    /// too).
    pub audience: Option<String>,
}

/// Whose token it is, and how it is got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// The person's, with the session's refresh token (RFC 6749, section 6).
    #[default]
    User,
    /// The gateway's own (RFC 6749, section 4.4). Nobody needs to be signed in.
    Client,
    /// The person's where somebody is signed in, else the gateway's own.
    UserOrClient,
    /// The person's, in exchange for another of theirs (RFC 8693).
    Exchange(Arc<TokenSpec>),
    /// The person's, in exchange for another of theirs, as Microsoft Entra has it (RFC 7523, section 2.1).
    OnBehalfOf(Arc<TokenSpec>),
}

impl TokenSpec {
    /// A person's token with those scopes.
    pub fn user(name: &str, scopes: ScopeSet) -> Self {
        Self {
            name: name.to_owned(),
            provider: None,
            scopes,
            kind: TokenKind::User,
            resources: Vec::new(),
            audience: None,
        }
    }

    /// Whether a session's token of this kind can be got.
    pub fn is_for_sessions(&self) -> bool {
        !matches!(self.kind, TokenKind::Client)
    }

    /// Whether a token of this kind can be got where nobody is signed in.
    pub fn is_for_anyone(&self) -> bool {
        matches!(self.kind, TokenKind::Client | TokenKind::UserOrClient)
    }

    /// The token that a person must sign in for to have this one: itself, or what it is got in exchange for.
    pub fn root(&self) -> &Self {
        self.subject().map_or(self, |subject| subject.root())
    }

    /// The token that it is got in exchange for, if it is.
    pub fn subject(&self) -> Option<&Arc<Self>> {
        match &self.kind {
            TokenKind::Exchange(from) | TokenKind::OnBehalfOf(from) => Some(from),
            TokenKind::User | TokenKind::Client | TokenKind::UserOrClient => None,
        }
    }

    /// Tells tokens of one name apart whose meaning the configuration has changed.
    pub fn fingerprint(&self) -> String {
        let hash = digest::digest(&digest::SHA256, format!("{self:?}").as_bytes());
        hex::encode(&hash.as_ref()[..16])
    }
}

/// Whose token is to be sent upstream.
#[derive(Clone, Copy, Debug)]
pub enum TokenFor<'a> {
    /// That of the person behind a session.
    Session(&'a Arc<Session>, &'a Arc<TokenSpec>),
    /// The gateway's own.
    Gateway(&'a Arc<TokenSpec>),
}

impl<'a> TokenFor<'a> {
    /// Which token.
    pub fn spec(self) -> &'a Arc<TokenSpec> {
        let (Self::Session(_, spec) | Self::Gateway(spec)) = self;
        spec
    }
}

/// An access token ready to be sent upstream: `Bearer …`, marked sensitive, so that no `Debug` prints it.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it was asked for.
    pub spec: Arc<TokenSpec>,
    /// The `Authorization` header, prebuilt.
    pub authorization: HeaderValue,
    /// From when on a newer one is to be got, while this one still serves.
    pub renew_from: Timestamp,
    /// When the provider says it expires.
    pub expires: Timestamp,
    /// Whether the provider granted all that was asked for; it may grant less (RFC 6749, section 3.3).
    pub suffices: bool,
}

impl Held {
    /// A token that came at `now`.
    pub fn new(
        spec: &Arc<TokenSpec>,
        authorization: HeaderValue,
        [now, expires]: [Timestamp; 2],
        suffices: bool,
    ) -> Self {
        let life = Duration::from_secs(u64::try_from(expires.0.saturating_sub(now.0)).unwrap_or(0));
        let renew_from = now.plus(renewal_point(life));
        Self { spec: Arc::clone(spec), authorization, renew_from, expires, suffices }
    }

    /// The header, while there is no need for a newer token.
    pub fn fresh(&self, now: Timestamp) -> Option<&HeaderValue> {
        (self.suffices && now < self.renew_from).then_some(&self.authorization)
    }

    /// The header, while the token may be used.
    pub fn usable(&self, now: Timestamp) -> Option<&HeaderValue> {
        (self.suffices && now < self.expires).then_some(&self.authorization)
    }

    /// Whether it must not be used, and asking again would bring the same.
    pub fn is_too_narrow(&self, now: Timestamp) -> bool {
        !self.suffices && now < self.expires
    }
}

/// A random point between 60 and 90 per cent of a life, so that tokens which were got together are not renewed together.
/// At least one second in: nobody shall be asked more often.
fn renewal_point(life: Duration) -> Duration {
    let (earliest, latest) = (life * 6 / 10, (life * 9 / 10).min(life.saturating_sub(SKEW)));
    let room = latest.saturating_sub(earliest).as_secs();
    let random = u64::from(u32::from_ne_bytes(entropy::bytes()));
    (earliest + Duration::from_secs(random % (room + 1))).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(life: u64) -> (u64, u64) {
        let points = (0..2_000).map(|_| renewal_point(Duration::from_secs(life)).as_secs());
        points.fold((u64::MAX, 0), |(least, most), point| (least.min(point), most.max(point)))
    }

    #[test]
    fn tokens_are_renewed_at_points_of_their_own_well_before_they_expire() {
        let (least, most) = points(3_600);
        assert!((2_160..2_260).contains(&least) && (3_140..=3_240).contains(&most), "{least} to {most}");
        let (least, most) = points(200);
        assert!(least >= 120 && most <= 170, "{least} to {most}");
    }

    #[test]
    fn short_lives_have_a_point_too_and_none_is_renewed_within_the_same_second() {
        for (life, expected) in [(60, 36), (5, 3), (2, 1), (1, 1), (0, 1)] {
            assert_eq!(points(life), (expected, expected), "{life}");
        }
    }

    #[test]
    fn a_token_serves_until_it_expires_and_is_fresh_until_it_is_to_be_renewed() {
        let spec = Arc::new(TokenSpec::user("read", ScopeSet::default()));
        let held = |suffices| {
            let header = HeaderValue::from_static("Bearer x");
            Held::new(&spec, header, [Timestamp(100), Timestamp(105)], suffices)
        };
        let (good, narrow) = (held(true), held(false));
        assert!(good.fresh(Timestamp(102)).is_some() && good.fresh(Timestamp(103)).is_none());
        assert!(good.usable(Timestamp(104)).is_some() && good.usable(Timestamp(105)).is_none());
        assert!(narrow.fresh(Timestamp(100)).is_none() && narrow.usable(Timestamp(100)).is_none());
        assert!(narrow.is_too_narrow(Timestamp(104)) && !narrow.is_too_narrow(Timestamp(105)));
        assert!(!good.is_too_narrow(Timestamp(104)));
    }
}
