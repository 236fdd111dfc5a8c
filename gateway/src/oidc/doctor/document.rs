//! The metadata document: fetched, read, and looked for elsewhere where it is not.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use super::{entra, skew};
use crate::clock::Clock;
use crate::finding::{Finding, Report};
use crate::oidc::Provider;
use crate::oidc::http::Look;
use crate::oidc::json;
use crate::oidc::settings::Settings;
use crate::stop::causes;

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// A metadata document: JSON, with whatever members.
pub(super) struct Document {
    pub(super) body: Bytes,
    pub(super) members: Map<String, Value>,
    /// Whether Microsoft Entra wrote it, or somebody who writes as it does.
    pub(super) is_entra: bool,
}

impl Document {
    /// A member that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// A member that is a list of text; nothing where it is not there.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        Some(self.members.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }

    /// A member that is an address.
    pub(super) fn url(&self, name: &str) -> Option<Url> {
        Url::parse(self.text(name)?).ok()
    }

    /// Reads one that was fetched.
    pub(super) fn read(body: Bytes, settings: &Settings) -> Result<Self, json::JsonError> {
        let members = json::object(&body)?;
        let issuer = members.get("issuer").and_then(Value::as_str).unwrap_or_default();
        let is_entra = entra::wrote(&members)
            || entra::is_issuer(issuer)
            || entra::is_host(settings.metadata_url.host_str().unwrap_or_default());
        Ok(Self { body, members, is_entra })
    }
}

/// Fetches the document, and compares clocks on the way.
pub(super) async fn fetch(provider: &Provider, clock: &Clock, report: &mut Report<'_>) -> Option<Document> {
    let (settings, url) = (&provider.settings, &provider.settings.metadata_url);
    report.looking("reading the provider's metadata");
    let look = match provider.client.look(url, "application/json").await {
        Ok(look) => look,
        Err(error) => {
            let repair = "is this the provider's address? open it in a browser";
            report.add(Finding::fault("metadata", url.as_str(), causes(&error), repair));
            return None;
        }
    };
    if let Some(date) = &look.date {
        report.add(skew::judge(date, clock.now()));
    }
    match read(&look, settings) {
        Ok(document) => {
            report.add(Finding::ok("metadata", url.as_str(), "is a JSON object"));
            Some(document)
        }
        Err(found) => {
            report.looking("looking for the metadata elsewhere");
            let repair = elsewhere(provider).await.unwrap_or_else(|| entra::of_metadata(url));
            report.add(Finding::fault("metadata", url.as_str(), found, repair));
            None
        }
    }
}

fn read(look: &Look, settings: &Settings) -> Result<Document, String> {
    if look.status.is_redirection() {
        let to = look.location.as_deref().and_then(|to| settings.metadata_url.join(to).ok());
        let to = to.map_or_else(|| "elsewhere".to_owned(), |to| without_query(&to));
        return Err(format!("answers {} to {to}, and redirects are not followed", look.status));
    }
    if look.status != StatusCode::OK {
        return Err(format!("answers {}", look.status));
    }
    if !look.is_json {
        return Err("is not JSON: its Content-Type says something else, or it is compressed".to_owned());
    }
    Document::read(look.body.clone(), settings)
        .map_err(|error| format!("is not a metadata document: {error}"))
}

/// The address as it may be shown.
pub(super) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// The first of the likely places where there is a document, as lines to type.
async fn elsewhere(provider: &Provider) -> Option<String> {
    for url in places(&provider.settings) {
        let Ok(look) = provider.client.look(&url, "application/json").await else {
            continue;
        };
        if let Ok(document) = read(&look, &provider.settings)
            && let Some(issuer) = document.text("issuer")
        {
            return Some(lines(issuer, &url));
        }
    }
    None
}

/// What to write for that issuer and that place of its metadata.
pub(super) fn lines(issuer: &str, url: &Url) -> String {
    let usual = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
    let issuer = format!("issuer = \"{}\"", issuer.escape_debug());
    if usual == url.as_str() { issuer } else { format!("{issuer}\nmetadata_url = \"{url}\"") }
}

/// Where the document is when it is not where the configuration says: by the habits of common providers.
fn places(settings: &Settings) -> Vec<Url> {
    let url = &settings.metadata_url;
    let base = url.path().split("/.well-known").next().unwrap_or_default().trim_end_matches('/');
    let mut paths = entra::bases(url.host_str().unwrap_or_default(), base);
    // Keycloak before version 17 has all below /auth, and later ones have not.
    if let Some(rest) = base.strip_prefix("/auth/realms/") {
        paths.push(format!("/realms/{rest}"));
    } else if base.starts_with("/realms/") {
        paths.push(format!("/auth{base}"));
    }
    let parents = base.match_indices('/').map(|(at, _)| base[..at].to_owned());
    paths.extend(parents.collect::<Vec<_>>().into_iter().rev());
    paths.push(base.to_owned());
    let mut found: Vec<Url> = Vec::new();
    for path in paths {
        let mut place = url.clone();
        place.set_path(&format!("{path}{WELL_KNOWN}"));
        place.set_query(None);
        if place != *url && !found.contains(&place) {
            found.push(place);
        }
    }
    found.truncate(4);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::testing;

    fn likely(metadata_url: &str) -> Vec<String> {
        let metadata_url = Url::parse(metadata_url).expect("a URL");
        let settings = Settings { metadata_url, ..testing::settings("https://login.example") };
        places(&settings).into_iter().map(String::from).collect()
    }

    #[test]
    fn a_missing_document_is_looked_for_where_providers_have_it() {
        let of = |url: &str| likely(url).first().cloned();
        let keycloak = of("https://sso.example/auth/realms/a/.well-known/openid-configuration");
        assert_eq!(
            keycloak.as_deref(),
            Some("https://sso.example/realms/a/.well-known/openid-configuration")
        );
        let entra = of("https://contoso.ciamlogin.com/.well-known/openid-configuration");
        let expected =
            "https://contoso.ciamlogin.com/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration";
        assert_eq!(entra.as_deref(), Some(expected));
        assert!(likely("https://login.example/.well-known/openid-configuration").is_empty());
        let metadata = likely("https://login.example/a/b/metadata.json");
        assert!(metadata.contains(&"https://login.example/.well-known/openid-configuration".to_owned()));
    }

    #[test]
    fn the_lines_to_type_name_the_place_only_where_it_is_not_the_usual_one() {
        let url = Url::parse("https://login.example/.well-known/openid-configuration").expect("a URL");
        assert_eq!(lines("https://login.example", &url), "issuer = \"https://login.example\"");
        assert!(lines("https://other.example", &url).ends_with(&format!("\nmetadata_url = \"{url}\"")));
    }
}
