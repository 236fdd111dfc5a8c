//! Whether the redirect URI is registered: a sign-in request that forbids the provider to ask anybody. One that knows the
//! address sends the browser back to it with an error; one that does not, must not. The redirect is not followed.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use url::Url;

use super::document::Document;
use super::entra;
use crate::finding::{Finding, Report};
use crate::oidc::Provider;
use crate::oidc::callback::loggable;
use crate::oidc::http::Look;
use crate::oidc::sign_in::{Purpose, Want};
use crate::origin::Origin;
use crate::session::return_to::ReturnTo;
use crate::stop::causes;

const CHECK: &str = "redirect_uri";
/// Errors of a provider that would have had to ask somebody (OpenID Connect Core 1.0, section 3.1.2.6).
const WOULD_ASK: [&str; 4] =
    ["login_required", "interaction_required", "consent_required", "account_selection_required"];

/// Makes the request, for each of the gateway's sites.
pub(super) async fn examine(
    provider: &Arc<Provider>,
    document: &Document,
    other_sites: &[Origin],
    report: &mut Report<'_>,
) {
    for site in std::iter::once(None).chain(other_sites.iter().map(Some)) {
        examine_at(provider, document, site, report).await;
    }
}

async fn examine_at(
    provider: &Arc<Provider>,
    document: &Document,
    site: Option<&Origin>,
    report: &mut Report<'_>,
) {
    let own = &provider.settings.redirect_uri;
    let there = site.and_then(|origin| Url::parse(&origin.url(own.path())).ok());
    let redirect_uri = there.unwrap_or_else(|| own.clone());
    report.looking("asking whether the redirect URI is registered");
    let want = Want {
        return_to: ReturnTo::home(),
        extra_scopes: None,
        purpose: Purpose::SignIn,
        parameters: Vec::new(),
    };
    let Some(url) = provider.begin(want, site).await.ok().and_then(|begun| silent(&begun.location)) else {
        let found = "not asked, because of the faults above";
        report.add(Finding::warning(
            CHECK,
            redirect_uri.as_str(),
            found,
            "repair the above, then run this again",
        ));
        return;
    };
    match provider.client.look(&url, "text/html,application/xhtml+xml").await {
        Ok(look) => report.add(judge(&redirect_uri, document.is_entra, &look)),
        Err(error) => {
            let repair = "the authorization endpoint must answer browsers; open /auth/sign-in in one";
            report.add(Finding::fault(CHECK, redirect_uri.as_str(), causes(&error), repair));
        }
    }
}

/// The request, with `prompt=none` in the place of any other.
fn silent(location: &str) -> Option<Url> {
    let mut url = Url::parse(location).ok()?;
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "prompt").collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair("prompt", "none");
    Some(url)
}

fn judge(redirect_uri: &Url, is_entra: bool, look: &Look) -> Finding {
    let to = look.location.as_deref().and_then(|to| Url::parse(to).ok());
    if let Some(back) = to.as_ref().filter(|to| is_same_place(to, redirect_uri)) {
        return of_answer(redirect_uri, back);
    }
    let page = String::from_utf8_lossy(&look.body);
    if let Some(number) = entra::number_in(&page) {
        let (what, repair) = entra::of_number(number);
        return Finding::fault(CHECK, redirect_uri.as_str(), format!("{what} (AADSTS{number})"), repair);
    }
    let posts_back = page.contains(&format!("action=\"{redirect_uri}\""))
        || page.contains(&format!("action='{redirect_uri}'"));
    if look.status.is_success() && posts_back {
        return Finding::ok(
            CHECK,
            redirect_uri.as_str(),
            "is registered: the provider posts its answer there",
        );
    }
    let told = format!("{page} {}", to.as_ref().map(in_words).unwrap_or_default()).to_lowercase();
    let complains = look.status.is_client_error() || to.is_some_and(|to| to.path().contains("error"));
    if complains {
        return of_complaint(redirect_uri, look, &told);
    }
    if is_entra {
        let found = "Entra complains of nothing, and it complains at once of one that is not registered";
        return Finding::ok(CHECK, redirect_uri.as_str(), found);
    }
    Finding::warning(
        CHECK,
        redirect_uri.as_str(),
        format!("this provider does not tell ({}): it goes on to its own pages", look.status),
        "sign in once: if the redirect URI is not registered, the provider's page says so",
    )
}

