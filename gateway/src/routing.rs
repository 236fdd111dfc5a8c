//! Which route a request is for: the longest matching prefix, then the method. Built once per configuration,
//! read by every request; cost depends on the depth of the path, not on the number of routes.

mod forwarding;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::Method;

use crate::handshake::client::Wanted;
use crate::rule::Rule;
use crate::session::{Identity, TokenSpec};
use crate::stop::{Reason, Refusal, Remedy, Stop};

pub use forwarding::{Forwarding, Retries, Timeouts, Trailers};

/// One route: what it matches, who may pass, where it leads.
#[derive(Debug)]
pub struct Route {
    /// What logs and metrics call it: methods and path as configured. A bounded set.
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

    /// Whether it makes no difference who asks: everybody may pass, and all are answered alike.
    pub fn is_indifferent(&self) -> bool {
        let has_persons_token = self.token.as_ref().is_some_and(|spec| spec.is_for_sessions());
        self.rule.is_public() && !has_persons_token && !matches!(self.target, Target::Endpoint(_))
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

/// A set of the methods that the gateway forwards (RFC 9110, section 9; PATCH by RFC 5789).
/// CONNECT, TRACE and unknown methods are in no set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Methods(u8);

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

impl Methods {
    /// Every method that is ever forwarded.
    pub const ALL: Self = Self(0b111_1111);

    /// The set of one method, or nothing for a method that is never forwarded. Names are case-sensitive.
    pub fn one(method: &Method) -> Option<Self> {
        METHODS.iter().position(|known| known == method).map(|bit| Self(1 << bit))
    }

    /// The set of those methods; the first unknown name otherwise.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().try_fold(Self(0), |set, name| {
            let method = Method::from_bytes(name.as_bytes()).map_err(|_| name)?;
            Self::one(&method).map(|one| Self(set.0 | one.0)).ok_or(name)
        })
    }

    /// Whether `method` is in the set.
    pub fn contains(self, method: &Method) -> bool {
        Self::one(method).is_some_and(|one| self.0 & one.0 != 0)
    }

    /// Whether both sets share a method.
    pub fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// `GET, HEAD`, as in an `Allow` header.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = METHODS.iter().filter(|method| self.contains(method));
        for (position, method) in names.enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Methods({self})")
    }
}

/// All routes of one configuration.
#[derive(Debug, Default)]
pub struct RouteTable {
    places: Vec<Place>,
    exact: HashMap<String, usize>,
    prefixes: HashMap<String, usize>,
    /// The prefixes in lower case, for paths that upstreams might read without regard to case.
    folded: HashMap<String, usize>,
}

/// The routes of one path, told apart by method.
#[derive(Debug, Default)]
struct Place {
    routes: Vec<Arc<Route>>,
    allow: Arc<str>,
}

/// Two routes that would take the same requests.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("both take {shared} on the same path")]
pub struct Overlap {
    /// Position, in the list given, of the earlier route.
    pub earlier: usize,
    /// Position of the later route.
    pub later: usize,
    /// The methods that both take.
    pub shared: String,
}

impl RouteTable {
    /// Builds the table, or names every pair of routes that would take the same requests.
    pub fn build(routes: Vec<Arc<Route>>) -> Result<Self, Vec<Overlap>> {
        let overlaps = overlaps(&routes);
        if !overlaps.is_empty() {
            return Err(overlaps);
        }
        let mut table = Self::default();
        for route in routes {
            let places = &mut table.places;
            let mut new_place = || {
                places.push(Place::default());
                places.len() - 1
            };
            let index = match &route.path {
                Pattern::Exact(path) => *table.exact.entry(path.clone()).or_insert_with(&mut new_place),
                Pattern::Prefix(path) => {
                    let key = path.trim_end_matches('/');
                    let index = *table.prefixes.entry(key.to_owned()).or_insert_with(&mut new_place);
                    table.folded.entry(key.to_ascii_lowercase()).or_insert(index);
                    index
                }
            };
            let place = &mut table.places[index];
            place.routes.push(route);
            let all = place.routes.iter().fold(0, |set, route| set | route.methods.0);
            place.allow = Methods(all).to_string().into();
        }
        Ok(table)
    }

