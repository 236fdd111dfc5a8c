//! `userinfo` and `userinfo_claims`: what is asked of the provider beside the ID token.

use crate::config::check;
use crate::config::raw::{Section, Text};
use crate::oidc::settings::{SIGN_IN_CLAIMS, Userinfo, When};

const WHEN: [(&str, When); 3] =
    [("never", When::Never), ("when-missing", When::WhenMissing), ("always", When::Always)];

/// Reads both, which must fit.
pub(super) fn read(section: &Section<'_>) -> Option<Userinfo> {
    let when = check::word(section, "userinfo", &WHEN, When::Never);
    let claims = claims(section);
    let (when, claims) = (when?, claims?);
    let report = section.report();
    if when == When::Never && !claims.is_empty() {
        let place = section.value("userinfo_claims")?.place();
        let help = "add userinfo = \"when-missing\", or remove it";
        report.problem(&place, "these claims are taken from a place that is never asked", help);
        return None;
    }
    if when != When::Never && claims.is_empty() {
        let place = section.value("userinfo")?.place();
        let help = "add `userinfo_claims`, such as [\"groups\"]";
        report.problem(&place, "it does not say which claims are taken from there", help);
        return None;
    }
    Some(Userinfo { when, claims })
}

fn claims(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("userinfo_claims") {
        return Some(Vec::new());
    }
    let texts = section.unique_texts("userinfo_claims")?;
    let good: Vec<_> =
        texts.iter().filter(|text| may_be_taken(section, text)).map(|text| text.value.to_owned()).collect();
    (good.len() == texts.len()).then_some(good)
}

fn may_be_taken(section: &Section<'_>, text: &Text<'_>) -> bool {
    let (message, help) = if text.value.trim().is_empty() {
        ("this names no claim".to_owned(), "write the claim as the provider names it")
    } else if SIGN_IN_CLAIMS.contains(&text.value) {
        (format!("`{}` is for the ID token alone to say", text.value), "remove it")
    } else {
        return true;
    };
    section.report().problem(&text.place, message, help);
    false
}
