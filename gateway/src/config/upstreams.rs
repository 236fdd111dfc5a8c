//! `[upstreams.NAME]`: the services behind the gateway.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::HeaderValue;
use url::{Host, Url};

use crate::origin;
use crate::upstream::{Server, Settings};

use super::raw::{Place, Section, Text};
use super::{check, schema};

fn server_at(url: &Url) -> Option<Server> {
    let host = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let shown = url.host_str()?;
    let authority = url.port().map_or_else(|| shown.to_owned(), |port| format!("{shown}:{port}"));
    Some(Server {
        https: url.scheme() == "https",
        host,
        port: url.port_or_known_default()?,
        authority: HeaderValue::from_str(&authority).ok()?,
    })
}

/// Whether a listener on `address` would take what is sent to that server.
fn is_at(server: &Server, address: SocketAddr) -> bool {
    let here = server.host == "localhost" || server.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let same = server.host.parse() == Ok(address.ip())
        || (here && (address.ip().is_loopback() || address.ip().is_unspecified()));
    server.port == address.port() && same
}

fn is_same(one: &Server, other: &Server) -> bool {
    (one.https, &one.host, one.port) == (other.https, &other.host, other.port)
}

/// An upstream of the file: even a wrong one has a name that routes may use.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) settings: Option<Settings>,
    /// Whether an access token would leave this machine without TLS, and nobody said that this is wanted.
    pub(super) leaks_tokens: bool,
}

const CONNECT: Duration = Duration::from_secs(3);
const CONNECT_BOUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_mins(1)];
const RESPONSE: Duration = Duration::from_secs(30);
const RESPONSE_BOUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_hours(1)];

/// Reads every `[upstreams.NAME]`. `own` are the addresses the gateway itself listens on.
pub(super) fn read(top: &Section<'_>, own: &[SocketAddr]) -> Vec<Found> {
    top.named("upstreams", &schema::UPSTREAM)
        .into_iter()
        .map(|(name, section)| upstream(top, &name, section, own))
        .collect()
}

fn upstream(top: &Section<'_>, name: &Text<'_>, section: Option<Section<'_>>, own: &[SocketAddr]) -> Found {
    let good_name = check::name(top.report(), name);
    let (settings, leaks_tokens) =
        section.map_or((None, false), |section| settings(&section, good_name, own));
    Found { name: name.value.to_owned(), place: name.place.clone(), settings, leaks_tokens }
}

fn settings(section: &Section<'_>, name: Option<String>, own: &[SocketAddr]) -> (Option<Settings>, bool) {
    let servers = servers(section, own);
    let connect_timeout = check::time(section, "connect", CONNECT, CONNECT_BOUNDS);
    let response_timeout = check::time(section, "response", RESPONSE, RESPONSE_BOUNDS);
    let plain_http = section.flag("plain_http", false);
    let in_the_clear = servers.as_ref().is_some_and(|(_, in_the_clear)| *in_the_clear);
    if plain_http && in_the_clear {
        section
            .report()
            .warning(format!("{}: `plain_http` lets access tokens travel without TLS", section.place().key));
    }
    let complete = || {
        Some(Settings {
            name: name?,
            servers: servers?.0,
            connect_timeout: connect_timeout?,
            response_timeout: response_timeout?,
        })
    };
    (complete(), in_the_clear && !plain_http)
}

/// The servers, and whether one of them is reached without TLS beyond this machine.
fn servers(section: &Section<'_>, own: &[SocketAddr]) -> Option<(Vec<Server>, bool)> {
    let value = section.required("servers")?;
    let texts = value.texts()?;
    let report = section.report();
    if texts.is_empty() {
        report.problem(
            &value.place(),
            "an upstream needs at least one server",
            "write [\"http://127.0.0.1:3001\"]",
        );
        return None;
    }
    let mut in_the_clear = false;
    let mut found: Vec<Server> = Vec::with_capacity(texts.len());
    for text in &texts {
        let Some((url, server)) = server(section, text) else {
            continue;
        };
        if own.iter().any(|address| is_at(&server, *address)) {
            report.problem(
                &text.place,
                "the gateway itself listens here, so requests would go round in circles",
                "write the address of the service",
            );
        } else if found.iter().any(|other| is_same(other, &server)) {
            report.problem(&text.place, "this server stands here twice", "remove one");
        } else {
            in_the_clear |= !server.https && !origin::is_loopback(&url);
            found.push(server);
        }
    }
    (found.len() == texts.len()).then_some((found, in_the_clear))
}

fn server(section: &Section<'_>, text: &Text<'_>) -> Option<(Url, Server)> {
    let problem = |message: &str, help: String| {
        section.report().problem(&text.place, message, help);
        None
    };
    let example = || "write scheme, host and port, such as \"http://127.0.0.1:3001\"".to_owned();
    let Some(url) = Url::parse(text.value).ok().filter(Url::has_host) else {
        return problem("this is not the URL of a server", example());
    };
    if !matches!(url.scheme(), "http" | "https") {
        return problem("a server is reached by http or https", example());
    }
    if !url.username().is_empty() || url.password().is_some() {
        section.report().mask(text.place.span.clone());
        return problem("a server's URL must not hold a user name or password", example());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return problem(
            "a server is scheme, host and port only; the request's own path is forwarded",
            format!("write \"{}\"", url.origin().ascii_serialization()),
        );
    }
    let server = server_at(&url)?;
    if server.port == 0 {
        return problem("port 0 is no server's port", example());
    }
    Some((url, server))
}