    /// The route for a canonical path and a method.
    ///
    /// The most specific path decides alone: if it does not take the method the answer is 405, even where a shorter
    /// prefix would take it. Anything else would let a method slip past the rule that stands nearest to the path.
    pub fn find(&self, path: &str, method: &Method) -> Result<&Arc<Route>, Stop> {
        let place = self.exact.get(path).copied().or_else(|| self.by_prefix(path));
        let place = &self.places[place.ok_or_else(|| Stop::refused(Reason::NoRoute))?];
        place.routes.iter().find(|route| route.methods.contains(method)).ok_or_else(|| {
            let remedy = Remedy::Methods(Arc::clone(&place.allow));
            Stop::Refused(Refusal { reason: Reason::MethodNotAllowed, remedy })
        })
    }

    /// The longest prefix, read as the most lenient upstream would: without `;parameters`, and refusing a path that
    /// misses a more specific route by letter case alone (requirement PA-03).
    fn by_prefix(&self, path: &str) -> Option<usize> {
        let path = without_parameters(path);
        let place = longest_prefix(&self.prefixes, &path);
        if !path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return place;
        }
        let lenient = longest_prefix(&self.folded, &path.to_ascii_lowercase());
        place.filter(|_| lenient == place || self.folded_path(lenient) == self.folded_path(place))
    }

    /// A place's path in lower case; two places share it when their routes differ by letter case alone.
    fn folded_path(&self, place: Option<usize>) -> Option<String> {
        let (Pattern::Exact(path) | Pattern::Prefix(path)) = &self.places.get(place?)?.routes.first()?.path;
        Some(path.trim_end_matches('/').to_ascii_lowercase())
    }
}

/// The path with each segment cut at its first semicolon: what servers that know path parameters look at.
fn without_parameters(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    let names = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    Cow::Owned(names.collect::<Vec<_>>().join("/"))
}

fn longest_prefix(prefixes: &HashMap<String, usize>, path: &str) -> Option<usize> {
    let mut end = path.trim_end_matches('/').len();
    loop {
        if let Some(place) = prefixes.get(&path[..end]) {
            return Some(*place);
        }
        end = path[..end].rfind('/')?;
    }
}

