//! `[[routes]]`: which paths lead where, and who may pass.

mod changes;
mod client_certificate;
mod edge;
mod forwarding;
mod hosts;
mod matching;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;

use crate::origin::Origin;
use crate::routing::{Claimed, Csrf, Methods, Pattern, Route, RouteProvider, RouteTable, Target};
use crate::rule::Rule;
use crate::session::TokenSpec;
use crate::session::introduction::Introduction;
use crate::site::SiteSet;
use crate::upstream::Protocol;

use super::files::{self, FilesSettings};
use super::raw::{Place, Section, Text};
use super::secrets::Surroundings;
use super::{allow, check, providers, schema, suggest, tokens, upstreams};

/// What a route may refer to.
pub(super) struct Known<'k> {
    /// The gateway's addresses; none while one of them is wrong.
    pub(super) origins: &'k [&'k Origin],
    /// Whether it has a key to sign with.
    pub(super) has_key: bool,
    pub(super) upstreams: &'k [upstreams::Found],
    pub(super) tokens: &'k [tokens::Found],
    pub(super) providers: &'k [providers::Named],
    pub(super) secret_files: &'k [PathBuf],
    pub(super) around: &'k Surroundings<'k>,
    /// Whether clients are asked for certificates.
    pub(super) takes_certificates: bool,
}

/// What all `[[routes]]` say together.
#[derive(Default)]
pub(super) struct Found {
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) files: Vec<FilesSettings>,
    used_upstreams: BTreeSet<String>,
    used_tokens: BTreeSet<String>,
    introductions: Vec<Arc<Introduction>>,
}

/// Reads every route. After a problem the lists are incomplete.
pub(super) fn read(top: &Section<'_>, known: &Known<'_>) -> Found {
    let mut found = Found::default();
    let mut placed = Vec::new();
    let items = top.value("routes").and_then(|value| value.list()).unwrap_or_default();
    let mut secret_files = changes::secret_files(&items, known.around);
    secret_files.extend_from_slice(known.secret_files);
    let known = &Known { secret_files: &secret_files, ..*known };
    let mut routes = Vec::with_capacity(items.len());
    for item in &items {
        let Some(section) = item.section(&schema::ROUTE) else {
            continue;
        };
        if let Some(route) = route(&section, known, &mut found) {
            placed.push(section.place().clone());
            routes.push(route);
        }
    }
    // Whatever one route says of who asks, no client says on any other.
    let names = found.introductions.iter().flat_map(|introduction| changes::names(introduction));
    let claimed = Claimed::new(names.cloned());
    let route = |route| Arc::new(Route { claimed: claimed.clone(), ..route });
    found.routes = routes.into_iter().map(route).collect();
    report_overlaps(top, &found.routes, &placed);
    report_unreachable(top, &found.routes, &placed, known.origins.len());
    if items.is_empty() {
        top.report().warning("there are no routes, so every path is answered 404");
    }
    warn_unused(top, known, &found);
    found
}

