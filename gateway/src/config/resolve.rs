//! From text to a whole [`Config`], or to all of its problems. The order follows what depends on what: the address,
//! the provider, what routes refer to, the routes.

use toml::de::DeTable;

use crate::oidc;

use super::problem::Problems;
use super::raw::{Report, Section, masked, sounds_secret};
use super::secrets::Surroundings;
use super::{
    Config, development, identity, limits, listen, log, origins, process, providers, routes, session,
    telemetry, tls, tokens, upstreams,
};

/// Reads the text of a configuration that is called `name`.
pub(super) fn resolve(text: &str, name: &str, around: &Surroundings<'_>) -> Result<Config, Problems> {
    let read = resolve_whole(text, name, around);
    // Also when it is wrong: what makes it right may be in a file that it names.
    match read {
        Ok(config) => Ok(Config { sources: around.sources(), ..config }),
        Err(mut problems) => {
            problems.sources = around.sources();
            Err(problems)
        }
    }
}

fn resolve_whole(text: &str, name: &str, around: &Surroundings<'_>) -> Result<Config, Problems> {
    let document = DeTable::parse(text).map_err(|error| syntax(text, name, &error))?;
    let report = Report::default();
    let config = read(&Section::top(&report, &document), around);
    let warnings = report.finish(name, text)?;
    // Each reader that gives nothing says why; should one forget, the start is refused all the same.
    config.map(|config| Config { warnings, ..config }).ok_or_else(|| {
        Problems::of_file(
            name,
            "the configuration is incomplete",
            "compare it with gateway/docs/configuration.md",
        )
    })
}

fn read(top: &Section<'_>, around: &Surroundings<'_>) -> Option<Config> {
    let public_url = listen::public_url(top);
    let other_urls = origins::other_urls(top, public_url.as_ref());
    let localhost = development::read(top, public_url.as_ref());
    let listen = listen::read(top, public_url.as_ref(), localhost, around);
    let origins = public_url.iter().chain(other_urls.iter().flatten()).collect::<Vec<_>>();
    let tls = tls::read(top, listen.as_ref(), &origins, around);
    let limits = limits::read(top);
    let providers = providers::read(top, public_url.as_ref(), around);
    let session = session::read(top, public_url.as_ref(), around);
    let own_addresses: Vec<_> = listen
        .iter()
        .flat_map(|listen| listen.settings.http.iter().chain(&listen.settings.https))
        .copied()
        .collect();
    let upstreams = upstreams::read(top, &own_addresses, around);
    let tokens = tokens::read(top, &providers);
    let of_providers = providers.iter().filter_map(|provider| Some(&provider.found.as_ref()?.settings));
    let identity = identity::read(top, of_providers, around);
    let telemetry = telemetry::read(top, around);
    let secret_files: Vec<_> = providers
        .iter()
        .filter_map(|provider| provider.found.as_ref())
        .flat_map(|found| found.secret_files.iter().cloned())
        .chain(session.iter().flat_map(|session| session.files.iter().cloned()))
        .chain(upstreams.iter().filter_map(|upstream| upstream.secret_file.clone()))
        .chain(identity.iter().flat_map(|identity| identity.files.iter().cloned()))
        .chain(listen.iter().filter_map(|listen| listen.secret_file.clone()))
        .chain(tls.iter().flat_map(|tls| tls.secret_files.iter().cloned()))
        .chain(telemetry.iter().flat_map(|telemetry| telemetry.secret_files.iter().cloned()))
        .collect();
    let known = routes::Known {
        // While an address is wrong, nobody can say which are meant.
        origins: if public_url.is_some() && other_urls.is_some() { &origins } else { &[] },
        // Where a key is there and wrong, that is said already.
        has_key: identity.as_ref().is_none_or(|identity| !identity.keys.is_empty()),
        upstreams: &upstreams,
        tokens: &tokens,
        providers: &providers,
        secret_files: &secret_files,
        takes_certificates: top.value("tls").is_some_and(|tls| tls.get().get("client_ca").is_some()),
        around,
    };
    let routes::Found { routes, files, .. } = routes::read(top, &known);
    let log = log::read(top);
    let (reload, shutdown) = (process::reload(top), process::shutdown(top));
    Some(Config {
        public_url: public_url?,
        other_urls: other_urls?,
        identity_keys: identity?.keys.into(),
        listen: listen?.settings,
        limits: limits?,
        tls: tls?.settings,
        providers: providers
            .into_iter()
            .map(|provider| {
                let settings = provider.found?.settings;
                let resources = tokens::resources_of_sign_in(&settings, &tokens);
                Some(oidc::Settings { resources, localhost, ..settings })
            })
            .collect::<Option<_>>()?,
        session: session?.settings,
        upstreams: upstreams.into_iter().map(|upstream| upstream.settings).collect::<Option<_>>()?,
        files,
        tokens: tokens.into_iter().map(|token| token.spec).collect::<Option<_>>()?,
        routes,
        log: log?,
        reload: reload?,
        shutdown: shutdown?,
        telemetry: telemetry?.settings,
        warnings: Vec::new(),
        sources: Vec::new(),
    })
}

/// A text that is not TOML: one problem, because whatever the parser guesses after it misleads. Values of keys that
/// sound secret are blotted out by line, for want of a tree.
fn syntax(text: &str, name: &str, error: &toml::de::Error) -> Problems {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((key, value)) = line.split_once('=')
            && sounds_secret(key)
            && !value.trim_start().starts_with('{')
        {
            let end = start + line.trim_end().len();
            spans.push(end - value.trim().len()..end);
        }
        start += line.len();
    }
    let mut problems = Problems::new(name, masked(text, &spans));
    let help = match error.message() {
        message if message.contains("duplicate key") => {
            "a key or table stands in a file once; remove one, or write [[routes]] for each route"
        }
        message if message.contains("must be quoted") => "write \"quotes\" around text",
        _ => "correct this first; the rest is checked after it",
    };
    problems.add(error.span().unwrap_or(0..0), "", &format!("this is not TOML: {}", error.message()), help);
    problems
}
