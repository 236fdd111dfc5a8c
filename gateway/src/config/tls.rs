//! `[tls]`: the certificates of the site, and whose client certificates are asked for.

mod acme;

use std::fs;
use std::path::PathBuf;

use crate::clock::{Clock, Timestamp};
use crate::handshake::Names;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::tls::{Pair, PairError, Settings, Source, Trust};

use super::raw::{Place, Section, Value};
use super::secrets::{self, Surroundings, Wanted};
use super::{listen, schema};

const KEY: Wanted = Wanted {
    lines: true,
    shortest: 64,
    where_from: "write the private key of the certificate there, in PEM form and not encrypted",
};
const CHAIN: &str = "write a PEM file with the site's own certificate first, then its chain";

/// What `[tls]` says, and the files that must not be served.
#[derive(Default)]
pub(super) struct Found {
    pub(super) settings: Option<Settings>,
    pub(super) secret_files: Vec<PathBuf>,
}

/// Reads `[tls]`, for `listen.https`.
pub(super) fn read(
    top: &Section<'_>,
    listen: Option<&listen::Found>,
    origins: &[&Origin],
    around: &Surroundings<'_>,
) -> Option<Found> {
    let wanted = listen.and_then(|listen| listen.https.as_ref());
    let Some(value) = top.value("tls") else {
        return match wanted {
            None => Some(Found::default()),
            Some(place) => {
                let help = "add `certificates = [{ certificate = { file = \"…\" }, key = { file = \"…\" } }]` under [tls]";
                top.report().problem(place, "TLS needs a certificate", help);
                None
            }
        };
    };
    let section = value.section(&schema::TLS)?;
    if wanted.is_none() {
        let help = "add `https = \"0.0.0.0:443\"` under [listen], or remove [tls]";
        top.report().problem(section.place(), "nobody is shown these certificates", help);
    }
    let mut secret_files = Vec::new();
    let acme = acme::read(&section, listen, origins, around);
    if let Ok(Some(acme)) = &acme {
        secret_files.push(acme.source().key);
    }
    let ordered = acme.as_ref().map_or(&[][..], |acme| acme.as_ref().map_or(&[][..], |acme| &acme.domains));
    let certificates = certificates(&section, ordered, origins, around, &mut secret_files);
    let client_ca = client_ca(&section, around);
    wanted?;
    let settings = Settings { certificates: certificates?, client_ca: client_ca.ok()?, acme: acme.ok()? };
    Some(Found { settings: Some(settings), secret_files })
}

fn certificates(
    section: &Section<'_>,
    ordered: &[String],
    origins: &[&Origin],
    around: &Surroundings<'_>,
    secret_files: &mut Vec<PathBuf>,
) -> Option<Vec<Source>> {
    let is_ordered = |origin: &Origin| Names::new(ordered.iter().cloned()).cover(origin.authority());
    if section.has("acme") && !section.has("certificates") {
        if let Some(origin) = origins.iter().find(|origin| !ordered.is_empty() && !is_ordered(origin)) {
            let help = format!("add \"{}\" to `domains`", origin.authority());
            section.report().problem(
                section.place(),
                format!("no certificate is for the host {}", origin.authority()),
                help,
            );
        }
        return Some(Vec::new());
    }
    let value = section.required("certificates")?;
    let items = value.list()?;
    let report = section.report();
    if items.is_empty() {
        let help = "write [{ certificate = { file = \"…\" }, key = { file = \"…\" } }]";
        report.problem(&value.place(), "TLS needs a certificate", help);
        return None;
    }
    let found: Vec<_> =
        items.iter().filter_map(|item| certificate(item, section, around, secret_files)).collect();
    if found.len() < items.len() {
        return None;
    }
    let is_named = |origin: &Origin| {
        found.iter().any(|(_, pair)| pair.names.cover(origin.authority())) || is_ordered(origin)
    };
    if let Some(place) = origins.iter().position(|origin| !is_named(origin)) {
        let key = if place == 0 { "public_url" } else { "other_urls" };
        let names: Vec<String> = found.iter().flat_map(|(_, pair)| pair.names.iter()).collect();
        report.problem(
            &value.place(),
            format!("no certificate here is for the host of `{key}`, {}", origins[place].authority()),
            format!("get one for it; these are for {}", names.join(", ")),
        );
        return None;
    }
    Some(found.into_iter().map(|(source, _)| source).collect())
}