/// A route whose path and methods are right; the rest has stand-ins after a problem, so that overlaps still show.
fn route(section: &Section<'_>, known: &Known<'_>, found: &mut Found) -> Option<Route> {
    let files = section.has("files");
    let pattern = matching::pattern(section);
    let sites = hosts::read(section, known.origins);
    let methods = matching::methods(section, files);
    let rule = allow::read(section);
    let target = target(section, known, found);
    let token = token(section, rule.as_ref(), known, found);
    let provider = provider(section, token.as_ref(), known);
    let websocket = section.flag("websocket", false);
    let upstream = section.value("upstream").and_then(|value| value.get().as_str());
    let upstream = known.upstreams.iter().find(|other| Some(&*other.name) == upstream);
    // What everybody may read, a forged read cannot give away: pages of a public route can be linked to.
    let is_public = rule.as_ref().is_some_and(Rule::is_public);
    let is_personal = token.as_ref().is_some_and(|spec| spec.is_for_sessions());
    let default_csrf = if files || is_public && !is_personal { Csrf::Origin } else { Csrf::Header };
    let csrf =
        check::word(section, "csrf", &[("header", Csrf::Header), ("origin", Csrf::Origin)], default_csrf);
    let mut around = changes::Around {
        surroundings: known.around,
        has_key: known.has_key,
        introductions: &mut found.introductions,
    };
    let changes = changes::read(section, pattern.as_ref(), rule.as_ref(), &mut around);
    let (path, methods, sites) = (pattern?, methods?, sites?);
    if websocket {
        check_websocket(section, methods);
        check_websocket_upstream(section, upstream);
    }
    let forwarding = forwarding::read(section, Some(methods), upstream);
    let place = format!("{}{}", hosts::shown(sites, known.origins), matching::shown(&path));
    let name = if section.has("methods") { format!("{methods} {place}") } else { place };
    let max_body = edge::max_body(section);
    let mut route = Route {
        name: name.into(),
        path,
        methods,
        rule: rule.unwrap_or(Rule::SignedIn),
        csrf: csrf.unwrap_or(default_csrf),
        target: target.unwrap_or(Target::Files(0)),
        token,
        websocket,
        provider,
        client_certificate: client_certificate::read(section, known.takes_certificates),
        forwarding,
        sites,
        changes,
        claimed: None,
        max_body,
        edge: None,
    };
    let tells_who = ["identity_headers", "identity_token"].iter().any(|key| section.has(key));
    let is_indifferent = route.is_indifferent() && !tells_who;
    route.edge = edge::read(section, &edge::About { name: &route.name, methods, is_indifferent });
    Some(route)
}

/// A WebSocket takes a connection of its own, which HTTP/2 has none of.
fn check_websocket_upstream(section: &Section<'_>, upstream: Option<&upstreams::Found>) {
    let protocol = upstream.and_then(|upstream| upstream.protocol);
    if let Some(value) = section.value("websocket").filter(|_| protocol.is_some_and(Protocol::is_multiplexed))
    {
        let message = "a WebSocket is opened over HTTP/1.1, and the upstream speaks HTTP/2";
        let help = "lead the route to an upstream with protocol = \"http1\"; it may have the same servers";
        section.report().problem(&value.place(), message, help);
    }
}

/// With whom people must have signed in: as the route says, or as its token does.
fn provider(
    section: &Section<'_>,
    token: Option<&Arc<TokenSpec>>,
    known: &Known<'_>,
) -> Option<RouteProvider> {
    let said = providers::reference(section, known.providers).ok()?;
    let spec = token.filter(|spec| spec.is_for_sessions());
    let Some((spec, needed)) = spec.and_then(|spec| Some((spec, spec.root().provider.as_deref()?))) else {
        return said;
    };
    if said.as_ref().is_some_and(|said| *said.name != *needed) {
        providers::contradiction(section, &spec.name, needed);
    }
    providers::named(needed, known.providers)
}

fn check_websocket(section: &Section<'_>, methods: Methods) {
    let Some(value) = section.value("websocket") else {
        return;
    };
    if !section.has("upstream") {
        let help = "remove it, or add `upstream`";
        section.report().problem(&value.place(), "a WebSocket is opened to an upstream", help);
    } else if !methods.contains(&Method::GET) {
        let help = "add \"GET\" to `methods`, or remove `websocket`";
        section.report().problem(&value.place(), "a WebSocket is opened with GET", help);
    }
}

fn target(section: &Section<'_>, known: &Known<'_>, found: &mut Found) -> Option<Target> {
    let report = section.report();
    for key in ["fallback", "content_security_policy"] {
        if section.has(key) && !section.has("files") {
            report.problem(&section.value(key)?.place(), format!("`{key}` goes with `files`"), "remove it");
        }
    }
    match (section.has("files"), section.has("upstream")) {
        (true, true) => {
            let place = section.value("upstream")?.place();
            report.problem(
                &place,
                "a route leads to one place, not to `files` and `upstream`",
                "remove one, or make two routes of it",
            );
            None
        }
        (false, false) => {
            report.problem(
                section.place(),
                "the route leads nowhere",
                "add `upstream = \"name\"` or `files = \"folder\"`",
            );
            None
        }
        (true, false) => {
            // One entry per route, even for the same folder: the route's path and rule belong to how it is served.
            found.files.push(files::read(section, known.around, known.secret_files)?);
            Some(Target::Files(found.files.len() - 1))
        }
        (false, true) => {
            let text = section.text("upstream")?;
            found.used_upstreams.insert(text.value.to_owned());
            let position = known.upstreams.iter().position(|upstream| upstream.name == text.value);
            if position.is_none() {
                unknown(
                    section,
                    &text,
                    "upstream",
                    "upstreams",
                    known.upstreams.iter().map(|upstream| &*upstream.name),
                );
            }
            position.map(Target::Upstream)
        }
    }
}

