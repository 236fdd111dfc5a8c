//! `public_url` and `[listen]`: the address people type, the sockets behind it, and what operators show there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::origin::{Localhost, Origin, OriginError};
use crate::proxies::Proxies;
use crate::secret::Secret;

use super::placeholder::is_placeholder;
use super::raw::{Place, Placed, Report, Section, Text, Value};
use super::secrets::{self, Surroundings, Wanted};
use super::{check, proxies, schema};

/// Where the gateway listens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Requests, without TLS. Empty only beside `https`; beside it these addresses only show the way there.
    pub http: Vec<SocketAddr>,
    /// Requests, with TLS.
    pub https: Vec<SocketAddr>,
    /// Whose word about whom they speak for counts.
    pub proxies: Proxies,
    /// How long clients may be silent.
    pub timeouts: Timeouts,
    /// Health, metrics, and the sessions for operators.
    pub admin: SocketAddr,
    /// What operators show to see and end sessions; without it nobody can.
    pub admin_token: Option<Secret<String>>,
    /// Threads that handle requests.
    pub workers: NonZeroUsize,
}

/// How long clients of `https` may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// In a handshake: TLS, or the beginning of HTTP/2.
    pub handshake: Duration,
    /// While an answer waits for them to take it, over HTTP/2.
    pub stalled: Duration,
    /// Without a request, over HTTP/2.
    pub idle: Duration,
    /// How old an HTTP/2 connection may become.
    pub age: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let (seconds, minutes) = (Duration::from_secs, Duration::from_mins);
        Self { handshake: seconds(10), stalled: seconds(30), idle: minutes(3), age: minutes(60) }
    }
}

const DEFAULT_HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);
pub(super) const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3003);
const MOST_WORKERS: usize = 1024;
/// Whoever has it can sign everybody out, so it is made by a machine.
const ADMIN_TOKEN: Wanted =
    Wanted { lines: false, shortest: 32, where_from: "make one with: openssl rand -base64 32" };

/// What `[listen]` says, and the file that must not be served.
pub(super) struct Found {
    pub(super) settings: Listen,
    pub(super) secret_file: Option<PathBuf>,
    /// Where `https` stands, if it does.
    pub(super) https: Option<Place>,
}

/// Reads `public_url`.
pub(super) fn public_url(top: &Section<'_>) -> Option<Origin> {
    let text = top.required("public_url")?.text()?;
    origin(top.report(), &text)
}

/// A public address; otherwise reported.
pub(super) fn origin(report: &Report, text: &Text<'_>) -> Option<Origin> {
    let problem = |message: &str, help: &str| {
        report.problem(&text.place, message, help);
        None
    };
    if is_placeholder(text.value) || text.value.contains(['<', '>', '*']) {
        return problem(
            "this is a placeholder, not an address",
            "write the address that people type, such as \"https://app.example\"",
        );
    }
    match Origin::parse(text.value) {
        Ok(origin) if origin.is_secure() || origin.is_loopback() => Some(origin),
        Ok(_) => problem(
            "plain http is for loopback only: sessions would travel in the clear",
            "write https://, and let a proxy in front of the gateway end TLS",
        ),
        Err(error @ OriginError::NotBare) => {
            if text.value.contains('@') {
                report.mask(text.place.span.clone());
            }
            problem(&format!("this is no public address: {error}"), "write scheme, host and port only")
        }
        Err(error) => problem(
            &format!("this is no public address: {error}"),
            "write a URL such as \"https://app.example\"",
        ),
    }
}

