//! `host`: on which of the gateway's addresses a route is.

use crate::config::raw::Section;
use crate::config::suggest;
use crate::origin::Origin;
use crate::site::{SiteId, SiteSet};

/// Reads `host`: one name or several, each that of an address of the gateway. Without it a route is on all of them.
pub(super) fn read(section: &Section<'_>, origins: &[&Origin]) -> Option<SiteSet> {
    let Some(value) = section.value("host") else {
        return Some(SiteSet::default());
    };
    let report = section.report();
    let texts = if value.get().as_str().is_some() { vec![value.text()?] } else { value.unique_texts()? };
    if texts.is_empty() {
        report.problem(&value.place(), "nobody reaches the route", "name a host, or leave the key out");
        return None;
    }
    let mut found = Vec::with_capacity(texts.len());
    for text in &texts {
        let place = origins.iter().position(|origin| origin.is_host(text.value));
        if let Some(place) = place.or_else(|| by_name(text.value, origins)) {
            found.extend(SiteId::at(place));
        } else if !origins.is_empty() {
            let host = text.value.escape_debug();
            let known = origins.iter().map(|origin| origin.authority());
            let help = suggest::help(text.value, known, "");
            let help = format!("{help}; or add it to `other_urls`, at the top of the file");
            report.problem(&text.place, format!("the gateway has no address with the host \"{host}\""), help);
        }
    }
    (found.len() == texts.len()).then(|| found.into_iter().collect())
}

/// The one address of that name, whatever its port: on loopback nobody should have to repeat that.
fn by_name(name: &str, origins: &[&Origin]) -> Option<usize> {
    let has_name = |origin: &&Origin| {
        let split = origin.authority().rsplit_once(':');
        split.is_some_and(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    let mut places =
        origins.iter().enumerate().filter(|(_, origin)| has_name(origin)).map(|(place, _)| place);
    places.next().filter(|_| places.next().is_none())
}

/// How the hosts stand in the route's name: nothing where there are none.
pub(super) fn shown(sites: SiteSet, origins: &[&Origin]) -> String {
    let hosts = sites.iter().filter_map(|site| origins.get(site.index())).map(|origin| origin.authority());
    hosts.collect::<Vec<_>>().join(",")
}
