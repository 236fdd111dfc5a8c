//! Two gateways that share their sessions, and a provider that takes every refresh token once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::session::State;
use crate::session::store::tests::{Fleet, settle};
use crate::session::store::{Changed, Found};

/// Two gateways, and the same person's session as each of them knows it.
struct Bench {
    fake: Fake,
    fleet: Fleet,
    gateways: [Gateway; 2],
    id: SessionId,
}

struct Gateway {
    tokens: Arc<Tokens>,
    session: Arc<Session>,
}

impl Gateway {
    async fn obtain(&self, spec: &Arc<TokenSpec>) -> Result<HeaderValue, Stop> {
        self.tokens.obtain(TokenFor::Session(&self.session, spec), todos()).await
    }

    async fn reason(&self, spec: &Arc<TokenSpec>) -> Reason {
        self.obtain(spec).await.expect_err("no token").reason()
    }

    fn sessions(&self) -> &Arc<Store> {
        &self.tokens.sessions
    }

    fn refresh_token(&self) -> String {
        self.session.credentials().refresh_token.as_ref().expect("one").expose().clone()
    }
}

impl Bench {
    async fn new() -> Self {
        Self::with(TIMING).await
    }

    async fn with(timing: Timing) -> Self {
        let (fake, fleet) = (Fake::start().await, Fleet::new());
        let edit = |common: store::Settings| {
            let store::Settings { lifetimes, tokens, .. } = settings();
            store::Settings { lifetimes, tokens, ..common }
        };
        let mut both = Vec::new();
        for _ in 0..2 {
            let sessions = fleet.gateway_with(edit);
            settle(&sessions);
            both.push(Arc::new(Tokens { timing, ..tokens(&fake, sessions, &[]).await }));
        }
        let (other, one) = (both.pop().expect("two"), both.pop().expect("two"));
        let now = fake.clock().now();
        let (id, session) = one.sessions.begin(alice(&fake, Some("rt-0")), now).await.expect("kept");
        let copy = other.sessions.open(&id, now).await.expect("there").expect("known");
        let gateways = [Gateway { tokens: one, session }, Gateway { tokens: other, session: copy }];
        Self { fake, fleet, gateways, id }
    }

    /// Brings the store back after it was away.
    fn bring_back(&self) {
        self.fleet.set_down(false);
        self.gateways.iter().for_each(|gateway| settle(gateway.sessions()));
    }

    fn grant(&self, access_token: &str, refresh_token: &str) {
        self.fake.answer("/token", Canned::json(200, &granted(access_token, refresh_token)));
    }

    /// From now on each refresh token is good once. Returns how often one was shown again.
    fn rotate_strictly(&self) -> Arc<AtomicUsize> {
        let (good, reuses) = (Mutex::new(0), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&reuses);
        self.fake.answer_by("/token", move |call| {
            let mut good = good.lock().expect("not poisoned");
            if call.form["refresh_token"] != format!("rt-{good}") {
                counted.fetch_add(1, Ordering::Relaxed);
                return Canned::json(400, &json!({"error": "invalid_grant"}));
            }
            *good += 1;
            Canned::json(200, &granted(&format!("at-{good}"), &format!("rt-{good}")))
        });
        reuses
    }
}

