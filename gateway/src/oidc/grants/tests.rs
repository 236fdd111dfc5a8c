//! The grants against a provider on loopback.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::oidc::testing::{Call, Canned, Fake};

struct Bench {
    fake: Fake,
    provider: Arc<Provider>,
    scopes: ScopeSet,
    subject: Secret<String>,
}

impl Bench {
    async fn new() -> Self {
        let fake = Fake::start().await;
        let provider = fake.ready_provider().await;
        let (scopes, subject) = ("Reports.Read".parse(), Secret::new("subject-1".to_owned()));
        Self { fake, provider, scopes: scopes.expect("valid"), subject }
    }

    fn answer(&self, status: u16, body: &Value) {
        self.fake.answer("/token", Canned::json(status, body));
    }

    fn last(&self) -> Call {
        self.fake.calls("/token").pop().expect("a call")
    }

    async fn client(&self) -> Result<AccessToken, GrantError> {
        self.provider.client_credentials(&Ask::of(&self.scopes)).await
    }

    async fn exchange(&self) -> Result<AccessToken, GrantError> {
        self.provider.exchange(&self.subject, SubjectKind::AccessToken, &Ask::of(&self.scopes)).await
    }

    async fn on_behalf_of(&self) -> Result<AccessToken, GrantError> {
        self.provider.on_behalf_of(&self.subject, &Ask::of(&self.scopes)).await
    }

    /// What each grant comes to: client credentials, exchange, on behalf of.
    async fn each(&self) -> [Result<AccessToken, GrantError>; 3] {
        [self.client().await, self.exchange().await, self.on_behalf_of().await]
    }
}

fn granted() -> Value {
    json!({"access_token": "at-9", "token_type": "Bearer", "expires_in": 600})
}

/// The kind of a failure, in one word.
fn word(result: &Result<AccessToken, GrantError>) -> &'static str {
    match result {
        Ok(_) => "granted",
        Err(GrantError::InvalidGrant(_)) => "invalid grant",
        Err(GrantError::ConsentRequired) => "consent",
        Err(GrantError::Transient(..)) => "transient",
        Err(GrantError::Broken(_)) => "broken",
    }
}

#[tokio::test]
async fn every_grant_gives_a_header_with_its_life_and_scopes() {
    let bench = Bench::new().await;
    bench.answer(200, &granted());
    let before = bench.fake.clock().now();
    for token in bench.each().await {
        let token = token.expect("sound");
        assert_eq!(token.authorization, "Bearer at-9");
        assert!(token.authorization.is_sensitive());
        assert!(token.expires >= before.plus(Duration::from_mins(10)));
        assert_eq!(token.granted, bench.scopes, "as asked, where the answer does not say");
    }
    let mut narrow = granted();
    narrow["scope"] = json!("Other");
    bench.answer(200, &narrow);
    for token in bench.each().await {
        assert_eq!(
            token.expect("sound").granted.to_string(),
            "Other",
            "what was granted, not what was asked"
        );
    }
}

