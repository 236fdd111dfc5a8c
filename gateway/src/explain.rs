//! `gateway explain`: what would become of a request, step by step, without sending it. Each step is asked of the function
//! that answers requests, so that this account and the gateway cannot disagree. Pure: it calls nobody, and what only a
//! running gateway has (tokens, the client's address, the request's name) is named instead of shown.

mod account;
mod print;
mod question;
mod rules;

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::csrf;
use crate::intake::{self, Inbound};
use crate::oidc;
use crate::policy::{self, Permit};
use crate::request_id::{self, RequestIds};
use crate::routing::{Overlap, Route, RouteTable, Target, Timeouts};
use crate::session::{Identity, Session, TokenFor, TokenKind};
use crate::site::{Site, Sites};
use crate::stop::{Reason, Stop};
use crate::upstream::headers::{Outgoing, towards_upstream, trailers};
use crate::upstream::{self, Forwarded};
use crate::vouch::Vouch;
use crate::websocket::Handshake;

pub use account::{Account, Sent, Step, Verdict};
pub use print::print;
pub use question::{BadQuestion, Question, Who};

/// The parts of a configuration that decide about requests.
pub struct Explainer {
    sites: Sites,
    routes: RouteTable,
    vouch: Vouch,
    config: Config,
}

impl Explainer {
    /// For that configuration.
    ///
    /// # Errors
    /// Routes that overlap, which no configuration that was read has.
    pub fn new(config: Config) -> Result<Self, Vec<Overlap>> {
        Ok(Self { sites: config.sites(), routes: config.route_table()?, vouch: config.vouch(), config })
    }

    /// What would become of such a request at that moment.
    ///
    /// # Errors
    /// What cannot be asked.
    pub fn explain(&self, question: &Question, now: Timestamp) -> Result<Account, BadQuestion> {
        let request = question::request(question, &self.sites)?;
        let mut account = Account::default();
        let (parts, body) = request.into_parts();
        let inbound = match intake::admit(parts, body, &self.sites, RequestIds::new().next(), now) {
            Ok(inbound) => inbound,
            Err(stop) => {
                account.refuse("request", &stop);
                return Ok(account);
            }
        };
        let site = self.sites.at(inbound.site);
        account.add("request", Verdict::Passed, format!("{inbound:?}"));
        account.add("site", Verdict::Passed, site.origin.as_str());
        if let Some(permit) = self.judge(&inbound, site, &question.who, &mut account) {
            self.carry_out(inbound, site, &permit, &mut account);
        }
        Ok(account)
    }