fn overlaps(routes: &[Arc<Route>]) -> Vec<Overlap> {
    let mut by_path: HashMap<(bool, &str), Vec<usize>> = HashMap::new();
    let mut found = Vec::new();
    for (later, route) in routes.iter().enumerate() {
        let key = match &route.path {
            Pattern::Exact(path) => (true, path.as_str()),
            Pattern::Prefix(path) => (false, path.trim_end_matches('/')),
        };
        let same_path = by_path.entry(key).or_default();
        for &earlier in same_path.iter() {
            let shared = Methods(routes[earlier].methods.0 & route.methods.0);
            if !shared.is_empty() {
                found.push(Overlap { earlier, later, shared: shared.to_string() });
            }
        }
        same_path.push(later);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::TokenKind;

    fn route(path: &str, methods: &[&str]) -> Arc<Route> {
        let methods = if methods.is_empty() {
            Methods::ALL
        } else {
            Methods::from_names(methods.iter().copied()).expect("known")
        };
        Arc::new(Route {
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
        })
    }

    fn name(table: &RouteTable, method: &Method, path: &str) -> Result<String, Reason> {
        table.find(path, method).map(|route| route.name.to_string()).map_err(|stop| stop.reason())
    }

    #[test]
    fn the_longest_prefix_wins_on_segment_borders() {
        let table = RouteTable::build(vec![
            route("/", &["GET"]),
            route("/api", &["GET"]),
            route("/api/admin/", &["GET"]),
        ])
        .expect("no overlap");
        for (path, wanted) in [
            ("/", "GET /"),
            ("/apix", "GET /"),
            ("/x/api", "GET /"),
            ("/api", "GET /api"),
            ("/api/", "GET /api"),
            ("/api/adminx", "GET /api"),
            ("/api/admin", "GET /api/admin/"),
            ("/api/admin/", "GET /api/admin/"),
            ("/api/admin/users/1", "GET /api/admin/"),
        ] {
            assert_eq!(name(&table, &Method::GET, path).as_deref(), Ok(wanted), "{path}");
        }
    }

    #[test]
    fn the_most_specific_path_decides_about_the_method() {
        let table =
            RouteTable::build(vec![route("/", &[]), route("/api", &["GET"]), route("/api", &["POST"])])
                .expect("no overlap");
        assert_eq!(name(&table, &Method::POST, "/api/x").as_deref(), Ok("POST /api"));
        assert_eq!(name(&table, &Method::DELETE, "/api/x"), Err(Reason::MethodNotAllowed));
        assert_eq!(name(&table, &Method::TRACE, "/"), Err(Reason::MethodNotAllowed));
        assert_eq!(
            name(&table, &Method::from_bytes(b"get").expect("a token"), "/"),
            Err(Reason::MethodNotAllowed)
        );
    }

    #[test]
    fn a_lenient_upstream_cannot_be_reached_past_a_more_specific_route() {
        let table = RouteTable::build(vec![
            route("/pub", &["GET"]),
            route("/pub/admin", &["GET"]),
            route("/Docs", &["GET"]),
        ])
        .expect("no overlap");
        for (path, wanted) in [
            ("/pub/admin;x", Ok("GET /pub/admin")),
            ("/pub;a/admin;b=c/users", Ok("GET /pub/admin")),
            ("/pub/other;admin", Ok("GET /pub")),
            ("/pub/Admin", Err(Reason::NoRoute)),
            ("/PUB/admin", Err(Reason::NoRoute)),
            ("/pub/Administrators", Ok("GET /pub")),
            ("/pub/admin/AbC", Ok("GET /pub/admin")),
            ("/Docs/Page", Ok("GET /Docs")),
            ("/docs/page", Err(Reason::NoRoute)),
        ] {
            assert_eq!(name(&table, &Method::GET, path), wanted.map(str::to_owned), "{path}");
        }
    }

    #[test]
    fn a_405_names_every_method_of_the_path() {
        let table = RouteTable::build(vec![route("/api", &["GET", "HEAD"]), route("/api", &["POST"])])
            .expect("no overlap");
        let Err(Stop::Refused(Refusal { remedy: Remedy::Methods(allow), .. })) =
            table.find("/api", &Method::PUT)
        else {
            panic!("PUT is not allowed");
        };
        assert_eq!(&*allow, "GET, HEAD, POST");
    }

    #[test]
    fn it_makes_no_difference_who_asks_only_where_nobodys_own_token_is_sent() {
        let with = |kind: Option<TokenKind>| {
            let spec = |kind| TokenSpec { kind, ..TokenSpec::user("t", "a".parse().expect("valid")) };
            let route = Arc::into_inner(route("/", &["GET"])).expect("one holder");
            Route { token: kind.map(|kind| Arc::new(spec(kind))), ..route }.is_indifferent()
        };
        assert!(with(None) && with(Some(TokenKind::Client)));
        assert!(!with(Some(TokenKind::User)) && !with(Some(TokenKind::UserOrClient)));
    }

    #[test]
    fn an_empty_table_serves_nothing() {
        assert_eq!(name(&RouteTable::default(), &Method::GET, "/"), Err(Reason::NoRoute));
    }

    #[test]
    fn overlapping_routes_are_all_named() {
        let result = RouteTable::build(vec![
            route("/a", &["GET"]),
            route("/a/", &["GET", "POST"]),
            route("/a", &["POST"]),
            route("/b", &[]),
        ]);
        let overlaps: Vec<_> =
            result.expect_err("they overlap").into_iter().map(|o| (o.earlier, o.later, o.shared)).collect();
        assert_eq!(overlaps, [(0, 1, "GET".to_owned()), (1, 2, "POST".to_owned())]);
    }
}
