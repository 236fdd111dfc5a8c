//! The authorization request: the address that the browser is sent to (OpenID Connect Core 1.0, section 3.1.2.1).
//! Pure; everything in it comes from the configuration, the metadata and the attempt (requirements SI-01, SI-09, SI-10).

use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreClient};
use openidconnect::{
    AuthUrl, ClientId, CsrfToken, IssuerUrl, JsonWebKeySet, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
};

use super::Purpose;
use crate::oidc::discovery::Metadata;
use crate::oidc::settings::{ResponseMode, Settings};
use crate::session::attempt::LoginAttempt;

/// Parameters that this gateway alone sets, also where the configuration names them among those passed on.
const OWN: [&str; 17] = [
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "request",
    "request_uri",
    "registration",
    "claims",
    "id_token_hint",
    "resource",
];
/// A passed parameter longer than this is left out.
const MAX_PARAMETER: usize = 512;

/// The address, with PKCE always: also where the metadata does not list it (requirement SI-02).
pub(super) fn location(
    settings: &Settings,
    metadata: &Metadata,
    attempt: &LoginAttempt,
    purpose: Purpose,
    parameters: &[(String, String)],
) -> String {
    let client = CoreClient::new(
        ClientId::new(settings.client_id.clone()),
        IssuerUrl::new(settings.issuer.to_string()).expect("an issuer that is no URL makes no provider"),
        JsonWebKeySet::new(Vec::new()),
    )
    .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
    .set_redirect_uri(RedirectUrl::from_url(settings.redirect_uri.clone()));
    let (state, nonce) = (attempt.state.expose().clone(), attempt.nonce.expose().clone());
    let verifier = PkceCodeVerifier::new(attempt.verifier.expose().clone());
    let mut request = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        )
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    // The library asks for `openid` by itself.
    let scopes = attempt.scopes.names().filter(|scope| *scope != "openid");
    request = request.add_scopes(scopes.map(|scope| Scope::new(scope.to_string())));
    for resource in &settings.resources {
        request = request.add_extra_param("resource", resource.clone());
    }
    if settings.response_mode == ResponseMode::FormPost {
        request = request.add_extra_param("response_mode", "form_post");
    }
    let creates = purpose == Purpose::SignUp && takes_create(metadata);
    if creates {
        request = request.add_prompt(CoreAuthPrompt::Extension("create".to_owned()));
    }
    for (name, value) in passed(settings, parameters).filter(|(name, _)| !creates || name != "prompt") {
        request = request.add_extra_param(name, value);
    }
    request.url().0.into()
}

/// Providers that say which prompts they take must list it; Entra External ID says nothing and takes it.
fn takes_create(metadata: &Metadata) -> bool {
    metadata.prompts.as_ref().is_none_or(|prompts| prompts.iter().any(|prompt| prompt == "create"))
}

