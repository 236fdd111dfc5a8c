//! `same_site` and `cookie_prefix` of `[session]`: how the session's cookie is written.

use crate::origin::Origin;
use crate::session::cookie::{Prefix, SameSite, Style};

use crate::config::check;
use crate::config::raw::Section;

const SAME_SITE: [(&str, SameSite); 2] = [("lax", SameSite::Lax), ("strict", SameSite::Strict)];
const PREFIX: [(&str, Prefix); 2] = [("__Host-", Prefix::Host), ("__Host-Http-", Prefix::HostHttp)];

/// Reads both keys. What `public_url` is, is not known while it is wrong.
pub(super) fn read(section: &Section<'_>, public_url: Option<&Origin>) -> Option<Style> {
    let same_site = check::word(section, "same_site", &SAME_SITE, SameSite::default());
    let prefix = prefix(section, public_url);
    Some(Style { same_site: same_site?, prefix: prefix? })
}

fn prefix(section: &Section<'_>, public_url: Option<&Origin>) -> Option<Prefix> {
    let prefix = check::word(section, "cookie_prefix", &PREFIX, Prefix::default())?;
    let Some(value) = section.value("cookie_prefix") else {
        return Some(prefix);
    };
    if public_url.is_some_and(|origin| !origin.is_secure()) {
        section.report().problem(
            &value.place(),
            "browsers take cookies with a prefix over https only, and `public_url` is http",
            "remove this line; cookies have plain names on loopback",
        );
        return None;
    }
    Some(prefix)
}