/// Reads `[listen]`.
pub(super) fn read(
    top: &Section<'_>,
    public_url: Option<&Origin>,
    localhost: Localhost,
    around: &Surroundings<'_>,
) -> Option<Found> {
    let section = if top.has("listen") { Some(top.section("listen", &schema::LISTEN)?) } else { None };
    let http = section.as_ref().and_then(|section| section.value("http"));
    let https = section.as_ref().and_then(|section| section.value("https"));
    let https_place = https.as_ref().map(Value::place);
    let admin = section.as_ref().and_then(|section| section.value("admin"));
    let workers = section.as_ref().and_then(|section| section.value("workers"));
    let admin_token = section.as_ref().and_then(|section| section.value("admin_token"));

    let proxies = section.as_ref().map_or_else(|| Some(Proxies::default()), proxies::read);
    let timeouts = section.as_ref().map_or_else(|| Some(Timeouts::default()), timeouts);
    let http = http.map(|value| addresses(top, &value));
    let https = https.map(|value| addresses(top, &value));
    let admin = admin.map(|value| value.text().and_then(|text| address(top, &text)));
    let workers = workers.map_or_else(
        || Some(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
        |value| count(top, &value),
    );
    let admin_token = admin_token.map(|value| token(&value, top, around));

    let written: Vec<&Placed<SocketAddr>> =
        http.iter().chain(&https).flatten().flatten().chain(admin.iter().flatten()).collect();
    check_apart(top, &written);
    if public_url.is_some_and(|origin| !origin.is_secure()) {
        // A container's loopback interface is reached by nobody else: its engine says who reaches the other one.
        let bound: Vec<&Placed<SocketAddr>> = match localhost {
            Localhost::ThisMachine => written,
            Localhost::Containers => admin.iter().flatten().collect(),
        };
        check_loopback(top, &bound);
    }
    if let Some(Some(admin)) = admin.as_ref().filter(|_| public_url.is_some_and(Origin::is_secure))
        && !admin.value.ip().is_loopback()
    {
        let also =
            if admin_token.is_some() { ", and `admin_token` would travel there in the clear" } else { "" };
        top.report().warning(format!(
            "listen.admin: {} can be reached from other machines; keep it from the public{also}",
            admin.value
        ));
    }
    if let (Some(place), Some(origin)) = (&https_place, public_url.filter(|origin| !origin.is_secure())) {
        let help = format!("write public_url = \"https://{}\"", origin.authority());
        top.report().problem(
            place,
            "people are told an address without TLS: `public_url` is plain http",
            help,
        );
    }
    let default_http = if https.is_none() { vec![DEFAULT_HTTP] } else { Vec::new() };
    let listens: Vec<SocketAddr> = match &http {
        None => default_http.clone(),
        Some(http) => http.iter().flatten().map(|address| address.value).collect(),
    };
    if let Some(origin) = public_url.filter(|origin| !origin.is_secure()) {
        warn_of_other_port(top, origin, &listens);
    }
    let (admin_token, secret_file) = match admin_token {
        None => (None, None),
        Some(found) => {
            let secrets::Found { secret, file } = found?;
            (Some(secret), file)
        }
    };
    let settings = Listen {
        http: http.map_or(Some(default_http), |http| Some(bare(http?)))?,
        https: https.map_or(Some(Vec::new()), |https| Some(bare(https?)))?,
        proxies: proxies?,
        timeouts: timeouts?,
        admin: admin.map_or(Some(DEFAULT_ADMIN), |admin| Some(admin?.value))?,
        admin_token,
        workers: workers?,
    };
    Some(Found { settings, secret_file, https: https_place })
}

fn bare(addresses: Vec<Placed<SocketAddr>>) -> Vec<SocketAddr> {
    addresses.into_iter().map(|address| address.value).collect()
}

/// Reads `[listen.timeouts]`.
fn timeouts(listen: &Section<'_>) -> Option<Timeouts> {
    let default = Timeouts::default();
    let Some(value) = listen.value("timeouts") else {
        return Some(default);
    };
    let section = value.section(&schema::TIMEOUTS)?;
    let time = |key, default, most| check::time(&section, key, default, [Duration::from_secs(1), most]);
    let handshake = time("handshake", default.handshake, Duration::from_mins(1));
    let stalled = time("stalled", default.stalled, Duration::from_mins(10));
    let idle = time("idle", default.idle, Duration::from_hours(1));
    let age = time("age", default.age, Duration::from_hours(24));
    Some(Timeouts { handshake: handshake?, stalled: stalled?, idle: idle?, age: age? })
}

/// The admin token, which travels in a header.
fn token(value: &Value<'_>, top: &Section<'_>, around: &Surroundings<'_>) -> Option<secrets::Found> {
    let found = secrets::read(value, &ADMIN_TOKEN, top.report(), around)?;
    if !found.secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        top.report().problem(
            &value.place(),
            "the admin token holds spaces or letters that a header cannot carry",
            ADMIN_TOKEN.where_from,
        );
        return None;
    }
    Some(found)
}

