//! `servers`: where an upstream runs.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use url::{Host, Url};

use crate::config::raw::{Section, Text, Value};
use crate::config::{check, schema};
use crate::origin;
use crate::upstream::Server;

/// The servers, and whether one of them is reached without TLS beyond this machine.
pub(super) fn read(section: &Section<'_>, own: &[SocketAddr]) -> Option<(Vec<Server>, bool)> {
    let value = section.required("servers")?;
    let items = value.list()?;
    let report = section.report();
    if items.is_empty() {
        report.problem(
            &value.place(),
            "an upstream needs at least one server",
            "write [\"http://127.0.0.1:3001\"]",
        );
        return None;
    }
    let mut in_the_clear = false;
    let mut found: Vec<Server> = Vec::with_capacity(items.len());
    for item in &items {
        let Some((text, weight)) = item_of(item) else {
            continue;
        };
        let Some((url, server)) = server(section, &text, weight) else {
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
    (found.len() == items.len()).then_some((found, in_the_clear))
}

/// A URL, or a table of a URL and its weight.
fn item_of<'d>(item: &Value<'d>) -> Option<(Text<'d>, u32)> {
    if item.get().as_table().is_none() {
        return Some((item.text()?, 1));
    }
    let table = item.section(&schema::SERVER)?;
    let url = table.required("url").and_then(|url| url.text());
    let weight = check::number(&table, "weight", 1, 1..=100);
    Some((url?, weight?))
}

fn server(section: &Section<'_>, text: &Text<'_>, weight: u32) -> Option<(Url, Server)> {
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
    let server = server_at(&url, weight)?;
    if server.port == 0 {
        return problem("port 0 is no server's port", example());
    }
    Some((url, server))
}

fn server_at(url: &Url, weight: u32) -> Option<Server> {
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
        weight,
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
