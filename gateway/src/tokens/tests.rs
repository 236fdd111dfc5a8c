//! Access tokens of a session, against a provider on loopback.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::oidc::testing::{Canned, Fake};
use crate::scope::ScopeSet;
use crate::session::claims::Claims;
use crate::session::store;
use crate::session::{Beginning, Credentials, Device, Identity, Lifetimes};

struct Bench {
    fake: Fake,
    tokens: Arc<Tokens>,
    session: Arc<Session>,
}

fn spec(name: &str, scopes: &str) -> Arc<TokenSpec> {
    Arc::new(TokenSpec::user(name, scopes.parse().expect("valid")))
}

fn read() -> Arc<TokenSpec> {
    spec("read", "api://x/Read")
}

fn write() -> Arc<TokenSpec> {
    spec("write", "api://x/Write")
}

impl Bench {
    async fn new() -> Self {
        Self::with_refresh_token(Some("rt-0")).await
    }

    async fn with_refresh_token(refresh_token: Option<&str>) -> Self {
        let fake = Fake::start().await;
        let provider = fake.ready_provider().await;
        let identity = Identity {
            issuer: fake.base.as_str().into(),
            subject: "alice-sub".to_owned(),
            claims: Claims::default(),
            granted: ScopeSet::default(),
            provider_session: None,
        };
        let credentials = Credentials {
            id_token: Secret::new(fake.signer.token(&fake.claims("n-1"))),
            refresh_token: refresh_token.map(|token| Secret::new(token.to_owned())),
            access: Vec::new(),
        };
        let lifetimes = Lifetimes {
            idle: Duration::from_hours(8),
            absolute: Duration::from_hours(48),
            renewal: Duration::from_hours(48),
        };
        let settings = store::Settings { lifetimes, ..store::tests::settings() };
        let sessions = Arc::new(Store::in_memory(settings));
        let beginning = Beginning { identity, credentials, device: Device::default() };
        let (_, session) = sessions.begin(beginning, fake.clock().now()).await.expect("kept");
        let tokens = Tokens::new(provider, sessions, fake.clock(), Handle::current());
        Self { fake, tokens, session }
    }

    async fn end(&self) {
        self.tokens.sessions.end(&self.session, Ending::SignedOut).await.expect("in memory");
    }

    fn answer(&self, status: u16, body: &Value) {
        self.fake.answer("/token", Canned::json(status, body));
    }

    /// A success with that access token and that refresh token, good for an hour.
    fn grant(&self, access_token: &str, refresh_token: &str) {
        self.answer(200, &granted(access_token, refresh_token));
    }

    async fn obtain(&self, spec: &Arc<TokenSpec>) -> Result<HeaderValue, Stop> {
        self.tokens
            .obtain(Arc::clone(&self.session), Arc::clone(spec), ReturnTo::or_home(Some("/todos")))
            .await
    }

    async fn reason(&self, spec: &Arc<TokenSpec>) -> Reason {
        self.obtain(spec).await.expect_err("no token").reason()
    }

    fn calls(&self) -> usize {
        self.fake.calls("/token").len()
    }

    /// The refresh token that the provider was sent last.
    fn last_spent(&self) -> String {
        self.fake.calls("/token").last().expect("a call").form["refresh_token"].clone()
    }
}

fn granted(access_token: &str, refresh_token: &str) -> Value {
    json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 3_600, "refresh_token": refresh_token})
}

