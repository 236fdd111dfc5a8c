//! The authorization request: what it says, and the address that the browser is sent to with it or with the name under
//! which it was pushed (OpenID Connect Core 1.0, section 3.1.2.1; RFC 9126, section 4).
//! Pure; everything in it comes from the configuration, the metadata and the attempt (requirements SI-01, SI-09, SI-10).

use openidconnect::core::{CoreAuthenticationFlow, CoreClient};
use openidconnect::{
    AuthUrl, ClientId, CsrfToken, IssuerUrl, JsonWebKeySet, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
};
use url::Url;

use super::Purpose;
use crate::oidc::discovery::Metadata;
use crate::oidc::settings::{RequestSettings, ResponseMode, Settings};
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

/// The address of the provider's page, with these parameters.
pub(super) fn location(metadata: &Metadata, parameters: &[(String, String)]) -> String {
    let mut url = metadata.authorization_endpoint.clone();
    url.query_pairs_mut().extend_pairs(parameters);
    url.into()
}

/// The address for a request that the provider knows already. Nothing of what was pushed is in it.
pub(super) fn pushed_location(settings: &Settings, metadata: &Metadata, request_uri: String) -> String {
    let client_id = ("client_id".to_owned(), settings.client_id.clone());
    location(metadata, &[client_id, ("request_uri".to_owned(), request_uri)])
}

/// What is asked, with PKCE always: also where the metadata does not list it (requirement SI-02). `given` is what the
/// link to the sign-in says.
pub(super) fn parameters(
    settings: &Settings,
    metadata: &Metadata,
    attempt: &LoginAttempt,
    purpose: Purpose,
    given: &[(String, String)],
) -> Vec<(String, String)> {
    // The library makes an address; only its query is wanted.
    let nowhere = Url::parse("https://provider.invalid/").expect("an address");
    let of_site = attempt.redirect_uri.as_ref().and_then(|text| RedirectUrl::new(text.clone()).ok());
    let redirect_uri = of_site.unwrap_or_else(|| RedirectUrl::from_url(settings.redirect_uri.clone()));
    let client = CoreClient::new(
        ClientId::new(settings.client_id.clone()),
        IssuerUrl::new(settings.issuer.to_string()).expect("an issuer that is no URL makes no provider"),
        JsonWebKeySet::new(Vec::new()),
    )
    .set_auth_uri(AuthUrl::from_url(nowhere))
    .set_redirect_uri(redirect_uri);
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
    let mut asked: Vec<_> = request.url().0.query_pairs().into_owned().collect();
    let own_prompt = match purpose {
        Purpose::SignUp if takes_create(metadata) => Some("create"),
        Purpose::Silent => Some("none"),
        Purpose::SignIn | Purpose::SignUp => None,
    };
    asked.extend(own_prompt.map(|prompt| ("prompt".to_owned(), prompt.to_owned())));
    // What this request is for comes first, then what the link says, then what the configuration says of all requests.
    for (name, value) in passed(settings, given).chain(configured(&settings.request)) {
        if asked.iter().all(|(known, _)| *known != name) {
            asked.push((name, value));
        }
    }
    asked
}

/// What the configuration says of every request.
fn configured(settings: &RequestSettings) -> impl Iterator<Item = (String, String)> {
    let acr_values = (!settings.acr_values.is_empty()).then(|| settings.acr_values.join(" "));
    let max_age = settings.max_age.map(|age| age.as_secs().to_string());
    let own = [
        ("acr_values", acr_values),
        ("max_age", max_age),
        ("prompt", settings.prompt.clone()),
        ("claims", settings.claims.clone()),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    own.chain(settings.parameters.clone())
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
    use std::time::Duration;

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
        let location = location(metadata, &parameters(settings, metadata, &attempt, purpose, &given));
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
        let asked = parameters(&settings, &metadata(), &attempt, Purpose::SignIn, &given);
        let location = location(&metadata(), &asked);
        let url = Url::parse(&location).expect("a URL");
        let resources: Vec<_> = url
            .query_pairs()
            .filter(|(name, _)| name == "resource")
            .map(|(_, value)| value.into_owned())
            .collect();
        assert_eq!(resources, settings.resources);
    }

    #[test]
    fn what_the_configuration_says_of_every_request_is_said_once() {
        let mut settings = settings();
        settings.pass_parameters = vec!["ui_locales".into(), "domain_hint".into()];
        settings.request = RequestSettings {
            acr_values: vec!["gold".to_owned(), "silver".to_owned()],
            max_age: Some(Duration::from_secs(300)),
            prompt: Some("login".to_owned()),
            claims: Some(r#"{"id_token":{"acr":null}}"#.to_owned()),
            parameters: vec![
                ("ui_locales".to_owned(), "de en".to_owned()),
                ("domain_hint".to_owned(), "contoso.example".to_owned()),
                ("audience".to_owned(), "https://api.example".to_owned()),
            ],
            ..RequestSettings::default()
        };
        let given =
            [("ui_locales", "fr"), ("max_age", "99999"), ("acr_values", "bronze"), ("prompt", "none")];
        let (_, asked) = sent(&settings, &metadata(), Purpose::SignIn, &given);
        assert_eq!((&*asked["acr_values"], &*asked["max_age"]), ("gold silver", "300"));
        assert_eq!((&*asked["prompt"], &*asked["claims"]), ("login", r#"{"id_token":{"acr":null}}"#));
        assert_eq!(asked["ui_locales"], "fr", "the link's, because links may say it");
        assert_eq!(asked["domain_hint"], "contoso.example", "the configuration's, where the link is silent");
        assert_eq!(asked["audience"], "https://api.example");
        let (_, asked) = sent(&settings, &metadata(), Purpose::SignUp, &[]);
        assert_eq!(asked["prompt"], "create", "somebody who wants an account has none to log in to");
        let (_, asked) = sent(&settings, &metadata(), Purpose::Silent, &[]);
        assert_eq!(asked["prompt"], "none");
    }

    #[test]
    fn a_pushed_request_leaves_its_name_in_the_address_and_nothing_else() {
        let mut metadata = metadata();
        metadata.authorization_endpoint.set_query(Some("tenant=a"));
        let location = pushed_location(&settings(), &metadata, "urn:x:1 &".to_owned());
        let expected =
            "http://localhost:3002/authorize?tenant=a&client_id=todo-web&request_uri=urn%3Ax%3A1+%26";
        assert_eq!(location, expected);
    }

    #[test]
    fn form_post_is_asked_for_when_configured() {
        let settings = Settings { response_mode: ResponseMode::FormPost, ..settings() };
        let (_, sent) = sent(&settings, &metadata(), Purpose::SignIn, &[]);
        assert_eq!(sent["response_mode"], "form_post");
    }
}