#[tokio::test]
async fn fifty_requests_for_two_tokens_at_each_of_two_gateways_spend_each_refresh_token_once() {
    let bench = Bench::new().await;
    let reuses = bench.rotate_strictly();
    let specs = [read(), write()];
    for round in 1..=3 {
        let all = (0..200).map(|number| bench.gateways[number % 2].obtain(&specs[number / 2 % 2]));
        let results = futures_util::future::join_all(all).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        let expected: Vec<_> = (0..2 * round).map(|number| format!("rt-{number}")).collect();
        assert_eq!(spent(&bench.fake), expected, "one for each token and round");
        bench.fake.pass(4_000);
    }
    assert_eq!(reuses.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_one_gateway_got_another_uses() {
    let [one, other] = Bench::new().await.with_one_token().await.gateways;
    assert_eq!(other.obtain(&read()).await.expect("shared"), "Bearer at-1");
    assert_eq!(other.refresh_token(), one.refresh_token());
}

impl Bench {
    /// The first gateway has got a token for reading, at-1, and a refresh token, rt-1.
    async fn with_one_token(self) -> Self {
        self.grant("at-1", "rt-1");
        self.gateways[0].obtain(&read()).await.expect("sound");
        self.fake.answer("/token", Canned::json(500, &json!({})));
        self
    }
}

#[tokio::test]
async fn a_holder_that_dies_holds_nobody_up_for_long() {
    let bench = Bench::new().await;
    bench.rotate_strictly();
    let [one, other] = &bench.gateways;
    let soon = Duration::from_millis(100);
    assert!(one.sessions().lease(&one.session, [1; 16], soon).await.expect("there"));
    assert_eq!(other.obtain(&read()).await.expect("after the lease's end"), "Bearer at-1");
}

#[tokio::test]
async fn a_lease_is_kept_up_for_as_long_as_the_provider_takes() {
    let (ttl, beat) = (Duration::from_millis(500), Duration::from_millis(50));
    let bench = Bench::with(Timing { ttl, beat, ..TIMING }).await;
    let go_on = Arc::new(Notify::new());
    let answer = Canned::json(200, &granted("at-1", "rt-1"));
    bench.fake.answer("/token", Canned { after: Some(Arc::clone(&go_on)), ..answer });
    let [one, other] = &bench.gateways;
    let spec = read();
    let late = async {
        bench.fake.until_called("/token", 1).await;
        let try_it = || other.sessions().lease(&other.session, [2; 16], ttl);
        let until = tokio::time::Instant::now() + 2 * ttl;
        while tokio::time::Instant::now() < until {
            assert!(!try_it().await.expect("there"), "one is still at it");
            tokio::time::sleep(TIMING.poll).await;
        }
        go_on.notify_one();
    };
    let (obtained, ()) = tokio::join!(one.obtain(&spec), late);
    obtained.expect("sound");
    assert!(other.sessions().lease(&other.session, [2; 16], ttl).await.expect("there"));
}

#[tokio::test]
async fn while_another_gateway_is_at_it_a_valid_token_serves_and_without_one_the_wait_ends() {
    let timing = Timing { patience: Duration::from_millis(60), ..TIMING };
    let bench = Bench::with(timing).await.with_one_token().await;
    let [one, other] = &bench.gateways;
    other.sessions().reload(&other.session).await.expect("there");
    let forever = Duration::from_secs(600);
    assert!(one.sessions().lease(&one.session, [1; 16], forever).await.expect("there"));
    bench.fake.pass(3_250);
    assert_eq!(other.obtain(&read()).await.expect("valid"), "Bearer at-1");
    assert_eq!(other.reason(&write()).await, Reason::ProviderUnavailable);
    assert_eq!(bench.fake.calls("/token").len(), 1);
}

#[tokio::test]
async fn what_the_store_does_not_take_is_offered_until_it_does_and_used_only_then() {
    let bench = Bench::new().await;
    let [one, other] = &bench.gateways;
    let place = Arc::new(bench.fleet.handle());
    // The store goes away after the provider was asked, and before what came can be written down.
    bench.fake.answer_by("/token", move |_| {
        place(true);
        Canned::json(200, &granted("at-1", "rt-1"))
    });
    assert_eq!(one.reason(&read()).await, Reason::StoreUnavailable);
    assert_eq!(one.reason(&write()).await, Reason::StoreUnavailable, "nobody waits for it");
    assert!(one.session.credentials().access.is_empty() && one.refresh_token() == "rt-0");
    bench.rotate_from(1);
    bench.bring_back();
    one.tokens.finished().await;
    assert_eq!(one.refresh_token(), "rt-1");
    assert_eq!(one.obtain(&read()).await.expect("kept"), "Bearer at-1");
    assert_eq!(other.obtain(&write()).await.expect("by the successor"), "Bearer at-2");
    assert_eq!(spent(&bench.fake), ["rt-0", "rt-1"]);
}

#[tokio::test]
async fn a_store_that_takes_nothing_does_not_press_the_provider() {
    let bench = Bench::new().await;
    let [one, _] = &bench.gateways;
    let place = Arc::new(bench.fleet.handle());
    bench.fake.answer_by("/token", move |_| {
        place(true);
        Canned::json(200, &json!({"access_token": "at-1", "token_type": "Bearer", "expires_in": 3_600}))
    });
    for _ in 0..5 {
        assert_eq!(one.reason(&read()).await, Reason::StoreUnavailable);
    }
    assert_eq!(spent(&bench.fake), ["rt-0"], "although that was not replaced");
    bench.bring_back();
    one.tokens.finished().await;
    assert_eq!(one.obtain(&read()).await.expect("kept"), "Bearer at-1");
}

#[tokio::test]
async fn a_valid_token_serves_while_its_successor_cannot_be_written_down() {
    let bench = Bench::new().await.with_one_token().await;
    let [one, _] = &bench.gateways;
    bench.fake.pass(3_250);
    let place = Arc::new(bench.fleet.handle());
    bench.fake.answer_by("/token", move |_| {
        place(true);
        Canned::json(200, &granted("at-2", "rt-2"))
    });
    assert_eq!(one.obtain(&read()).await.expect("valid"), "Bearer at-1");
    bench.fake.until_called("/token", 2).await;
    assert_eq!(one.obtain(&read()).await.expect("valid"), "Bearer at-1");
    bench.bring_back();
    one.tokens.finished().await;
    assert_eq!(one.obtain(&read()).await.expect("kept"), "Bearer at-2");
}

#[tokio::test]
async fn nothing_is_spent_while_the_store_is_away() {
    let bench = Bench::new().await;
    let [one, _] = &bench.gateways;
    bench.grant("at-1", "rt-1");
    bench.fleet.set_down(true);
    for _ in 0..3 {
        assert_eq!(one.reason(&read()).await, Reason::StoreUnavailable);
    }
    assert_eq!(bench.fake.calls("/token").len(), 0);
    bench.bring_back();
    assert!(one.obtain(&read()).await.is_ok());
}

#[tokio::test]
async fn a_refused_refresh_token_that_was_replaced_elsewhere_ends_nothing() {
    let bench = Bench::new().await;
    let [one, other] = &bench.gateways;
    let go_on = Arc::new(Notify::new());
    let after = Some(Arc::clone(&go_on));
    bench.fake.answer_by("/token", move |call| match &*call.form["refresh_token"] {
        "rt-0" => Canned { after: after.clone(), ..Canned::json(400, &json!({"error": "invalid_grant"})) },
        _ => Canned::json(200, &granted("at-8", "rt-8")),
    });
    let spec = read();
    let replacing = async {
        bench.fake.until_called("/token", 1).await;
        let changed = other.sessions().change(&other.session, |state| {
            let refresh_token = Some(Secret::new("rt-7".to_owned()));
            let credentials = Credentials { refresh_token, ..(*state.credentials).clone() };
            Some(State { credentials: Arc::new(credentials), ..state.clone() })
        });
        assert_eq!(changed.await.expect("there"), Changed::Yes);
        go_on.notify_one();
    };
    let (obtained, ()) = tokio::join!(one.obtain(&spec), replacing);
    assert_eq!(obtained.expect("by the newer one"), "Bearer at-8");
    assert_eq!(spent(&bench.fake), ["rt-0", "rt-7"]);
    assert_eq!(one.refresh_token(), "rt-8");
}

#[tokio::test]
async fn a_dead_grant_ends_the_session_for_every_gateway() {
    let bench = Bench::new().await;
    let [one, other] = &bench.gateways;
    bench.fake.answer("/token", Canned::json(400, &json!({"error": "invalid_grant"})));
    let (spec, same) = (read(), read());
    let reasons = tokio::join!(one.reason(&spec), other.reason(&same));
    assert_eq!(reasons, (Reason::SessionOver, Reason::SessionOver));
    assert_eq!(bench.fake.calls("/token").len(), 1);
    let found = other.sessions().find(bench.id.shown(), bench.fake.clock().now());
    assert!(!matches!(found, Found::Session(_)));
}

#[tokio::test]
async fn a_session_ended_at_one_gateway_gets_nothing_of_a_refresh_at_another() {
    let bench = Bench::new().await;
    let [one, other] = &bench.gateways;
    let go_on = Arc::new(Notify::new());
    let answer = Canned::json(200, &granted("at-1", "rt-1"));
    bench.fake.answer("/token", Canned { after: Some(Arc::clone(&go_on)), ..answer });
    let spec = read();
    let ending = async {
        bench.fake.until_called("/token", 1).await;
        other.sessions().end(&other.session, Ending::SignedOut).await.expect("there");
        go_on.notify_one();
    };
    let (obtained, ()) = tokio::join!(one.obtain(&spec), ending);
    assert_eq!(obtained.expect_err("over").reason(), Reason::SessionOver);
    bench.fake.until_called("/revoke", 1).await;
    assert_eq!(bench.fake.calls("/revoke")[0].form["token"], "rt-1");
}

impl Bench {
    /// The provider goes on from that refresh token.
    fn rotate_from(&self, number: u32) {
        let next = AtomicUsize::new(number as usize);
        self.fake.answer_by("/token", move |call| {
            let spent = next.fetch_add(1, Ordering::Relaxed);
            assert_eq!(call.form["refresh_token"], format!("rt-{spent}"));
            Canned::json(200, &granted(&format!("at-{}", spent + 1), &format!("rt-{}", spent + 1)))
        });
    }
}
