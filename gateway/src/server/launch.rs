//! From a configuration to a running gateway: the one place where all parts meet.

mod sessions;

use std::sync::Arc;

use http::HeaderValue;

use crate::access::log::Sink;
use crate::clock::Clock;
use crate::config::Config;
use crate::endpoints;
use crate::files::{self, Files};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::oidc::Provider;
use crate::oidc::client::public_jwks;
use crate::oidc::settings::{ResponseMode, Settings};
use crate::providers::Providers;
use crate::routing::{Pattern, Route, RouteTable, Target};
use crate::session::cookie::Cookies;
use crate::session::sealed::Seal;
use crate::session::store;
use crate::tls::Tls;
use crate::tokens::Tokens;
use crate::upstream::Forwarded;

pub use sessions::SessionsError;

use super::admin::Operators;
use super::{Options, Running, StartError, control_runtime, start};

/// Starts a gateway. Access lines go to `sink` if the configuration wants them. Returns when it listens; the provider
/// is looked for in the background, so that its absence stops nothing (requirement EP-04).
pub fn launch(config: Config, clock: Clock, sink: Sink) -> Result<Running, StartError> {
    let control = control_runtime()?;
    let access = config.log.access.then(|| (config.log.format(), sink));
    let metrics = Arc::new(Metrics::new());
    let tls = config.tls.clone().map(|settings| Tls::new(settings, Arc::clone(&metrics))).transpose()?;
    let options = Options {
        http: config.listen.http.clone(),
        https: config.listen.https.clone(),
        tls: tls.map(Arc::new),
        acme: config.tls.as_ref().and_then(|settings| settings.acme.clone()),
        timeouts: config.listen.timeouts,
        admin: config.listen.admin,
        operators: Operators::new(
            config.listen.admin_token.as_ref(),
            config.providers.iter().flat_map(Settings::issuers).collect(),
        ),
        workers: config.listen.workers.get(),
        upstreams: config.upstreams.iter().cloned().map(Arc::new).collect(),
        forwarded: Forwarded {
            host: config.public_url.authority_value(),
            scheme: config.public_url.scheme_value(),
        },
        access,
    };
    let live = live(config, clock, metrics, &control)?;
    start(Arc::new(live), &options, control)
}

fn live(
    config: Config,
    clock: Clock,
    metrics: Arc<Metrics>,
    control: &tokio::runtime::Runtime,
) -> Result<Live, StartError> {
    let form_post = config.providers.iter().any(|provider| provider.response_mode == ResponseMode::FormPost);
    let own = endpoints::routes(&config.providers);
    let files = folders(&config);
    let routes =
        RouteTable::build(config.routes.into_iter().chain(own).collect()).map_err(StartError::Routes)?;
    let cookies = Cookies::on(&config.public_url, config.session.cookies, form_post);
    let public_jwks = public_jwks(&config.providers);
    let provider = |settings| Provider::new(settings, clock.clone(), control.handle().clone());
    let mut providers = config.providers.into_iter().map(provider).collect::<Result<Vec<_>, _>>()?;
    let others = providers.split_off(1);
    let first = providers.pop().ok_or(StartError::NoProvider)?;
    let providers = Arc::new(Providers::new(first, others));
    if !config.public_url.is_secure() {
        tracing::warn!(
            target: "gateway",
            public_url = config.public_url.as_str(),
            "plain http: cookies go without Secure and the __Host- prefix; for this machine only"
        );
    }
    let clear_site_data = config.session.clear_site_data;
    let shown_claims = config.session.shown_claims.clone();
    let vault = sessions::vault(&config.session)?;
    let seal = Seal::of(&vault);
    let kept = store::Settings {
        lifetimes: config.session.lifetimes,
        tokens: config.tokens.clone(),
        max_per_person: config.session.max_per_person,
        vault,
        metrics: Arc::clone(&metrics),
    };
    let sessions = Arc::new(sessions::store(config.session.store, kept, control.handle())?);
    Ok(Live {
        tokens: Tokens::new(
            Arc::clone(&providers),
            Arc::clone(&sessions),
            &config.tokens,
            clock.clone(),
            control.handle().clone(),
        ),
        clock,
        origin: config.public_url,
        cookies,
        routes,
        files,
        metrics,
        sessions,
        clear_site_data,
        shown_claims,
        token_specs: config.tokens,
        seal,
        public_jwks,
        providers,
    })
}

/// Each folder with what its route adds: the prefix to strip, and where its fallback must be silent.
fn folders(config: &Config) -> Vec<Files> {
    let reserved: Vec<String> = config
        .routes
        .iter()
        .filter(|route| matches!(route.target, Target::Upstream(_)))
        .filter_map(|route| first_segment(route))
        .chain(first_of(endpoints::PREFIX))
        .collect();
    let route_of = |index: usize| config.routes.iter().find(|route| route.target == Target::Files(index));
    config
        .files
        .iter()
        .enumerate()
        .map(|(index, folder)| {
            Files::new(files::Settings {
                root: folder.root.clone(),
                fallback: folder.fallback.clone(),
                reserved: reserved.clone(),
                prefix: route_of(index).map_or("/", |route| path_of(route)).to_owned(),
                public: route_of(index).is_some_and(|route| route.rule.is_public()),
                content_security_policy: folder
                    .content_security_policy
                    .clone()
                    .unwrap_or(HeaderValue::from_static(files::DEFAULT_POLICY)),
            })
        })
        .collect()
}

fn path_of(route: &Route) -> &str {
    let (Pattern::Prefix(path) | Pattern::Exact(path)) = &route.path;
    path
}

fn first_segment(route: &Route) -> Option<String> {
    first_of(path_of(route))
}

fn first_of(path: &str) -> Option<String> {
    path.split('/').find(|segment| !segment.is_empty()).map(str::to_owned)
}