    /// Which route, and may they.
    fn judge(&self, inbound: &Inbound, site: &Site, who: &Who, account: &mut Account) -> Option<Permit<'_>> {
        let found = self.routes.find(inbound.site, inbound.path(), inbound.method());
        match &found {
            Ok(route) => account.add("route", Verdict::Passed, &*route.name),
            Err(stop) => account.refuse("route", stop),
        }
        let chosen = found.as_ref().ok().map(|route| Arc::as_ptr(route));
        for other in self.routes.candidates(inbound.site, inbound.path()) {
            if Some(Arc::as_ptr(other)) != chosen {
                let why = why_not(other, inbound, found.as_ref().ok().copied());
                account.add("not", Verdict::Note, format!("{}: {why}", other.name));
            }
        }
        let route = found.ok()?;
        if route.client_certificate.is_some() {
            let found = "the client must show a certificate, which is taken as shown";
            account.add("client", Verdict::Note, found);
        }
        let caller = match who {
            Who::Somebody(claims) if !route.is_for_the_provider() => {
                let session = Session::imagined(self.identity(claims), inbound.now);
                account.add("caller", Verdict::Passed, somebody(&session));
                Caller::Session(Arc::new(session))
            }
            _ => {
                account.add("caller", Verdict::Passed, "nobody is signed in");
                Caller::Anonymous { stale_cookie: false }
            }
        };
        match csrf::check(inbound, route, &caller, &site.origin) {
            Ok(()) => account.add("csrf", Verdict::Passed, rules::csrf(route, &caller, inbound)),
            Err(stop) => {
                account.refuse("csrf", &stop);
                return None;
            }
        }
        for line in rules::weighed(route, &caller) {
            account.add("rule", Verdict::Note, line);
        }
        match policy::decide(route, caller, inbound) {
            Ok(permit) => {
                account.add("policy", Verdict::Passed, "let pass");
                Some(permit)
            }
            Err(stop) => {
                account.refuse("policy", &stop);
                None
            }
        }
    }

    /// Who they would be by those claims.
    fn identity(&self, claims: &Map<String, Value>) -> Identity {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let by_issuer = |settings: &&oidc::Settings| {
            text("iss").is_some_and(|issuer| settings.issuers().iter().any(|known| known == issuer))
        };
        let providers = &self.config.providers;
        let provider = providers.iter().find(by_issuer).or_else(|| providers.first());
        let own = provider.map(|settings| Arc::clone(&settings.issuer)).unwrap_or_default();
        let granted = text("scope").and_then(|scopes| scopes.parse().ok());
        let asked = || provider.map(|settings| settings.scopes.clone()).unwrap_or_default();
        Identity {
            issuer: text("iss").map_or_else(|| Arc::clone(&own), Arc::from),
            provider: own,
            subject: text("sub").unwrap_or("somebody").to_owned(),
            claims: oidc::about_the_person(claims.clone()).into(),
            granted: granted.unwrap_or_else(asked),
            provider_session: None,
            asserted: Timestamp(0),
        }
    }

    /// What is done with it.
    fn carry_out(&self, inbound: Inbound, site: &Site, permit: &Permit<'_>, account: &mut Account) {
        if let Some(token) = permit.token() {
            account.add("token", Verdict::Passed, described(token));
        }
        match permit.target() {
            Target::Endpoint(_) => account.add("target", Verdict::Passed, "the gateway itself answers"),
            Target::Files(index) => {
                let folder = self.config.files.get(index).map(|files| files.root.display().to_string());
                let folder = folder.unwrap_or_default();
                account.add("target", Verdict::Passed, format!("a file in {folder}"));
            }
            Target::Upstream(index) => match self.send(inbound, site, permit, index) {
                Ok(sent) => {
                    account.add("target", Verdict::Passed, format!("the upstream `{}`", sent.upstream));
                    account.sent = Some(sent);
                }
                Err(stop) => account.refuse("target", &stop),
            },
        }
    }

    /// What the upstream gets, made as for a real request; then what is secret is named instead.
    fn send(&self, inbound: Inbound, site: &Site, permit: &Permit<'_>, index: usize) -> Result<Sent, Stop> {
        let settings = &self.config.upstreams[index];
        let handshake = if permit.takes_websockets() { Handshake::of(&inbound) } else { None };
        let Inbound { mut parts, request_id, now, .. } = inbound;
        let changes = permit.changes();
        if let Some(rewrite) = changes.and_then(|changes| changes.rewrite.as_ref()) {
            let target = rewrite.target(&parts.uri);
            parts.uri = target.ok_or_else(|| Stop::refused(Reason::BadPath))?;
        }
        let trailing = permit.forwarding().and_then(|forwarding| forwarding.trailers.as_ref());
        let announced = trailing.and_then(|_| trailers::announced_by_client(&parts.headers));
        let wanted = permit.route().client_certificate.as_ref();
        let certificate = named("«the client's certificate»");
        let token = permit.token().map(|token| named(&format!("Bearer «token {}»", token.spec().name)));
        let told = self.vouch.introduce(permit, now);
        let outgoing = Outgoing {
            host: &settings.servers[0].authority,
            authorization: token,
            client: &named("«the client's address»"),
            chain: None,
            forwarded: &Forwarded::of(&site.origin),
            request_id,
            hop: None,
            certificate: wanted.filter(|wanted| wanted.forward).map(|_| &certificate),
            changes,
            claimed: permit.route().claimed.as_deref(),
            introduced: told.as_deref(),
        };
        towards_upstream(&mut parts.headers, &site.cookies, outgoing);
        if let Some(handshake) = &handshake {
            handshake.ask(&mut parts.headers);
        }
        if trailing.is_some() {
            trailers::say(&mut parts.headers, announced, settings.protocol.is_multiplexed());
        }
        parts.headers.insert(&request_id::HEADER, named("«the request's name»"));
        let recipe = changes.and_then(|changes| changes.introduction.as_ref()?.token.as_ref());
        let shown = |(name, value): (&HeaderName, &HeaderValue)| {
            let value = match recipe.filter(|recipe| recipe.header == *name) {
                Some(recipe) => format!("«a token for {}, signed by the gateway»", recipe.audience),
                None if value.is_sensitive() => "«a secret»".to_owned(),
                None => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            };
            (name.as_str().to_owned(), value)
        };
        let address = |server: &upstream::Server| {
            let scheme = if server.https { "https" } else { "http" };
            format!("{scheme}://{}", server.authority.to_str().unwrap_or_default())
        };
        let own = permit.forwarding().map(|forwarding| forwarding.timeouts).unwrap_or_default();
        Ok(Sent {
            upstream: settings.name.clone(),
            servers: settings.servers.iter().map(address).collect(),
            line: format!("{} {}", parts.method, parts.uri),
            headers: parts.headers.iter().map(shown).collect(),
            times: times(settings, &own),
        })
    }
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explainer").field("routes", &self.routes).finish_non_exhaustive()
    }
}