fn token(
    section: &Section<'_>,
    rule: Option<&Rule>,
    known: &Known<'_>,
    found: &mut Found,
) -> Option<Arc<TokenSpec>> {
    let text = section.text("token")?;
    let report = section.report();
    found.used_tokens.insert(text.value.to_owned());
    if !section.has("upstream") {
        report.problem(&text.place, "a token is for an upstream", "remove it, or add `upstream`");
    }
    let upstream = section.value("upstream").and_then(|value| value.get().as_str());
    if let Some(upstream) =
        known.upstreams.iter().find(|other| Some(&*other.name) == upstream && other.leaks_tokens)
    {
        let message = format!(
            "the token would travel to upstream `{}` without TLS, where others can read it",
            upstream.name
        );
        report.problem(&text.place, message, "use https:// servers; or, where the network itself encrypts, add plain_http = true to the upstream");
    }
    let Some(token) = known.tokens.iter().find(|token| token.name == text.value) else {
        unknown(section, &text, "token", "tokens", known.tokens.iter().map(|token| &*token.name));
        return None;
    };
    let spec = token.spec.clone()?;
    if rule.is_some_and(Rule::is_public) && !spec.is_for_anyone() {
        report.problem(
            &text.place,
            "a route that lets everybody in has nobody's token",
            "remove it, write allow = \"signed-in\", or name a token of kind \"client\" or \"user-or-client\"",
        );
    }
    let subjects = std::iter::successors(spec.subject(), |subject| subject.subject());
    found.used_tokens.extend(subjects.map(|subject| subject.name.clone()));
    Some(spec)
}

fn unknown<'a>(
    section: &Section<'_>,
    text: &Text<'_>,
    what: &str,
    table: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) {
    let name = text.value.escape_debug();
    let help = suggest::help(text.value, names, &format!("add [{table}.{name}]"));
    section.report().problem(&text.place, format!("there is no {what} \"{name}\""), help);
}

fn report_overlaps(top: &Section<'_>, routes: &[Arc<Route>], placed: &[Place]) {
    let Err(overlaps) = RouteTable::build(routes.to_vec()) else {
        return;
    };
    for overlap in overlaps {
        let (earlier, later) = (&placed[overlap.earlier], &placed[overlap.later]);
        let path = routes[overlap.later].path.path();
        let message = format!(
            "{} takes {} on {path} already; which of the two routes should answer?",
            earlier.key, overlap.shared
        );
        top.report().problem(later, message, "remove one of the two routes, or give them different methods");
    }
}

/// A route of every host that each host has a route of its own in front of.
fn report_unreachable(top: &Section<'_>, routes: &[Arc<Route>], placed: &[Place], hosts: usize) {
    let mut own: HashMap<&Pattern, Vec<SiteSet>> = HashMap::new();
    for route in routes.iter().filter(|route| !route.sites.is_empty()) {
        own.entry(&route.path).or_default().push(route.sites);
    }
    for (route, place) in routes.iter().zip(placed).filter(|(route, _)| route.sites.is_empty()) {
        let covered = own.get(&route.path).into_iter().flatten().flat_map(|sites| sites.iter());
        let covered: BTreeSet<_> = covered.collect();
        if hosts > 0 && covered.len() == hosts {
            let message = "no request reaches this route: each host has a route of its own at this path";
            top.report().problem(place, message, "remove it, or the `host` of another");
        }
    }
}

fn warn_unused(top: &Section<'_>, known: &Known<'_>, found: &Found) {
    let upstreams = known
        .upstreams
        .iter()
        .filter(|upstream| !found.used_upstreams.contains(&upstream.name))
        .map(|upstream| &upstream.place);
    let tokens = known
        .tokens
        .iter()
        .filter(|token| !found.used_tokens.contains(&token.name))
        .map(|token| &token.place);
    for place in upstreams.chain(tokens) {
        top.report().warning(format!("{}: no route uses it", place.key));
    }
}
