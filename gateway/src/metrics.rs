//! What the gateway counts, as Prometheus reads it (requirement LG-05). Every label's values are a closed vocabulary or
//! come from the configuration, and every series exists from the start, so that no request can add one and none is looked
//! up by name. Knows counters and vocabularies; where things happen is everybody else's matter.

mod book;
mod cells;
mod collect;
mod exposition;
mod standing;
mod traffic;
mod vocabulary;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::Timestamp;
use crate::session::ending::Ending;

pub use exposition::Format;
pub use standing::{ServerStanding, Standing};
pub use traffic::{Connected, InFlight, RouteSheet, UpstreamSheet, WorkerSheet};
pub use vocabulary::{Handshake, Operation, RefreshResult, Refusal, SpanFate, Trouble};

use traffic::Traffic;
use vocabulary::Word;

/// A refresh asks another machine, and may take ten seconds.
const REFRESH_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// A store is near.
const STORE_SECONDS: [f64; 11] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// Everything that is counted. One value, shared by whoever counts and whoever shows it.
pub struct Metrics {
    registry: Registry,
    sessions_live: Family<StoreLabel, Gauge>,
    sessions_in_memory: Gauge,
    store_up: Family<StoreLabel, Gauge>,
    created: Counter,
    ended: Each<Ending, Counter>,
    refreshes: Each<RefreshResult, (Counter, Histogram)>,
    calls: Each<Operation, Call>,
    certificates_up_to_date: Gauge,
    certificate_expiry: Gauge,
    configuration: Configuration,
    spans: Each<SpanFate, Counter>,
    traffic: Arc<Traffic>,
}

/// How the running configuration stands to its file.
struct Configuration {
    generation: Gauge,
    adopted: Gauge,
    is_latest: Gauge,
}

type StoreLabel = [(&'static str, &'static str); 1];

/// The gauges of one store, which it sets itself.
#[derive(Clone, Debug)]
pub struct StoreGauges {
    /// How many sessions there are in it.
    pub live: Gauge,
    /// How many of them are in this process's memory.
    pub in_memory: Gauge,
    /// 1 while it can be used, else 0.
    pub up: Gauge,
}

