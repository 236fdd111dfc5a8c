//! Examines a provider as the gateway would use it: what is wrong, and what to type. Asks for documents, and makes one
//! sign-in request, one token request and one sign-out request that lead nowhere. Nobody is signed in or out.
//!
//! Judging is pure and stands below, one file for each matter; this is the order in which it is asked.

mod abilities;
mod credentials;
mod document;
mod endpoints;
mod entra;
mod issuer;
mod keys;
mod redirect;
mod sign_out;
mod skew;
mod tokens;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;

use crate::clock::Clock;
use crate::finding::{Finding, Report};
use crate::oidc::Provider;
use crate::oidc::discovery;
use crate::oidc::settings::Settings;
use crate::origin::Origin;
use crate::reach::reach;
use crate::session::TokenSpec;
use crate::stop::causes;

use document::Document;

/// Examines the provider of `settings`, and whether `tokens` can be had from it. Needs a tokio runtime.
pub async fn examine(
    settings: Settings,
    tokens: &[Arc<TokenSpec>],
    other_sites: &[Origin],
    clock: &Clock,
    tls: &TlsConnector,
    report: &mut Report<'_>,
) {
    let provider = match Provider::new(settings, clock.clone(), Handle::current()) {
        Ok(provider) => provider,
        Err(error) => {
            let repair = "correct [provider] in the configuration";
            report.add(Finding::fault("provider", "[provider]", causes(&error), repair));
            return;
        }
    };
    // Tokens that another provider gives are its matter.
    let is_ours =
        |spec: &&Arc<TokenSpec>| spec.provider.as_ref().is_none_or(|name| *name == provider.settings.name);
    let tokens: Vec<_> = tokens.iter().filter(is_ours).cloned().collect();
    let document = look_up(&provider, clock, tls, report).await;
    tokens::examine(&provider.settings, &tokens, document.as_ref(), report);
    let Some(document) = document else {
        let found = "not looked at, because the provider's metadata could not be read";
        report.add(Finding::warning(
            "provider",
            "keys, credentials, redirect URI, sign-out",
            found,
            "repair the above, then run this again",
        ));
        return;
    };
    let faults = report.faults();
    issuer::examine(&provider.settings, &document, report);
    endpoints::examine(&provider.settings, &document, report);
    abilities::examine(&provider.settings, &document, report);
    keys::examine(&provider, &document, report).await;
    nothing_else(&provider.settings, &document, faults, report);
    credentials::examine(&provider, &document, report).await;
    redirect::examine(&provider, &document, other_sites, report).await;
    sign_out::examine(&provider, &document, report).await;
}

/// The metadata, by way of name, connection and TLS; and what time it is there.
async fn look_up(
    provider: &Provider,
    clock: &Clock,
    tls: &TlsConnector,
    report: &mut Report<'_>,
) -> Option<Document> {
    let url = &provider.settings.metadata_url;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    let place = format!("{host}:{port}");
    report.looking(&format!("connecting to {place}"));
    // An address in brackets is written without them where it is connected to.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let tls = (url.scheme() == "https").then_some(tls);
    match reach(bare, port, tls, provider.settings.localhost).await {
        Ok(reached) => {
            let with = if reached.tls {
                " takes connections, and its certificate holds"
            } else {
                " takes connections"
            };
            report.add(Finding::ok("connection", place, format!("{}{with}", reached.address)));
        }
        Err(error) => {
            report.add(Finding::fault("connection", place, error.to_string(), error.repair()));
            return None;
        }
    }
    document::fetch(provider, clock, report).await
}

/// What the gateway itself says of the document, if nothing above has said why it would refuse it.
fn nothing_else(settings: &Settings, document: &Document, faults: usize, report: &mut Report<'_>) {
    if report.faults() > faults {
        return;
    }
    if let Err(error) = discovery::read(&document.body, settings) {
        let repair = "the provider must correct it, or `metadata_url` must name another document";
        report.add(Finding::fault("metadata", settings.metadata_url.as_str(), causes(&error), repair));
    }
}
