//! The key cache: rotation, floods, outages and bad keys (RS-07, RS-19, IT-04 to IT-06, JW-01 to JW-05).

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use todo_service::Algorithm;
use tokio::task::JoinSet;

use crate::support::{EcKey, Publish, RsaKey, Service};

/// A token of the key after the rotation.
fn of_second(service: &Service) -> String {
    service.alice().parameter("kid", "second").signed_by(RsaKey::second())
}

#[tokio::test]
async fn a_rotated_key_works_without_a_restart() {
    let service = Service::start().await;
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first"), RsaKey::second().jwk("second")]));
    service.pass(31);
    assert_eq!(service.status_for(&of_second(&service)).await, 200);
    assert_eq!(service.status_for(&service.alice().signed()).await, 200, "the old one still does");
    assert_eq!(service.issuer.key_fetches(), 2);
}

#[tokio::test]
async fn an_unknown_key_id_causes_one_fetch_per_pause_and_is_refused() {
    let service = Service::start().await;
    let unknown = service.alice().parameter("kid", "nobody").signed();
    for _ in 0..5 {
        assert_eq!(service.status_for(&unknown).await, 401);
    }
    assert_eq!(service.issuer.key_fetches(), 1);
    service.pass(31);
    for _ in 0..5 {
        assert_eq!(service.status_for(&unknown).await, 401);
    }
    assert_eq!(service.issuer.key_fetches(), 2);
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
}

#[tokio::test]
async fn without_a_key_id_the_only_fitting_key_is_used_and_several_are_refused() {
    let service = Service::start().await;
    let token = service.alice().without_parameter("kid").signed();
    let ec = EcKey::p256().jwk("ec");
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first"), ec]));
    assert_eq!(service.status_for(&token).await, 200, "one RSA key, and one of another type");
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first"), RsaKey::second().jwk("second")]));
    service.running.forget_keys();
    assert_eq!(service.status_for(&token).await, 401, "two RSA keys: documented as refused");
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
}

#[tokio::test]
async fn two_keys_of_one_id_are_told_apart_by_type_or_refused() {
    let service = Service::with(|issuer| issuer.algorithms = vec![Algorithm::RS256, Algorithm::ES256]).await;
    let ec = EcKey::p256();
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first"), ec.jwk("first")]));
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    let es256 = service.alice().parameter("alg", "ES256").signed_by_ec(&ec);
    assert_eq!(service.status_for(&es256).await, 200);
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first"), RsaKey::second().jwk("first")]));
    service.running.forget_keys();
    assert_eq!(service.status_for(&service.alice().signed()).await, 401);
}

/// Sends that many tokens with random key ids, many at once; all must be refused with one of the given statuses.
async fn flood(service: &Service, count: usize, allowed: &[u16]) {
    let mut calls = JoinSet::new();
    for number in 0..count {
        let token = service.alice().parameter("kid", format!("random-{number}")).sealed(|_| vec![7; 256]);
        calls.spawn(service.list().token(&token).status());
        if calls.len() == 64 {
            let status = calls.join_next().await.expect("running").expect("no panic");
            assert!(allowed.contains(&status), "{status}");
        }
    }
    while let Some(status) = calls.join_next().await {
        assert!(allowed.contains(&status.expect("no panic")));
    }
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_causes_few_fetches_while_the_issuer_is_well() {
    let service = Service::start().await;
    flood(&service, 1000, &[401]).await;
    assert_eq!(service.issuer.key_fetches(), 1);
    service.pass(31);
    flood(&service, 1000, &[401]).await;
    assert_eq!(service.issuer.key_fetches(), 2);
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_causes_few_fetches_while_the_issuer_fails() {
    let service = Service::start().await;
    service.issuer.publish(Publish::Status(StatusCode::INTERNAL_SERVER_ERROR));
    flood(&service, 1000, &[503]).await;
    assert_eq!((service.issuer.key_fetches(), service.issuer.discoveries()), (1, 1));
    service.pass(31);
    flood(&service, 1000, &[503]).await;
    assert_eq!((service.issuer.key_fetches(), service.issuer.discoveries()), (2, 2));
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first")]));
    service.pass(31);
    assert_eq!(service.status_for(&service.alice().signed()).await, 200, "healed");
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_causes_few_fetches_while_the_issuer_hangs() {
    let service = Service::impatient().await;
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    service.issuer.publish(Publish::Hang);
    service.pass(31);
    flood(&service, 1000, &[401]).await;
    assert_eq!(service.issuer.key_fetches(), 2, "one good, one that hung");
    assert_eq!(service.status_for(&service.alice().signed()).await, 200, "known keys are not held up");
}

#[tokio::test]
async fn known_keys_are_served_while_a_fetch_hangs() {
    let service = Service::start().await;
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    service.issuer.publish(Publish::Hang);
    service.pass(31);
    let stuck = service.alice().parameter("kid", "unknown").signed();
    let mut stuck = tokio::spawn(service.list().token(&stuck).status());
    // The fetch is under way once the issuer has counted it.
    while service.issuer.key_fetches() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    let unfinished = std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut stuck).poll(context).is_pending())
    });
    assert!(unfinished.await, "the other one still waits: no lock is held while fetching");
    stuck.abort();
}

