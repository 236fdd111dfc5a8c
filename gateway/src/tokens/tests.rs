//! Access tokens, against a provider on loopback: of one gateway here, of several and of other kinds below.

mod exchange;
mod gateways;
mod own;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::oidc::testing::{Canned, Fake};
use crate::origin::OriginTag;
use crate::providers::Providers;
use crate::scope::ScopeSet;
use crate::session::claims::Claims;
use crate::session::ending::Ending;
use crate::session::store;
use crate::session::{Beginning, Credentials, Device, Identity, Lifetimes, Session, SessionId};
use crate::stop::{Reason, Refusal, Remedy};

/// Waits are as short as they can be where none is to be seen.
const TIMING: Timing = Timing {
    ttl: Duration::from_secs(4),
    beat: Duration::from_secs(1),
    poll: Duration::from_millis(5),
    patience: Duration::from_secs(5),
    rewrite: Duration::from_millis(5),
    again: [Duration::ZERO; 3],
};

/// A person who is signed in at one gateway.
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

fn settings() -> store::Settings {
    let lifetimes = Lifetimes {
        idle: Duration::from_hours(8),
        absolute: Duration::from_hours(48),
        renewal: Duration::from_hours(48),
    };
    store::Settings { lifetimes, tokens: vec![read(), write()], ..store::tests::settings() }
}

/// The provider's side is real; the waits are not.
async fn tokens(fake: &Fake, sessions: Store, specs: &[Arc<TokenSpec>]) -> Tokens {
    Tokens {
        providers: Arc::new(Providers::new(fake.ready_provider().await, Vec::new())),
        sessions: Arc::new(sessions),
        clock: fake.clock(),
        timing: TIMING,
        queues: Arc::default(),
        clients: ClientTokens::of(specs),
        tasks: Tasks::on(Handle::current()),
    }
}

/// Alice, just signed in.
fn alice(fake: &Fake, refresh_token: Option<&str>) -> Beginning {
    let identity = Identity {
        provider: fake.base.as_str().into(),
        issuer: fake.base.as_str().into(),
        subject: "alice-sub".to_owned(),
        claims: Claims::default(),
        granted: ScopeSet::default(),
        provider_session: None,
        asserted: Timestamp(0),
    };
    let credentials = Credentials {
        id_token: Secret::new(fake.signer.token(&fake.claims("n-1"))),
        refresh_token: refresh_token.map(|token| Secret::new(token.to_owned())),
        access: Vec::new(),
    };
    Beginning { identity, credentials, device: Device::default(), origin: OriginTag::default() }
}

fn granted(access_token: &str, refresh_token: &str) -> Value {
    json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 3_600, "refresh_token": refresh_token})
}

/// Where the person was.
fn todos() -> ReturnTo {
    ReturnTo::or_home(Some("/todos"))
}

impl Bench {
    async fn new() -> Self {
        Self::with_refresh_token(Some("rt-0")).await
    }

