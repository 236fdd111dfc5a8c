//! `client_key` and `client_certificate`: what the gateway signs with, or shows when it connects.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeValue;

use crate::config::raw::{Place, Section};
use crate::config::schema;
use crate::config::secrets::{self, Surroundings, Wanted};
use crate::oidc::client::assertion::{Assertions, Audience};
use crate::oidc::client::certificate::{CertificateError, ClientCertificate};
use crate::oidc::client::key::SigningKey;
use crate::oidc::settings::{Algorithm, ClientAuthentication};
use crate::secret::Secret;

use super::client::missing;

/// `client_key_algorithm`: every other kind of key has one algorithm only.
pub(super) const FOR_RSA: [(&str, Algorithm); 2] = [("RS256", Algorithm::RS256), ("PS256", Algorithm::PS256)];

const MAKE_ONE: &str = "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const KEY: Wanted = Wanted { lines: true, shortest: 64, where_from: MAKE_ONE };
/// One signs; the others are the one before it and the one after it.
const MOST_KEYS: usize = 3;
/// Longer chains are the wrong file.
const LONGEST_CHAIN: u64 = 64 * 1024;

/// What was reported and cannot be used.
pub(super) struct Told;

/// One private key as text, with its place in the file.
pub(super) struct Pem {
    text: Secret<String>,
    place: Place,
}

/// What `client_key` says, if it is there, and the files it names.
pub(super) struct Found {
    pub(super) keys: Option<Result<Vec<Pem>, Told>>,
    pub(super) files: Vec<PathBuf>,
}

/// Reads `client_key`: one table, or a list of them.
pub(super) fn read(section: &Section<'_>, around: &Surroundings<'_>) -> Found {
    let Some(value) = section.value("client_key") else {
        return Found { keys: None, files: Vec::new() };
    };
    let items = match value.get() {
        DeValue::Array(_) => value.list().unwrap_or_default(),
        _ => vec![value],
    };
    let report = section.report();
    if items.is_empty() || items.len() > MOST_KEYS {
        if let Some(value) = section.value("client_key") {
            let help = format!("write one, or {MOST_KEYS} at most: the first signs, all are published");
            report.problem(&value.place(), "this is not a sensible number of keys", help);
        }
        return Found { keys: Some(Err(Told)), files: Vec::new() };
    }
    let (mut keys, mut files) = (Vec::new(), Vec::new());
    for item in &items {
        if let Some(found) = secrets::read(item, &KEY, report, around) {
            files.extend(found.file);
            keys.push(Pem { text: found.secret, place: item.place() });
        }
    }
    let keys = if keys.len() == items.len() { Ok(keys) } else { Err(Told) };
    Found { keys: Some(keys), files }
}

/// The keys; reports that there are none.
pub(super) fn required(
    section: &Section<'_>,
    keys: Option<Result<Vec<Pem>, Told>>,
    method: &str,
) -> Option<Vec<Pem>> {
    if keys.is_none() {
        let message = format!("client_authentication = \"{method}\" needs a private key");
        missing(section, "client_key", &message, "add `client_key = { file = \"path\" }`");
    }
    keys?.ok()
}

/// Reads `client_certificate`: nothing if it is not there.
pub(super) fn certificate(
    section: &Section<'_>,
    around: &Surroundings<'_>,
) -> Result<Option<(String, Place)>, Told> {
    let Some(value) = section.value("client_certificate") else {
        return Ok(None);
    };
    let table = value.section(&schema::FILE).ok_or(Told)?;
    let file = table.required("file").and_then(|value| value.text()).ok_or(Told)?;
    let path = around.path(file.value);
    let mut text = String::new();
    let read = File::open(&path).and_then(|opened| opened.take(LONGEST_CHAIN).read_to_string(&mut text));
    if let Err(error) = read {
        let message = format!("the certificate cannot be read: {error}");
        let help = format!("create {}, or let the gateway's user read it", path.display());
        section.report().problem(&file.place, message, help);
        return Err(Told);
    }
    Ok(Some((text, file.place)))
}

/// The keys that sign, the first of them with its certificate, where there is one.
pub(super) fn assertions(
    section: &Section<'_>,
    keys: &[Pem],
    certificate: Option<(String, Place)>,
    for_rsa: Algorithm,
    audience: Audience,
) -> Option<ClientAuthentication> {
    let report = section.report();
    let mut parsed: Vec<SigningKey> = Vec::with_capacity(keys.len());
    for pem in keys {
        match SigningKey::parse(pem.text.expose(), for_rsa) {
            Ok(key) if parsed.iter().any(|known| known.id() == key.id()) => {
                report.problem(&pem.place, "this key stands in the list twice", "remove one");
            }
            Ok(key) => parsed.push(key),
            Err(error) => report.problem(&pem.place, error.to_string(), MAKE_ONE),
        }
    }
    let thumbprint = match certificate {
        None => None,
        Some(certificate) => Some(pair(section, keys.first()?, &certificate)?.thumbprint()),
    };
    if parsed.len() < keys.len() {
        return None;
    }
    let assertions = Assertions::new(parsed, audience, thumbprint)?;
    Some(ClientAuthentication::PrivateKeyJwt(Arc::new(assertions)))
}

/// The certificate and the one key for it.
pub(super) fn tls(
    section: &Section<'_>,
    keys: &[Pem],
    certificate: Option<(String, Place)>,
) -> Option<ClientAuthentication> {
    let Some(certificate) = certificate else {
        let message = "client_authentication = \"tls_client_auth\" needs a certificate";
        missing(section, "client_certificate", message, "add `client_certificate = { file = \"path\" }`");
        return None;
    };
    if let Some(second) = keys.get(1) {
        let help = "keep the key of `client_certificate`";
        section.report().problem(&second.place, "a certificate has one key", help);
        return None;
    }
    pair(section, keys.first()?, &certificate).map(ClientAuthentication::TlsClient)
}

fn pair(section: &Section<'_>, key: &Pem, (chain, place): &(String, Place)) -> Option<ClientCertificate> {
    match ClientCertificate::parse(chain, key.text.expose()) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            let is_key = matches!(error, CertificateError::Key | CertificateError::KeyNotPem);
            let (place, help) = if is_key {
                (&key.place, MAKE_ONE)
            } else {
                (place, "write the PEM file with the certificate of the first `client_key`, then its chain")
            };
            section.report().problem(place, error.to_string(), help);
            None
        }
    }
}
