//! Routes: which requests each is for, who may pass, where it leads, and what it changes on the way. Which of them a
//! request is for is found in `table`. Knows nothing of the configuration's spelling.

mod changes;
mod edge;
mod forwarding;
mod methods;
mod table;

use std::sync::Arc;

use crate::handshake::client::Wanted;
use crate::rule::Rule;
use crate::session::{Identity, TokenSpec};
use crate::site::SiteSet;

pub use changes::{Changes, Claimed, Edits, Rewrite};
pub use edge::{Compress, Edge, MaxBody};
pub use forwarding::{Forwarding, Retries, Timeouts, Trailers};
pub use methods::Methods;
pub use table::{Overlap, RouteTable};

/// One route: what it matches, who may pass, where it leads.
#[derive(Debug)]
pub struct Route {
    /// What logs and metrics call it: methods, hosts and path as configured. A bounded set.
    pub name: Arc<str>,
    /// Which paths.
    pub path: Pattern,
    /// Which methods.
    pub methods: Methods,
    /// Who may pass.
    pub rule: Rule,
    /// How requests that a cookie authenticates prove that the site itself sent them.
    pub csrf: Csrf,
    /// Where it leads.
    pub target: Target,
    /// The access token to attach.
    pub token: Option<Arc<TokenSpec>>,
    /// Whether a WebSocket may be opened through it.
    pub websocket: bool,
    /// With whom people must have signed in; nothing for anybody of the configuration.
    pub provider: Option<RouteProvider>,
    /// Which client certificates it takes, where it wants one.
    pub client_certificate: Option<Box<Wanted>>,
    /// How it forwards, where it differs from most.
    pub forwarding: Option<Box<Forwarding>>,
    /// On which sites; empty for all of them.
    pub sites: SiteSet,
    /// What is changed on the way to the upstream and back; nothing on most routes.
    pub changes: Option<Box<Changes>>,
    /// The headers that some route of this gateway says who asks with; nothing where no route does.
    pub claimed: Option<Arc<Claimed>>,
    /// How large a request's body may be.
    pub max_body: MaxBody,
    /// What is asked of clients beyond that, and what answers wear; nothing on most routes.
    pub edge: Option<Box<Edge>>,
}

/// One of several providers, as a route means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteProvider {
    /// `[providers.NAME]`.
    pub name: Arc<str>,
    /// Its configured issuer.
    pub issuer: Arc<str>,
}

impl Route {
    /// Whether the route is for people of that provider, or for everybody alike.
    pub fn takes(&self, identity: &Identity) -> bool {
        let is_theirs = self.provider.as_ref().is_none_or(|provider| provider.issuer == identity.provider);
        is_theirs || self.is_indifferent()
    }

    /// Whether it makes no difference who asks: everybody may pass, and all are answered alike. Not where the upstream is
    /// told who asks: it must hear of nobody that another provider signed in, and not of nobody while nobody can tell.
    pub fn is_indifferent(&self) -> bool {
        let has_persons_token = self.token.as_ref().is_some_and(|spec| spec.is_for_sessions());
        let tells_who = self.changes.as_ref().is_some_and(|changes| changes.introduction.is_some());
        let is_personal = has_persons_token || tells_who || matches!(self.target, Target::Endpoint(_));
        self.rule.is_public() && !is_personal
    }

    /// Whether gRPC is spoken here, so that clients read no other form of answer.
    pub fn is_grpc(&self) -> bool {
        let trailers = self.forwarding.as_ref().and_then(|forwarding| forwarding.trailers.as_ref());
        trailers.is_some_and(|trailers| trailers.grpc)
    }

    /// Whether the provider asks here, so that no session of whoever carries the request plays a part: its cookies are
    /// not looked at, and none is set.
    pub fn is_for_the_provider(&self) -> bool {
        matches!(self.target, Target::Endpoint(Endpoint::BackchannelLogout | Endpoint::FrontchannelLogout))
    }
}

/// Which paths a route matches. The text is a canonical path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// The path itself and everything below it, on segment borders: `/api` matches `/api` and `/api/x`, not `/apix`.
    Prefix(String),
    /// The path itself.
    Exact(String),
}

impl Pattern {
    /// The path.
    pub fn path(&self) -> &str {
        match self {
            Self::Prefix(path) | Self::Exact(path) => path,
        }
    }
}

/// How a cookie-authenticated request proves that it is not forged by another site (requirements section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Csrf {
    /// The header `X-CSRF: 1` on every request, and the same origin on unsafe methods: for APIs called by scripts.
    Header,
    /// The same origin on unsafe methods: for server-rendered apps with forms and links, and for files.
    Origin,
    /// Nothing: the endpoint proves by other means (the callback by its state).
    Exempt,
}

/// Where a route leads. Numbers are positions in the running configuration's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of the gateway's own paths.
    Endpoint(Endpoint),
    /// A folder of static files.
    Files(usize),
    /// An upstream.
    Upstream(usize),
}

/// The gateway's own paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/auth/sign-in`
    SignIn,
    /// `/auth/sign-up`
    SignUp,
    /// `/auth/callback`
    Callback(usize),
    /// `/auth/sign-out`
    SignOut,
    /// `/auth/signed-out`
    SignedOut,
    /// `/auth/continue`
    Continue,
    /// `/auth/session`
    Session,
    /// `/auth/sessions`
    Sessions,
    /// `/auth/jwks`
    Jwks,
    /// `/auth/backchannel-logout`
    BackchannelLogout,
    /// `/auth/frontchannel-logout`
    FrontchannelLogout,
    /// `/auth/initiate`
    Initiate,
    /// Anything else below `/auth`: there is nothing.
    Unknown,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::session::TokenKind;

    /// A route to files for everybody, at a path and below it.
    pub(crate) fn route(path: &str, methods: &[&str]) -> Route {
        let methods = if methods.is_empty() {
            Methods::ALL
        } else {
            Methods::from_names(methods.iter().copied()).expect("known")
        };
        Route {
            name: format!("{methods} {path}").into(),
            path: Pattern::Prefix(path.into()),
            methods,
            rule: Rule::Anyone,
            csrf: Csrf::Origin,
            target: Target::Files(0),
            token: None,
            websocket: false,
            provider: None,
            client_certificate: None,
            forwarding: None,
            sites: SiteSet::default(),
            changes: None,
            claimed: None,
            max_body: MaxBody::default(),
            edge: None,
        }
    }

    #[test]
    fn it_makes_no_difference_who_asks_only_where_nobodys_own_token_is_sent() {
        let with = |kind: Option<TokenKind>| {
            let spec = |kind| TokenSpec { kind, ..TokenSpec::user("t", "a".parse().expect("valid")) };
            Route { token: kind.map(|kind| Arc::new(spec(kind))), ..route("/", &["GET"]) }.is_indifferent()
        };
        assert!(with(None) && with(Some(TokenKind::Client)));
        assert!(!with(Some(TokenKind::User)) && !with(Some(TokenKind::UserOrClient)));
    }

    #[test]
    fn it_makes_a_difference_who_asks_where_the_upstream_is_told() {
        let changing = |introduction| {
            let changes = Some(Box::new(Changes { introduction, ..Changes::default() }));
            Route { changes, ..route("/", &["GET"]) }.is_indifferent()
        };
        assert!(changing(None) && !changing(Some(Arc::default())));
    }
}
