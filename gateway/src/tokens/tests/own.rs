//! Access tokens of the gateway's own.

use super::*;
use crate::session::TokenKind;

struct Bench {
    fake: Fake,
    tokens: Arc<Tokens>,
    session: Arc<Session>,
    client: Arc<TokenSpec>,
    either: Arc<TokenSpec>,
}

fn of_kind(kind: TokenKind, name: &str) -> Arc<TokenSpec> {
    Arc::new(TokenSpec { kind, ..TokenSpec::user(name, "api://x/.default".parse().expect("valid")) })
}

impl Bench {
    /// A provider that gives client-1, client-2 … to the gateway and nothing to persons.
    async fn new() -> Self {
        let fake = Fake::start().await;
        let (client, either) = (of_kind(TokenKind::Client, "a"), of_kind(TokenKind::UserOrClient, "b"));
        let specs = [Arc::clone(&client), Arc::clone(&either), read()];
        let tokens = tokens(&fake, Store::in_memory(settings()), &specs).await;
        let begun = tokens.sessions.begin(alice(&fake, Some("rt-0")), fake.clock().now()).await;
        let number = std::sync::atomic::AtomicUsize::new(1);
        fake.answer_by("/token", move |call| {
            if call.form["grant_type"] != "client_credentials" {
                return Canned::json(503, &json!({}));
            }
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let token = format!("client-{number}");
            Canned::json(200, &json!({"access_token": token, "token_type": "Bearer", "expires_in": 3_600}))
        });
        Self { session: begun.expect("kept").1, tokens: Arc::new(tokens), fake, client, either }
    }

    async fn own(&self, spec: &Arc<TokenSpec>) -> Result<HeaderValue, Stop> {
        self.tokens.obtain(TokenFor::Gateway(spec), todos()).await
    }

    fn ready(&self, spec: &Arc<TokenSpec>) -> Option<HeaderValue> {
        self.tokens.ready(TokenFor::Gateway(spec), self.tokens.clock.now())
    }

    fn calls(&self) -> usize {
        self.fake.calls("/token").len()
    }
}

#[tokio::test]
async fn fifty_requests_share_one_token_of_the_gateways_own() {
    let bench = Bench::new().await;
    assert!(bench.ready(&bench.client).is_none());
    let all = (0..50).map(|_| bench.own(&bench.client));
    for result in futures_util::future::join_all(all).await {
        assert_eq!(result.expect("sound"), "Bearer client-1");
    }
    assert_eq!(bench.calls(), 1);
    assert_eq!(bench.ready(&bench.client).expect("held"), "Bearer client-1");
    assert!(bench.ready(&bench.either).is_none(), "each name has its own");
    assert_eq!(bench.own(&bench.either).await.expect("sound"), "Bearer client-2");
    assert!(bench.session.credentials().access.is_empty());
}

#[tokio::test]
async fn the_gateways_own_token_never_stands_in_for_a_persons() {
    let bench = Bench::new().await;
    bench.own(&bench.either).await.expect("sound");
    for spec in [&bench.either, &read()] {
        let persons = TokenFor::Session(&bench.session, spec);
        assert!(bench.tokens.ready(persons, bench.tokens.clock.now()).is_none());
        let stop = bench.tokens.obtain(persons, todos()).await.expect_err("none can be had");
        assert_eq!(stop.reason(), Reason::ProviderUnavailable);
    }
    assert!(bench.session.credentials().access.is_empty());
    let stop = bench.own(&read()).await.expect_err("a person's");
    assert_eq!(stop.reason(), Reason::Internal);
    let persons = TokenFor::Session(&bench.session, &bench.client);
    bench.fake.pass(60);
    assert_eq!(bench.tokens.obtain(persons, todos()).await.expect_err("its own").reason(), Reason::Internal);
}

#[tokio::test]
async fn the_gateways_own_token_is_renewed_behind_requests() {
    let bench = Bench::new().await;
    bench.own(&bench.client).await.expect("sound");
    bench.fake.pass(3_250);
    for _ in 0..5 {
        assert_eq!(bench.own(&bench.client).await.expect("valid"), "Bearer client-1");
    }
    bench.tokens.finished().await;
    assert_eq!(bench.ready(&bench.client).expect("renewed"), "Bearer client-2");
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn a_provider_in_trouble_is_not_pressed_for_the_gateways_own_token() {
    let bench = Bench::new().await;
    bench.own(&bench.client).await.expect("sound");
    bench.fake.answer("/token", Canned::json(503, &json!({})));
    bench.fake.pass(3_590);
    for _ in 0..5 {
        assert_eq!(bench.own(&bench.client).await.expect("valid"), "Bearer client-1");
        bench.tokens.finished().await;
    }
    bench.fake.pass(20);
    for _ in 0..5 {
        let stop = bench.own(&bench.client).await.expect_err("it has expired");
        assert_eq!(stop.reason(), Reason::ProviderUnavailable);
    }
    assert_eq!(bench.calls(), 3);
}

#[tokio::test]
async fn a_narrower_token_of_the_gateways_own_is_never_sent() {
    let bench = Bench::new().await;
    let narrow =
        json!({"access_token": "x", "token_type": "Bearer", "expires_in": 60, "scope": "api://y/Other"});
    bench.fake.answer("/token", Canned::json(200, &narrow));
    for _ in 0..3 {
        let stop = bench.own(&bench.client).await.expect_err("less than asked");
        assert_eq!(stop.reason(), Reason::ScopeNotGranted);
        assert!(bench.ready(&bench.client).is_none());
    }
    assert_eq!(bench.calls(), 1);
}
