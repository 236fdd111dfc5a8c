//! `pass_parameters`: what a link to `/auth/sign-in` may tell the provider; and which parameters nobody but the gateway
//! may set.

use crate::config::raw::{Place, Report, Section, Text};

const DEFAULT_PASSED: [&str; 3] = ["login_hint", "ui_locales", "domain_hint"];

/// Parameters that the gateway or the protocol sets; a link could otherwise change what a sign-in means.
const OWNED: &[&str] = &[
    "acr_values",
    "audience",
    "authorization_details",
    "claims",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "dpop_jkt",
    "error",
    "grant_type",
    "id_token_hint",
    "iss",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "registration",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "return_to",
    "scope",
    "state",
    "token",
];

/// Reads `pass_parameters`.
pub(super) fn pass_parameters(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("pass_parameters") {
        return Some(DEFAULT_PASSED.map(str::to_owned).to_vec());
    }
    let texts = section.unique_texts("pass_parameters")?;
    let good: Vec<String> = texts
        .iter()
        .filter(|text| is_harmless(section.report(), text))
        .map(|text| text.value.to_owned())
        .collect();
    (good.len() == texts.len()).then_some(good)
}

fn is_harmless(report: &Report, text: &Text<'_>) -> bool {
    let name = text.value;
    if OWNED.contains(&name.to_ascii_lowercase().as_str()) {
        report.problem(
            &text.place,
            format!("`{name}` belongs to the protocol, so no link may set it"),
            "remove it",
        );
        return false;
    }
    is_name(report, &text.place, name)
}

/// Whether `extra_parameters` may set it: what the gateway sets by itself is reported, and what has a key of its own.
pub(super) fn is_free(report: &Report, place: &Place, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    // The one parameter of OWNED that no key sets and an operator may: some providers name the API by it.
    if lower == "audience" || !OWNED.contains(&lower.as_str()) {
        return is_name(report, place, name);
    }
    let help = match &*lower {
        "acr_values" | "claims" | "max_age" | "prompt" | "response_mode" => {
            format!("use the key `{lower}` of [provider]")
        }
        "resource" => "use the key `resources` of [provider]".to_owned(),
        "scope" => "use the key `scopes` of [provider]".to_owned(),
        _ => "remove it".to_owned(),
    };
    report.problem(place, format!("`{lower}` is not for `extra_parameters` to set"), help);
    false
}

fn is_name(report: &Report, place: &Place, name: &str) -> bool {
    let fits = (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !fits {
        report.problem(
            place,
            format!("\"{}\" is not a parameter name", name.escape_debug()),
            "use 1 to 64 letters, digits, \"-\", \"_\" and \".\"",
        );
    }
    fits
}
