//! The sheets of all workers as metrics: one place that knows what each number is called.

use std::fmt;
use std::sync::PoisonError;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::stop::Reason;

use super::book::Sums;
use super::cells::BOUNDS;
use super::standing::{ServerStanding, Standing};
use super::traffic::{CLASSES, NO_ROUTE, Traffic, UpstreamPlaces, WorkerPlaces};
use super::vocabulary::{Handshake, Refusal, Trouble};

/// With more routes than this, those that nobody asked for yet are left out: a scrape would be tens of megabytes.
const MANY: usize = 1_000;

const CLASS_NAMES: [&str; CLASSES] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Names and values of labels.
type Labels<'l, const N: usize> = [(&'static str, &'l str); N];

impl Collector for Traffic {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        let mut routes = self.routes.sums();
        if routes.len() > MANY {
            routes.retain(|name, numbers| {
                &**name == NO_ROUTE || numbers[..CLASSES].iter().any(|count| *count > 0)
            });
        }
        of_routes(&mut out, &routes)?;
        for numbers in self.workers.sums().values() {
            of_workers(&mut out, numbers)?;
        }
        of_upstreams(&mut out, &self.upstreams.sums())?;
        of_standings(&mut out, &self.standings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn of_routes(out: &mut Out<'_>, routes: &Sums) -> fmt::Result {
    out.counters(
        "requests",
        "Requests answered, by route and class of status",
        routes.iter().flat_map(|(route, numbers)| {
            let classes = CLASS_NAMES.iter().zip(numbers);
            classes.map(move |(class, count)| ([("route", &**route), ("status", class)], *count))
        }),
    )?;
    out.histograms(
        "request_duration",
        "How long the head of an answer took, from the head of its request, by route",
        routes.iter().map(|(route, numbers)| {
            let (classes, histogram) = numbers.split_at(CLASSES);
            ([("route", &**route)], classes.iter().sum(), histogram)
        }),
    )
}

fn of_workers(out: &mut Out<'_>, numbers: &[u64]) -> fmt::Result {
    let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
    out.counters(
        "requests_stopped",
        "Requests that the gateway itself ended, by reason",
        Reason::ALL
            .iter()
            .map(|reason| ([("reason", reason.as_str())], at(WorkerPlaces::STOPPED + *reason as usize))),
    )?;
    out.counter(
        "requests_abandoned",
        "Requests whose client went away before the answer began",
        at(WorkerPlaces::ABANDONED),
    )?;
    out.gauge("requests_in_flight", "Requests whose answer has not begun", at(WorkerPlaces::IN_FLIGHT))?;
    out.counter("panics", "Defects that cost one request each", at(WorkerPlaces::PANICS))?;
    out.counter("connections_accepted", "Connections of clients", at(WorkerPlaces::ACCEPTED))?;
    out.gauge("connections_open", "Connections of clients that are open", at(WorkerPlaces::OPEN))?;
    out.counters(
        "connections_refused",
        "Connections of clients that were not served, by reason",
        Refusal::ALL
            .iter()
            .map(|why| ([("reason", why.as_str())], at(WorkerPlaces::REFUSED + *why as usize))),
    )?;
    out.counters(
        "tls_handshakes",
        "TLS handshakes with clients, by what came of them",
        Handshake::ALL.iter().map(|how| {
            let (result, version, alpn) = how.words();
            let labels = [("result", result), ("version", version), ("alpn", alpn)];
            (labels, at(WorkerPlaces::HANDSHAKES + *how as usize))
        }),
    )
}

fn of_upstreams(out: &mut Out<'_>, upstreams: &Sums) -> fmt::Result {
    out.counters(
        "upstream_requests",
        "Answers of upstreams, by class of status",
        upstreams.iter().flat_map(|(name, numbers)| {
            let classes = CLASS_NAMES.iter().zip(numbers);
            classes.map(move |(class, count)| ([("upstream", &**name), ("status", class)], *count))
        }),
    )?;
    out.histograms(
        "upstream_first_byte",
        "How long the head of an upstream's answer took, connecting and queueing included",
        upstreams.iter().map(|(name, numbers)| {
            let count = numbers[..UpstreamPlaces::FIRST_BYTE].iter().sum();
            ([("upstream", &**name)], count, &numbers[UpstreamPlaces::FIRST_BYTE..UpstreamPlaces::TROUBLES])
        }),
    )?;
    out.counters(
        "upstream_failures",
        "Requests that an upstream did not answer, by kind",
        upstreams.iter().flat_map(|(name, numbers)| {
            let kinds = Trouble::ALL.iter().zip(&numbers[UpstreamPlaces::TROUBLES..]);
            kinds.map(move |(kind, count)| ([("upstream", &**name), ("kind", kind.as_str())], *count))
        }),
    )
}

/// A metric's name, what it counts, and where that stands.
type Row<T> = (&'static str, &'static str, fn(&T) -> u64);

fn of_standings(out: &mut Out<'_>, all: &[Standing]) -> fmt::Result {
    let counters: [Row<Standing>; 6] = [
        ("upstream_connections_made", "Connections made to an upstream", |one| one.connected),
        ("upstream_retries", "Requests sent to an upstream once more", |one| one.retries),
        ("upstream_retries_refused", "Requests not sent once more, because there had been too many", |one| {
            one.retries_refused
        }),
        ("upstream_ejections", "Times that a server was left out for its failures", |one| one.ejections),
        ("upstream_requests_queued", "Requests that waited for a connection", |one| one.queued),
        ("upstream_requests_refused", "Requests refused because too many waited, or for too long", |one| {
            one.refused
        }),
    ];
    for (name, help, count) in counters {
        out.counters(name, help, all.iter().map(|one| ([("upstream", &*one.upstream)], count(one))))?;
    }
    let waiting = all.iter().map(|one| ([("upstream", &*one.upstream)], one.waiting));
    out.gauges("upstream_requests_waiting", "Requests that wait for a connection now", waiting)?;
    let gauges: [Row<ServerStanding>; 3] = [
        ("upstream_connections_open", "Connections to a server, idle ones included", |one| one.connections),
        ("upstream_requests_in_flight", "Requests under way to a server", |one| one.in_flight),
        ("upstream_server_up", "1 while a server gets requests, 0 while it is left out", |one| {
            one.is_up.into()
        }),
    ];
    for (name, help, level) in gauges {
        let each = all.iter().flat_map(|upstream| {
            let name = &*upstream.upstream;
            upstream
                .servers
                .iter()
                .map(move |one| ([("upstream", name), ("server", &*one.server)], level(one)))
        });
        out.gauges(name, help, each)?;
    }
    Ok(())
}

/// Where metrics are written to.
struct Out<'e>(DescriptorEncoder<'e>);

impl Out<'_> {
    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        all: impl Iterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, &format!("{help}."), None, MetricType::Counter)?;
        for (labels, count) in all {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
        }
        Ok(())
    }

    fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        all: impl Iterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, &format!("{help}."), None, MetricType::Gauge)?;
        for (labels, level) in all {
            metric.encode_family(&labels)?.encode_gauge(&level.cast_signed())?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, &format!("{help}."), None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, u64, u64>(&count, None)
    }

    fn gauge(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, &format!("{help}."), None, MetricType::Gauge)?;
        metric.encode_gauge(&count.cast_signed())
    }

    /// Each with its labels, how many were counted, their sum in microseconds, and how many fell into each bucket.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of many years are exact")]
    fn histograms<'n, 'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        all: impl Iterator<Item = (Labels<'l, N>, u64, &'n [u64])>,
    ) -> fmt::Result {
        let unit = Some(&Unit::Seconds);
        let mut metric = self.0.encode_descriptor(name, &format!("{help}."), unit, MetricType::Histogram)?;
        for (labels, count, numbers) in all {
            let (sum, buckets) = numbers.split_first().unwrap_or((&0, &[]));
            let within: u64 = buckets.iter().sum();
            let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6);
            let buckets: Vec<(f64, u64)> = bounds
                .zip(buckets.iter().copied())
                .chain([(f64::INFINITY, count.saturating_sub(within))])
                .collect();
            let sum = *sum as f64 / 1e6;
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}
