//! Tokens that are got in exchange for others of the same person.

use super::*;
use crate::oidc::testing::Call;
use crate::session::TokenKind;

fn exchanged() -> Arc<TokenSpec> {
    let scopes = "api://y/Do".parse().expect("valid");
    let audience = Some("y".to_owned());
    Arc::new(TokenSpec { kind: TokenKind::Exchange(read()), audience, ..TokenSpec::user("do", scopes) })
}

fn on_behalf() -> Arc<TokenSpec> {
    let scopes = "api://z/Do".parse().expect("valid");
    Arc::new(TokenSpec { kind: TokenKind::OnBehalfOf(read()), ..TokenSpec::user("obo", scopes) })
}

/// Refreshes bring read-1, read-2 …; any of them is taken in exchange, but for those that `is_refused`.
fn script(bench: &Bench, is_refused: impl Fn(&str) -> bool + Send + Sync + 'static) {
    let number = std::sync::atomic::AtomicUsize::new(1);
    bench.fake.answer_by("/token", move |call: &Call| {
        let shown = call.form.get("subject_token").or(call.form.get("assertion"));
        match shown {
            Some(token) if is_refused(token) => Canned::json(400, &json!({"error": "invalid_grant"})),
            Some(token) => Canned::json(
                200,
                &json!({"access_token": format!("for-{token}"), "token_type": "Bearer", "expires_in": 3_600}),
            ),
            None => {
                let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Canned::json(200, &granted(&format!("read-{number}"), &format!("rt-{number}")))
            }
        }
    });
}

#[tokio::test]
async fn an_exchange_begins_with_the_persons_own_token_and_both_are_held() {
    let bench = Bench::new().await;
    script(&bench, |_| false);
    let spec = exchanged();
    let all = (0..20).map(|_| bench.obtain(&spec));
    for result in futures_util::future::join_all(all).await {
        assert_eq!(result.expect("sound"), "Bearer for-read-1");
    }
    assert_eq!(bench.calls(), 2, "one refresh, one exchange");
    let call = &bench.fake.calls("/token")[1];
    assert_eq!(call.form["subject_token"], "read-1");
    assert_eq!((&*call.form["scope"], &*call.form["audience"]), ("api://y/Do", "y"));
    assert_eq!(bench.ready(&read()).expect("held"), "Bearer read-1");
    assert_eq!(bench.ready(&spec).expect("held"), "Bearer for-read-1");

    assert_eq!(bench.obtain(&on_behalf()).await.expect("sound"), "Bearer for-read-1");
    let call = &bench.fake.calls("/token")[2];
    assert_eq!((&*call.form["assertion"], &*call.form["requested_token_use"]), ("read-1", "on_behalf_of"));
    assert_eq!(bench.calls(), 3);
}

#[tokio::test]
async fn a_token_got_in_exchange_is_renewed_behind_requests() {
    let bench = Bench::new().await;
    script(&bench, |_| false);
    let spec = exchanged();
    bench.obtain(&spec).await.expect("sound");
    bench.fake.pass(3_250);
    assert_eq!(bench.obtain(&spec).await.expect("valid"), "Bearer for-read-1");
    bench.tokens.finished().await;
    assert!(bench.ready(&spec).is_some());
    assert_eq!(bench.calls(), 3, "the token that is shown was still good");
}

#[tokio::test]
async fn a_shown_token_that_is_refused_is_renewed_once() {
    let bench = Bench::new().await;
    script(&bench, |token| token == "read-1");
    bench.obtain(&read()).await.expect("sound");
    assert_eq!(bench.obtain(&exchanged()).await.expect("by a newer one"), "Bearer for-read-2");
    assert_eq!(bench.spent(), ["rt-0", "rt-1"]);
}

#[tokio::test]
async fn a_refused_exchange_ends_nothing_and_holds_back_nothing_else() {
    let bench = Bench::new().await;
    script(&bench, |_| true);
    bench.obtain(&read()).await.expect("sound");
    for _ in 0..3 {
        assert_eq!(bench.reason(&exchanged()).await, Reason::ProviderBroken);
    }
    assert_eq!(bench.calls(), 4, "two refreshes and two exchanges, and then a pause");
    assert!(bench.is_live());
    assert!(bench.obtain(&write()).await.is_ok());
}

#[tokio::test]
async fn a_person_who_must_be_asked_signs_in_for_the_token_that_is_shown() {
    let bench = Bench::new().await;
    script(&bench, |_| false);
    bench.obtain(&read()).await.expect("sound");
    bench.answer(400, &json!({"error": "interaction_required"}));
    let stop = bench.obtain(&exchanged()).await.expect_err("asked");
    let Stop::Refused(Refusal { reason: Reason::ConsentRequired, remedy: Remedy::SignIn(sign_in) }) = stop
    else {
        panic!("consent is required")
    };
    assert_eq!(sign_in.token.as_deref(), Some("read"));
    assert!(bench.is_live());
}

#[tokio::test]
async fn a_dead_grant_ends_the_session_also_on_the_way_to_an_exchange() {
    let bench = Bench::new().await;
    bench.answer(400, &json!({"error": "invalid_grant"}));
    assert_eq!(bench.reason(&exchanged()).await, Reason::SessionOver);
    assert_eq!(bench.calls(), 1);
    assert!(!bench.is_live());
}
