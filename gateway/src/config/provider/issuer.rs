//! `issuer` and `metadata_url`: who the provider says it is, and where it says so (requirement SI-21).

use url::Url;

use crate::config::check;
use crate::config::raw::{Section, Text};

const TENANT_TEMPLATE: &str = "{tenantid}";

/// Reads `issuer`, which is kept byte for byte. `tenants` is missing when it is wrong.
pub(super) fn issuer<'d>(section: &Section<'d>, tenants: Option<&[String]>) -> Option<Text<'d>> {
    let text = section.required("issuer")?.text()?;
    let report = section.report();
    let url = check::url(report, &text, "https://login.example")?;
    if url.query().is_some() {
        report.problem(
            &text.place,
            "an issuer has no query",
            "remove \"?\" and what follows (OpenID Connect Discovery, section 4.1)",
        );
        return None;
    }
    if text.value.replace(TENANT_TEMPLATE, "").contains(['{', '}']) {
        report.problem(
            &text.place,
            "only {tenantid} may stand in braces",
            "write the issuer exactly as the provider's metadata does",
        );
        return None;
    }
    if text.value.contains(TENANT_TEMPLATE) {
        if tenants.is_some_and(<[String]>::is_empty) {
            report.problem(
                &text.place,
                "an issuer for every tenant needs the tenants that may sign in",
                "add `tenants = [\"<tenant id>\"]`, or write one tenant's issuer",
            );
            return None;
        }
        if !section.has("metadata_url") {
            report.problem(
                &text.place,
                "an issuer for every tenant does not say where the metadata is",
                "add `metadata_url`",
            );
            return None;
        }
    }
    if text.value.ends_with("/.well-known/openid-configuration") {
        report.problem(
            &text.place,
            "this is the address of the metadata, not the issuer",
            "write the `issuer` that stands in that document, and this as `metadata_url`",
        );
        return None;
    }
    Some(text)
}

/// Reads `metadata_url`, or makes it of the issuer.
pub(super) fn metadata_url(section: &Section<'_>, issuer: Option<&Text<'_>>) -> Option<Url> {
    if section.has("metadata_url") {
        return check::url(
            section.report(),
            &section.text("metadata_url")?,
            "https://login.example/.well-known/openid-configuration",
        );
    }
    // OpenID Connect Discovery, section 4: a slash at the end of the issuer is dropped first.
    let issuer = issuer?;
    Url::parse(&format!("{}/.well-known/openid-configuration", issuer.value.trim_end_matches('/'))).ok()
}
