//! `ca`, `client_certificate`, `client_key` and `server_name` of an upstream: TLS beyond what every server has.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use rustls::pki_types::ServerName;

use crate::config::raw::{Section, Text};
use crate::config::schema;
use crate::config::secrets::{self, Surroundings, Wanted};
use crate::upstream::tls::{Authorities, Identity, PemError, Tls};

/// Longer files are the wrong ones: some machines' whole lists of authorities are half as long.
const LONGEST: u64 = 1024 * 1024;
const KEY: Wanted = Wanted {
    lines: true,
    shortest: 64,
    where_from: "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
};

/// Reads all of it, and the file of the private key.
pub(super) fn read(
    section: &Section<'_>,
    speaks_tls: bool,
    around: &Surroundings<'_>,
) -> (Option<Tls>, Option<PathBuf>) {
    if !speaks_tls {
        for key in ["ca", "client_certificate", "client_key", "server_name"] {
            if let Some(value) = section.value(key) {
                let message = format!("`{key}` is for servers that speak TLS, and these do not");
                section.report().problem(&value.place(), message, "write https:// servers, or remove it");
            }
        }
    }
    let authorities = super::optional(section, "ca", |key| authorities(section, key, around));
    let (identity, secret_file) = identity(section, around);
    let server_name = super::optional(section, "server_name", |key| server_name(section, key));
    let complete = || Some(Tls { authorities: authorities?, identity: identity?, server_name: server_name? });
    (complete(), secret_file)
}

fn authorities(section: &Section<'_>, key: &'static str, around: &Surroundings<'_>) -> Option<Authorities> {
    let text = section.text(key)?;
    let pem = file(section, &text, "the certificate authority's file", around)?;
    let help = "write the PEM file with the certificates of the authorities to trust";
    Authorities::parse(&pem)
        .map_err(|error| section.report().problem(&text.place, error.to_string(), help))
        .ok()
}

/// A certificate and its key, which come together.
fn identity(section: &Section<'_>, around: &Surroundings<'_>) -> (Option<Option<Identity>>, Option<PathBuf>) {
    let report = section.report();
    let (certificate, key) = (section.value("client_certificate"), section.value("client_key"));
    // Each is looked at by itself first, so that all problems are told at once.
    let chain = certificate.as_ref().map(|value| {
        let text = value.section(&schema::FILE)?.required("file")?.text()?;
        Some((file(section, &text, "the certificate", around)?, text.place))
    });
    let secret = key.as_ref().map(|value| secrets::read(value, &KEY, report, around));
    let (chain, place, secret) = match (chain, secret, &key) {
        (None, None, _) => return (Some(None), None),
        (Some(Some((chain, place))), Some(Some(secret)), Some(key)) => (chain, (place, key.place()), secret),
        (Some(Some(_)), None, _) | (None, Some(Some(_)), _) => {
            let alone = certificate.or(key).map(|value| value.place());
            let missing = if section.has("client_key") { "client_certificate" } else { "client_key" };
            let help = format!("add `{missing} = {{ file = \"path\" }}`");
            report.problem(
                &alone.unwrap_or(section.place().clone()),
                "a certificate and its key come together",
                help,
            );
            return (None, None);
        }
        _ => return (None, None),
    };
    let identity = Identity::parse(&chain, secret.secret.expose().as_bytes());
    let identity = identity.map_err(|error| {
        let place = if matches!(error, PemError::NoKey | PemError::BadKey) { &place.1 } else { &place.0 };
        let help = "write the PEM file with the certificate of `client_key`, then its chain";
        report.problem(place, error.to_string(), help);
    });
    (identity.ok().map(Some), secret.file)
}

fn server_name(section: &Section<'_>, key: &'static str) -> Option<ServerName<'static>> {
    let text = section.text(key)?;
    let name = ServerName::try_from(text.value.to_owned()).ok();
    if name.is_none() {
        let message = "this is not a name that a certificate can be for";
        section.report().problem(&text.place, message, "write a host name, such as \"api.internal.example\"");
    }
    name
}

fn file(section: &Section<'_>, text: &Text<'_>, what: &str, around: &Surroundings<'_>) -> Option<Vec<u8>> {
    let path = around.path(text.value);
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|opened| opened.take(LONGEST).read_to_end(&mut bytes));
    if let Err(error) = read {
        let help = format!("create {}, or let the gateway's user read it", path.display());
        section.report().problem(&text.place, format!("{what} cannot be read: {error}"), help);
        return None;
    }
    Some(bytes)
}
