//! The gateway's own paths, all below `/auth`: which there are, and who answers each. No configured route can stand
//! in front of them (requirement PA-08).

pub mod backchannel;
pub mod callback;
mod choice;
pub mod frontchannel;
pub mod initiate;
pub mod jwks;
mod onward;
mod posted;
pub mod session;
pub mod sessions;
pub mod sign_in;
pub mod sign_out;

use std::sync::Arc;

use http::Response;

use crate::access::Record;
use crate::body::Body;
use crate::intake::Inbound;
use crate::live::Live;
use crate::oidc::settings::{ResponseMode, Settings};
use crate::oidc::{Provider, Purpose};
use crate::policy::Permit;
use crate::routing::{Csrf, Endpoint, MaxBody, Methods, Pattern, Route, Target};
use crate::rule::Rule;
use crate::session::return_to::OWN_PAGE;
use crate::site::SiteSet;
use crate::stop::{Reason, Stop};
use crate::toll;

/// Everything at and below this path is the gateway's.
pub const PREFIX: &str = "/auth";
/// Where people land after sign-out.
pub const SIGNED_OUT: &str = "/auth/signed-out";
/// Where a browser takes a step inside this site, so that it brings its session along.
const CONTINUE: &str = "/auth/continue";

/// Where others begin a sign-in.
const INITIATE: &str = "/auth/initiate";

/// Answers a request to one of the gateway's own paths.
pub async fn answer(
    live: &Live,
    endpoint: Endpoint,
    inbound: Inbound,
    permit: Permit<'_>,
    record: &mut Record<'_>,
) -> Result<Response<Body>, Stop> {
    if endpoint != Endpoint::BackchannelLogout {
        toll::of_auth(live, Some(permit.caller()), record)?;
    }
    match endpoint {
        Endpoint::SignIn => sign_in::requested(live, &inbound, Purpose::SignIn).await,
        Endpoint::SignUp => sign_in::requested(live, &inbound, Purpose::SignUp).await,
        Endpoint::Callback(provider) => callback::answer(live, provider, inbound, &permit, record).await,
        Endpoint::SignOut => sign_out::answer(live, &inbound, &permit, record).await,
        Endpoint::SignedOut => Ok(sign_out::landing(&inbound)),
        Endpoint::Continue => Ok(onward::step(&inbound)),
        Endpoint::Session => session::answer(live, &inbound, &permit),
        Endpoint::Sessions => sessions::answer(live, inbound, &permit, record).await,
        Endpoint::Jwks => Ok(jwks::answer(live)),
        Endpoint::BackchannelLogout => {
            toll::before_token(live, record)?;
            let outcome = backchannel::answer(live, inbound, record).await;
            toll::after_token(live, &outcome, record);
            outcome
        }
        Endpoint::FrontchannelLogout => frontchannel::answer(live, &inbound, record).await,
        Endpoint::Initiate => initiate::answer(live, inbound).await,
        Endpoint::Unknown => Err(Stop::refused(Reason::NoRoute)),
    }
}

/// Whether a request only looks at the session, or at all of a person's, and asks not to extend it (requirement SE-12).
pub fn is_silent_poll(permit: &Permit<'_>, inbound: &Inbound) -> bool {
    matches!(permit.target(), Target::Endpoint(Endpoint::Session | Endpoint::Sessions))
        && parameter(inbound, "slide").is_some_and(|value| value == "false")
}

/// The provider of that issuer, if it is a configured one.
fn provider_of<'live>(live: &'live Live, issuer: &str) -> Option<&'live Arc<Provider>> {
    live.providers.of_issuer(issuer)
}

/// The one value of that name; nothing where there is none or more than one.
fn only(pairs: &[(String, String)], name: &str) -> Option<String> {
    let mut values = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none()).cloned()
}

/// The first query parameter of that name.
fn parameter<'a>(inbound: &'a Inbound, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    url::form_urlencoded::parse(inbound.query()?.as_bytes())
        .find(|(known, _)| known == name)
        .map(|(_, value)| value)
}

/// The routes of the gateway's own paths. The callback takes only the method of the configured response mode, so that
/// no HEAD or OPTIONS ever spends a code (requirement CB-08).
///
/// # Panics
/// Never: the methods are written here.
pub fn routes(providers: &[Settings]) -> Vec<Arc<Route>> {
    let callbacks = providers.iter().enumerate().map(|(position, provider)| {
        let method = match provider.response_mode {
            ResponseMode::Query => "GET",
            ResponseMode::FormPost => "POST",
        };
        let methods = Methods::from_names([method]).expect("the names above are methods");
        let path = Pattern::Exact(provider.redirect_uri.path().to_owned());
        own_route(path, methods, Csrf::Exempt, Endpoint::Callback(position))
    });
    [
        ("/auth/sign-in", &["GET"][..], Csrf::Exempt, Endpoint::SignIn),
        ("/auth/sign-up", &["GET"], Csrf::Exempt, Endpoint::SignUp),
        (CONTINUE, &["GET"], Csrf::Exempt, Endpoint::Continue),
        ("/auth/sign-out", &["POST"], Csrf::Origin, Endpoint::SignOut),
        (SIGNED_OUT, &["GET", "HEAD"], Csrf::Exempt, Endpoint::SignedOut),
        ("/auth/session", &["GET", "HEAD"], Csrf::Exempt, Endpoint::Session),
        ("/auth/backchannel-logout", &["POST"], Csrf::Exempt, Endpoint::BackchannelLogout),
        ("/auth/frontchannel-logout", &["GET"], Csrf::Exempt, Endpoint::FrontchannelLogout),
        (INITIATE, &["GET", "POST"], Csrf::Exempt, Endpoint::Initiate),
        (OWN_PAGE, &["GET", "HEAD", "POST"], Csrf::Origin, Endpoint::Sessions),
        ("/auth/jwks", &["GET", "HEAD"], Csrf::Exempt, Endpoint::Jwks),
    ]
    .into_iter()
    .map(|(path, methods, csrf, endpoint)| {
        let methods = Methods::from_names(methods.iter().copied()).expect("the names above are methods");
        own_route(Pattern::Exact(path.to_owned()), methods, csrf, endpoint)
    })
    .chain(callbacks)
    .chain([own_route(Pattern::Prefix(PREFIX.to_owned()), Methods::ALL, Csrf::Exempt, Endpoint::Unknown)])
    .collect()
}

fn own_route(path: Pattern, methods: Methods, csrf: Csrf, endpoint: Endpoint) -> Arc<Route> {
    let (Pattern::Exact(text) | Pattern::Prefix(text)) = &path;
    let rule = if endpoint == Endpoint::Sessions { Rule::SignedIn } else { Rule::Anyone };
    Arc::new(Route {
        name: text.as_str().into(),
        path,
        methods,
        rule,
        csrf,
        target: Target::Endpoint(endpoint),
        token: None,
        websocket: false,
        provider: None,
        client_certificate: None,
        forwarding: None,
        sites: SiteSet::default(),
        changes: None,
        claimed: None,
        max_body: MaxBody::UNLIMITED,
        edge: None,
    })
}