struct Call {
    ok: Counter,
    error: Counter,
    seconds: Histogram,
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("gateway");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The gateway that runs", version);
        let traffic = Arc::new(Traffic::default());
        registry.register_collector(Box::new(Arc::clone(&traffic)));
        let sessions_live = registered(&mut registry, "sessions_live", "Sessions in the store");
        let sessions_in_memory = registered(
            &mut registry,
            "sessions_in_memory",
            "Sessions in the memory of this process, where finding them takes no call",
        );
        let store_up = registered(&mut registry, "session_store_up", "1 while the store can be used, else 0");
        let created =
            registered(&mut registry, "sessions_created", "Sessions begun, one for each completed sign-in");
        Self {
            sessions_live,
            sessions_in_memory,
            store_up,
            created,
            certificates_up_to_date: registered(
                &mut registry,
                "tls_certificates_up_to_date",
                "1 while the certificates in use are those in the files, 0 while new ones cannot be used",
            ),
            certificate_expiry: registered(
                &mut registry,
                "tls_certificate_expiry_timestamp_seconds",
                "When the first certificate in use ends, in seconds since 1970; 0 without TLS",
            ),
            ended: endings(&mut registry),
            refreshes: refreshes(&mut registry),
            calls: calls(&mut registry),
            configuration: configuration(&mut registry),
            spans: spans(&mut registry),
            traffic,
            registry,
        }
    }

    /// Somebody signed in.
    pub fn session_created(&self) {
        self.created.inc();
    }

    /// A session ended, by this gateway.
    pub fn session_ended(&self, why: Ending) {
        self.ended.of(why).inc();
    }

    /// An access token was to be renewed: what came of it, and how long that took.
    pub fn refreshed(&self, result: RefreshResult, took: Duration) {
        let (count, seconds) = self.refreshes.of(result);
        count.inc();
        seconds.observe(took.as_secs_f64());
    }

    /// The place behind the store was asked something.
    pub fn store_call(&self, operation: Operation, is_ok: bool, took: Duration) {
        let call = self.calls.of(operation);
        if is_ok { &call.ok } else { &call.error }.inc();
        call.seconds.observe(took.as_secs_f64());
    }

    /// Which certificates are in use: those in the files or older ones, and when the first of them ends.
    pub fn certificates(&self, are_up_to_date: bool, first_expiry: Option<Timestamp>) {
        self.certificates_up_to_date.set(are_up_to_date.into());
        self.certificate_expiry.set(first_expiry.map_or(0, |moment| moment.0));
    }

    /// Another configuration runs: the so-and-so-many-th of this process, since `at`.
    pub fn configuration_adopted(&self, generation: u64, at: Timestamp) {
        self.configuration.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.configuration.adopted.set(at.0);
        self.configuration.is_latest.set(1);
    }

    /// There is a newer configuration that does not run.
    pub fn configuration_refused(&self) {
        self.configuration.is_latest.set(0);
    }

    /// What became of so many recorded steps of requests.
    pub fn spans(&self, fate: SpanFate, count: usize) {
        self.spans.of(fate).inc_by(count as u64);
    }

    /// A sheet for what one worker counts of itself.
    pub fn worker(&self) -> Arc<WorkerSheet> {
        self.traffic.workers.add(WorkerSheet::new())
    }

    /// A sheet for what one worker counts of the routes of one configuration, by their position among these names.
    pub fn routes(&self, names: &[Arc<str>]) -> Arc<RouteSheet> {
        self.traffic.routes.add(RouteSheet::new(names))
    }

    /// A sheet for what one worker counts of an upstream.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamSheet> {
        self.traffic.upstreams.add(UpstreamSheet::new(name))
    }

    /// How all upstreams stand now; said before [`Metrics::text`] is asked for.
    pub fn show_upstreams(&self, standings: Vec<Standing>) {
        *self.traffic.standings.lock().unwrap_or_else(PoisonError::into_inner) = standings;
    }

    /// The gauges of the store that is called `name`.
    pub fn gauges_of(&self, name: &'static str) -> StoreGauges {
        StoreGauges {
            live: self.sessions_live.get_or_create_owned(&[("store", name)]),
            in_memory: self.sessions_in_memory.clone(),
            up: self.store_up.get_or_create_owned(&[("store", name)]),
        }
    }

    /// Everything as text.
    pub fn text(&self, format: Format) -> String {
        exposition::write(&self.registry, format)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// One metric for each word of a vocabulary.
struct Each<W, M>(Vec<(W, M)>);

impl<W: Word, M> Each<W, M> {
    fn new(metric: impl Fn(W) -> M) -> Self {
        Self(W::all().iter().map(|word| (*word, metric(*word))).collect())
    }

    fn of(&self, word: W) -> &M {
        let found = self.0.iter().find(|(known, _)| *known == word);
        &found.expect("each vocabulary lists all of its words").1
    }
}

fn registered<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: Default + Clone + prometheus_client::registry::Metric,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn configuration(registry: &mut Registry) -> Configuration {
    let adopted = Gauge::default();
    let help = "When the running configuration was taken on";
    registry.register_with_unit("config_last_reload_success_timestamp", help, Unit::Seconds, adopted.clone());
    Configuration {
        generation: registered(
            registry,
            "config_generation",
            "How many configurations this process has taken on",
        ),
        adopted,
        is_latest: registered(
            registry,
            "config_last_reload_successful",
            "1 while the file's configuration runs, 0 after one was refused",
        ),
    }
}

fn endings(registry: &mut Registry) -> Each<Ending, Counter> {
    let family: Family<[(&'static str, &'static str); 1], Counter> =
        registered(registry, "sessions_ended", "Sessions that this gateway ended, by reason");
    Each::new(|why: Ending| family.get_or_create_owned(&[("reason", why.word())]))
}

fn refreshes(registry: &mut Registry) -> Each<RefreshResult, (Counter, Histogram)> {
    let count: Family<[(&'static str, &'static str); 1], Counter> =
        registered(registry, "token_refreshes", "Access tokens that were to be renewed, by what came of it");
    let seconds = histograms(
        registry,
        "token_refresh_duration",
        "How long it took to renew an access token, waiting for others included",
        &REFRESH_SECONDS,
    );
    Each::new(|result: RefreshResult| {
        let labels = [("result", result.word())];
        (count.get_or_create_owned(&labels), seconds.get_or_create_owned(&labels))
    })
}

fn spans(registry: &mut Registry) -> Each<SpanFate, Counter> {
    let family: Family<[(&'static str, &'static str); 1], Counter> =
        registered(registry, "trace_spans", "Recorded steps of requests, by what became of them");
    Each::new(|fate: SpanFate| family.get_or_create_owned(&[("fate", fate.as_str())]))
}

fn calls(registry: &mut Registry) -> Each<Operation, Call> {
    let count: Family<[(&'static str, &'static str); 2], Counter> = registered(
        registry,
        "session_store_operations",
        "Calls to the file or server that keeps sessions, by operation and result",
    );
    let seconds = histograms(
        registry,
        "session_store_operation_duration",
        "How long calls to the file or server that keeps sessions took",
        &STORE_SECONDS,
    );
    Each::new(|operation: Operation| {
        let labels = |result| [("operation", operation.word()), ("result", result)];
        Call {
            ok: count.get_or_create_owned(&labels("ok")),
            error: count.get_or_create_owned(&labels("error")),
            seconds: seconds.get_or_create_owned(&[("operation", operation.word())]),
        }
    })
}

/// Makes the histograms of one family.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

fn histograms<L>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    buckets: &'static [f64],
) -> Family<L, Histogram, Buckets>
where
    L: EncodeLabelSet + Clone + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Family::new_with_constructor(Buckets(buckets));
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::Reason;
    use http::StatusCode;

    fn lines(metrics: &Metrics) -> Vec<String> {
        metrics.text(Format::OpenMetrics).lines().map(str::to_owned).collect()
    }

    fn series(metrics: &Metrics) -> usize {
        lines(metrics).iter().filter(|line| !line.starts_with('#')).count()
    }

    #[track_caller]
    fn must_say(metrics: &Metrics, line: &str) {
        assert!(lines(metrics).iter().any(|found| found == line), "{line} is not in {:#?}", lines(metrics));
    }

    #[test]
    fn every_series_is_there_from_the_start_and_none_comes_later() {
        let metrics = Metrics::new();
        metrics.gauges_of("memory");
        let before = series(&metrics);
        for why in Ending::ALL {
            must_say(&metrics, &format!("gateway_sessions_ended_total{{reason=\"{}\"}} 0", why.as_str()));
            metrics.session_ended(why);
        }
        for result in RefreshResult::ALL.iter().copied() {
            must_say(&metrics, &format!("gateway_token_refreshes_total{{result=\"{}\"}} 0", result.as_str()));
            metrics.refreshed(result, Duration::from_millis(30));
        }
        for operation in Operation::ALL.iter().copied() {
            for (is_ok, result) in [(true, "ok"), (false, "error")] {
                let labels = format!("operation=\"{}\",result=\"{result}\"", operation.as_str());
                must_say(&metrics, &format!("gateway_session_store_operations_total{{{labels}}} 0"));
                metrics.store_call(operation, is_ok, Duration::from_micros(300));
                must_say(&metrics, &format!("gateway_session_store_operations_total{{{labels}}} 1"));
            }
        }
        metrics.session_created();
        must_say(&metrics, "gateway_sessions_created_total 1");
        must_say(&metrics, "gateway_sessions_ended_total{reason=\"signed_out\"} 1");
        assert_eq!(series(&metrics), before);
    }

    #[test]
    fn requests_are_counted_by_route_and_never_add_a_series() {
        let metrics = Metrics::new();
        let names: Vec<Arc<str>> = ["GET /a", "/quote\"back\\slash"].map(Arc::from).to_vec();
        let (one, other) = (metrics.routes(&names), metrics.routes(&names));
        let (worker, upstream) = (metrics.worker(), metrics.upstream("api"));
        let before = series(&metrics);
        one.answered(Some(0), StatusCode::OK, Duration::from_millis(3));
        other.answered(Some(0), StatusCode::OK, Duration::from_secs(60));
        other.answered(Some(1), StatusCode::SWITCHING_PROTOCOLS, Duration::ZERO);
        for number in [None, Some(2), Some(usize::MAX)] {
            one.answered(number, StatusCode::NOT_FOUND, Duration::ZERO);
        }
        must_say(&metrics, "gateway_requests_total{route=\"GET /a\",status=\"2xx\"} 2");
        must_say(&metrics, "gateway_requests_total{route=\"/quote\\\"back\\\\slash\",status=\"1xx\"} 1");
        must_say(&metrics, "gateway_requests_total{route=\"none\",status=\"4xx\"} 3");
        let name = "gateway_request_duration_seconds";
        must_say(&metrics, &format!("{name}_bucket{{le=\"0.0025\",route=\"GET /a\"}} 0"));
        must_say(&metrics, &format!("{name}_bucket{{le=\"0.005\",route=\"GET /a\"}} 1"));
        must_say(&metrics, &format!("{name}_bucket{{le=\"10.0\",route=\"GET /a\"}} 1"));
        must_say(&metrics, &format!("{name}_bucket{{le=\"+Inf\",route=\"GET /a\"}} 2"));
        must_say(&metrics, &format!("{name}_sum{{route=\"GET /a\"}} 60.003"));
        must_say(&metrics, &format!("{name}_count{{route=\"GET /a\"}} 2"));
        for reason in Reason::ALL {
            worker.stopped(*reason);
            must_say(
                &metrics,
                &format!("gateway_requests_stopped_total{{reason=\"{}\"}} 1", reason.as_str()),
            );
        }
        let (connected, begun) = (worker.connected(), worker.begun());
        must_say(&metrics, "gateway_connections_open 1");
        must_say(&metrics, "gateway_requests_in_flight 1");
        drop((connected, begun));
        worker.begun().answered();
        worker.panicked();
        must_say(&metrics, "gateway_connections_open 0");
        must_say(&metrics, "gateway_connections_accepted_total 1");
        must_say(&metrics, "gateway_requests_in_flight 0");
        must_say(&metrics, "gateway_requests_abandoned_total 1");
        must_say(&metrics, "gateway_panics_total 1");
        upstream.answered(StatusCode::BAD_GATEWAY, Duration::from_millis(7));
        must_say(&metrics, "gateway_upstream_requests_total{upstream=\"api\",status=\"5xx\"} 1");
        must_say(&metrics, "gateway_upstream_first_byte_seconds_count{upstream=\"api\"} 1");
        for kind in Trouble::ALL {
            upstream.failed(*kind);
            let labels = format!("upstream=\"api\",kind=\"{}\"", kind.as_str());
            must_say(&metrics, &format!("gateway_upstream_failures_total{{{labels}}} 1"));
        }
        for how in Handshake::ALL {
            worker.shook_hands(*how);
        }
        must_say(&metrics, "gateway_tls_handshakes_total{result=\"ok\",version=\"1.3\",alpn=\"h2\"} 1");
        must_say(
            &metrics,
            "gateway_tls_handshakes_total{result=\"timeout\",version=\"none\",alpn=\"none\"} 1",
        );
        assert_eq!(series(&metrics), before);
        let server = ServerStanding { server: "api:80".to_owned(), is_up: true, ..ServerStanding::default() };
        let standing =
            Standing { upstream: "api".to_owned(), servers: vec![server], retries: 3, ..Standing::default() };
        metrics.show_upstreams(vec![standing]);
        must_say(&metrics, "gateway_upstream_retries_total{upstream=\"api\"} 3");
        must_say(&metrics, "gateway_upstream_server_up{upstream=\"api\",server=\"api:80\"} 1");
    }

    #[test]
    fn of_ten_thousand_routes_only_those_that_were_asked_for_are_told() {
        let metrics = Metrics::new();
        let names: Vec<Arc<str>> = (0..10_000).map(|number| format!("/route-{number}").into()).collect();
        let sheet = metrics.routes(&names);
        assert_eq!(metrics.text(Format::OpenMetrics).matches("route=\"none\",status").count(), 5);
        assert!(!metrics.text(Format::OpenMetrics).contains("/route-"));
        sheet.answered(Some(9_999), StatusCode::OK, Duration::ZERO);
        let text = metrics.text(Format::OpenMetrics);
        assert!(text.contains("gateway_requests_total{route=\"/route-9999\",status=\"2xx\"} 1"), "{text}");
        assert!(!text.contains("/route-9998"));
    }

    #[test]
    fn durations_fall_into_buckets_of_seconds() {
        let metrics = Metrics::new();
        metrics.refreshed(RefreshResult::Refreshed, Duration::from_millis(30));
        let name = "gateway_token_refresh_duration_seconds";
        must_say(&metrics, &format!("{name}_bucket{{le=\"0.025\",result=\"refreshed\"}} 0"));
        must_say(&metrics, &format!("{name}_bucket{{le=\"0.05\",result=\"refreshed\"}} 1"));
        must_say(&metrics, &format!("{name}_count{{result=\"refreshed\"}} 1"));
    }

    #[test]
    fn a_store_has_gauges_under_its_name() {
        let metrics = Metrics::new();
        let gauges = metrics.gauges_of("file");
        gauges.live.set(7);
        gauges.in_memory.set(3);
        gauges.up.set(1);
        must_say(&metrics, "gateway_sessions_live{store=\"file\"} 7");
        must_say(&metrics, "gateway_sessions_in_memory 3");
        must_say(&metrics, "gateway_session_store_up{store=\"file\"} 1");
        must_say(&metrics, &format!("gateway_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    }
}
