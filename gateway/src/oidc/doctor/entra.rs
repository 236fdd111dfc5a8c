//! What is special about Microsoft Entra: its hosts, the shapes of its addresses, the numbers of its errors, and the
//! mistakes that people make with it. From its documents; numbers may change, so every one leads to its own page.
//! Pure.

use serde_json::{Map, Value};
use url::Url;

/// Where an Entra tenant may be.
const HOSTS: [&str; 6] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.windows.net",
    "sts.windows.net",
];

/// Paths for every tenant at once.
const ALL_TENANTS: [&str; 3] = ["common", "organizations", "consumers"];

/// Whether that host is Entra's.
pub(super) fn is_host(host: &str) -> bool {
    HOSTS.contains(&host) || host.ends_with(".ciamlogin.com") || host.ends_with(".b2clogin.com")
}

/// Whether an issuer looks like those of Entra's second version: a tenant's identifier, then `v2.0`.
pub(super) fn is_issuer(issuer: &str) -> bool {
    let Ok(url) = Url::parse(issuer) else {
        return false;
    };
    let segments: Vec<_> = url.path_segments().into_iter().flatten().collect();
    is_host(url.host_str().unwrap_or_default())
        || matches!(segments[..], [tenant, "v2.0"] if is_guid(tenant) || tenant == "%7Btenantid%7D")
}

