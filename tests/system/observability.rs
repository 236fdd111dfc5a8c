//! What operators see: the access line, metrics and traces, each held against the document that specifies it
//! (requirements section 14).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use dev_idp::Endpoint;
use dev_idp::faults::HttpFault;
use harness::{Ask, Collector, Plan, Recorded, Recorder, Site, Wire, eventually};
use http::StatusCode;
use serde_json::Value;

use crate::support::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

fn document(name: &str) -> String {
    let path = demo::root().expect("the tests run in the checkout").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the first table below a heading that begins with those columns.
fn table(text: &str, columns: &str) -> Vec<Vec<String>> {
    let (_, rest) = text.split_once(columns).unwrap_or_else(|| panic!("no table with {columns}"));
    let rows = rest
        .lines()
        .skip(1)
        .skip_while(|line| line.starts_with("|---"))
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The words in backticks.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

// The access line

/// A row of the specification.
struct Field {
    name: String,
    kind: String,
    is_always_there: bool,
}

fn specification() -> Vec<Field> {
    let rows = table(&document("gateway/docs/access-log.md"), "| field | type | there | meaning |");
    let field = |row: Vec<String>| Field {
        name: words(&row[0]).remove(0),
        kind: row[1].clone(),
        is_always_there: row[2] == "always",
    };
    rows.into_iter().map(field).collect()
}

fn fits(kind: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let digits = |count: usize| {
        text.len() == count && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match kind {
        "time" => text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T',
        "number" => value.is_u64(),
        "text" => value.is_string() && !text.is_empty(),
        "word" => {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_/.".contains(&byte))
        }
        "IP address" => text.parse::<std::net::IpAddr>().is_ok(),
        "24 hexadecimal digits" => digits(24),
        "32 hexadecimal digits" => digits(32),
        "8 hexadecimal digits" => digits(8),
        // A fixed word.
        kind => Some(text) == words(kind).first().map(String::as_str),
    }
}

#[tokio::test]
async fn access_lines_hold_the_fields_of_their_specification_and_no_others() {
    let (recorder, collector) = (Recorder::start().await, Collector::start().await);
    let plan = Plan::new().append(recorder_routes(&recorder)).append(
        "[upstreams.nobody]\nservers = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/nobody\"\nupstream = \"nobody\"\nallow = \"anyone\"",
    );
    let site = plan.traces(&collector, "").start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/rec").await.must_be(200);
    browser.send(Ask::fetch("POST", "/plain").body("some bytes")).await.must_be(200);
    browser.fetch("GET", "/nobody").await.must_be(502);
    site.browser().fetch("GET", "/no/such/path").await.must_be(404);
    site.raw(format!("GET /open HTTP/1.0\r\nHost: {}\r\n\r\n", site.host())).await;
    let secure = Plan::new().https(&[]).start().await;
    secure.browser().send(Ask::page("/auth/signed-out")).await.must_be(200);
    let fields = specification();
    let lines = site.into_logs().await.access + &secure.into_logs().await.access;
    let mut seen = BTreeSet::new();
    for text in lines.lines() {
        let line: serde_json::Map<String, Value> = serde_json::from_str(text).expect("a JSON object");
        let order: Vec<_> = fields.iter().filter(|field| line.contains_key(&field.name)).collect();
        let mut rest = text;
        for field in &order {
            let value = &line[&field.name];
            assert!(fits(&field.kind, value), "{} is no {}: {text}", field.name, field.kind);
            let key = format!("\"{}\":", field.name);
            rest = rest
                .split_once(&key)
                .unwrap_or_else(|| panic!("{} is not in its place: {text}", field.name))
                .1;
            seen.insert(field.name.clone());
        }
        assert_eq!(order.len(), line.len(), "a field that the document does not know: {text}");
        let missing = fields.iter().find(|field| field.is_always_there && !line.contains_key(&field.name));
        assert!(missing.is_none(), "{:?} is missing: {text}", missing.map(|field| &field.name));
    }
    // Only an upstream that breaks in the right moment makes the gateway send a request twice.
    let never: Vec<_> = fields
        .iter()
        .map(|field| &field.name)
        .filter(|name| !seen.contains(*name) && **name != "retries")
        .collect();
    assert!(never.is_empty(), "no line has {never:?}");
    let line = |path: &str, status: u16| {
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines
            .into_iter()
            .find(|line| line["path"] == path && line["status"] == status)
            .unwrap_or_else(|| panic!("{path}"))
    };
    let posted = line("/plain", 200);
    assert_eq!((&posted["request_bytes"], &posted["upstream"]), (&10.into(), &"recorder".into()));
    assert_eq!(posted["server"], recorder.authority());
    assert!(posted["upstream_us"].as_u64() <= posted["duration_us"].as_u64(), "{posted}");
    let failed = line("/nobody", 502);
    assert_eq!(
        (&failed["server"], &failed["reason"]),
        (&"127.0.0.1:9".into(), &"upstream_unreachable".into())
    );
    assert_eq!(line("/open", 200)["protocol"], "http/1.0");
    assert_eq!(line("/rec", 200)["protocol"], "http/1.1");
}

#[tokio::test]
async fn every_reason_of_an_access_line_is_in_the_document() {
    let text = document("gateway/docs/access-log.md");
    let rows = table(&text, "| reason | status | when |");
    let written: BTreeSet<String> = rows.iter().flat_map(|row| words(&row[0])).collect();
    let known: BTreeSet<String> =
        gateway::stop::Reason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect();
    assert_eq!(written, known);
}

// Metrics

/// OpenMetrics, read as strictly as its ABNF is written: families in one piece, each with one type, samples with the
/// suffixes of that type, labels in order and quoted, histograms that add up, the end marked.
fn families(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in body.lines() {
        assert!(!line.is_empty() && line.trim() == line, "a blank line or space: {line:?}");
        if let Some(rest) = line.strip_prefix("# ") {
            let (word, rest) = rest.split_once(' ').expect("a word");
            let (name, what) = rest.split_once(' ').expect("a name and something");
            match word {
                "HELP" => {
                    assert!(
                        families.insert(name.to_owned(), Family::default()).is_none(),
                        "{name} comes twice"
                    );
                    name.clone_into(&mut current);
                }
                "TYPE" => {
                    let family = families.get_mut(name).filter(|_| name == current);
                    what.clone_into(&mut family.expect("its HELP stands before").kind);
                }
                "UNIT" => assert!(name == current && name.ends_with(&format!("_{what}")), "{line}"),
                _ => panic!("an unknown comment: {line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, read_labels(labels.strip_suffix('}').expect("a brace"))),
            None => (series, Vec::new()),
        };
        let family = families.get_mut(&current).expect("a family");
        let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("{name} stands below {current}"));
        let suffixes: &[&str] = match &*family.kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            kind => panic!("{current} is a {kind}"),
        };
        assert!(suffixes.contains(&suffix), "{name} is no sample of a {}", family.kind);
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
        assert!(family.samples.insert((suffix.to_owned(), labels), value).is_none(), "twice: {line}");
    }
    for (name, family) in &families {
        family.must_add_up(name);
    }
    families
}

type Labels = Vec<(String, String)>;

#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Family {
    /// The names of its labels; `le` is the format's own.
    fn labels(&self) -> BTreeSet<String> {
        let names = self.samples.keys().flat_map(|(_, labels)| labels.iter().map(|(name, _)| name.clone()));
        names.filter(|name| name != "le").collect()
    }

    fn must_add_up(&self, name: &str) {
        assert!(!self.kind.is_empty(), "{name} has no type");
        if self.kind != "histogram" {
            return;
        }
        let mut groups: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for ((suffix, labels), value) in &self.samples {
            if suffix == "_bucket" {
                let bound =
                    labels.iter().find(|(name, _)| name == "le").expect("a bound").1.replace("+Inf", "inf");
                let rest = labels.iter().filter(|(name, _)| name != "le").cloned().collect();
                groups.entry(rest).or_default().push((bound.parse().expect("a number"), *value));
            }
        }
        for (labels, mut buckets) in groups {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name} {labels:?}: {buckets:?}");
            let count = self.samples[&("_count".to_owned(), labels.clone())];
            assert!(
                buckets
                    .last()
                    .is_some_and(|(bound, within)| bound.is_infinite() && (*within - count).abs() < 0.5)
            );
        }
    }
}

fn read_labels(mut text: &str) -> Labels {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("a label");
        assert!(
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
            "{name}"
        );
        let (mut value, mut end, mut chars) = (String::new(), None, rest.char_indices());
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    end = Some(at);
                    break;
                }
                '\\' => match chars.next().expect("an escape has a letter").1 {
                    'n' => value.push('\n'),
                    c @ ('"' | '\\') => value.push(c),
                    c => panic!("an unknown escape: \\{c}"),
                },
                c => value.push(c),
            }
        }
        labels.push((name.to_owned(), value));
        let rest = &rest[end.expect("a closing quote") + 1..];
        text = rest.strip_prefix(',').unwrap_or(rest);
        assert!(rest.is_empty() || rest.starts_with(','), "{rest}");
    }
    labels
}

