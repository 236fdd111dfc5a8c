//! What all workers know of one upstream: its servers' addresses, how each is doing, how many connections there are, and
//! what is counted. Made once, and kept over a reload that changes nothing of the upstream. It forwards nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::origin::is_loopback_name;

use super::health::Health;
use super::names::{self, Resolver};
use super::probe;
use super::room::{Queued, Room};
use super::settings::{Server, Settings};

/// One upstream, as all workers share it.
pub struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) tls: Option<TlsConnector>,
    pub(super) queued: Queued,
    pub(super) counts: Counts,
    lineup: watch::Sender<Lineup>,
    epoch: Instant,
}

/// Where requests may go now.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineup {
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// Why a name has no address, when it was looked up last.
    pub(super) trouble: Option<Arc<str>>,
    /// Whether every name was looked up at least once.
    pub(super) is_known: bool,
}

/// One address of a server. This machine itself is one endpoint, whichever of its addresses answers.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Its position in the settings.
    pub(super) server: usize,
    /// Tried in turn.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) health: Health,
    pub(super) room: Room,
    /// How many requests each worker has there.
    loads: Mutex<Vec<Weak<AtomicU32>>>,
}

/// What is counted where it happens, which is seldom. Every value only grows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that were made.
    pub connected: AtomicU64,
    /// Connections that could not be made.
    pub unreachable: AtomicU64,
    /// Exchanges that broke before the answer's head.
    pub broken: AtomicU64,
    /// Exchanges without an answer in time.
    pub timed_out: AtomicU64,
    /// Answers with a status from 500, where these count as failures.
    pub server_errors: AtomicU64,
    /// Requests that were sent once more, to whatever server.
    pub retries: AtomicU64,
    /// Retries that were not made, because there had been too many.
    pub retries_refused: AtomicU64,
    /// Times that a server was left out for its failures.
    pub ejections: AtomicU64,
    /// Requests that waited for a connection.
    pub queued: AtomicU64,
    /// Requests that were refused because too many waited, or waited for too long.
    pub refused: AtomicU64,
}

/// What one upstream looks like at a moment, for whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its name.
    pub name: String,
    /// How many requests wait for a connection.
    pub queued: usize,
    /// Each of its endpoints.
    pub endpoints: Vec<EndpointPicture>,
    /// Why a name of it has no address, if there is one.
    pub trouble: Option<Arc<str>>,
}

/// What one endpoint looks like at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPicture {
    /// The server as configured: host and port.
    pub server: String,
    /// The address.
    pub address: SocketAddr,
    /// Connections, idle ones included.
    pub connections: usize,
    /// Requests under way, those that wait for a connection included.
    pub in_flight: u64,
    /// Whether it gets no requests for now.
    pub is_out: bool,
}

impl Endpoint {
    fn new(server: usize, addresses: Vec<SocketAddr>, settings: &Settings, epoch: Instant) -> Self {
        let room = Room::new(settings.max_connections.map(usize::from));
        Self { server, addresses, health: Health::new(epoch), room, loads: Mutex::default() }
    }

    /// A worker's own count of its requests there.
    pub(super) fn new_load(&self) -> Arc<AtomicU32> {
        let load = Arc::new(AtomicU32::new(0));
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.retain(|load| load.strong_count() > 0);
        loads.push(Arc::downgrade(&load));
        load
    }

    fn in_flight(&self) -> u64 {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.iter().filter_map(Weak::upgrade).map(|load| u64::from(load.load(Ordering::Relaxed))).sum()
    }
}

impl Shared {
    /// Looks up names and asks after health as tasks of `control`, for as long as it is there.
    pub fn new(settings: Arc<Settings>, control: &Handle) -> Arc<Self> {
        Self::resolving(settings, control, Resolver::System)
    }

    pub(super) fn resolving(settings: Arc<Settings>, control: &Handle, resolver: Resolver) -> Arc<Self> {
        let speaks_tls = settings.servers.iter().any(|server| server.https);
        let tls = speaks_tls.then(|| settings.tls.connector(settings.protocol));
        let shared = Arc::new(Self {
            tls,
            queued: Queued::default(),
            counts: Counts::default(),
            lineup: watch::Sender::new(Lineup::default()),
            epoch: Instant::now(),
            settings,
        });
        let needs_names = shared.settings.servers.iter().any(|server| fixed(server).is_none());
        shared.line_up(&HashMap::new(), None, !needs_names);
        if needs_names {
            control.spawn(names::follow(Arc::downgrade(&shared), resolver));
        }
        if shared.settings.health.is_some() {
            control.spawn(probe::watch(Arc::downgrade(&shared)));
        }
        shared
    }

    /// The ones for these settings: those of `old` whose settings are the same, and new ones.
    pub fn carry(
        old: &[Arc<Self>],
        settings: impl IntoIterator<Item = Settings>,
        control: &Handle,
    ) -> Vec<Arc<Self>> {
        let one = |settings: Settings| {
            let same = old.iter().find(|old| *old.settings == settings);
            same.map_or_else(|| Self::new(Arc::new(settings), control), Arc::clone)
        };
        settings.into_iter().map(one).collect()
    }

