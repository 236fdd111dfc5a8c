//! `[telemetry]`: which requests are recorded as traces, and where those are sent.

use std::path::PathBuf;

use http::{HeaderName, HeaderValue};
use toml::de::DeValue;
use url::Url;

use crate::origin;
use crate::otlp::{Collector, Resource, Settings};
use crate::secret::Secret;
use crate::trace::{Sampling, Trust};

use super::raw::{Section, Text};
use super::secrets::{self, Surroundings, Wanted};
use super::{check, schema};

const TRUSTED: [(&str, Trust); 3] =
    [("nobody", Trust::Nobody), ("trusted-proxies", Trust::Proxies), ("everybody", Trust::Everybody)];
/// One in a hundred.
const SHARE: f64 = 0.01;
/// Where collectors take traces (OTLP 1, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";
/// Longer texts describe nothing.
const LONGEST: usize = 256;
const HEADER: Wanted =
    Wanted { lines: false, shortest: 8, where_from: "copy the key that the collector's operator gave you" };

/// What the section says, and the files it names.
pub(super) struct Found {
    pub(super) settings: Option<Settings>,
    pub(super) secret_files: Vec<PathBuf>,
}

/// Reads `[telemetry]`; without one nothing is recorded, and nobody's trace is continued.
pub(super) fn read(top: &Section<'_>, around: &Surroundings<'_>) -> Option<Found> {
    if !top.has("telemetry") {
        return Some(Found { settings: None, secret_files: Vec::new() });
    }
    let section = top.section("telemetry", &schema::TELEMETRY)?;
    let trust = check::word(&section, "continue_traces", &TRUSTED, Trust::Nobody);
    let share = share(&section);
    let resource = resource(&section);
    let headers = headers(&section, around);
    let url = if section.has("otlp") { Some(endpoint(&section)?) } else { None };
    let Some(url) = url else {
        only_with_collector(&section);
        let sampling = Sampling::new(trust?, false, 0.0);
        return Some(Found {
            settings: Some(Settings { sampling, collector: None }),
            secret_files: Vec::new(),
        });
    };
    let (headers, secret_files) = headers?;
    if url.scheme() == "http" && !headers.is_empty() && !origin::is_loopback(&url) {
        let place = section.value("otlp")?.place();
        let help = "write https://, or run a collector on this machine";
        section.report().problem(&place, "`otlp_headers` would travel without TLS", help);
        return None;
    }
    let sampling = Sampling::new(trust?, true, share?);
    let collector = Some(Collector { url, headers, resource: resource? });
    Some(Found { settings: Some(Settings { sampling, collector }), secret_files })
}

/// What means nothing when nothing is sent.
fn only_with_collector(section: &Section<'_>) {
    for key in ["sample", "otlp_headers", "service_name", "resource"] {
        if let Some(value) = section.value(key) {
            section.report().problem(
                &value.place(),
                format!("`{key}` goes with `otlp`"),
                "add `otlp`, or remove it",
            );
        }
    }
}

/// A collector's base address, with the path that traces are posted to.
fn endpoint(section: &Section<'_>) -> Option<Url> {
    let text = section.text("otlp")?;
    let problem = |message: &str, help: &str| {
        section.report().problem(&text.place, message, help);
        None
    };
    let example = "write the collector's address for OTLP over HTTP, such as \"http://127.0.0.1:4318\"";
    let Some(mut url) = Url::parse(text.value).ok().filter(Url::has_host) else {
        return problem("this is not the URL of a collector", example);
    };
    if !matches!(url.scheme(), "http" | "https") {
        return problem("a collector is reached by http or https", example);
    }
    if !url.username().is_empty() || url.password().is_some() {
        section.report().mask(text.place.span.clone());
        return problem("this URL must not hold a user name or password", "use `otlp_headers`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        section.report().mask(text.place.span.clone());
        return problem("this URL must hold neither query nor fragment", "use `otlp_headers` for keys");
    }
    let base = url.path().trim_end_matches('/');
    let path = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
    url.set_path(&path);
    Some(url)
}

/// A number from 0 to 1.
fn share(section: &Section<'_>) -> Option<f64> {
    let Some(value) = section.value("sample") else {
        return Some(SHARE);
    };
    let number = match value.get() {
        DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
        DeValue::Integer(number) => number.as_str().parse().ok(),
        _ => {
            value.wrong_type("a number from 0 to 1");
            return None;
        }
    };
    let share = number.filter(|share| (0.0..=1.0).contains(share));
    if share.is_none() {
        let help = "write 0.01 for one request in a hundred, 1 for all";
        section.report().problem(&value.place(), "a share is a number from 0 to 1", help);
    }
    share
}

/// What describes this gateway to whoever reads its traces.
fn resource(section: &Section<'_>) -> Option<Resource> {
    let name = if section.has("service_name") { section.text("service_name")? } else { own_name(section) };
    let mut attributes = vec![
        ("service.name".to_owned(), described(section, &name)?),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    if let Some(value) = section.value("resource") {
        for (key, value) in value.entries()? {
            if key.value.starts_with("service.name") || key.value.is_empty() || key.value.len() > LONGEST {
                let help = "write names such as \"deployment.environment.name\", and the service's in `service_name`";
                section.report().problem(&key.place, "this is not an attribute to set here", help);
                return None;
            }
            attributes.push((key.value.to_owned(), described(section, &value.text()?)?));
        }
    }
    Some(Resource(attributes))
}

fn own_name<'d>(section: &Section<'d>) -> Text<'d> {
    Text { value: "gateway", place: section.place().clone() }
}

fn described(section: &Section<'_>, text: &Text<'_>) -> Option<String> {
    let fits = (1..=LONGEST).contains(&text.value.len()) && !text.value.chars().any(char::is_control);
    if !fits {
        section.report().problem(
            &text.place,
            "this describes nothing",
            "write 1 to 256 characters on one line",
        );
    }
    fits.then(|| text.value.to_owned())
}

type Headers = Vec<(HeaderName, Secret<String>)>;

/// The headers of each post, and the files that their values are in.
fn headers(section: &Section<'_>, around: &Surroundings<'_>) -> Option<(Headers, Vec<PathBuf>)> {
    let (mut headers, mut files) = (Headers::new(), Vec::new());
    let Some(value) = section.value("otlp_headers") else {
        return Some((headers, files));
    };
    let report = section.report();
    let entries = value.entries()?;
    let count = entries.len();
    for (name, value) in entries {
        let known = HeaderName::try_from(name.value).ok();
        let is_ours = |name: &HeaderName| {
            matches!(
                name.as_str(),
                "host" | "content-type" | "content-length" | "transfer-encoding" | "connection"
            )
        };
        let Some(header) = known.filter(|name| !is_ours(name)) else {
            report.problem(&name.place, "this is not a header to set", "write a name such as \"x-api-key\"");
            continue;
        };
        let Some(found) = secrets::read(&value, &HEADER, report, around) else {
            continue;
        };
        files.extend(found.file);
        if HeaderValue::from_str(found.secret.expose()).is_err() {
            report.problem(
                &value.place(),
                "this secret cannot stand in a header",
                "it must be visible ASCII",
            );
            continue;
        }
        headers.push((header, found.secret));
    }
    (headers.len() == count).then_some((headers, files))
}
