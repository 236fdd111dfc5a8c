//! `other_urls`: further addresses at which people reach this gateway. What one address must be is `listen`'s to say.

use crate::origin::Origin;
use crate::site::SiteId;

use super::listen;
use super::raw::Section;

/// Reads `other_urls`: nothing, or addresses that no `Host` header can confuse with each other.
pub(super) fn other_urls(top: &Section<'_>, public_url: Option<&Origin>) -> Option<Vec<Origin>> {
    let Some(value) = top.value("other_urls") else {
        return Some(Vec::new());
    };
    let texts = value.texts()?;
    let report = top.report();
    if texts.len() >= SiteId::MOST {
        let message = format!("a gateway has at most {} addresses", SiteId::MOST);
        report.problem(&value.place(), message, "run another gateway for the rest");
        return None;
    }
    let mut found: Vec<Origin> = Vec::with_capacity(texts.len());
    for text in &texts {
        let Some(origin) = listen::origin(report, text) else {
            continue;
        };
        let is_same =
            |known: &&Origin| known.is_host(origin.authority()) || origin.is_host(known.authority());
        if let Some(known) = public_url.into_iter().chain(&found).find(is_same) {
            let message =
                format!("the same host and port as {}: no request could say which is meant", known.as_str());
            report.problem(&text.place, message, "remove one of the two");
        } else if public_url.is_some_and(|first| first.is_secure() != origin.is_secure()) {
            let help = "write all addresses with https, or on loopback all with http";
            report.problem(&text.place, "`public_url` has another scheme, and both are served alike", help);
        } else {
            found.push(origin);
        }
    }
    (found.len() == texts.len()).then_some(found)
}
