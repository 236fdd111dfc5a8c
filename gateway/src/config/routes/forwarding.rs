//! `timeouts`, `retries`, `grpc` and `trailers` of a route: how it forwards, where it differs from most.

use http::{Method, StatusCode};

use crate::config::raw::{Section, Text};
use crate::config::{check, schema, suggest, upstreams};
use crate::routing::{Forwarding, Methods, Retries, Timeouts, Trailers};
use crate::upstream::Protocol;

use super::upstreams::{CONNECT_BOUNDS, RESPONSE_BOUNDS};

const KEYS: [&str; 4] = ["timeouts", "retries", "grpc", "trailers"];
const REST_BOUNDS: [std::time::Duration; 2] =
    [std::time::Duration::from_millis(100), std::time::Duration::from_hours(24)];

/// Reads all of it; nothing where the route forwards as most do.
pub(super) fn read(
    section: &Section<'_>,
    methods: Option<Methods>,
    upstream: Option<&upstreams::Found>,
) -> Option<Box<Forwarding>> {
    if !section.has("upstream") {
        for value in KEYS.into_iter().filter_map(|key| section.value(key)) {
            let message = "only what is forwarded to an upstream has this";
            section.report().problem(&value.place(), message, "remove it, or add `upstream`");
        }
    }
    let grpc = section.flag("grpc", false);
    let trailers = section.flag("trailers", grpc);
    if grpc {
        check_grpc(section, methods, upstream);
    }
    let forwarding = Forwarding {
        timeouts: timeouts(section),
        retries: section.section("retries", &schema::RETRIES).and_then(|table| retries(&table)),
        trailers: (grpc || trailers).then(|| Trailers { grpc, ..Trailers::default() }),
    };
    (forwarding != Forwarding::default()).then(|| Box::new(forwarding))
}

fn check_grpc(section: &Section<'_>, methods: Option<Methods>, upstream: Option<&upstreams::Found>) {
    let Some(value) = section.value("grpc") else {
        return;
    };
    let report = section.report();
    if upstream.and_then(|upstream| upstream.protocol) == Some(Protocol::Http1) {
        let message = "gRPC is spoken over HTTP/2, and the upstream is not";
        report.problem(&value.place(), message, "write protocol = \"h2\" (or \"h2c\") in the upstream");
    } else if methods.is_some_and(|methods| !methods.contains(&Method::POST)) {
        report.problem(&value.place(), "gRPC calls are POST", "add \"POST\" to `methods`");
    } else if section.has("trailers") && !section.flag("trailers", true) {
        let message = "gRPC tells its status in a trailer";
        report.problem(&value.place(), message, "remove `trailers`, or `grpc`");
    }
}

fn timeouts(route: &Section<'_>) -> Timeouts {
    let Some(table) = route.section("timeouts", &schema::ROUTE_TIMEOUTS) else {
        return Timeouts::default();
    };
    let time = |key: &'static str, bounds: [std::time::Duration; 2]| {
        if table.has(key) { check::time(&table, key, bounds[0], bounds) } else { None }
    };
    let timeouts = Timeouts {
        connect: time("connect", CONNECT_BOUNDS),
        response: time("response", RESPONSE_BOUNDS),
        idle: time("idle", REST_BOUNDS),
        total: time("total", REST_BOUNDS),
        streams: table.flag("streams", false),
    };
    if timeouts.streams && !table.has("idle") && !table.has("total") {
        if let Some(value) = table.value("streams") {
            let message = "there is no time-out that could hold for streams";
            table.report().problem(&value.place(), message, "add `idle` or `total`, or remove it");
        }
    }
    timeouts
}

const CAUSES: [&str; 6] = ["connect", "reset", "timeout", "502", "503", "504"];

fn retries(table: &Section<'_>) -> Option<Retries> {
    let attempts = check::number(table, "attempts", 2, 2..=5);
    let default = Retries { attempts: 2, connect: true, reset: true, timeout: false, statuses: Vec::new() };
    let Some(texts) = table.unique_texts("on") else {
        return (!table.has("on")).then_some(Retries { attempts: attempts?, ..default });
    };
    let mut found = Retries { connect: false, reset: false, ..default };
    for text in &texts {
        match text.value {
            "connect" => found.connect = true,
            "reset" => found.reset = true,
            "timeout" => found.timeout = true,
            "502" => found.statuses.push(StatusCode::BAD_GATEWAY),
            "503" => found.statuses.push(StatusCode::SERVICE_UNAVAILABLE),
            "504" => found.statuses.push(StatusCode::GATEWAY_TIMEOUT),
            _ => unknown(table, text),
        }
    }
    if texts.is_empty() {
        let place = table.value("on")?.place();
        table.report().problem(
            &place,
            "nothing is ever sent again then",
            "remove `retries`, or say after what",
        );
    }
    Some(Retries { attempts: attempts?, ..found })
}

fn unknown(table: &Section<'_>, text: &Text<'_>) {
    let help = suggest::help(text.value, CAUSES.into_iter(), "");
    let message = format!("\"{}\" is nothing to retry after", text.value.escape_debug());
    table.report().problem(&text.place, message, help);
}
