//! From a configuration to a running gateway: the one place where all parts meet.

mod sessions;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::HeaderValue;
use tokio::runtime::Handle;

use crate::access::log::Sink;
use crate::clock::Clock;
use crate::config::Config;
use crate::endpoints;
use crate::files::{self, Files};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::oidc::Provider;
use crate::oidc::client::public_jwks;
use crate::oidc::settings::Settings;
use crate::otlp::Traces;
use crate::providers::Providers;
use crate::routing::{Pattern, Target};
use crate::session::sealed::Seal;
use crate::session::store;
use crate::tls::Tls;
use crate::tokens::Tokens;
use crate::upstream::{Forwarded, Shared};

pub use sessions::SessionsError;

use super::admin::{Issue, Operators};
use super::generations::Fixed;
use super::inherit::Inherited;
use super::{Options, Running, StartError, control_runtime, start};

/// Starts a gateway. Access lines go to `sink` if the configuration wants them. Returns when it listens; the provider
/// is looked for in the background, so that its absence stops nothing (requirement EP-04).
pub fn launch(config: Config, clock: Clock, sink: Sink) -> Result<Running, StartError> {
    launch_on(config, clock, sink, Inherited::default())
}

/// The same on sockets that are open already, where there are such.
pub(super) fn launch_on(
    config: Config,
    clock: Clock,
    sink: Sink,
    inherited: Inherited,
) -> Result<Running, StartError> {
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
        workers: config.listen.workers.get(),
        access,
    };
    let fixed = Fixed::of(&config);
    let first = prepare(config, None, clock, metrics, control.handle())?.commit();
    start(first, fixed, &options, inherited, control)
}

/// The generation after `older`: all that does not depend on what changed is taken over.
pub(super) fn succeed(config: Config, older: &Live, control: &Handle) -> Result<Prepared, StartError> {
    prepare(config, Some(older), older.clock.clone(), Arc::clone(&older.metrics), control)
}

/// A generation that could run. Dropped, nothing has happened.
pub(super) struct Prepared {
    issue: Issue,
    /// What the sessions' store is to learn of it.
    kept: Option<store::Settings>,
}

impl Prepared {
    /// Does what can no longer fail.
    pub(super) fn commit(self) -> Issue {
        if let Some(settings) = self.kept {
            self.issue.live.sessions.adopt(settings);
        }
        self.issue
    }
}

fn prepare(
    config: Config,
    older: Option<&Live>,
    clock: Clock,
    metrics: Arc<Metrics>,
    control: &Handle,
) -> Result<Prepared, StartError> {
    let issuers = config.providers.iter().flat_map(Settings::issuers).collect();
    let operators = Arc::new(Operators::new(config.listen.admin_token.as_ref(), issuers));
    let shutdown = config.shutdown;
    let (live, kept) = live(config, older, clock, metrics, control)?;
    Ok(Prepared { issue: Issue { live: Arc::new(live), operators, shutdown }, kept })
}