#[tokio::test]
async fn during_an_outage_known_keys_pass_and_unknown_ones_are_refused_for_a_day() {
    let outages = [
        Publish::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Publish::Status(StatusCode::NOT_FOUND),
        Publish::Redirect,
        Publish::Text("<!doctype html><title>Login</title>"),
        Publish::Text("{}"),
        Publish::Text("{\"keys\":{}}"),
        Publish::Hang,
        Publish::Drip,
        Publish::Huge,
    ];
    for outage in outages {
        let service = Service::impatient().await;
        assert_eq!(service.status_for(&service.alice().signed()).await, 200);
        service.issuer.publish(outage);
        service.pass(20 * 60);
        assert_eq!(service.status_for(&service.alice().signed()).await, 200, "last good keys");
        assert_eq!(service.issuer.key_fetches(), 2, "a renewal was tried");
        assert_eq!(service.status_for(&of_second(&service)).await, 401, "never fail open");
        service.pass(24 * 60 * 60);
        let answer = service.list().token(&service.alice().signed()).send().await;
        answer.problem(503);
        service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first")]));
        service.pass(31);
        assert_eq!(service.status_for(&service.alice().signed()).await, 200, "healed");
    }
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let service = Service::start().await;
    service.issuer.claim_to_be("https://evil.example");
    service.list().token(&service.alice().signed()).send().await.problem(503);
    assert_eq!(service.issuer.key_fetches(), 0);
    service.issuer.claim_to_be(&service.issuer.name);
    service.pass(31);
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
}

#[tokio::test]
async fn without_any_keys_protected_calls_get_503_and_it_heals_by_itself() {
    let service = Service::start().await;
    service.issuer.publish(Publish::Status(StatusCode::BAD_GATEWAY));
    let token = service.alice().signed();
    for call in [
        service.list(),
        service.post(&json!({ "description": "x" })),
        service.call(Method::DELETE, "/api/todolist/x"),
    ] {
        let answer = call.token(&token).send().await;
        assert_eq!(answer.problem(503)["type"], "urn:problem:todo-service:unavailable");
        let wait: i64 = answer.header("retry-after").expect("a hint").parse().expect("seconds");
        assert!((1..=30).contains(&wait), "{wait}");
    }
    assert_eq!(service.list().status().await, 401, "no token is no token, keys or not");
    assert_eq!(service.call(Method::GET, "/healthz").status().await, 200);
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first")]));
    service.pass(30);
    assert_eq!(service.status_for(&token).await, 200);
}

#[tokio::test]
async fn it_starts_while_the_issuer_is_not_there_at_all() {
    let service = Service::configured(crate::support::TestIssuer::start().await, |config| {
        // Port 1 on loopback: nobody listens there.
        config.issuers[0].metadata_url = Some("http://127.0.0.1:1/nothing".to_owned());
    })
    .await;
    assert_eq!(service.call(Method::GET, "/healthz").status().await, 200);
    service.list().token(&service.alice().signed()).send().await.problem(503);
}