#[tokio::test]
async fn the_gateway_asks_for_itself_in_nobodys_name() {
    let bench = Bench::new().await;
    bench.answer(200, &granted());
    bench.client().await.expect("sound");
    let call = bench.last();
    assert!(call.authorization.is_some_and(|value| value.starts_with("Basic ")));
    let expected = [("grant_type", "client_credentials"), ("scope", "Reports.Read")];
    assert_eq!(call.pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn an_exchange_says_what_it_shows_and_for_whom_the_answer_is_to_be() {
    let bench = Bench::new().await;
    bench.answer(200, &granted());
    let (resources, scopes) = (["api://reports".to_owned()], ScopeSet::default());
    let ask = Ask { scopes: &scopes, resources: &resources, audience: Some("reports") };
    for (kind, name) in [(SubjectKind::AccessToken, ACCESS_TOKEN), (SubjectKind::IdToken, ID_TOKEN)] {
        bench.provider.exchange(&bench.subject, kind, &ask).await.expect("sound");
        let expected = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", "subject-1"),
            ("subject_token_type", name),
            ("requested_token_type", ACCESS_TOKEN),
            ("resource", "api://reports"),
            ("audience", "reports"),
        ];
        assert_eq!(bench.last().pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

#[tokio::test]
async fn on_behalf_of_is_asked_as_entra_wants_it() {
    let bench = Bench::new().await;
    bench.answer(200, &granted());
    bench.on_behalf_of().await.expect("sound");
    let expected = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", "subject-1"),
        ("requested_token_use", "on_behalf_of"),
        ("scope", "Reports.Read"),
    ];
    assert_eq!(bench.last().pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn an_exchange_must_give_an_access_token() {
    let bench = Bench::new().await;
    for (issued, expected) in [
        (json!(ACCESS_TOKEN), "granted"),
        (json!(JWT), "granted"),
        (json!("urn:ietf:params:oauth:token-type:refresh_token"), "broken"),
        (json!(ID_TOKEN), "broken"),
        (json!(""), "broken"),
        (json!(null), "broken"),
        (json!(7), "broken"),
    ] {
        let mut answer = granted();
        answer["issued_token_type"] = issued.clone();
        bench.answer(200, &answer);
        assert_eq!(word(&bench.exchange().await), expected, "{issued}");
        assert_eq!(word(&bench.client().await), "granted", "nobody else asks");
    }
    let mut answer = granted();
    answer["token_type"] = json!("N_A");
    bench.answer(200, &answer);
    assert_eq!(bench.each().await.each_ref().map(word), ["broken"; 3]);
}

#[tokio::test]
async fn refusals_say_who_can_help() {
    let bench = Bench::new().await;
    let consent = json!({"error": "invalid_grant", "suberror": "consent_required", "error_codes": [65_001]});
    for (status, body, expected) in [
        (400, json!({"error": "invalid_grant"}), ["broken", "invalid grant", "invalid grant"]),
        (400, json!({"error": "invalid_request"}), ["broken", "invalid grant", "broken"]),
        (400, json!({"error": "invalid_token"}), ["broken", "invalid grant", "broken"]),
        (400, json!({"error": "consent_required"}), ["broken", "consent", "consent"]),
        (400, json!({"error": "interaction_required"}), ["broken", "consent", "consent"]),
        (400, consent, ["broken", "consent", "consent"]),
        (400, json!({"error": "invalid_target"}), ["broken"; 3]),
        (400, json!({"error": "invalid_scope"}), ["broken"; 3]),
        (401, json!({"error": "invalid_client"}), ["broken"; 3]),
        (400, json!({"error": "unauthorized_client"}), ["broken"; 3]),
        (400, json!({"error": "unsupported_grant_type"}), ["broken"; 3]),
        (403, json!("<html>"), ["broken"; 3]),
        (200, json!([]), ["broken"; 3]),
        (302, json!({}), ["broken"; 3]),
        (429, json!({}), ["transient"; 3]),
        (500, json!({}), ["transient"; 3]),
        (503, json!({"error": "invalid_grant"}), ["transient"; 3]),
    ] {
        bench.answer(status, &body);
        assert_eq!(bench.each().await.each_ref().map(word), expected, "{status} {body}");
    }
    bench.answer(200, &granted());
    assert_eq!(bench.each().await.each_ref().map(word), ["granted"; 3]);
}

#[tokio::test]
async fn trouble_on_the_way_is_transient_with_the_pause_that_was_asked_for() {
    let bench = Bench::new().await;
    bench.fake.answer("/token", Canned::broken());
    assert_eq!(bench.each().await.each_ref().map(word), ["transient"; 3], "nothing is spent by these");
    let headers = vec![("retry-after", "12".to_owned())];
    bench.fake.answer("/token", Canned { headers, ..Canned::json(503, &json!({})) });
    for result in bench.each().await {
        let pause = Some(Duration::from_secs(12));
        assert!(matches!(&result, Err(GrantError::Transient(_, said)) if *said == pause), "{result:?}");
    }
    let away = Fake::start().await;
    away.answer("/.well-known/openid-configuration", Canned::json(500, &json!({})));
    let result = away.provider().client_credentials(&Ask::of(&bench.scopes)).await;
    assert_eq!(word(&result), "transient");
    assert!(away.calls("/token").is_empty());
}

#[tokio::test]
async fn a_held_header_gives_its_token_back() {
    let bench = Bench::new().await;
    bench.answer(200, &granted());
    let header = bench.client().await.expect("sound").authorization;
    assert!(bearer_of(&header).is_some_and(|token| token.matches("at-9")));
    assert!(bearer_of(&HeaderValue::from_static("Basic at-9")).is_none());
}

#[tokio::test]
async fn no_secret_is_printed() {
    let bench = Bench::new().await;
    bench.answer(200, &granted());
    for token in bench.each().await {
        assert!(!format!("{token:?}").contains("at-9"));
    }
    bench.answer(400, &json!({"error": "invalid_grant", "error_description": "subject-1 is not good"}));
    for refused in bench.each().await {
        assert!(!format!("{refused:?}").contains("subject-1"));
    }
}
