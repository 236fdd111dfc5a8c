//! The addresses that the metadata names: there, safe to call, and where. Pure.

use url::Url;

use super::document::Document;
use crate::finding::{Finding, Report};
use crate::oidc::http::is_acceptable;
use crate::oidc::settings::Settings;

const REQUIRED: [&str; 3] = ["authorization_endpoint", "token_endpoint", "jwks_uri"];
const OPTIONAL: [&str; 2] = ["revocation_endpoint", "userinfo_endpoint"];

/// Looks at each endpoint but that of signing out, which has a file of its own.
pub(super) fn examine(settings: &Settings, document: &Document, report: &mut Report<'_>) {
    let mut elsewhere: Vec<String> = Vec::new();
    let faults = report.faults();
    for name in REQUIRED.into_iter().chain(OPTIONAL) {
        match document.members.get(name) {
            None if REQUIRED.contains(&name) => {
                let repair =
                    "`metadata_url` must name an OpenID provider's metadata; OAuth alone is not enough";
                report.add(Finding::fault("endpoints", name, "is not in the metadata", repair));
            }
            None => {}
            Some(_) => {
                if let Some(trouble) = trouble(settings, document, name) {
                    let repair =
                        "the provider must correct its metadata (its public address, or the proxy in front)";
                    report.add(Finding::fault("endpoints", name, trouble, repair));
                } else if let Some(url) = document.url(name)
                    && url.origin() != settings.metadata_url.origin()
                {
                    elsewhere.push(format!("{name} at {}", url.origin().ascii_serialization()));
                }
            }
        }
    }
    if report.faults() == faults {
        let found = if elsewhere.is_empty() {
            "are where the metadata is, and safe to call".to_owned()
        } else {
            format!("are safe to call; on other hosts than the metadata: {}", elsewhere.join(", "))
        };
        report.add(Finding::ok("endpoints", "the metadata's addresses", found));
    }
}

fn trouble(settings: &Settings, document: &Document, name: &str) -> Option<String> {
    let Some(url) = document.url(name) else {
        return Some("is not an absolute URL".to_owned());
    };
    let weaker = settings.metadata_url.scheme() == "https" && url.scheme() != "https";
    if weaker || !is_acceptable(&url) {
        return Some(format!("is {}, where secrets would travel unencrypted", place(&url)));
    }
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (!bare).then(|| "holds a user name or a fragment".to_owned())
}

fn place(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}
