//! The provider's keys: whether there is one that could verify an ID token, and which are left out and why.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use super::document::Document;
use crate::finding::{Finding, Report};
use crate::oidc::Provider;
use crate::oidc::json;
use crate::oidc::keys::Key;
use crate::oidc::settings::Algorithm;
use crate::stop::causes;

const CHECK: &str = "keys";

/// Fetches the set and looks at each key.
pub(super) async fn examine(provider: &Provider, document: &Document, report: &mut Report<'_>) {
    let Some(url) = document.url("jwks_uri") else {
        return; // said already
    };
    report.looking("reading the provider's keys");
    let repair = "the provider must answer with its keys there; is a proxy or firewall between?";
    let look = match provider.client.look(&url, "application/json").await {
        Ok(look) => look,
        Err(error) => return report.add(Finding::fault(CHECK, url.as_str(), causes(&error), repair)),
    };
    if look.status != StatusCode::OK || !look.is_json {
        let found = format!(
            "answers {}{}",
            look.status,
            if look.is_json { "" } else { " with something else than JSON" }
        );
        return report.add(Finding::fault(CHECK, url.as_str(), found, repair));
    }
    let keys =
        json::object(&look.body).ok().and_then(|set| set.get("keys").and_then(Value::as_array).cloned());
    let Some(keys) = keys else {
        return report.add(Finding::fault(CHECK, url.as_str(), "is not a set of keys (RFC 7517)", repair));
    };
    judge(&keys, &provider.settings.algorithms, url.as_str(), report);
}

fn judge(keys: &[Value], algorithms: &[Algorithm], looked_at: &str, report: &mut Report<'_>) {
    let mut usable: Vec<(&Value, Key)> = Vec::new();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    for value in keys {
        match Key::read(value) {
            Ok(key) => usable.push((value, key)),
            Err(why) => *left_out.entry(why.to_string()).or_default() += 1,
        }
    }
    let fitting: Vec<_> =
        usable.iter().filter(|(_, key)| algorithms.iter().any(|one| key.fits(None, *one))).collect();
    let why_left =
        left_out.iter().map(|(why, count)| format!("{count} because {why}")).collect::<Vec<_>>().join("; ");
    let told =
        |text: String| if why_left.is_empty() { text } else { format!("{text}; left out: {why_left}") };
    if fitting.is_empty() {
        let found = told(format!("none of {} keys can verify an ID token", keys.len()));
        return report.add(Finding::fault(CHECK, looked_at, found, of_none(&usable)));
    }
    report.add(Finding::ok(
        CHECK,
        looked_at,
        told(format!("{} of {} can verify ID tokens", fitting.len(), keys.len())),
    ));
    let is_private = |key: &&Value| ["d", "p", "q", "k"].iter().any(|name| key.get(*name).is_some());
    if keys.iter().any(|key| is_private(&key)) {
        let repair = "tell the provider at once: whoever read this can sign in as anybody";
        report.add(Finding::warning(CHECK, looked_at, "the provider publishes a private key", repair));
    }
    for algorithm in algorithms {
        if let Some(found) = ambiguous(&fitting, *algorithm) {
            let repair = "the provider must name each key by a `kid` of its own";
            report.add(Finding::fault(CHECK, looked_at, found, repair));
        }
    }
}

/// Keys that a token cannot choose from: the same name, or none.
fn ambiguous(fitting: &[&(&Value, Key)], algorithm: Algorithm) -> Option<String> {
    let mut by_id: BTreeMap<Option<&str>, &Key> = BTreeMap::new();
    for (value, key) in fitting.iter().filter(|(_, key)| key.fits(None, algorithm)) {
        let id = value.get("kid").and_then(Value::as_str);
        match by_id.insert(id, key) {
            Some(other) if other != key => {
                let which = id.map_or("without `kid`".to_owned(), |id| {
                    format!("of the `kid` \"{}\"", id.escape_debug())
                });
                return Some(format!("there are several keys for {} {which}", algorithm.as_str()));
            }
            _ => {}
        }
    }
    None
}

/// What to write if the keys there are for other algorithms.
fn of_none(usable: &[(&Value, Key)]) -> String {
    let for_it = |algorithm: &Algorithm| usable.iter().any(|(_, key)| key.fits(None, *algorithm));
    let others: Vec<_> = Algorithm::ALL.into_iter().filter(for_it).map(Algorithm::as_str).collect();
    if others.is_empty() {
        "the provider must publish a signing key: RSA with 2048 to 4096 bits, P-256, P-384 or Ed25519"
            .to_owned()
    } else {
        format!("id_token_algorithms = [\"{}\"]", others.join("\", \""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Level, Observer};
    use crate::oidc::testing::Signer;
    use serde_json::json;

    #[derive(Default)]
    struct Heard(Vec<Finding>);

    impl Observer for Heard {
        fn looking(&mut self, _: &str) {}

        fn found(&mut self, finding: Finding) {
            self.0.push(finding);
        }
    }

    fn judged(keys: &[Value]) -> Vec<Finding> {
        let mut heard = Heard::default();
        judge(keys, &[Algorithm::RS256], "keys", &mut Report::to(&mut heard));
        heard.0
    }

    #[test]
    fn a_sound_set_passes_and_says_what_it_left_out() {
        let rsa = Signer::new(Algorithm::RS256, Some("a")).jwk();
        let found = judged(&[rsa, json!({"kty": "RSA", "use": "enc"})]);
        assert_eq!(found.len(), 1);
        assert!(found[0].level == Level::Ok && found[0].found.starts_with("1 of 2"), "{found:?}");
    }

    #[test]
    fn keys_for_another_algorithm_name_the_line_that_takes_them() {
        let found = judged(&[Signer::new(Algorithm::ES256, Some("a")).jwk()]);
        assert_eq!(found[0].repair.as_deref(), Some("id_token_algorithms = [\"ES256\"]"));
        assert!(judged(&[])[0].repair.as_deref().is_some_and(|text| text.contains("2048")));
    }

    #[test]
    fn keys_that_cannot_be_told_apart_are_a_fault() {
        let named = |id| Signer::new(Algorithm::RS256, id).jwk();
        for id in [Some("a"), None] {
            let found = judged(&[named(id), named(id)]);
            assert!(found.iter().any(|one| one.level == Level::Fault), "{found:?}");
        }
        let apart = judged(&[named(Some("a")), named(Some("b"))]);
        assert!(apart.iter().all(|one| one.level == Level::Ok), "{apart:?}");
    }
}