    async fn with_refresh_token(refresh_token: Option<&str>) -> Self {
        let fake = Fake::start().await;
        let tokens = tokens(&fake, Store::in_memory(settings()), &[]).await;
        let begun = tokens.sessions.begin(alice(&fake, refresh_token), fake.clock().now()).await;
        Self { session: begun.expect("kept").1, tokens: Arc::new(tokens), fake }
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

    /// The same, but not before the gateway is told to go on.
    fn grant_later(&self, access_token: &str, refresh_token: &str) -> Arc<Notify> {
        let go_on = Arc::new(Notify::new());
        let answer = Canned::json(200, &granted(access_token, refresh_token));
        self.fake.answer("/token", Canned { after: Some(Arc::clone(&go_on)), ..answer });
        go_on
    }

    async fn obtain(&self, spec: &Arc<TokenSpec>) -> Result<HeaderValue, Stop> {
        self.tokens.obtain(TokenFor::Session(&self.session, spec), todos()).await
    }

    async fn reason(&self, spec: &Arc<TokenSpec>) -> Reason {
        self.obtain(spec).await.expect_err("no token").reason()
    }

    fn ready(&self, spec: &Arc<TokenSpec>) -> Option<HeaderValue> {
        self.tokens.ready(TokenFor::Session(&self.session, spec), self.tokens.clock.now())
    }

    fn calls(&self) -> usize {
        self.fake.calls("/token").len()
    }

    /// The refresh tokens that the provider was sent, in order.
    fn spent(&self) -> Vec<String> {
        spent(&self.fake)
    }

    fn is_live(&self) -> bool {
        self.session.is_live(self.tokens.clock.now())
    }
}

fn spent(fake: &Fake) -> Vec<String> {
    let calls = fake.calls("/token");
    calls.iter().filter_map(|call| call.form.get("refresh_token").cloned()).collect()
}

#[tokio::test]
async fn a_token_is_got_once_and_held_until_shortly_before_it_expires() {
    let bench = Bench::new().await;
    assert!(bench.ready(&read()).is_none());
    bench.grant("at-1", "rt-1");
    assert_eq!(bench.obtain(&read()).await.expect("sound"), "Bearer at-1");
    assert_eq!(bench.ready(&read()).expect("held"), "Bearer at-1");
    assert!(bench.ready(&write()).is_none(), "each token is for its own routes");
    bench.fake.pass(2_150);
    assert!(bench.ready(&read()).is_some());
    bench.fake.pass(1_095);
    assert!(bench.ready(&read()).is_none(), "minutes before it expires");
    bench.fake.pass(400);
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
    assert_eq!(bench.spent(), ["rt-0", "rt-1"]);
}

#[tokio::test]
async fn the_rotated_refresh_token_takes_the_place_of_the_spent_one_and_the_old_stays_if_there_is_none() {
    let bench = Bench::new().await;
    bench.answer(200, &json!({"access_token": "at-1", "token_type": "Bearer", "expires_in": 3_600}));
    bench.obtain(&read()).await.expect("sound");
    bench.grant("at-2", "rt-2");
    bench.obtain(&write()).await.expect("sound");
    assert_eq!(bench.spent(), ["rt-0", "rt-0"], "none was returned, so the old one is spent again");
    bench.fake.pass(4_000);
    bench.obtain(&write()).await.expect("sound");
    assert_eq!(bench.spent()[2], "rt-2");
}

#[tokio::test]
async fn a_token_that_is_still_valid_serves_at_once_and_is_renewed_behind_the_request() {
    let bench = Bench::new().await;
    bench.grant("at-1", "rt-1");
    bench.obtain(&read()).await.expect("sound");
    bench.fake.pass(3_250);
    let go_on = bench.grant_later("at-2", "rt-2");
    for _ in 0..20 {
        assert_eq!(bench.obtain(&read()).await.expect("still valid"), "Bearer at-1");
    }
    bench.fake.until_called("/token", 2).await;
    go_on.notify_one();
    bench.tokens.finished().await;
    assert_eq!(bench.ready(&read()).expect("renewed"), "Bearer at-2");
    assert_eq!(bench.spent(), ["rt-0", "rt-1"], "by one call, whoever asked meanwhile");
}

#[tokio::test]
async fn tokens_of_a_few_seconds_are_renewed_behind_requests_too() {
    let bench = Bench::new().await;
    let mut short = granted("at-1", "rt-1");
    short["expires_in"] = json!(5);
    bench.answer(200, &short);
    for _ in 0..5 {
        assert_eq!(bench.obtain(&read()).await.expect("valid"), "Bearer at-1");
    }
    bench.fake.pass(3);
    for _ in 0..5 {
        assert!(bench.obtain(&read()).await.is_ok());
    }
    bench.tokens.finished().await;
    assert_eq!(bench.calls(), 2);
    assert!(bench.ready(&read()).is_some());
    bench.fake.pass(6);
    assert!(bench.obtain(&read()).await.is_ok(), "and got anew when they have expired");
    assert_eq!(bench.calls(), 3);
}

#[tokio::test]
async fn a_narrower_grant_is_never_sent_and_not_asked_for_again() {
    let bench = Bench::new().await;
    let mut narrow = granted("at-1", "rt-1");
    narrow["scope"] = json!("api://x/Other");
    bench.answer(200, &narrow);
    for _ in 0..3 {
        assert_eq!(bench.reason(&read()).await, Reason::ScopeNotGranted);
        assert!(bench.ready(&read()).is_none());
    }
    assert_eq!(bench.calls(), 1);
    narrow["scope"] = json!("api://x/Other api://x/Write");
    bench.answer(200, &narrow);
    assert!(bench.obtain(&write()).await.is_ok(), "more than asked for is enough");
    assert_eq!(bench.spent()[1], "rt-1", "the successor was kept all the same");
}

#[tokio::test]
async fn a_token_may_be_asked_for_by_resource_alone() {
    let bench = Bench::new().await;
    bench.grant("at-1", "rt-1");
    let resources = vec!["https://api.example/a".to_owned()];
    let spec = Arc::new(TokenSpec { resources, ..TokenSpec::user("a", ScopeSet::default()) });
    assert_eq!(bench.obtain(&spec).await.expect("sound"), "Bearer at-1");
    let call = &bench.fake.calls("/token")[0];
    assert_eq!(call.form["resource"], "https://api.example/a");
    assert!(!call.form.contains_key("scope"));
}

#[tokio::test]
async fn what_the_provider_says_anew_of_a_person_counts_and_brings_a_new_identifier() {
    let bench = Bench::new().await;
    let due = bench.session.state().renewal_due;
    let mut claims = bench.fake.claims("n-1");
    claims["roles"] = json!(["guest"]);
    bench.answer(200, &bench.fake.tokens(&claims));
    bench.obtain(&read()).await.expect("sound");
    assert_eq!(bench.session.identity().claims.get("roles"), Some(&json!(["guest"])));
    assert_eq!(bench.session.identity().subject, "alice-sub");
    assert!(bench.session.state().renewal_due < due && bench.session.state().renewal_due == Timestamp(0));
}

#[tokio::test]
async fn without_a_refresh_token_the_person_is_asked_to_sign_in_for_it() {
    let bench = Bench::with_refresh_token(None).await;
    assert_eq!(bench.reason(&read()).await, Reason::ConsentRequired);
    assert_eq!(bench.calls(), 0);
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
    assert!(bench.is_live());
}

#[tokio::test]
async fn a_browser_that_goes_away_does_not_lose_the_rotated_token() {
    let bench = Bench::new().await;
    let go_on = bench.grant_later("at-1", "rt-1");
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
async fn a_gateway_that_stops_can_wait_for_what_is_under_way() {
    let bench = Bench::new().await;
    bench.tokens.finished().await;
    let go_on = bench.grant_later("at-1", "rt-1");
    let spec = read();
    tokio::select! {
        _ = bench.obtain(&spec) => panic!("the provider has not answered yet"),
        () = bench.fake.until_called("/token", 1) => {}
    }
    let waiting = timeout(Duration::from_millis(20), bench.tokens.finished()).await;
    assert!(waiting.is_err(), "a refresh is under way");
    go_on.notify_one();
    bench.tokens.finished().await;
    assert!(bench.session.credentials().refresh_token.as_ref().is_some_and(|token| token.matches("rt-1")));
}

#[tokio::test]
async fn what_becomes_of_renewals_is_counted() {
    let bench = Bench::new().await;
    let count = |result: &str| {
        let text = bench.tokens.sessions.metrics().text(crate::metrics::Format::OpenMetrics);
        let line = format!("gateway_token_refreshes_total{{result=\"{result}\"}} ");
        text.lines().find_map(|known| known.strip_prefix(&line)?.parse::<u64>().ok()).expect("a series")
    };
    bench.grant("at-1", "rt-1");
    bench.obtain(&read()).await.expect("sound");
    assert_eq!((count("refreshed"), count("transient"), count("invalid_grant")), (1, 0, 0));
    bench.answer(503, &json!({}));
    bench.obtain(&write()).await.expect_err("away");
    assert_eq!((count("refreshed"), count("transient")), (1, 1));
    bench.fake.pass(60);
    bench.answer(400, &json!({ "error": "invalid_grant" }));
    bench.obtain(&write()).await.expect_err("over");
    assert_eq!((count("invalid_grant"), count("identity_mismatch")), (1, 0));
}
