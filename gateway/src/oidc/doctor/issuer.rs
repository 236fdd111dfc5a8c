//! Whether the document is the provider's that the configuration names: byte for byte, and if not, which line to write.
//! Pure.

use super::document::{Document, lines};
use super::entra;
use crate::finding::{Finding, Report};
use crate::oidc::settings::Settings;

/// Compares both issuers.
pub(super) fn examine(settings: &Settings, document: &Document, report: &mut Report<'_>) {
    report.add(judge(settings, document));
}

fn judge(settings: &Settings, document: &Document) -> Finding {
    let expected = &*settings.issuer;
    let looked_at = format!("provider.issuer, \"{expected}\"");
    let Some(found) = document.text("issuer") else {
        let repair = "`metadata_url` must name an OpenID provider's metadata";
        return Finding::fault("issuer", looked_at, "the document names no issuer", repair);
    };
    if found == expected {
        return Finding::ok("issuer", looked_at, "is the document's, byte for byte");
    }
    let shown: String = found.chars().take(300).collect();
    let usual = entra::of_issuer(expected, found, &settings.metadata_url);
    let (why, to_type) = usual.unwrap_or_else(|| (of_any(expected, found), None));
    let to_type = to_type.unwrap_or_else(|| lines(&shown, &settings.metadata_url));
    let found = format!("the document says \"{}\": {why}", shown.escape_debug());
    Finding::fault("issuer", looked_at, found, to_type)
}

/// How two issuers differ.
fn of_any(expected: &str, found: &str) -> String {
    let why = if found.strip_suffix('/') == Some(expected) {
        "it ends in a slash, which counts"
    } else if expected.strip_suffix('/') == Some(found) {
        "it does not end in a slash, which counts"
    } else if found.eq_ignore_ascii_case(expected) {
        "capitals count"
    } else if found.split_once("://").map(|(_, rest)| rest)
        == expected.split_once("://").map(|(_, rest)| rest)
    {
        "the scheme counts"
    } else {
        "it is another's; if it is the one you mean, write it"
    };
    why.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use crate::oidc::testing;

    fn judged(found: &str) -> Finding {
        let settings = testing::settings("https://login.example");
        let body = serde_json::json!({ "issuer": found }).to_string();
        judge(&settings, &Document::read(body.into(), &settings).expect("JSON"))
    }

    #[test]
    fn the_line_to_write_is_the_documents_issuer() {
        assert_eq!(judged("https://login.example").level, Level::Ok);
        for (found, why) in [
            ("https://login.example/", "a slash"),
            ("https://LOGIN.example", "capitals"),
            ("http://login.example", "scheme"),
            ("https://other.example", "another's"),
        ] {
            let finding = judged(found);
            assert_eq!(finding.level, Level::Fault);
            assert!(finding.found.contains(why), "{}", finding.found);
            let to_type = finding.repair.expect("a line");
            assert!(to_type.starts_with(&format!("issuer = \"{found}\"")), "{to_type}");
        }
    }
}
