//! Metrics as text: OpenMetrics for who asks for it, else the older format of Prometheus, which every scraper reads and
//! which names and types counters in another way.

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// How the text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The Prometheus text format 0.0.4.
    Prometheus,
}

impl Format {
    /// What a request with this `Accept` header wants.
    pub fn wanted(accept: Option<&str>) -> Self {
        let weight = |kind: &str| {
            let ranges = accept.unwrap_or_default().split(',').map(|range| range.split(';').map(str::trim));
            let weights = ranges.filter_map(|mut parts| {
                let is_it = parts.next()?.eq_ignore_ascii_case(kind);
                is_it.then(|| parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32))
            });
            weights.fold(0.0_f32, f32::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0.0 && open >= weight("text/plain") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Writes everything in the registry.
pub(super) fn write(registry: &Registry, format: Format) -> String {
    let mut open = String::new();
    text::encode(&mut open, registry).expect("a String takes everything");
    match format {
        Format::OpenMetrics => open,
        Format::Prometheus => older(&open),
    }
}

/// OpenMetrics in the older format: comments name the series as they are called, and there are fewer types.
fn older(open: &str) -> String {
    let mut written = String::with_capacity(open.len());
    let mut help = "";
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.rsplit_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            let words = help.split_once(' ').map_or("", |(_, words)| words);
            written.extend(["# HELP ", name, suffix, " ", words, "\n# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            written += line;
            written.push('\n');
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn who_prefers_open_metrics_gets_it_and_everybody_else_the_older_format() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in
            [prometheus, "application/openmetrics-text", "Application/OpenMetrics-Text; version=1.0.0"]
        {
            assert_eq!(Format::wanted(Some(accept)), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "text/html,application/json",
            ";;,q=,",
        ] {
            assert_eq!(Format::wanted(Some(accept)), Format::Prometheus, "{accept}");
        }
        assert_eq!(
            Format::wanted(Some("application/openmetrics-text; q=0.2, text/plain; q=0.9")),
            Format::Prometheus
        );
        assert_eq!(Format::wanted(None), Format::Prometheus);
    }

    #[test]
    fn the_older_format_names_counters_as_they_are_called() {
        let metrics = Metrics::new();
        let (open, older) = (metrics.text(Format::OpenMetrics), metrics.text(Format::Prometheus));
        assert!(open.ends_with("# EOF\n") && open.contains("# TYPE gateway_sessions_created counter\n"));
        assert!(
            older.contains(
                "# TYPE gateway_sessions_created_total counter\ngateway_sessions_created_total 0\n"
            )
        );
        assert!(older.contains("# HELP gateway_sessions_created_total Sessions begun"), "{older}");
        assert!(older.contains("# TYPE gateway_build_info gauge\ngateway_build_info{version="));
        assert!(older.contains("# TYPE gateway_token_refresh_duration_seconds histogram\n"));
        assert!(!older.contains("# UNIT") && !older.contains("EOF") && !older.contains(" info\n"));
        let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples(&open), samples(&older));
    }
}