#[tokio::test]
async fn a_good_key_works_among_bad_ones_and_among_many() {
    let service = Service::start().await;
    let good = RsaKey::first().jwk("first");
    let broken = [
        json!(null),
        json!(1),
        json!({}),
        json!({ "kty": "RSA", "kid": "first", "n": "!", "e": [] }),
        json!({ "kty": 7 }),
    ];
    service.issuer.publish(Publish::Keys(broken.into_iter().chain([good.clone()]).collect()));
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);

    let mut many = vec![good];
    many.extend((0..1000).map(|number| RsaKey::second().jwk(&format!("k{number}"))));
    service.issuer.publish(Publish::Keys(many));
    service.running.forget_keys();
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    let last = service.alice().parameter("kid", "k999").signed_by(RsaKey::second());
    assert_eq!(service.status_for(&last).await, 401, "keys beyond the hundredth are not looked at");
}

#[tokio::test]
async fn keys_that_must_not_verify_anything_do_not() {
    let service = Service::with(|issuer| issuer.algorithms = vec![Algorithm::RS256, Algorithm::ES256]).await;
    let usual = RsaKey::second().jwk("bad");
    let with = |name: &str, value: Value| {
        let mut key = usual.clone();
        key[name] = value;
        key
    };
    let small = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let bad = [
        ("encryption", with("use", json!("enc"))),
        ("key_ops", with("key_ops", json!(["encrypt", "wrapKey"]))),
        ("private", with("d", json!("AQAB"))),
        ("e = 1", with("e", json!("AQ"))),
        ("e even", with("e", json!("AQAA"))),
        ("1024 bits", with("n", json!(small))),
        ("symmetric", json!({ "kty": "oct", "kid": "bad", "k": "c2VjcmV0", "alg": "RS256" })),
    ];
    let token = service.alice().parameter("kid", "bad");
    for (what, key) in bad {
        service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first"), key]));
        service.running.forget_keys();
        assert_eq!(service.status_for(&token.signed_by(RsaKey::second())).await, 401, "{what}");
        // e = 1 would make the padded digest itself a signature; any bytes will do for the others.
        assert_eq!(service.status_for(&token.sealed(|_| vec![1; 256])).await, 401, "{what}");
        assert_eq!(
            service.status_for(&service.alice().signed()).await,
            200,
            "{what}: the good key still works"
        );
    }
    service.issuer.publish(Publish::Keys(vec![usual]));
    service.running.forget_keys();
    assert_eq!(
        service.status_for(&token.signed_by(RsaKey::second())).await,
        200,
        "the same key without the defect"
    );

    let ec = EcKey::p256();
    let es256 = service.alice().parameter("alg", "ES256").parameter("kid", "ec").signed_by_ec(&ec);
    let mut off_curve = ec.jwk("ec");
    off_curve["y"] = off_curve["x"].clone();
    for (key, status) in [(off_curve, 401), (ec.jwk("ec"), 200)] {
        service.issuer.publish(Publish::Keys(vec![key]));
        service.running.forget_keys();
        assert_eq!(service.status_for(&es256).await, status);
    }
}

#[tokio::test]
async fn a_withdrawn_key_stops_working_within_a_quarter_of_an_hour() {
    let service = Service::start().await;
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first"), RsaKey::second().jwk("second")]));
    assert_eq!(service.status_for(&of_second(&service)).await, 200);
    service.issuer.publish(Publish::Keys(vec![RsaKey::first().jwk("first")]));
    assert_eq!(service.status_for(&of_second(&service)).await, 200, "still in the cache");
    service.pass(15 * 60);
    assert_eq!(service.status_for(&of_second(&service)).await, 401);
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
}

#[tokio::test]
async fn forgetting_the_keys_makes_a_withdrawal_count_at_once() {
    let service = Service::start().await;
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    service.issuer.publish(Publish::Keys(vec![RsaKey::second().jwk("second")]));
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
    service.running.forget_keys();
    assert_eq!(service.status_for(&service.alice().signed()).await, 401);
    assert_eq!(service.status_for(&of_second(&service)).await, 200);
}
