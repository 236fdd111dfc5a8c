//! `[upstreams.NAME]`: the services behind the gateway.

mod health;
mod servers;
mod tls;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::upstream::{Protocol, Server, Settings};

use super::raw::{Place, Section, Text};
use super::secrets::Surroundings;
use super::{check, schema};

/// An upstream of the file: even a wrong one has a name that routes may use.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) settings: Option<Settings>,
    /// What is spoken there, where that is told rightly.
    pub(super) protocol: Option<Protocol>,
    /// Whether an access token would leave this machine without TLS, and nobody said that this is wanted.
    pub(super) leaks_tokens: bool,
    /// The file of its `client_key`.
    pub(super) secret_file: Option<PathBuf>,
}

const CONNECT: Duration = Duration::from_secs(3);
pub(super) const CONNECT_BOUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_mins(1)];
const RESPONSE: Duration = Duration::from_secs(30);
pub(super) const RESPONSE_BOUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_hours(1)];
/// Shorter than what servers commonly allow (Node.js 5 s, Apache 5 s, nginx 75 s), so that it is the gateway that closes:
/// a request on a connection that its server closes at the same moment may be lost.
const IDLE: Duration = Duration::from_secs(4);
const IDLE_BOUNDS: [Duration; 2] = [Duration::from_millis(100), Duration::from_hours(1)];
const RESOLVE: Duration = Duration::from_secs(10);
const RESOLVE_BOUNDS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
const SLOW_START_BOUNDS: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(10)];

const PROTOCOLS: [(&str, Protocol); 3] =
    [("http1", Protocol::Http1), ("h2", Protocol::H2), ("h2c", Protocol::H2c)];

/// Reads every `[upstreams.NAME]`. `own` are the addresses the gateway itself listens on.
pub(super) fn read(top: &Section<'_>, own: &[SocketAddr], around: &Surroundings<'_>) -> Vec<Found> {
    top.named("upstreams", &schema::UPSTREAM)
        .into_iter()
        .map(|(name, section)| upstream(top, &name, section, own, around))
        .collect()
}

fn upstream(
    top: &Section<'_>,
    name: &Text<'_>,
    section: Option<Section<'_>>,
    own: &[SocketAddr],
    around: &Surroundings<'_>,
) -> Found {
    let good_name = check::name(top.report(), name);
    let found = Found {
        name: name.value.to_owned(),
        place: name.place.clone(),
        settings: None,
        protocol: None,
        leaks_tokens: false,
        secret_file: None,
    };
    match section {
        None => found,
        Some(section) => settings(&section, good_name, own, around, found),
    }
}

fn settings(
    section: &Section<'_>,
    name: Option<String>,
    own: &[SocketAddr],
    around: &Surroundings<'_>,
    found: Found,
) -> Found {
    let servers = servers::read(section, own);
    let protocol = protocol(section, servers.as_ref().map(|(servers, _)| &servers[..]));
    let connect_timeout = check::time(section, "connect", CONNECT, CONNECT_BOUNDS);
    let response_timeout = check::time(section, "response", RESPONSE, RESPONSE_BOUNDS);
    let idle = check::time(section, "idle", IDLE, IDLE_BOUNDS);
    let resolve = check::time(section, "resolve", RESOLVE, RESOLVE_BOUNDS);
    let slow_start = optional(section, "slow_start", |key| {
        check::time(section, key, SLOW_START_BOUNDS[0], SLOW_START_BOUNDS)
    });
    let max_connections = optional(section, "max_connections", |key| {
        check::number(section, key, 1, 1..=100_000).and_then(NonZeroUsize::new)
    });
    let queue = health::queue(section);
    let eject = health::eject(section);
    let health = health::check(section);
    let speaks_tls = servers.as_ref().is_none_or(|(servers, _)| servers.iter().any(|server| server.https));
    let (tls, secret_file) = tls::read(section, speaks_tls, around);
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
            protocol: protocol?,
            connect_timeout: connect_timeout?,
            response_timeout: response_timeout?,
            idle: idle?,
            max_connections: max_connections?,
            queue: queue?,
            eject: eject?,
            health: health?,
            slow_start: slow_start?,
            resolve: resolve?,
            tls: tls?,
        })
    };
    Found { settings: complete(), protocol, leaks_tokens: in_the_clear && !plain_http, secret_file, ..found }
}

/// What a key says if it is there; nothing inside if it is not.
fn optional<T>(
    section: &Section<'_>,
    key: &'static str,
    read: impl FnOnce(&'static str) -> Option<T>,
) -> Option<Option<T>> {
    if section.has(key) { read(key).map(Some) } else { Some(None) }
}

/// What is spoken, which must fit how the servers are reached.
fn protocol(section: &Section<'_>, servers: Option<&[Server]>) -> Option<Protocol> {
    let protocol = check::word(section, "protocol", &PROTOCOLS, Protocol::Http1)?;
    let wants_tls = match protocol {
        Protocol::Http1 => return Some(protocol),
        Protocol::H2 => true,
        Protocol::H2c => false,
    };
    let other = servers?.iter().find(|server| server.https != wants_tls);
    let Some(other) = other else {
        return Some(protocol);
    };
    let (message, help) = if wants_tls {
        (
            "\"h2\" is HTTP/2 over TLS, which an http:// server does not speak",
            "write https://, or protocol = \"h2c\"",
        )
    } else {
        ("\"h2c\" is HTTP/2 without TLS, which an https:// server does not speak", "write protocol = \"h2\"")
    };
    let place = section.value("protocol")?.place();
    section.report().problem(&place, format!("{message} ({})", other.host), help);
    None
}
