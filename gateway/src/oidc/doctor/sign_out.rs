//! Whether signing out reaches the provider, and whether it sends people back: asked without any hint of who it is, so
//! that nobody is signed out.

use url::Url;

use super::document::Document;
use crate::finding::{Finding, Report};
use crate::oidc::Provider;
use crate::oidc::http::{Look, is_acceptable};
use crate::oidc::settings::Settings;
use crate::stop::causes;

const CHECK: &str = "sign_out";

/// Asks the end-session endpoint, if there is one.
pub(super) async fn examine(provider: &Provider, document: &Document, report: &mut Report<'_>) {
    let name = "end_session_endpoint";
    if !document.members.contains_key(name) {
        let found = "is not in the metadata: signing out ends the session here only, and the next sign-in may ask nothing";
        let repair =
            "switch RP-initiated logout on at the provider, if it has it; or tell people that it is so";
        return report.add(Finding::warning(CHECK, name, found, repair));
    }
    let Some(url) = document.url(name).filter(is_acceptable) else {
        let repair = "the provider must correct its metadata";
        return report.add(Finding::fault(CHECK, name, "is not an https address", repair));
    };
    report.looking("asking whether the address after sign-out is registered");
    match provider.client.look(&request(&provider.settings, url), "text/html,application/xhtml+xml").await {
        Ok(look) => report.add(judge(&provider.settings.post_logout_redirect_uri, &look)),
        Err(error) => {
            let repair = "the end-session endpoint must answer browsers";
            report.add(Finding::fault(CHECK, name, causes(&error), repair));
        }
    }
}

fn request(settings: &Settings, mut url: Url) -> Url {
    url.query_pairs_mut()
        .append_pair("client_id", &settings.client_id)
        .append_pair("post_logout_redirect_uri", settings.post_logout_redirect_uri.as_str());
    url
}

fn judge(back: &Url, look: &Look) -> Finding {
    let looked_at = back.as_str();
    let to = look.location.as_deref().and_then(|to| Url::parse(to).ok());
    if to.is_some_and(|to| to.origin() == back.origin() && to.path() == back.path()) {
        return Finding::ok(CHECK, looked_at, "is registered: the provider sends the browser back there");
    }
    if look.status.is_client_error() {
        let page = String::from_utf8_lossy(&look.body).to_lowercase();
        let is_named = ["redirect", "returnto", "logout url"].iter().any(|word| page.contains(word));
        if is_named {
            let repair =
                format!("register this address after sign-out for the client at the provider:\n{back}");
            return Finding::fault(CHECK, looked_at, format!("is not registered ({})", look.status), repair);
        }
        let found =
            format!("the provider answers {} without a hint of who it is, which does not tell", look.status);
        return Finding::warning(
            CHECK,
            looked_at,
            found,
            format!("is this registered there? {back}\nsign out once"),
        );
    }
    if look.status.is_server_error() {
        let found = format!("the end-session endpoint answers {}", look.status);
        return Finding::fault(CHECK, looked_at, found, "look into the provider's log");
    }
    let found = "the provider ends sessions; whether it sends people back to this address it tells only when somebody \
                 signs out";
    Finding::ok(CHECK, looked_at, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use http::StatusCode;

    fn judged(status: u16, location: Option<&str>, body: &str) -> Level {
        let status = StatusCode::from_u16(status).expect("a status");
        let location = location.map(str::to_owned);
        let look = Look { status, location, date: None, is_json: false, body: body.to_owned().into() };
        judge(&Url::parse("https://app.example/auth/signed-out").expect("a URL"), &look).level
    }

    #[test]
    fn what_the_provider_does_tells_whether_people_come_back() {
        assert_eq!(judged(302, Some("https://app.example/auth/signed-out"), ""), Level::Ok);
        assert_eq!(judged(400, None, "post_logout_redirect_uri not registered"), Level::Fault);
        assert_eq!(judged(400, None, "id_token_hint required"), Level::Warning);
        assert_eq!(judged(200, None, "Sign out?"), Level::Ok);
        assert_eq!(judged(500, None, ""), Level::Fault);
    }
}