/// The parameters that the configuration passes on, each at most once: the first counts.
fn passed<'a>(
    settings: &'a Settings,
    parameters: &'a [(String, String)],
) -> impl Iterator<Item = (String, String)> + 'a {
    let allowed = settings.pass_parameters.iter().filter(|name| !OWN.contains(&name.as_str()));
    allowed.filter_map(|name| {
        let given = parameters.iter().find(|(given, _)| given == name)?;
        (given.1.len() <= MAX_PARAMETER).then(|| given.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::oidc::testing;
    use crate::session::return_to::ReturnTo;
    use std::collections::BTreeMap;
    use url::Url;

    fn sent(
        settings: &Settings,
        metadata: &Metadata,
        purpose: Purpose,
        given: &[(&str, &str)],
    ) -> (LoginAttempt, BTreeMap<String, String>) {
        let attempt = LoginAttempt::start(
            &settings.issuer,
            settings.scopes.clone(),
            ReturnTo::home(),
            Timestamp(1_000),
        );
        let given: Vec<_> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let location = location(settings, metadata, &attempt, purpose, &given);
        let url = Url::parse(&location).expect("a URL");
        assert!(location.starts_with("http://localhost:3002/authorize?"));
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(map.len(), pairs.len(), "no parameter is doubled");
        (attempt, map)
    }

    fn settings() -> Settings {
        testing::settings("http://localhost:3002")
    }

    fn metadata() -> Metadata {
        testing::metadata("http://localhost:3002")
    }

    #[test]
    fn the_request_holds_what_the_standard_asks_and_nothing_else() {
        let (attempt, sent) = sent(&settings(), &metadata(), Purpose::SignIn, &[]);
        let names: Vec<_> = sent.keys().map(String::as_str).collect();
        let expected = [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "redirect_uri",
            "response_type",
            "scope",
            "state",
        ];
        assert_eq!(names, expected);
        assert_eq!(sent["response_type"], "code");
        assert_eq!(sent["client_id"], "todo-web");
        assert_eq!(sent["redirect_uri"], "http://localhost:3000/auth/callback");
        assert_eq!(sent["code_challenge_method"], "S256");
        assert_eq!(sent["scope"], "openid email offline_access profile");
        assert!(attempt.state.matches(&sent["state"]) && attempt.nonce.matches(&sent["nonce"]));
    }

    #[test]
    fn the_challenge_is_the_hash_of_the_attempts_verifier() {
        use base64::Engine;
        let (attempt, sent) = sent(&settings(), &metadata(), Purpose::SignIn, &[]);
        let hash =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, attempt.verifier.expose().as_bytes());
        assert_eq!(sent["code_challenge"], base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash));
    }

    #[test]
    fn only_configured_parameters_are_passed_on_and_never_the_gateways_own() {
        let mut settings = settings();
        settings.pass_parameters =
            vec!["login_hint".into(), "scope".into(), "nonce".into(), "ui_locales".into()];
        let given = [
            ("login_hint", "alice"),
            ("login_hint", "bob"),
            ("scope", "x"),
            ("nonce", "x"),
            ("state", "x"),
            ("resource", "x"),
            ("redirect_uri", "http://evil.example"),
            ("ui_locales", &*"a".repeat(513)),
        ];
        let (attempt, sent) = sent(&settings, &metadata(), Purpose::SignIn, &given);
        assert_eq!(sent["login_hint"], "alice");
        assert_eq!(sent["redirect_uri"], "http://localhost:3000/auth/callback");
        assert!(attempt.nonce.matches(&sent["nonce"]) && attempt.state.matches(&sent["state"]));
        assert_eq!(sent["scope"], "openid email offline_access profile");
        assert!(!sent.contains_key("resource") && !sent.contains_key("ui_locales"));
    }

    #[test]
    fn a_sign_up_asks_for_the_page_for_new_accounts_where_there_is_one() {
        let mut settings = settings();
        settings.pass_parameters = vec!["prompt".into()];
        let mut metadata = metadata();
        let given = [("prompt", "login")];
        for (listed, expected) in [
            (None, "create"),
            (Some(vec!["login".to_owned(), "create".to_owned()]), "create"),
            (Some(vec!["login".to_owned()]), "login"),
        ] {
            metadata.prompts = listed;
            let (_, sent) = sent(&settings, &metadata, Purpose::SignUp, &given);
            assert_eq!(sent["prompt"], expected);
        }
        let (_, sent) = sent(&settings, &metadata, Purpose::SignIn, &[]);
        assert!(!sent.contains_key("prompt"));
    }

    #[test]
    fn resources_are_those_of_the_configuration_and_no_links() {
        let mut settings = settings();
        settings.resources = vec!["api://todo-service".to_owned(), "api://reports".to_owned()];
        settings.pass_parameters = vec!["resource".into()];
        let attempt =
            LoginAttempt::start(&settings.issuer, settings.scopes.clone(), ReturnTo::home(), Timestamp(0));
        let given = [("resource".to_owned(), "api://evil".to_owned())];
        let location = location(&settings, &metadata(), &attempt, Purpose::SignIn, &given);
        let url = Url::parse(&location).expect("a URL");
        let resources: Vec<_> = url
            .query_pairs()
            .filter(|(name, _)| name == "resource")
            .map(|(_, value)| value.into_owned())
            .collect();
        assert_eq!(resources, settings.resources);
    }

    #[test]
    fn form_post_is_asked_for_when_configured() {
        let settings = Settings { response_mode: ResponseMode::FormPost, ..settings() };
        let (_, sent) = sent(&settings, &metadata(), Purpose::SignIn, &[]);
        assert_eq!(sent["response_mode"], "form_post");
    }
}
