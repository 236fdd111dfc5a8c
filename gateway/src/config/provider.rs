//! `[provider]`: who signs people in.

mod client;
mod issuer;
mod keys;
mod parameters;
mod request;
mod userinfo;

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use crate::oidc::settings::{Algorithm, LogoutTokenType, ResponseMode, Settings};
use crate::origin::{Localhost, Origin};
use crate::scope::ScopeSet;

use super::placeholder::is_placeholder;
use super::raw::Section;
use super::secrets::Surroundings;
use super::{check, suggest};

/// What `[provider]` says, and the files that its secrets came from.
pub(super) struct Found {
    pub(super) settings: Settings,
    pub(super) secret_files: Vec<PathBuf>,
}

/// Reads `[provider]` or `[providers.NAME]`, for the given name, label and path of the callback. `public_url` is missing
/// when it is wrong; then the rest is still checked.
pub(super) fn read(
    section: &Section<'_>,
    (name, label, callback): (&str, String, &str),
    public_url: Option<&Origin>,
    around: &Surroundings<'_>,
) -> Option<Found> {
    let (authentication, secret_files) = client::authentication(section, around);
    let tenants = tenants(section);
    let issuer = issuer::issuer(section, tenants.as_deref());
    let metadata_url = issuer::metadata_url(section, issuer.as_ref());
    let client_id = client::client_id(section);
    let scopes = scopes(section);
    let response_mode = response_mode(section, public_url);
    let algorithms = algorithms(section);
    let pass_parameters = parameters::pass_parameters(section);
    let request = request::read(section);
    let resources = request::resources(section);
    let logout_token_type = logout_token_type(section);
    let userinfo = userinfo::read(section);
    let own = |path: &str| public_url.and_then(|origin| Url::parse(&origin.url(path)).ok());
    let settings = Settings {
        name: name.into(),
        label,
        issuer: issuer.map(|issuer| Arc::from(issuer.value))?,
        metadata_url: metadata_url?,
        client_id: client_id?,
        authentication: authentication?,
        scopes: scopes?,
        resources: resources?,
        response_mode: response_mode?,
        algorithms: algorithms?,
        logout_token_type: logout_token_type?,
        tenants: tenants?,
        pass_parameters: pass_parameters?,
        request: request?,
        userinfo: userinfo?,
        redirect_uri: own(callback)?,
        post_logout_redirect_uri: own("/auth/signed-out")?,
        localhost: Localhost::default(), // `development_in_containers` is the whole file's
    };
    Some(Found { settings, secret_files })
}

fn scopes(section: &Section<'_>) -> Option<ScopeSet> {
    let written = if section.has("scopes") {
        check::scopes(section.report(), &section.unique_texts("scopes")?)?
    } else {
        "profile".parse().ok()?
    };
    Some(written.union(&"openid".parse().ok()?))
}

fn response_mode(section: &Section<'_>, public_url: Option<&Origin>) -> Option<ResponseMode> {
    let mode = check::word(
        section,
        "response_mode",
        &[("query", ResponseMode::Query), ("form_post", ResponseMode::FormPost)],
        ResponseMode::Query,
    )?;
    if mode == ResponseMode::FormPost && public_url.is_some_and(|origin| !origin.is_secure()) {
        section.report().warning("provider.response_mode: over http, browsers may keep the sign-in's cookie from the form that comes back; use \"query\" or https");
    }
    Some(mode)
}

fn logout_token_type(section: &Section<'_>) -> Option<LogoutTokenType> {
    check::word(
        section,
        "logout_token_type",
        &[("lenient", LogoutTokenType::Lenient), ("strict", LogoutTokenType::Strict)],
        LogoutTokenType::default(),
    )
}

fn algorithms(section: &Section<'_>) -> Option<Vec<Algorithm>> {
    if !section.has("id_token_algorithms") {
        return Some(vec![Algorithm::RS256]);
    }
    let texts = section.unique_texts("id_token_algorithms")?;
    let report = section.report();
    if texts.is_empty() {
        let place = section.value("id_token_algorithms")?.place();
        report.problem(&place, "no ID token could be accepted", "write [\"RS256\"], or leave the key out");
        return None;
    }
    let mut found = Vec::with_capacity(texts.len());
    for text in &texts {
        if let Some(known) = Algorithm::ALL.into_iter().find(|known| known.as_str() == text.value) {
            found.push(known);
        } else if text.value.eq_ignore_ascii_case("none") || text.value.starts_with("HS") {
            report.problem(
                &text.place,
                format!("\"{}\" proves nothing about who signed", text.value.escape_debug()),
                "write an asymmetric algorithm such as \"RS256\"",
            );
        } else {
            let help = suggest::help(text.value, Algorithm::ALL.map(Algorithm::as_str), "");
            report.problem(
                &text.place,
                format!("\"{}\" is not an algorithm the gateway knows", text.value.escape_debug()),
                help,
            );
        }
    }
    (found.len() == texts.len()).then_some(found)
}

fn tenants(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("tenants") {
        return Some(Vec::new());
    }
    let texts = section.unique_texts("tenants")?;
    let mut found = Vec::with_capacity(texts.len());
    for text in &texts {
        if text.value.is_empty() || is_placeholder(text.value) || text.value.contains(['<', '*', ' ']) {
            section.report().problem(
                &text.place,
                "this is not a tenant",
                "write the tenant's ID as it stands in the `tid` claim",
            );
        } else {
            found.push(text.value.to_owned());
        }
    }
    (found.len() == texts.len()).then_some(found)
}
