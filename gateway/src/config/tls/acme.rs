//! `[tls] acme`: the certificate that the gateway gets for itself.

use std::path::PathBuf;

use crate::config::listen;
use crate::config::raw::{Section, Text};
use crate::config::secrets::Surroundings;
use crate::config::{check, schema};
use crate::origin::Origin;
use crate::tls::Trust;
use crate::tls::acme::{Challenge, Settings};

const DEFAULT_ACCOUNT: &str = "var/acme";

/// Nothing inside without; nothing at all for a wrong one, which is reported.
pub(super) fn read(
    tls: &Section<'_>,
    listen: Option<&listen::Found>,
    origins: &[&Origin],
    around: &Surroundings<'_>,
) -> Result<Option<Settings>, ()> {
    let Some(value) = tls.value("acme") else {
        return Ok(None);
    };
    let section = value.section(&schema::ACME).ok_or(())?;
    let directory = section.required("directory").and_then(|value| {
        let text = value.text()?;
        check::url(section.report(), &text, "https://acme-v02.api.letsencrypt.org/directory")
    });
    let contact = contact(&section);
    let challenge = challenge(&section, listen);
    let domains = domains(&section, origins);
    let ca = ca(&section, around);
    let agreed = terms(&section);
    let account = match section.value("account") {
        Some(value) => value.text().map(|text| around.path(text.value)),
        None => Some(around.path(DEFAULT_ACCOUNT)),
    };
    agreed.ok_or(())?;
    let settings = || {
        Some(Settings {
            directory: directory?.to_string(),
            contact: contact?,
            account: account?,
            challenge: challenge?,
            domains: domains?,
            ca: ca.ok()?,
        })
    };
    settings().map(Some).ok_or(())
}

fn terms(section: &Section<'_>) -> Option<()> {
    let value = section.required("terms_agreed")?;
    if value.flag()? {
        return Some(());
    }
    let help = "read the terms of the certificate authority, and write `terms_agreed = true` if you agree";
    section.report().problem(&value.place(), "without an agreement there is no account", help);
    None
}

fn contact(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("contact") {
        return Some(Vec::new());
    }
    let texts = section.unique_texts("contact")?;
    let is_mail = |text: &&Text<'_>| {
        let is_good = text.value.strip_prefix("mailto:").is_some_and(|mail| mail.contains('@'));
        if !is_good {
            let help = format!("write \"mailto:{}\"", text.value.escape_debug());
            section.report().problem(&text.place, "this is not a mail address as authorities take it", help);
        }
        is_good
    };
    let good: Vec<String> = texts.iter().filter(is_mail).map(|text| text.value.to_owned()).collect();
    (good.len() == texts.len()).then_some(good)
}

fn challenge(section: &Section<'_>, listen: Option<&listen::Found>) -> Option<Challenge> {
    let words = [("tls-alpn-01", Challenge::TlsAlpn01), ("http-01", Challenge::Http01)];
    let challenge = check::word(section, "challenge", &words, Challenge::TlsAlpn01)?;
    let has_plain = listen.is_none_or(|listen| !listen.settings.http.is_empty());
    if challenge == Challenge::Http01 && !has_plain {
        let place = section.value("challenge").map_or_else(|| section.place().clone(), |value| value.place());
        let help = "add `http = \"0.0.0.0:80\"` under [listen], or write \"tls-alpn-01\"";
        section.report().problem(
            &place,
            "this challenge is answered without TLS, and nothing listens there",
            help,
        );
        return None;
    }
    Some(challenge)
}

/// Names that a challenge can prove; the hosts of the public addresses if nothing is said.
fn domains(section: &Section<'_>, origins: &[&Origin]) -> Option<Vec<String>> {
    if !section.has("domains") {
        let mut hosts = Vec::with_capacity(origins.len());
        for origin in origins {
            let host = origin.authority().split(':').next().unwrap_or_default().to_owned();
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        return (!hosts.is_empty()).then_some(hosts);
    }
    let texts = section.unique_texts("domains")?;
    if texts.is_empty() {
        section.report().problem(
            section.place(),
            "a certificate is for at least one name",
            "leave `domains` out",
        );
        return None;
    }
    let good: Vec<String> = texts
        .iter()
        .filter(|text| is_provable(section, text))
        .map(|text| text.value.to_ascii_lowercase())
        .collect();
    (good.len() == texts.len()).then_some(good)
}

fn is_provable(section: &Section<'_>, text: &Text<'_>) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if text.value.starts_with("*.") {
        let help = "write each name, or get the certificate by other means and name it in `certificates`";
        section.report().problem(&text.place, "a wildcard is proved by DNS only", help);
        return false;
    }
    let is_good = text.value.split('.').all(is_label) && text.value.parse::<std::net::IpAddr>().is_err();
    if !is_good {
        section.report().problem(&text.place, "this is not a host name", "write one such as \"app.example\"");
    }
    is_good
}

/// Nothing inside without; nothing at all for a wrong one, which is reported.
fn ca(section: &Section<'_>, around: &Surroundings<'_>) -> Result<Option<PathBuf>, ()> {
    let Some(value) = section.value("ca") else {
        return Ok(None);
    };
    let text = value.text().ok_or(())?;
    let path = around.path(text.value);
    if let Err(error) = Trust::read(&path) {
        let help = format!("put the authority's certificates in PEM form into {}", path.display());
        section.report().problem(&text.place, crate::stop::causes(&error), help);
        return Err(());
    }
    Ok(Some(path))
}