    /// `NAME`.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What it looks like now.
    pub fn picture(&self, now: Instant) -> Picture {
        let lineup = self.lineup.borrow();
        let picture = |endpoint: &Arc<Endpoint>| {
            let server = &self.settings.servers[endpoint.server];
            let address = endpoint.addresses.first()?;
            Some(EndpointPicture {
                server: format!("{}:{}", server.host, server.port),
                address: *address,
                connections: endpoint.room.open(),
                in_flight: endpoint.in_flight(),
                is_out: endpoint.health.is_out(now),
            })
        };
        Picture {
            name: self.settings.name.clone(),
            queued: self.queued.count(),
            endpoints: lineup.endpoints.iter().filter_map(picture).collect(),
            trouble: lineup.trouble.clone(),
        }
    }

    pub(super) fn lineup(&self) -> watch::Receiver<Lineup> {
        self.lineup.subscribe()
    }

    /// Lines up the endpoints of all servers: those that were there before stay the same ones, with all that is known of
    /// them. `found` are the addresses of names, by the server's position.
    pub(super) fn line_up(
        &self,
        found: &HashMap<usize, Vec<IpAddr>>,
        trouble: Option<Arc<str>>,
        is_known: bool,
    ) {
        let before = self.lineup.borrow().clone();
        let wanted = self.settings.servers.iter().enumerate().flat_map(|(index, server)| {
            let looked_up = found.get(&index).into_iter().flatten();
            let looked_up = looked_up.map(|ip| vec![SocketAddr::new(*ip, server.port)]);
            fixed(server).into_iter().chain(looked_up).map(move |addresses| (index, addresses))
        });
        let endpoints: Vec<Arc<Endpoint>> = wanted
            .map(|(server, addresses)| {
                let is_same = |old: &&Arc<Endpoint>| old.server == server && old.addresses == addresses;
                before.endpoints.iter().find(is_same).map_or_else(
                    || Arc::new(Endpoint::new(server, addresses.clone(), &self.settings, self.epoch)),
                    Arc::clone,
                )
            })
            .collect();
        let is_same = before.is_known == is_known
            && before.trouble == trouble
            && before.endpoints.len() == endpoints.len()
            && before.endpoints.iter().zip(&endpoints).all(|(old, new)| Arc::ptr_eq(old, new));
        if !is_same {
            self.lineup.send_replace(Lineup { endpoints, trouble, is_known });
        }
    }

    /// A server failed: leaves it out if that was once too often. True if so.
    pub(super) fn note_failure(&self, endpoint: &Endpoint, now: Instant) -> bool {
        let Some(rules) = &self.settings.eject else {
            return false;
        };
        let Some(span) = endpoint.health.failed(now, rules) else {
            return false;
        };
        self.counts.ejections.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            target: "gateway",
            upstream = self.settings.name,
            server = self.shown(endpoint),
            seconds = span.as_secs(),
            "an upstream's server failed again and again, and is left out for a while"
        );
        true
    }

    /// The server as the configuration names it, for logs.
    pub(super) fn shown(&self, endpoint: &Endpoint) -> &str {
        self.settings.servers[endpoint.server].authority.to_str().unwrap_or("")
    }
}

/// Where a server is whose name is an address, or this machine's: tokens may travel there by plain http, so no name
/// server has a say in where it is. Nothing for all other names.
pub(super) fn fixed(server: &Server) -> Option<Vec<SocketAddr>> {
    if is_loopback_name(&server.host) {
        return Some(vec![
            (Ipv4Addr::LOCALHOST, server.port).into(),
            (Ipv6Addr::LOCALHOST, server.port).into(),
        ]);
    }
    let ip: IpAddr = server.host.parse().ok()?;
    Some(vec![(ip, server.port).into()])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::upstream::settings::{Protocol, Queue};
    use http::HeaderValue;
    use std::time::Duration;

    /// An upstream of one server.
    pub(in crate::upstream) fn settings(url: &str) -> Settings {
        let url: url::Url = url.parse().expect("a URL");
        let host = url.host_str().expect("a host").trim_matches(['[', ']']).to_owned();
        let server = Server {
            https: false,
            host,
            port: url.port_or_known_default().expect("a port"),
            authority: HeaderValue::from_str(url.authority()).expect("a header value"),
            weight: 1,
        };
        Settings {
            name: "test".to_owned(),
            servers: vec![server],
            protocol: Protocol::Http1,
            connect_timeout: Duration::from_secs(3),
            response_timeout: Duration::from_secs(3),
            idle: Duration::from_secs(3),
            max_connections: None,
            queue: Queue { length: 1, wait: Duration::from_secs(1) },
            eject: None,
            health: None,
            slow_start: None,
            resolve: Duration::from_millis(20),
            tls: super::super::tls::Tls::default(),
        }
    }

    pub(in crate::upstream) fn shared_by(settings: Settings, resolver: Resolver) -> Arc<Shared> {
        Shared::resolving(Arc::new(settings), &Handle::current(), resolver)
    }

    #[tokio::test]
    async fn an_upstream_that_did_not_change_keeps_what_is_known_of_it() {
        let (one, other) = (settings("http://127.0.0.1:1"), settings("http://127.0.0.1:2"));
        let carry = |old: &[Arc<Shared>], settings: &[&Settings]| {
            Shared::carry(old, settings.iter().map(|settings| (*settings).clone()), &Handle::current())
        };
        let before = carry(&[], &[&one, &other]);
        let changed = Settings { idle: Duration::from_secs(9), ..other.clone() };
        let after = carry(&before, &[&changed, &one]);
        assert!(Arc::ptr_eq(&after[1], &before[0]));
        assert!(!Arc::ptr_eq(&after[0], &before[1]));
        assert_eq!(after[0].settings.idle, Duration::from_secs(9));
    }
}