/// On this machine nothing stands between the browser and the gateway, so both should mean one port.
fn warn_of_other_port(top: &Section<'_>, origin: &Origin, listens: &[SocketAddr]) {
    let typed: u16 =
        origin.authority().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80);
    if listens.is_empty() || listens.iter().any(|address| [0, typed].contains(&address.port())) {
        return;
    }
    top.report().warning(format!(
        "public_url says port {typed}, but the gateway listens on {}; write http = \"127.0.0.1:{typed}\" under [listen], \
         unless something forwards between the two",
        listens[0]
    ));
}

/// One address or a list of them.
fn addresses(top: &Section<'_>, value: &Value<'_>) -> Option<Vec<Placed<SocketAddr>>> {
    if value.get().as_str().is_some() {
        return Some(vec![address(top, &value.text()?)?]);
    }
    if value.get().as_array().is_none() {
        value.wrong_type("an address such as \"127.0.0.1:3000\", or a list of them");
        return None;
    }
    let texts = value.texts()?;
    if texts.is_empty() {
        top.report().problem(
            &value.place(),
            "the gateway would listen nowhere",
            "write an address such as \"127.0.0.1:3000\"",
        );
        return None;
    }
    let found: Vec<_> = texts.iter().filter_map(|text| address(top, text)).collect();
    (found.len() == texts.len()).then_some(found)
}

fn address(top: &Section<'_>, text: &Text<'_>) -> Option<Placed<SocketAddr>> {
    let Ok(value) = text.value.parse() else {
        let port = text.value.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let help = port.map_or_else(
            || "write an IP address and a port, such as \"127.0.0.1:3000\" or \"[::1]:3000\"".to_owned(),
            |port| format!("write an IP address and a port, such as \"127.0.0.1:{port}\" (this machine) or \"0.0.0.0:{port}\" (all networks)"),
        );
        top.report().problem(
            &text.place,
            format!("\"{}\" is not an address to listen on", text.value.escape_debug()),
            help,
        );
        return None;
    };
    Some(Placed { value, place: text.place.clone() })
}

fn count(top: &Section<'_>, value: &Value<'_>) -> Option<NonZeroUsize> {
    let number = value.number()?;
    let count =
        usize::try_from(number.value).ok().filter(|count| *count <= MOST_WORKERS).and_then(NonZeroUsize::new);
    if count.is_none() {
        top.report().problem(
            &number.place,
            format!("{} is out of bounds", number.value),
            format!("choose from 1 to {MOST_WORKERS}, or leave it out for one per core"),
        );
    }
    count
}

/// No two listeners on one address. Port 0 asks the system for a free one.
fn check_apart(top: &Section<'_>, addresses: &[&Placed<SocketAddr>]) {
    for (position, later) in addresses.iter().enumerate() {
        let clash = addresses[..position].iter().find(|earlier| same_socket(earlier.value, later.value));
        if let Some(earlier) = clash {
            let message = format!("{} is taken already by {}", later.value, earlier.place.key);
            top.report().problem(&later.place, message, "give each listener an address or port of its own");
        }
    }
}

fn same_socket(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |wide: IpAddr, narrow: IpAddr| {
        wide == narrow || (wide.is_unspecified() && wide.is_ipv4() == narrow.is_ipv4())
    };
    one.port() == other.port()
        && one.port() != 0
        && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}

/// Without TLS only this machine may connect (requirement CF-03).
fn check_loopback(top: &Section<'_>, addresses: &[&Placed<SocketAddr>]) {
    for address in addresses.iter().filter(|address| !address.value.ip().is_loopback()) {
        let message =
            format!("{} can be reached from other machines while `public_url` is plain http", address.value);
        let help = format!("listen on 127.0.0.1:{}, or make `public_url` https", address.value.port());
        top.report().problem(&address.place, message, help);
    }
}