#[tokio::test]
async fn a_token_is_got_once_and_held_until_shortly_before_it_expires() {
    let bench = Bench::new().await;
    assert!(Tokens::ready(&bench.session, &read(), bench.tokens.clock.now()).is_none());
    bench.grant("at-1", "rt-1");
    assert_eq!(bench.obtain(&read()).await.expect("sound"), "Bearer at-1");
    assert_eq!(
        Tokens::ready(&bench.session, &read(), bench.tokens.clock.now()).expect("held"),
        "Bearer at-1"
    );
    assert!(
        Tokens::ready(&bench.session, &write(), bench.tokens.clock.now()).is_none(),
        "each token is for its own routes"
    );
    bench.fake.pass(3_560);
    assert!(Tokens::ready(&bench.session, &read(), bench.tokens.clock.now()).is_some());
    bench.fake.pass(11);
    assert!(
        Tokens::ready(&bench.session, &read(), bench.tokens.clock.now()).is_none(),
        "half a minute before it expires"
    );
    bench.grant("at-2", "rt-2");
    assert_eq!(bench.obtain(&read()).await.expect("sound"), "Bearer at-2");
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn a_hundred_requests_for_two_tokens_spend_each_refresh_token_once() {
    let bench = Bench::new().await;
    bench.grant("at-1", "rt-1");
    let specs = [read(), write()];
    let all = (0..100).map(|number| bench.obtain(&specs[number % 2]));
    let results = futures_util::future::join_all(all).await;
    assert!(results.iter().all(Result::is_ok));
    let spent: Vec<_> =
        bench.fake.calls("/token").iter().map(|call| call.form["refresh_token"].clone()).collect();
    assert_eq!(spent, ["rt-0", "rt-1"]);
}

#[tokio::test]
async fn the_rotated_refresh_token_takes_the_place_of_the_spent_one_and_the_old_stays_if_there_is_none() {
    let bench = Bench::new().await;
    bench.answer(200, &json!({"access_token": "at-1", "token_type": "Bearer", "expires_in": 3_600}));
    bench.obtain(&read()).await.expect("sound");
    bench.grant("at-2", "rt-2");
    bench.obtain(&write()).await.expect("sound");
    assert_eq!(bench.last_spent(), "rt-0", "none was returned, so the old one is spent again");
    bench.fake.pass(4_000);
    bench.obtain(&write()).await.expect("sound");
    assert_eq!(bench.last_spent(), "rt-2");
}

#[tokio::test]
async fn a_dead_grant_ends_the_session_with_one_call() {
    let bench = Bench::new().await;
    bench.answer(400, &json!({"error": "invalid_grant"}));
    for _ in 0..5 {
        let stop = bench.obtain(&read()).await.expect_err("over");
        let Stop::Refused(Refusal { reason: Reason::SessionOver, remedy: Remedy::SignIn(sign_in) }) = stop
        else {
            panic!("the session is over")
        };
        assert_eq!(sign_in.return_to.as_str(), "/todos");
        assert_eq!(sign_in.token, None);
    }
    assert_eq!(bench.calls(), 1);
    assert!(!bench.session.is_live(bench.tokens.clock.now()));
}

#[tokio::test]
async fn a_provider_in_trouble_keeps_the_session_and_the_token_that_is_still_valid() {
    let bench = Bench::new().await;
    bench.grant("at-1", "rt-1");
    bench.obtain(&read()).await.expect("sound");
    bench.fake.pass(3_580);
    bench.answer(503, &json!({}));
    for _ in 0..5 {
        assert_eq!(bench.obtain(&read()).await.expect("still valid"), "Bearer at-1");
    }
    assert_eq!(bench.calls(), 2, "one try in five seconds");
    bench.fake.pass(30);
    for _ in 0..5 {
        assert_eq!(bench.reason(&read()).await, Reason::ProviderUnavailable);
        assert_eq!(bench.reason(&write()).await, Reason::ProviderUnavailable);
    }
    assert_eq!(bench.calls(), 3, "one try in five seconds, whatever token is asked for");
    assert!(bench.session.is_live(bench.tokens.clock.now()));
    bench.grant("at-2", "rt-2");
    bench.fake.pass(6);
    assert_eq!(bench.obtain(&read()).await.expect("healed"), "Bearer at-2");
}

#[tokio::test]
async fn missing_consent_leaves_the_session_and_its_other_tokens() {
    let bench = Bench::new().await;
    bench.answer(400, &json!({"error": "invalid_grant", "suberror": "consent_required"}));
    for _ in 0..3 {
        let stop = bench.obtain(&read()).await.expect_err("no consent");
        let Stop::Refused(Refusal { reason: Reason::ConsentRequired, remedy: Remedy::SignIn(sign_in) }) =
            stop
        else {
            panic!("consent is required")
        };
        assert_eq!(sign_in.token.as_deref(), Some("read"));
    }
    assert_eq!(bench.calls(), 1);
    bench.grant("at-1", "rt-1");
    assert!(bench.obtain(&write()).await.is_ok());
    assert!(bench.session.is_live(bench.tokens.clock.now()));
}

#[tokio::test]
async fn a_narrower_grant_is_never_sent_and_not_asked_for_again() {
    let bench = Bench::new().await;
    let mut narrow = granted("at-1", "rt-1");
    narrow["scope"] = json!("api://x/Other");
    bench.answer(200, &narrow);
    for _ in 0..3 {
        assert_eq!(bench.reason(&read()).await, Reason::ScopeNotGranted);
        assert!(Tokens::ready(&bench.session, &read(), bench.tokens.clock.now()).is_none());
    }
    assert_eq!(bench.calls(), 1);
    narrow["scope"] = json!("api://x/Other api://x/Write");
    bench.answer(200, &narrow);
    assert!(bench.obtain(&write()).await.is_ok(), "more than asked for is enough");
    assert_eq!(bench.last_spent(), "rt-1", "the successor was kept all the same");
}

#[tokio::test]
async fn without_a_refresh_token_the_person_is_asked_to_sign_in_for_it() {
    let bench = Bench::with_refresh_token(None).await;
    assert_eq!(bench.reason(&read()).await, Reason::ConsentRequired);
    assert_eq!(bench.calls(), 0);
}

#[tokio::test]
async fn another_persons_id_token_ends_the_session_and_what_came_is_taken_back() {
    let bench = Bench::new().await;
    let mut claims = bench.fake.claims("n-1");
    claims["sub"] = json!("mallory");
    bench.answer(200, &bench.fake.tokens(&claims));
    assert_eq!(bench.reason(&read()).await, Reason::SessionOver);
    assert!(!bench.session.is_live(bench.tokens.clock.now()));
    assert!(bench.session.credentials().access.is_empty());
    bench.fake.until_called("/revoke", 1).await;
    assert_eq!(bench.fake.calls("/revoke")[0].form["token"], "rt-1");
}

#[tokio::test]
async fn a_session_that_ends_during_a_refresh_gets_nothing_of_it() {
    let bench = Bench::new().await;
    let go_on = Arc::new(Notify::new());
    bench.fake.answer(
        "/token",
        Canned { after: Some(Arc::clone(&go_on)), ..Canned::json(200, &granted("at-1", "rt-1")) },
    );
    let spec = read();
    let obtaining = bench.obtain(&spec);
    let ending = async {
        bench.fake.until_called("/token", 1).await;
        bench.end().await;
        go_on.notify_one();
    };
    let (result, ()) = tokio::join!(obtaining, ending);
    assert_eq!(result.expect_err("over").reason(), Reason::SessionOver);
    assert!(bench.session.credentials().access.is_empty());
    bench.fake.until_called("/revoke", 1).await;
    assert_eq!(bench.fake.calls("/revoke")[0].form["token"], "rt-1");
}

#[tokio::test]
async fn a_valid_token_serves_while_another_request_renews_it() {
    let bench = Bench::new().await;
    bench.grant("at-1", "rt-1");
    let spec = read();
    bench.obtain(&spec).await.expect("sound");
    bench.fake.pass(3_580);
    let go_on = Arc::new(Notify::new());
    bench.fake.answer(
        "/token",
        Canned { after: Some(Arc::clone(&go_on)), ..Canned::json(200, &granted("at-2", "rt-2")) },
    );
    let renewing = bench.obtain(&spec);
    let meanwhile = async {
        bench.fake.until_called("/token", 2).await;
        let header = bench.obtain(&spec).await;
        go_on.notify_one();
        header
    };
    let (renewed, meanwhile) = tokio::join!(renewing, meanwhile);
    assert_eq!(meanwhile.expect("still valid"), "Bearer at-1");
    assert_eq!(renewed.expect("sound"), "Bearer at-2");
}

#[tokio::test]
async fn a_browser_that_goes_away_does_not_lose_the_rotated_token() {
    let bench = Bench::new().await;
    let go_on = Arc::new(Notify::new());
    bench.fake.answer(
        "/token",
        Canned { after: Some(Arc::clone(&go_on)), ..Canned::json(200, &granted("at-1", "rt-1")) },
    );
    let spec = read();
    tokio::select! {
        _ = bench.obtain(&spec) => panic!("the provider has not answered yet"),
        () = bench.fake.until_called("/token", 1) => {}
    }
    go_on.notify_one();
    assert_eq!(bench.obtain(&spec).await.expect("got by the one who left"), "Bearer at-1");
    assert_eq!(bench.calls(), 1);
}

#[tokio::test]
async fn tokens_of_a_few_seconds_are_used_and_not_renewed_with_every_request() {
    let bench = Bench::new().await;
    let mut short = granted("at-1", "rt-1");
    short["expires_in"] = json!(20);
    bench.answer(200, &short);
    for _ in 0..5 {
        assert_eq!(bench.obtain(&read()).await.expect("valid"), "Bearer at-1");
    }
    assert_eq!(bench.calls(), 1);
    bench.fake.pass(25);
    assert!(bench.obtain(&read()).await.is_ok());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn an_ended_session_gets_nothing_and_causes_no_call() {
    let bench = Bench::new().await;
    bench.grant("at-1", "rt-1");
    bench.end().await;
    assert_eq!(bench.reason(&read()).await, Reason::SessionOver);
    assert_eq!(bench.calls(), 0);
}
