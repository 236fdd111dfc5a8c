//! `[identity]`: the keys with which the gateway tells upstreams who asks.

use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeValue;

use crate::oidc::client::key::SigningKey;
use crate::oidc::settings::{Algorithm, ClientAuthentication, Settings};

use super::raw::Section;
use super::schema;
use super::secrets::{self, Surroundings, Wanted};

const MAKE_ONE: &str = "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const KEY: Wanted = Wanted { lines: true, shortest: 64, where_from: MAKE_ONE };
/// One signs; the others are the one before it and the one after it.
const MOST_KEYS: usize = 3;

/// What `[identity]` says, and the files that must not be served.
#[derive(Default)]
pub(super) struct Found {
    pub(super) keys: Vec<SigningKey>,
    pub(super) files: Vec<PathBuf>,
}

/// Reads `[identity]`. Without it there are no keys, and nobody is told anything that is signed.
pub(super) fn read<'s>(
    top: &Section<'_>,
    providers: impl Iterator<Item = &'s Settings>,
    around: &Surroundings<'_>,
) -> Option<Found> {
    if !top.has("identity") {
        return Some(Found::default());
    }
    let section = top.section("identity", &schema::IDENTITY)?;
    let value = section.required("key")?;
    let items = match value.get() {
        DeValue::Array(_) => value.list()?,
        _ => vec![section.value("key")?],
    };
    let report = section.report();
    if items.is_empty() || items.len() > MOST_KEYS {
        let help = format!("write one, or {MOST_KEYS} at most: the first signs, all are published");
        report.problem(&value.place(), "this is not a sensible number of keys", help);
        return None;
    }
    let others = of_providers(providers);
    let mut found = Found::default();
    for item in &items {
        let Some(secret) = secrets::read(item, &KEY, report, around) else {
            continue;
        };
        found.files.extend(secret.file);
        match SigningKey::parse(secret.secret.expose(), Algorithm::RS256) {
            Ok(key) if found.keys.iter().any(|known| known.id() == key.id()) => {
                report.problem(&item.place(), "this key stands in the list twice", "remove one");
            }
            // What is signed for one purpose must never pass for another.
            Ok(key) if others.iter().any(|known| known == key.id()) => {
                let message = "this key is a provider's `client_key` too";
                report.problem(&item.place(), message, format!("keys have one purpose each; {MAKE_ONE}"));
            }
            Ok(key) => found.keys.push(key),
            Err(error) => report.problem(&item.place(), error.to_string(), MAKE_ONE),
        }
    }
    (found.keys.len() == items.len()).then_some(found)
}

/// The names of the keys by which the gateway proves to providers who it is.
fn of_providers<'s>(providers: impl Iterator<Item = &'s Settings>) -> Vec<String> {
    let assertions = providers.filter_map(|provider| match &provider.authentication {
        ClientAuthentication::PrivateKeyJwt(assertions) => Some(Arc::clone(assertions)),
        _ => None,
    });
    assertions.flat_map(|all| all.keys().iter().map(|key| key.id().to_owned()).collect::<Vec<_>>()).collect()
}