/// How long things may take: as the route says, else as its upstream does.
fn times(settings: &upstream::Settings, own: &Timeouts) -> String {
    let connect = own.connect.unwrap_or(settings.connect_timeout);
    let response = own.response.unwrap_or(settings.response_timeout);
    let rest = [(own.idle, "between bytes of it"), (own.total, "in all")];
    let rest: Vec<_> =
        rest.iter().filter_map(|(time, what)| Some(format!(", {:?} {what}", (*time)?))).collect();
    format!("{connect:?} to connect, {response:?} for the answer to begin{}", rest.concat())
}

fn why_not(other: &Route, inbound: &Inbound, chosen: Option<&Arc<Route>>) -> &'static str {
    let is_same_path = chosen.is_some_and(|chosen| chosen.path == other.path);
    let names_a_host = |route: &Route| !route.sites.is_empty();
    if is_same_path && chosen.is_some_and(|chosen| names_a_host(chosen) && !names_a_host(other)) {
        "the route that names this host decides alone"
    } else if !other.methods.contains(inbound.method()) {
        "it does not take this method"
    } else if chosen.is_none() {
        "it is not the most specific one, or is spelt otherwise"
    } else {
        "it is less specific"
    }
}

fn somebody(session: &Session) -> String {
    let identity = session.identity();
    let name = identity.display_name().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{}{name}, signed in with {}", identity.subject, identity.issuer)
}

fn described(token: TokenFor<'_>) -> String {
    let spec = token.spec();
    let whose = match (token, &spec.kind) {
        (TokenFor::Gateway(_), _) => "the gateway's own",
        (_, TokenKind::Exchange(_) | TokenKind::OnBehalfOf(_)) => "the person's, in exchange for another",
        _ => "the person's",
    };
    let scopes = spec.scopes.to_string();
    let audience = spec.audience.clone().unwrap_or_default();
    let parts = [("scopes", scopes), ("resource", spec.resources.join(" ")), ("audience", audience)];
    let said = parts.into_iter().filter(|(_, value)| !value.is_empty());
    let said: Vec<_> = said.map(|(name, value)| format!("{name} {value}")).collect();
    format!("{}, {whose}; {}", spec.name, said.join("; "))
}

/// A stand-in for what only a running gateway has.
fn named(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).expect("no control character stands in it")
}