async fn scrape(site: &Site) -> BTreeMap<String, Family> {
    let ask = Ask::bare("GET", "/metrics").header("accept", "application/openmetrics-text; version=1.0.0");
    families(&site.admin_ask(ask).await.must_be(200).text())
}

fn sample(families: &BTreeMap<String, Family>, family: &str, suffix: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted = |found: &Labels| {
        labels.iter().all(|(name, value)| found.iter().any(|(found, has)| found == name && has == value))
    };
    let family = families.get(family).unwrap_or_else(|| panic!("there is no {family}"));
    let found = family.samples.iter().filter(|((found, labels), _)| found == suffix && wanted(labels));
    found.map(|(_, value)| value).sum()
}

/// A site whose scrape shows every metric there is.
async fn with_everything() -> (Site, Recorder, Collector) {
    let (recorder, collector) = (Recorder::start().await, Collector::start().await);
    let plan = Plan::new().operators().append(recorder_routes(&recorder)).traces(&collector, "");
    (plan.start().await, recorder, collector)
}

#[tokio::test]
async fn metrics_are_those_of_the_document_in_strict_open_metrics() {
    let (site, _recorder, _collector) = with_everything().await;
    site.signed_in(ALICE).await.fetch("GET", "/rec").await.must_be(200);
    let found: BTreeMap<String, (String, BTreeSet<String>)> = scrape(&site)
        .await
        .into_iter()
        .map(|(name, family)| {
            let labels = family.labels();
            (name, (family.kind, labels))
        })
        .collect();
    let rows = table(&document("gateway/docs/observability.md"), "| metric | type | labels | counts |");
    let written = rows.into_iter().map(|row| {
        let labels = words(&row[2]).into_iter().collect();
        (words(&row[0]).remove(0), (row[1].clone(), labels))
    });
    let written: BTreeMap<String, (String, BTreeSet<String>)> = written.collect();
    for (name, shape) in &found {
        assert_eq!(written.get(name), Some(shape), "{name} in gateway/docs/observability.md");
    }
    for name in written.keys() {
        assert!(found.contains_key(name), "{name} is in the document, but not in a scrape");
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_status_reason_and_upstream() {
    let (site, recorder, _collector) = with_everything().await;
    let browser = site.signed_in(ALICE).await;
    let before = scrape(&site).await;
    for _ in 0..3 {
        browser.fetch("GET", "/rec").await.must_be(200);
    }
    recorder.answer_once_and_close("nonsense\r\n\r\n");
    browser.fetch("GET", "/rec").await.must_be(502);
    browser.send(Ask::fetch("GET", "/rec").without("x-csrf")).await.must_be(403);
    site.browser().fetch("GET", "/nowhere/to/be/found").await.must_be(404);
    let after = scrape(&site).await;
    let more = |family: &str, suffix: &str, labels: &[(&str, &str)]| {
        sample(&after, family, suffix, labels) - sample(&before, family, suffix, labels)
    };
    let is = |found: f64, wanted: u32| {
        assert!((found - f64::from(wanted)).abs() < 1e-9, "{found} is not {wanted}")
    };
    is(more("gateway_requests", "_total", &[("route", "/rec"), ("status", "2xx")]), 3);
    is(more("gateway_requests", "_total", &[("route", "/rec"), ("status", "5xx")]), 1);
    is(more("gateway_requests", "_total", &[("route", "/rec"), ("status", "4xx")]), 1);
    is(more("gateway_requests", "_total", &[("status", "4xx")]), 2);
    is(more("gateway_request_duration_seconds", "_count", &[("route", "/rec")]), 5);
    is(more("gateway_requests_stopped", "_total", &[("reason", "csrf_header_missing")]), 1);
    is(more("gateway_requests_stopped", "_total", &[("reason", "upstream_broken")]), 1);
    is(more("gateway_upstream_requests", "_total", &[("upstream", "recorder"), ("status", "2xx")]), 3);
    is(more("gateway_upstream_failures", "_total", &[("upstream", "recorder"), ("kind", "broken")]), 1);
    is(more("gateway_upstream_first_byte_seconds", "_count", &[("upstream", "recorder")]), 3);
    is(sample(&after, "gateway_requests_in_flight", "", &[]), 0);
    assert!(sample(&after, "gateway_connections_accepted", "_total", &[]) >= 1.0);
    let wire = Wire::connect(site.addresses().ports.gateway).await;
    let open = sample(&scrape(&site).await, "gateway_connections_open", "", &[]);
    drop(wire);
    eventually("the connection is no longer counted", || async {
        sample(&scrape(&site).await, "gateway_connections_open", "", &[]) < open
    })
    .await;
}

#[tokio::test]
async fn tls_handshakes_are_counted_by_what_came_of_them() {
    let site = Plan::new().https(&[]).start().await;
    site.browser().send(Ask::page("/auth/signed-out")).await.must_be(200);
    let handshakes = |families: &BTreeMap<String, Family>, result: &str| {
        sample(families, "gateway_tls_handshakes", "_total", &[("result", result)])
    };
    let families = scrape(&site).await;
    assert!(
        sample(&families, "gateway_tls_handshakes", "_total", &[("result", "ok"), ("version", "1.3")]) >= 1.0
    );
    assert!(sample(&families, "gateway_tls_certificate_expiry_timestamp_seconds", "", &[]) > 1.7e9);
    let failed = handshakes(&families, "failed");
    site.raw(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", site.host())).await;
    eventually("who speaks no TLS is counted", || async {
        handshakes(&scrape(&site).await, "failed") > failed
    })
    .await;
    let broken = handshakes(&scrape(&site).await, "broken");
    drop(Wire::connect(site.addresses().ports.gateway).await);
    eventually("who goes away is counted", || async { handshakes(&scrape(&site).await, "broken") > broken })
        .await;
}

#[tokio::test]
async fn a_hundred_thousand_random_paths_add_no_series() {
    const REQUESTS: usize = 100_000;
    const AT_ONCE: usize = 2_000;
    let site = Plan::new().quiet().start().await;
    let series = |families: &BTreeMap<String, Family>| {
        families.values().map(|family| family.samples.len()).sum::<usize>()
    };
    let before = scrape(&site).await;
    let host = site.host();
    for round in 0..REQUESTS / AT_ONCE {
        let mut requests = String::new();
        for number in 0..AT_ONCE {
            let name = sha256(&format!("{round}-{number}"));
            let end = if number + 1 == AT_ONCE { "Connection: close\r\n" } else { "" };
            // The to-do service's route, which wants a session, and the pages' route, which knows no such file.
            let path = ["api/todolist", "no-folder"][number % 2];
            let _ = write!(
                requests,
                "GET /{path}/{name}?q={name} HTTP/1.1\r\nHost: {host}\r\nX-CSRF: 1\r\n{end}\r\n"
            );
        }
        let answers = site.raw(requests).await;
        assert_eq!(answers.matches("HTTP/1.1 40").count(), AT_ONCE, "each is answered");
    }
    let after = scrape(&site).await;
    let counted = |families: &_| sample(families, "gateway_requests", "_total", &[("status", "4xx")]);
    assert!(counted(&after) - counted(&before) >= 100_000.0);
    assert_eq!(series(&after), series(&before));
}

/// What looks like a metric of ours in a text, and the labels that stand behind it in braces.
fn named(text: &str) -> BTreeSet<(String, Vec<String>)> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("gateway_") {
        if text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let end = text[at..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .map_or(text.len(), |end| at + end);
        let labels = text[end..]
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .map_or("", |(labels, _)| labels);
        let names = labels.split(',').filter_map(|label| label.split(['=', '!']).next()).map(str::trim);
        found.insert((
            text[at..end].to_owned(),
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        ));
    }
    found
}

#[tokio::test]
async fn what_deploy_observability_names_is_in_a_real_scrape() {
    let (site, _recorder, _collector) = with_everything().await;
    let families = scrape(&site).await;
    let samples: BTreeMap<String, BTreeSet<String>> = families
        .iter()
        .flat_map(|(name, family)| {
            family.samples.keys().map(move |(suffix, labels)| {
                (format!("{name}{suffix}"), labels.iter().map(|(name, _)| name.clone()).collect())
            })
        })
        .collect();
    let dashboard: Value = serde_json::from_str(&document("deploy/observability/dashboard.json"))
        .expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut expressions: Vec<String> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("a panel asks something"))
        .map(|target| target["expr"].as_str().expect("an expression").to_owned())
        .collect();
    expressions.push(dashboard["templating"]["list"][1]["query"].as_str().expect("a query").to_owned());
    expressions.push(document("deploy/observability/alerts.yml"));
    let mut count = 0;
    for (metric, labels) in expressions.iter().flat_map(|text| named(text)) {
        let known = samples.get(&metric).unwrap_or_else(|| panic!("no scrape has {metric}"));
        for label in labels.iter().filter(|label| !matches!(label.as_str(), "instance" | "job")) {
            assert!(known.contains(label), "{metric} has no label {label}");
        }
        count += 1;
    }
    assert!(count >= 15, "{count} metrics are named");
    // What a rule groups by or shows is a label of something.
    let every: BTreeSet<&String> = samples.values().flatten().collect();
    for text in &expressions {
        for list in text.split("by (").skip(1).filter_map(|rest| rest.split(')').next()) {
            for label in list.split(',').map(str::trim).filter(|label| *label != "instance") {
                assert!(every.contains(&label.to_owned()), "nothing has the label {label}");
            }
        }
    }
    // The scrape configuration names the address and path that a gateway answers at.
    let scraping = document("deploy/observability/prometheus.yml");
    assert!(scraping.contains("metrics_path: /metrics") && scraping.contains("127.0.0.1:3003"));
    assert!(document("gateway/docs/configuration.md").contains("127.0.0.1:3003"));
    assert!(scraping.contains("alerts.yml"));
}

// Traces

/// Waits until the collector has the span of that request, and gives its whole trace.
async fn trace_of(collector: &Collector, request_id: &str) -> Vec<Recorded> {
    let is_it =
        |span: &Recorded| span.attributes.get("gateway.request_id").is_some_and(|found| found == request_id);
    eventually("the collector has the trace", || async { collector.spans().iter().any(is_it) }).await;
    let spans = collector.spans();
    let trace = spans.iter().find(|span| is_it(span)).expect("it is there").trace.clone();
    spans.into_iter().filter(|span| span.trace == trace).collect()
}

#[tokio::test]
async fn a_trusted_callers_trace_goes_on_in_the_collector_the_upstream_and_the_access_line() {
    let (recorder, collector) = (Recorder::start().await, Collector::start().await);
    let plan = Plan::new().append(recorder_routes(&recorder));
    let rest = "continue_traces = \"everybody\"\nservice_name = \"edge\"\nresource = { region = \"here\" }";
    let site = plan.traces(&collector, rest).start().await;
    let browser = site.signed_in(ALICE).await;
    let ask = Ask::fetch("GET", "/rec?secret=canary").header("traceparent", &traceparent());
    let reply = browser.send(ask.header("tracestate", "congo=t61rcWkgMzE")).await;
    let request_id = reply.must_be(200).header("x-request-id").expect("a name").to_owned();
    let seen = recorder.last();
    assert_eq!(seen.value("x-request-id"), Some(&*request_id));
    let trace = trace_of(&collector, &request_id).await;
    let request =
        trace.iter().find(|span| span.attributes.contains_key("gateway.request_id")).expect("the request");
    let call = trace.iter().find(|span| span.attributes.contains_key("gateway.upstream")).expect("the call");
    assert_eq!((&*request.trace, &*request.parent, &*request.span.name), (TRACE, SPAN, "GET /rec"));
    assert_eq!((&call.parent, &*call.span.trace_state), (&request.id, "congo=t61rcWkgMzE"));
    assert_eq!(seen.value("traceparent"), Some(&*format!("00-{TRACE}-{}-01", call.id)));
    assert_eq!(seen.value("tracestate"), Some("congo=t61rcWkgMzE"));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/rec"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("server.address", "localhost"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(request.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(call.attributes["gateway.upstream"], "recorder");
    assert_eq!(call.attributes["server.address"], "127.0.0.1");
    assert_eq!((&*request.resource["service.name"], &*request.resource["region"]), ("edge", "here"));
    let times = |span: &Recorded| (span.span.start_time_unix_nano, span.span.end_time_unix_nano);
    let ((from, to), (call_from, call_to)) = (times(request), times(call));
    assert!(from <= call_from && call_from <= call_to && call_to <= to && to - from < 60_000_000_000);
    let first = &collector.posted()[0];
    assert_eq!(
        (&*first.path, &first.headers["content-type"]),
        ("/v1/traces", &http::HeaderValue::from_static("application/x-protobuf"))
    );
    for posted in collector.posted() {
        assert!(!String::from_utf8_lossy(&posted.body).contains("canary"), "a query stands in a trace");
    }
    // A caller that does not record has its trace passed on, unchanged and unrecorded.
    let unrecorded = format!("00-{TRACE}-{SPAN}-00");
    let reply = browser.send(Ask::fetch("GET", "/rec").header("traceparent", &unrecorded)).await;
    assert_eq!(recorder.last().value("traceparent"), Some(&*unrecorded));
    let second = reply.header("x-request-id").expect("a name").to_owned();
    let lines = site.into_logs().await.lines();
    for name in [&request_id, &second] {
        let line = lines.iter().find(|line| line["request_id"] == **name).expect("its line");
        assert_eq!(line["trace_id"], TRACE);
    }
    assert!(collector.spans().iter().all(|span| span.attributes.get("gateway.request_id") != Some(&second)));
}

#[tokio::test]
async fn a_strangers_trace_is_linked_and_never_continued() {
    let (recorder, collector) = (Recorder::start().await, Collector::start().await);
    let plan = Plan::new().append(recorder_routes(&recorder)).traces(&collector, "");
    let site = plan.start().await;
    let ask = Ask::bare("GET", "/open").header("traceparent", &traceparent());
    let reply = site.browser().send(ask.header("tracestate", "congo=t61rcWkgMzE")).await;
    let request_id = reply.must_be(200).header("x-request-id").expect("a name").to_owned();
    let trace = trace_of(&collector, &request_id).await;
    let request =
        trace.iter().find(|span| span.attributes.contains_key("gateway.request_id")).expect("the request");
    assert_ne!(request.trace, TRACE);
    assert!(request.parent.is_empty() && request.span.links.len() == 1);
    let linked = &request.span.links[0];
    assert_eq!(gateway::hex::encode(&linked.trace_id), TRACE);
    let seen = recorder.last();
    assert!(seen.value("traceparent").is_some_and(|told| told.contains(&request.trace)), "{}", seen.head);
    assert!(seen.values("tracestate").is_empty());
}

#[tokio::test]
async fn nothing_but_a_trace_of_the_gateways_choice_reaches_an_upstream() {
    let recorder = Recorder::start().await;
    let long = "a".repeat(10_240);
    let bad = [
        long.as_str(),
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
    ];
    let proxies = "[telemetry]\ncontinue_traces = \"trusted-proxies\"";
    let everybody = "[telemetry]\ncontinue_traces = \"everybody\"";
    for (telemetry, proxy, is_believed) in [
        ("", None, false),
        (proxies, None, false),
        (proxies, Some("[\"127.0.0.1\"]"), true),
        (everybody, None, true),
    ] {
        let mut plan = Plan::new().append(recorder_routes(&recorder)).append(telemetry);
        if let Some(proxy) = proxy {
            plan = plan.set("listen", "trusted_proxies", proxy);
        }
        let site = plan.start().await;
        let browser = site.browser();
        for value in bad {
            let ask = Ask::bare("GET", "/open").header("traceparent", value).header("tracestate", "a=1");
            browser.send(ask.header("x-request-id", &long)).await.must_be(200);
            let seen = recorder.last();
            assert!(
                seen.values("traceparent").is_empty() && seen.values("tracestate").is_empty(),
                "{}",
                seen.head
            );
            assert!(seen.value("x-request-id").is_some_and(|name| name.len() == 24));
        }
        let twice = Ask::bare("GET", "/open").header("traceparent", &traceparent());
        browser.send(twice.header("traceparent", &traceparent())).await.must_be(200);
        assert!(recorder.last().values("traceparent").is_empty(), "two are none");
        let ask = Ask::bare("GET", "/open").header("traceparent", &traceparent());
        browser.send(ask.header("tracestate", "a=1,b")).await.must_be(200);
        let seen = recorder.last();
        let good = traceparent();
        assert_eq!(seen.value("traceparent"), is_believed.then_some(&*good));
        assert!(seen.values("tracestate").is_empty());
        // Line breaks, folded and bare: nothing of them is read as a header of its own.
        let folded = format!(
            "GET /open HTTP/1.1\r\nHost: {}\r\ntraceparent: {good}\r\n x-evil: 1\r\nConnection: close\r\n\r\n",
            site.host()
        );
        let count = recorder.count();
        let answer = site.raw(folded).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") || recorder.last().values("x-evil").is_empty(),
            "{answer}"
        );
        assert!(recorder.count() <= count + 1);
    }
}

#[tokio::test]
async fn a_sign_in_and_its_trouble_are_traced_without_a_secret() {
    let collector = Collector::start().await;
    let site = Plan::new().traces(&collector, "").start().await;
    site.signed_in(ALICE).await.fetch("GET", "/api/todolist").await.must_be(200);
    site.faults().set((Endpoint::Token, HttpFault::Status500));
    sign_in_must_fail(&site.browser(), &[502, 503], "a provider in trouble").await;
    site.heal();
    eventually("both sign-ins are there", || async {
        collector.spans().iter().filter(|span| span.span.name == "sign_in").count() == 2
    })
    .await;
    let spans = collector.spans();
    let steps: Vec<_> = spans.iter().filter(|span| span.span.name == "sign_in").collect();
    let failed: Vec<_> = steps.iter().filter(|step| step.attributes.contains_key("error.type")).collect();
    assert_eq!(failed.len(), 1);
    let whole = spans.iter().find(|span| span.id == failed[0].parent).expect("the request");
    assert_eq!(whole.span.name, "GET /auth/callback");
    assert_eq!(whole.attributes["gateway.reason"], failed[0].attributes["error.type"]);
    // What the collector got is searched for secrets as the site goes away.
    assert!(site.secrets().count(harness::Kind::Code) >= 1 && !collector.posted().is_empty());
}

#[tokio::test]
async fn a_collector_that_refuses_or_is_away_costs_no_request() {
    let collector = Collector::start().await;
    let site = Plan::new().traces(&collector, "").start().await;
    let browser = site.browser();
    // What it asks to be sent again comes again; what it does not want is dropped and counted.
    collector.refuse(&[StatusCode::SERVICE_UNAVAILABLE]);
    let reply = browser.send(Ask::page("/auth/signed-out")).await;
    let first = reply.must_be(200).header("x-request-id").expect("a name").to_owned();
    trace_of(&collector, &first).await;
    collector.refuse(&[StatusCode::BAD_REQUEST]);
    browser.send(Ask::page("/auth/signed-out")).await.must_be(200);
    let fate = |families: &BTreeMap<String, Family>, fate: &str| {
        sample(families, "gateway_trace_spans", "_total", &[("fate", fate)])
    };
    eventually("the refusal is counted", || async { fate(&scrape(&site).await, "not_taken") >= 1.0 }).await;
    assert!(fate(&scrape(&site).await, "sent") >= 1.0);
    assert!(site.into_logs().await.events.contains("traces_not_sent"));

    let away = Plan::new().append("[telemetry]\notlp = \"http://127.0.0.1:9\"\nsample = 1").start().await;
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        away.browser().send(Ask::page("/auth/signed-out")).await.must_be(200);
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    eventually("what is lost is counted", || async { fate(&scrape(&away).await, "not_taken") >= 20.0 }).await;
}

#[tokio::test]
async fn the_collector_is_shown_what_the_configuration_says() {
    let (collector, folder) = (Collector::start().await, tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("otlp.key");
    std::fs::write(&file, "Zp4vR8sK1wQ6yH3tN9cD\n").expect("written");
    let headers = format!("otlp_headers = {{ x-api-key = {{ file = \"{}\" }} }}", file.display());
    let site = Plan::new().traces(&collector, &headers).start().await;
    site.browser().send(Ask::page("/auth/signed-out")).await.must_be(200);
    eventually("something was posted", || async { !collector.posted().is_empty() }).await;
    assert_eq!(collector.posted()[0].headers["x-api-key"], "Zp4vR8sK1wQ6yH3tN9cD");
    assert!(!site.into_logs().await.events.contains("Zp4vR8sK1wQ6yH3tN9cD"));
}

// The audit log

#[tokio::test]
async fn each_security_event_is_told_once_with_who_and_why() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    let mut wanted = Vec::new();
    let mut expect = |reply: &harness::Reply, event: &'static str, reason: &'static str| {
        wanted.push((reply.header("x-request-id").expect("a name").to_owned(), event, reason));
    };
    expect(
        &browser.send(Ask::fetch("GET", "/rec").without("x-csrf")).await,
        "request_refused",
        "csrf_header_missing",
    );
    let forged =
        Ask::fetch("POST", "/app").set("origin", "https://evil.example").set("sec-fetch-site", "cross-site");
    expect(&browser.send(forged).await, "request_refused", "cross_site");
    expect(&browser.send(Ask::page("/auth/callback?code=x&state=y")).await, "callback_refused", "bad_state");
    expect(
        &browser.send(Ask::page("/auth/initiate?iss=https://evil.example")).await,
        "initiation_refused",
        "bad_initiation",
    );
    let out = browser.fetch("POST", "/auth/sign-out").await;
    expect(&out, "signed_out", "");
    let nobody = site.browser().fetch("GET", "/rec").await;
    let nobody = nobody.must_be(401).header("x-request-id").expect("a name").to_owned();
    let logs = site.into_logs().await;
    let events: Vec<Value> = logs
        .events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["target"] == "gateway::audit")
        .collect();
    for (request_id, event, reason) in wanted {
        let told: Vec<_> = events.iter().filter(|line| line["fields"]["request_id"] == *request_id).collect();
        assert_eq!(told.len(), 1, "{event}: {told:?}");
        let fields = &told[0]["fields"];
        assert_eq!((&fields["event"], &fields["client"]), (&event.into(), &"127.0.0.1".into()), "{fields}");
        if reason.is_empty() {
            assert_eq!(fields["subject"].as_str().map(str::len), Some(8), "{fields}");
        } else {
            assert_eq!(fields["reason"], reason);
        }
        assert!(told[0]["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')));
    }
    assert!(
        events.iter().all(|line| line["fields"]["request_id"] != *nobody),
        "who is not signed in is no event"
    );
}
