//! What becomes of a session when the provider refuses, fails, or does not answer.

use super::*;

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
    assert!(!bench.is_live());
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
        bench.tokens.finished().await;
    }
    assert_eq!(bench.calls(), 2, "one try in five seconds");
    bench.fake.pass(30);
    for _ in 0..5 {
        assert_eq!(bench.reason(&read()).await, Reason::ProviderUnavailable);
        assert_eq!(bench.reason(&write()).await, Reason::ProviderUnavailable);
    }
    assert_eq!(bench.calls(), 3, "one try, whatever token is asked for");
    assert!(bench.is_live());
    bench.grant("at-2", "rt-2");
    bench.fake.pass(14);
    assert_eq!(bench.obtain(&read()).await.expect("healed"), "Bearer at-2");
}

#[tokio::test]
async fn a_provider_that_asks_to_be_left_alone_is_left_alone() {
    let bench = Bench::new().await;
    let busy = Canned::json(429, &json!({}));
    bench.fake.answer("/token", Canned { headers: vec![("retry-after", "120".to_owned())], ..busy });
    for _ in 0..3 {
        assert_eq!(bench.reason(&read()).await, Reason::ProviderUnavailable);
        bench.fake.pass(39);
    }
    assert_eq!(bench.calls(), 1);
    bench.grant("at-1", "rt-1");
    bench.fake.pass(4);
    assert!(bench.obtain(&read()).await.is_ok());
}

#[tokio::test]
async fn after_a_lost_answer_the_same_refresh_token_is_tried_once_more_at_once() {
    let bench = Bench::new().await;
    let is_first = std::sync::atomic::AtomicBool::new(true);
    bench.fake.answer_by("/token", move |_| {
        let is_first = is_first.swap(false, std::sync::atomic::Ordering::Relaxed);
        if is_first { Canned::broken() } else { Canned::json(200, &granted("at-1", "rt-1")) }
    });
    assert_eq!(bench.obtain(&read()).await.expect("a provider with an overlap"), "Bearer at-1");
    assert_eq!(bench.spent(), ["rt-0", "rt-0"]);
}

#[tokio::test]
async fn answers_that_stay_lost_are_a_provider_in_trouble() {
    let bench = Bench::new().await;
    bench.fake.answer("/token", Canned::broken());
    for _ in 0..3 {
        assert_eq!(bench.reason(&read()).await, Reason::ProviderUnavailable);
    }
    assert_eq!(bench.spent(), ["rt-0"; 4], "once, and three times more at once");
    assert!(bench.is_live());
    bench.grant("at-1", "rt-1");
    bench.fake.pass(8);
    assert!(bench.obtain(&read()).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_was_lost_more_than_once_is_had_without_another_request() {
    let bench = Bench::new().await;
    let asked = std::sync::atomic::AtomicUsize::new(0);
    bench.fake.answer_by("/token", move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0..3 => Canned::broken(),
        _ => Canned::json(200, &granted("at-1", "rt-1")),
    });
    assert_eq!(bench.obtain(&read()).await.expect("a provider with an overlap"), "Bearer at-1");
    assert_eq!(bench.spent(), ["rt-0"; 4]);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_soon_however_long_the_provider_was_in_trouble_before() {
    let bench = Bench::new().await;
    bench.answer(503, &json!({}));
    for _ in 0..3 {
        assert_eq!(bench.reason(&read()).await, Reason::ProviderUnavailable);
        bench.fake.pass(30);
    }
    bench.fake.answer("/token", Canned::broken());
    assert_eq!(bench.reason(&read()).await, Reason::ProviderUnavailable);
    bench.grant("at-1", "rt-1");
    bench.fake.pass(8);
    assert_eq!(bench.obtain(&read()).await.expect("in time"), "Bearer at-1");
    assert_eq!(bench.spent(), ["rt-0"; 8]);
}

#[tokio::test]
async fn a_provider_without_an_overlap_that_lost_the_answer_ends_the_session_once() {
    let bench = Bench::new().await;
    let is_first = std::sync::atomic::AtomicBool::new(true);
    bench.fake.answer_by("/token", move |_| {
        let is_first = is_first.swap(false, std::sync::atomic::Ordering::Relaxed);
        let gone = Canned::json(400, &json!({"error": "invalid_grant"}));
        if is_first { Canned::broken() } else { gone }
    });
    for _ in 0..3 {
        assert_eq!(bench.reason(&read()).await, Reason::SessionOver);
    }
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn another_persons_id_token_ends_the_session_and_what_came_is_taken_back() {
    let bench = Bench::new().await;
    let mut claims = bench.fake.claims("n-1");
    claims["sub"] = json!("mallory");
    bench.answer(200, &bench.fake.tokens(&claims));
    assert_eq!(bench.reason(&read()).await, Reason::SessionOver);
    assert!(!bench.is_live());
    assert!(bench.session.credentials().access.is_empty());
    bench.fake.until_called("/revoke", 1).await;
    assert_eq!(bench.fake.calls("/revoke")[0].form["token"], "rt-1");
}

#[tokio::test]
async fn a_session_that_ends_during_a_refresh_gets_nothing_of_it() {
    let bench = Bench::new().await;
    let go_on = bench.grant_later("at-1", "rt-1");
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
async fn an_ended_session_gets_nothing_and_causes_no_call() {
    let bench = Bench::new().await;
    bench.grant("at-1", "rt-1");
    bench.end().await;
    assert_eq!(bench.reason(&read()).await, Reason::SessionOver);
    assert_eq!(bench.calls(), 0);
}

#[tokio::test]
async fn a_request_waits_so_long_and_what_takes_longer_is_there_for_the_next() {
    let mut bench = Bench::new().await;
    let tokens = Arc::get_mut(&mut bench.tokens).expect("nobody else has it");
    tokens.timing.patience = Duration::from_millis(50);
    let go_on = bench.grant_later("at-1", "rt-1");
    let specs = [read(), write()];
    let (one, other) = tokio::join!(bench.reason(&specs[0]), bench.reason(&specs[1]));
    assert_eq!([one, other], [Reason::ProviderUnavailable; 2]);
    go_on.notify_one();
    bench.tokens.finished().await;
    assert!(bench.ready(&specs[0]).or(bench.ready(&specs[1])).is_some());
    assert_eq!(bench.calls(), 1, "who gave up waiting asks for nothing");
}