/// An answer to the redirect URI: so it is registered, whatever else is wrong.
fn of_answer(redirect_uri: &Url, back: &Url) -> Finding {
    let looked_at = redirect_uri.as_str();
    let in_fragment = back.fragment().unwrap_or_default().to_owned();
    let pairs = back
        .query_pairs()
        .into_owned()
        .chain(url::form_urlencoded::parse(in_fragment.as_bytes()).into_owned());
    let pairs: Vec<(String, String)> = pairs.collect();
    let value = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let error = value("error").unwrap_or_default();
    if error.is_empty() || WOULD_ASK.contains(&error) {
        return Finding::ok(CHECK, looked_at, "is registered: the provider sends the browser back there");
    }
    if let Some(number) = value("error_description").and_then(entra::number_in) {
        let (what, repair) = entra::of_number(number);
        return Finding::fault(
            "sign_in",
            looked_at,
            format!("is registered, but {what} (AADSTS{number})"),
            repair,
        );
    }
    let repair = match error {
        "invalid_scope" | "invalid_target" => {
            "correct `scopes` in [provider]: ask for those that the client's registration may have"
        }
        "unauthorized_client" | "unsupported_response_type" => {
            "allow the authorization code flow at the client's registration"
        }
        "temporarily_unavailable" | "server_error" => "try again later; then look into the provider's log",
        _ => "look into the provider's log: it refuses the gateway's sign-in request",
    };
    let found = format!("is registered, but sign-ins are refused with {}", loggable(error));
    Finding::fault("sign_in", looked_at, found, repair)
}

/// A page or an address that complains. The words are those of common providers.
fn of_complaint(redirect_uri: &Url, look: &Look, told: &str) -> Finding {
    let says = |words: &[&str]| words.iter().any(|word| told.contains(word));
    let looked_at = redirect_uri.as_str();
    if says(&[
        "redirect_uri",
        "redirect uri",
        "redirect url",
        "callback url",
        "redirecturi",
        "redirect address",
    ]) {
        let repair = format!(
            "register this redirect URI for the client at the provider, letter by letter:\n{redirect_uri}"
        );
        return Finding::fault(CHECK, looked_at, format!("is not registered ({})", look.status), repair);
    }
    if says(&[
        "client_id",
        "client id",
        "unknown client",
        "client not found",
        "invalid_client",
        "unknown application",
    ]) {
        let found = format!("the provider does not know the client ({})", look.status);
        return Finding::fault(CHECK, looked_at, found, "compare `client_id` with the registration");
    }
    let found = format!("the provider refuses the sign-in request ({}) and does not say why", look.status);
    let repair =
        format!("is this registered there? {redirect_uri}\nopen /auth/sign-in in a browser to read the page");
    Finding::fault(CHECK, looked_at, found, repair)
}

/// An address's words: its path and its parameters, those in base64 too.
fn in_words(url: &Url) -> String {
    let mut words = url.path().to_owned();
    for (name, value) in url.query_pairs() {
        let decoded = URL_SAFE.decode(&*value).or_else(|_| STANDARD.decode(&*value)).unwrap_or_default();
        words = format!("{words} {name} {value} {}", String::from_utf8_lossy(&decoded));
    }
    words
}

fn is_same_place(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path() == other.path()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use http::StatusCode;

    fn judged(status: u16, location: Option<&str>, body: &str, is_entra: bool) -> Finding {
        let status = StatusCode::from_u16(status).expect("a status");
        let look = Look {
            status,
            location: location.map(str::to_owned),
            date: None,
            is_json: false,
            body: body.to_owned().into(),
        };
        judge(&Url::parse("https://app.example/auth/callback").expect("a URL"), is_entra, &look)
    }

    #[test]
    fn whoever_is_sent_back_has_a_registered_address() {
        let back =
            |query: &str| judged(302, Some(&format!("https://app.example/auth/callback?{query}")), "", false);
        assert_eq!(back("error=login_required&state=x").level, Level::Ok);
        let scope = back("error=invalid_scope&state=x");
        assert!(scope.level == Level::Fault && scope.repair.is_some_and(|text| text.contains("scopes")));
        let posted =
            judged(200, None, "<form method=\"post\" action=\"https://app.example/auth/callback\">", false);
        assert_eq!(posted.level, Level::Ok);
    }

    #[test]
    fn complaints_are_read_in_the_words_of_common_providers() {
        let google = STANDARD.encode("\n\x15redirect_uri_mismatch\x12");
        let google = format!(
            "https://accounts.google.com/signin/oauth/error?authError={}",
            google.replace('+', "%2B").replace('=', "%3D")
        );
        for (status, location, body) in [
            (400, None, "Invalid parameter: redirect_uri"),
            (403, None, "<h1>Callback URL mismatch.</h1>"),
            (302, Some(&*google), ""),
            (200, None, "{\"strServiceExceptionMessage\":\"AADSTS50011: The redirect URI …\"}"),
        ] {
            let finding = judged(status, location, body, false);
            assert_eq!(finding.level, Level::Fault, "{body}");
            assert!(finding.found.contains("not registered"), "{}", finding.found);
        }
        let client = judged(400, None, "Client not found.", false);
        assert!(client.found.contains("does not know the client"));
        let other = judged(400, None, "Oops", false);
        assert!(other.level == Level::Fault && other.found.contains("does not say why"));
    }

    #[test]
    fn a_page_without_a_complaint_proves_nothing_but_with_entra() {
        assert_eq!(judged(200, None, "<h1>Sign in</h1>", false).level, Level::Warning);
        assert_eq!(judged(302, Some("https://login.example/flow/1"), "", false).level, Level::Warning);
        assert_eq!(judged(200, None, "<h1>Sign in</h1>", true).level, Level::Ok);
    }
}