/// Whether a document has members that only Entra writes.
pub(super) fn wrote(members: &Map<String, Value>) -> bool {
    ["tenant_region_scope", "cloud_instance_name", "msgraph_host"]
        .iter()
        .any(|name| members.contains_key(*name))
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// The first part of an address's path: a tenant, by whatever name.
fn tenant(url: &Url) -> Option<&str> {
    url.path_segments()?.find(|segment| !segment.is_empty() && *segment != ".well-known")
}

/// The paths below which metadata is likely to be on that host, where it is not below `base`.
pub(super) fn bases(host: &str, base: &str) -> Vec<String> {
    if !is_host(host) {
        return Vec::new();
    }
    let subdomain = host.strip_suffix(".ciamlogin.com");
    match (subdomain, base.trim_matches('/')) {
        (Some(name), "" | "v2.0") => vec![format!("/{name}.onmicrosoft.com/v2.0")],
        (_, "") => Vec::new(),
        (_, base) => vec![format!("/{}/v2.0", base.split('/').next().unwrap_or_default())],
    }
}

/// What is likely wrong with an address without metadata.
pub(super) fn of_metadata(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    if host.ends_with(".ciamlogin.com") {
        return "Entra External ID's metadata is at the tenant's subdomain, below the tenant and v2.0:\n\
                metadata_url = \"https://SUBDOMAIN.ciamlogin.com/TENANT-ID/v2.0/.well-known/openid-configuration\""
            .to_owned();
    }
    if host.ends_with(".b2clogin.com") {
        return "this is Azure AD B2C, whose metadata stands below a policy (B2C_1_…); an Entra External ID tenant is at \
                https://SUBDOMAIN.ciamlogin.com"
            .to_owned();
    }
    if is_host(host) {
        return "Entra's metadata is below the tenant and v2.0:\n\
                metadata_url = \"https://login.microsoftonline.com/TENANT-ID/v2.0/.well-known/openid-configuration\""
            .to_owned();
    }
    "look up the issuer at the provider, and open ISSUER/.well-known/openid-configuration in a browser"
        .to_owned()
}

/// The usual mistake behind an issuer that is not the document's, and the lines that correct it where they are not just
/// the document's issuer.
pub(super) fn of_issuer(expected: &str, found: &str, metadata: &Url) -> Option<(String, Option<String>)> {
    let host_of = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let (wanted, host) = (host_of(expected).unwrap_or_default(), host_of(found).unwrap_or_default());
    let at = metadata.host_str().unwrap_or_default();
    if found.contains("{tenantid}") {
        let name = tenant(metadata).filter(|name| ALL_TENANTS.contains(name)).unwrap_or("common");
        let what = format!("the metadata of /{name} is for every tenant: it must be said which may sign in");
        let lines = format!("issuer = \"{found}\"\ntenants = [\"TENANT-ID\"]\nmetadata_url = \"{metadata}\"");
        return Some((what, Some(lines)));
    }
    if host == "sts.windows.net" {
        let v2 = metadata.as_str().replace("/.well-known/", "/v2.0/.well-known/");
        let id =
            Url::parse(found).ok().as_ref().and_then(tenant).map_or("TENANT-ID".to_owned(), str::to_owned);
        let lines =
            format!("issuer = \"https://login.microsoftonline.com/{id}/v2.0\"\nmetadata_url = \"{v2}\"");
        return Some((
            "this is the metadata of Entra's first version (v1.0): /v2.0 is missing".to_owned(),
            Some(lines),
        ));
    }
    if wanted == "sts.windows.net" {
        let what =
            "the issuer is one of Entra's first version (v1.0), the metadata is of the second".to_owned();
        return Some((what, None));
    }
    if wanted.ends_with(".b2clogin.com") && !host.ends_with(".b2clogin.com") {
        let what = "the issuer is one of Azure AD B2C, the metadata is of another tenant".to_owned();
        return Some((what, None));
    }
    if host.ends_with(".ciamlogin.com") && wanted == "login.microsoftonline.com" {
        let what =
            "the issuer is that of a workforce tenant; Entra External ID's is at ciamlogin.com".to_owned();
        return Some((what, None));
    }
    if host.ends_with(".ciamlogin.com") && host != at {
        let what =
            "Entra External ID's issuer has the tenant's ID as its host, its metadata has the subdomain"
                .to_owned();
        return Some((what, None));
    }
    if is_host(&host) && expected.trim_end_matches('/') == found.trim_end_matches("/v2.0") {
        return Some(("the issuer of Entra's second version ends in /v2.0".to_owned(), None));
    }
    None
}

/// What an error's number means, and what to do.
pub(super) fn of_number(number: u64) -> (&'static str, String) {
    let (what, repair) = match number {
        7_000_215 => (
            "the client secret is wrong",
            "put the secret's Value, not its Secret ID, where `client_secret` points; or make a new one: App \
             registrations > Certificates & secrets",
        ),
        7_000_222 => (
            "the client secret has expired",
            "make a new one: App registrations > Certificates & secrets, and put its Value where `client_secret` points",
        ),
        700_016 => (
            "the tenant knows no application of this client ID",
            "copy Application (client) ID into `client_id`; was the app registered in the workforce tenant? switch \
             directories in the admin center and register it in the external tenant",
        ),
        7_000_112 => {
            ("the application is disabled in this tenant", "enable it: Enterprise applications > Properties")
        }
        50_011 => (
            "the redirect URI is not registered",
            "App registrations > Authentication > Web: add the redirect URI above, letter by letter",
        ),
        900_971 => (
            "the application has no redirect URI at all",
            "App registrations > Authentication > Add a platform > Web: add the redirect URI above",
        ),
        90_002 => ("there is no such tenant", "correct the tenant in `metadata_url` and `issuer`"),
        650_053 => (
            "a scope is asked for that its API does not have",
            "compare `scopes` with Expose an API of the API's registration",
        ),
        70_011 | 28_000 | 28_003 => (
            "the scopes are not ones that may be asked for together",
            "write each as <Application ID URI>/<scope>, those of one API per [tokens.NAME], and none in \
             provider.scopes",
        ),
        500_011 => (
            "the tenant knows no API of that Application ID URI",
            "copy Application ID URI from Expose an API of the API's registration; is it in this tenant?",
        ),
        65_001 => (
            "nobody has agreed to what is asked for",
            "App registrations > API permissions > Grant admin consent",
        ),
        7_000_218 => (
            "the application is confidential and wants a credential",
            "write client_secret = { file = \"path\" }, or register the redirect URI for the platform Web",
        ),
        700_025 => (
            "the application is public and takes no secret",
            "register the redirect URI for the platform Web, not for a single-page or mobile app",
        ),
        50_194 => (
            "the application is for its own tenant only",
            "write the tenant's ID instead of common or organizations in `metadata_url` and `issuer`",
        ),
        500_208 => (
            "the address is that of a workforce tenant, and the application or account is of an external one",
            "write the tenant's own address: metadata_url = \"https://SUBDOMAIN.ciamlogin.com/TENANT-ID/v2.0/.well-known/openid-configuration\"",
        ),
        _ => ("Entra refuses it", "look the number up there"),
    };
    (what, format!("{repair} (https://login.microsoftonline.com/error?code={number})"))
}

/// The first number of an error in a text: `AADSTS50011`.
pub(super) fn number_in(text: &str) -> Option<u64> {
    let rest = text.split("AADSTS").nth(1)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(9).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";

    fn of(expected: &str, found: &str, metadata: &str) -> (String, Option<String>) {
        of_issuer(expected, found, &Url::parse(metadata).expect("a URL")).expect("a usual mistake")
    }

    #[test]
    fn the_usual_mistakes_are_known_by_name() {
        let external = format!("https://{ID}.ciamlogin.com/{ID}/v2.0");
        let at = format!("https://contoso.ciamlogin.com/{ID}/v2.0/.well-known/openid-configuration");
        assert!(
            of("https://contoso.ciamlogin.com/x/v2.0", &external, &at).0.contains("tenant's ID as its host")
        );
        assert!(
            of(&format!("https://login.microsoftonline.com/{ID}/v2.0"), &external, &at)
                .0
                .contains("workforce")
        );
        assert!(of(&format!("https://contoso.b2clogin.com/{ID}/v2.0/"), &external, &at).0.contains("B2C"));
        let old = format!("https://login.microsoftonline.com/{ID}/.well-known/openid-configuration");
        let (what, lines) = of("https://login.example", &format!("https://sts.windows.net/{ID}/"), &old);
        let expected = format!(
            "issuer = \"https://login.microsoftonline.com/{ID}/v2.0\"\nmetadata_url = \
             \"https://login.microsoftonline.com/{ID}/v2.0/.well-known/openid-configuration\""
        );
        assert!(what.contains("v1.0"));
        assert_eq!(lines.as_deref(), Some(&*expected));
        let all = "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration";
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let (what, lines) = of("https://login.microsoftonline.com/organizations/v2.0", template, all);
        assert!(
            what.contains("/organizations") && lines.expect("lines").contains("tenants = [\"TENANT-ID\"]")
        );
        let tenant = format!("https://login.microsoftonline.com/{ID}/v2.0");
        assert!(of(&tenant.replace("/v2.0", "/"), &tenant, &old).0.contains("/v2.0"));
    }

    #[test]
    fn issuers_of_others_are_not_mistaken_for_entras() {
        assert!(is_issuer(&format!("https://login.example/{ID}/v2.0")));
        for other in
            ["https://login.example/v2.0", "https://login.example", "https://sso.example/realms/a", "x"]
        {
            assert!(!is_issuer(other), "{other}");
        }
        let url = Url::parse("https://login.example").expect("a URL");
        assert_eq!(of_issuer("https://login.example/", "https://login.example", &url), None);
    }

    #[test]
    fn a_number_is_found_in_a_page_and_leads_to_its_own() {
        assert_eq!(number_in("<p>AADSTS50011: The redirect URI</p>"), Some(50_011));
        assert_eq!(number_in("nothing"), None);
        let (what, repair) = of_number(7_000_215);
        assert!(what.contains("secret is wrong") && repair.contains("code=7000215"));
    }
}