fn certificate(
    item: &Value<'_>,
    tls: &Section<'_>,
    around: &Surroundings<'_>,
    secret_files: &mut Vec<PathBuf>,
) -> Option<(Source, Pair)> {
    let section = item.section(&schema::CERTIFICATE)?;
    let chain = section.required("certificate").and_then(|value| {
        let table = value.section(&schema::FILE)?;
        let file = table.required("file")?.text()?;
        Some((around.path(file.value), file.place))
    });
    let key = section.required("key").and_then(|value| {
        let found = secrets::read(&value, &KEY, tls.report(), around)?;
        secret_files.extend(found.file.clone());
        if found.file.is_none() {
            let help = "write key = { file = \"path\" }";
            tls.report().problem(
                &value.place(),
                "this key comes from a file, so that it can be replaced",
                help,
            );
        }
        Some((found.file?, found.secret, value.place()))
    });
    let ((path, place), (key_path, key, key_place)) = (chain?, key?);
    let chain = match fs::read(&path) {
        Ok(chain) => chain,
        Err(error) => {
            let help = format!("create {}, or let the gateway's user read it", path.display());
            tls.report().problem(&place, format!("the certificate cannot be read: {error}"), help);
            return None;
        }
    };
    let pair = pair(tls, &chain, &key, &place, &key_place)?;
    warn_of_time(tls, &pair, &place);
    Some((Source { certificate: path, key: key_path }, pair))
}

fn pair(
    tls: &Section<'_>,
    chain: &[u8],
    key: &Secret<String>,
    place: &Place,
    key_place: &Place,
) -> Option<Pair> {
    match Pair::parse(chain, key.expose().as_bytes()) {
        Ok(pair) => Some(pair),
        Err(error) => {
            let (place, help) = match error {
                PairError::Mismatch => (key_place, "write the key that this certificate was made for"),
                _ if error.is_about_key() => (key_place, KEY.where_from),
                PairError::NoName => {
                    (place, "get a certificate with the site's host as subject alternative name")
                }
                _ => (place, CHAIN),
            };
            tls.report().problem(place, error.to_string(), help);
            None
        }
    }
}

/// Not refused: a site with an old certificate can still be reached by whoever accepts it, and a new one is taken as soon
/// as it is there.
fn warn_of_time(tls: &Section<'_>, pair: &Pair, place: &Place) {
    let now: Timestamp = Clock::system().now();
    let said = if pair.not_after < now {
        format!("ended at {}; browsers refuse it", pair.not_after.rfc3339())
    } else if pair.not_before > now {
        format!("does not hold before {}; browsers refuse it until then", pair.not_before.rfc3339())
    } else {
        return;
    };
    tls.report().warning(format!("{}: the certificate {said}", place.key));
}

/// Nothing inside without; nothing at all for a wrong one, which is reported.
fn client_ca(section: &Section<'_>, around: &Surroundings<'_>) -> Result<Option<PathBuf>, ()> {
    let Some(value) = section.value("client_ca") else {
        return Ok(None);
    };
    let text = value.text().ok_or(())?;
    let path = around.path(text.value);
    if let Err(error) = Trust::read(&path) {
        let help = format!("put the certificates of the authorities in PEM form into {}", path.display());
        section.report().problem(&text.place, crate::stop::causes(&error), help);
        return Err(());
    }
    Ok(Some(path))
}