fn live(
    config: Config,
    older: Option<&Live>,
    clock: Clock,
    metrics: Arc<Metrics>,
    control: &Handle,
) -> Result<(Live, Option<store::Settings>), StartError> {
    let has_cors =
        config.routes.iter().filter_map(|route| route.edge.as_ref()).any(|edge| edge.cors.is_some());
    let files = folders(&config);
    let routes = config.route_table().map_err(StartError::Routes)?;
    let sites = config.sites();
    let forwarded = config.origins().map(Forwarded::of).collect();
    let vouch = config.vouch();
    let mut public_jwks = public_jwks(&config.providers);
    if let Some(keys) = public_jwks["keys"].as_array_mut() {
        keys.extend(vouch.public_keys());
    }
    let providers = providers(config.providers, older, &clock, control)?;
    if !config.public_url.is_secure() {
        tracing::warn!(
            target: "gateway",
            public_url = config.public_url.as_str(),
            "plain http: cookies go without Secure and the __Host- prefix; for this machine only"
        );
    }
    let traces = Traces::start(config.telemetry, &metrics, control);
    let (clear_site_data, shown_claims) =
        (config.session.clear_site_data, config.session.shown_claims.clone());
    let kept = sessions::settings(&config.session, &config.tokens, older, &metrics)?;
    let seal = Seal::of(&kept.vault);
    let (sessions, kept) = match older {
        Some(older) => (Arc::clone(&older.sessions), Some(kept)),
        None => (Arc::new(sessions::store(config.session.store, kept, control)?), None),
    };
    let tokens = match older {
        Some(older) => older.tokens.succeed(Arc::clone(&providers), &config.tokens),
        None => Tokens::new(
            Arc::clone(&providers),
            Arc::clone(&sessions),
            &config.tokens,
            clock.clone(),
            control.clone(),
        ),
    };
    let live = Live {
        number: older.map_or(0, |older| older.number) + 1,
        clock,
        sites,
        routes,
        watches: config.reload.watch,
        files,
        upstreams: Shared::carry(older.map_or(&[], |older| &older.upstreams), config.upstreams, control),
        forwarded,
        proxies: config.listen.proxies,
        limits: config.limits,
        rates: older.map_or_else(Arc::default, |older| Arc::clone(&older.rates)),
        places: older.map_or_else(Arc::default, |older| Arc::clone(&older.places)),
        has_cors,
        metrics,
        traces,
        seal,
        sessions,
        clear_site_data,
        shown_claims,
        token_specs: config.tokens,
        public_jwks,
        vouch,
        providers,
        tokens,
    };
    Ok((live, kept))
}

/// Every provider. One whose settings are the same stays the very one; one that is still at the same address keeps what is
/// known of it, so that nobody waits for it.
fn providers(
    settings: Vec<Settings>,
    older: Option<&Live>,
    clock: &Clock,
    control: &Handle,
) -> Result<Arc<Providers>, StartError> {
    let provider = |settings: Settings| {
        let known = older.and_then(|older| older.providers.named(&settings.name));
        match known {
            Some(known) if *known.settings() == settings => Ok(Arc::clone(known)),
            Some(known) => known.succeed(settings),
            None => Provider::new(settings, clock.clone(), control.clone()),
        }
    };
    let mut providers = settings.into_iter().map(provider).collect::<Result<Vec<_>, _>>()?;
    if providers.is_empty() {
        return Err(StartError::NoProvider);
    }
    let others = providers.split_off(1);
    let first = providers.pop().ok_or(StartError::NoProvider)?;
    Ok(Arc::new(Providers::new(first, others)))
}

/// Each folder with what its route adds: the prefix to strip, and where its fallback must be silent.
fn folders(config: &Config) -> Vec<Files> {
    let reserved: Arc<BTreeSet<String>> = config
        .routes
        .iter()
        .filter(|route| matches!(route.target, Target::Upstream(_)))
        .filter_map(|route| first_of(route.path.path()))
        .chain(first_of(endpoints::PREFIX))
        .collect::<BTreeSet<_>>()
        .into();
    let mut route_by_folder = HashMap::new();
    for route in &config.routes {
        if let Target::Files(index) = route.target {
            route_by_folder.entry(index).or_insert(route);
        }
    }
    let route_of = |index: usize| route_by_folder.get(&index).copied();
    config
        .files
        .iter()
        .enumerate()
        .map(|(index, folder)| {
            Files::new(files::Settings {
                root: folder.root.clone(),
                fallback: folder.fallback.clone(),
                reserved: Arc::clone(&reserved),
                prefix: route_of(index).map_or("/", |route| folder_of(&route.path)).to_owned(),
                public: route_of(index).is_some_and(|route| route.rule.is_public()),
                content_security_policy: folder
                    .content_security_policy
                    .clone()
                    .unwrap_or(HeaderValue::from_static(files::DEFAULT_POLICY)),
            })
        })
        .collect()
}

/// The path that the folder itself has: of an exact one, what stands before the file's name.
fn folder_of(pattern: &Pattern) -> &str {
    match pattern {
        Pattern::Prefix(path) => path,
        Pattern::Exact(path) => path.rsplit_once('/').map_or("/", |(folder, _)| folder),
    }
}

fn first_of(path: &str) -> Option<String> {
    path.split('/').find(|segment| !segment.is_empty()).map(str::to_ascii_lowercase)
}
