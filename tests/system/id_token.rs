//! ID tokens: every check, and with each defect repaired the same sign-in works (requirements section 3, IT-01 to IT-21).

use dev_idp::Endpoint;
use dev_idp::faults::IdTokenFault as Wrong;
use harness::{Browser, Plan, Site};
use serde_json::json;

use crate::support::*;

/// Signs in with each fault in turn; every one must be refused, and the same sign-in without it must work.
async fn must_all_be_refused(faults: &[Wrong]) {
    let site = Site::start().await;
    let browser = site.browser();
    for fault in faults {
        site.faults().set(*fault);
        sign_in_must_fail(&browser, &[400, 502], fault.name()).await;
        site.heal();
    }
    assert_eq!(site.requests(Endpoint::Canary), 0, "an address in a token was visited");
    sign_in_must_work(&browser, "a right ID token").await;
}

async fn must_all_work(faults: &[Wrong]) {
    let site = Site::start().await;
    let browser = site.browser();
    for fault in faults {
        site.faults().set(*fault);
        sign_in_must_work(&browser, fault.name()).await;
        site.heal();
    }
}

#[tokio::test]
async fn a_token_that_was_changed_after_signing_is_refused() {
    must_all_be_refused(&[
        Wrong::BadSignature,
        Wrong::EmptySignature,
        Wrong::TamperedPayload,
        Wrong::TamperedHeader,
        Wrong::WrongKey,
    ])
    .await;
}

#[tokio::test]
async fn no_algorithm_but_the_configured_one_is_taken() {
    must_all_be_refused(&[
        Wrong::AlgNone,
        Wrong::AlgNoneCapital,
        Wrong::AlgNoneMixed,
        Wrong::MissingAlg,
        Wrong::Hs256ClientSecret,
        Wrong::Hs256PublicPem,
        Wrong::Hs256PublicDer,
        Wrong::Hs256PublicJwk,
        Wrong::Ps256,
        Wrong::Ps256Header,
        Wrong::Es256,
    ])
    .await;
}

#[tokio::test]
async fn metadata_that_offers_weak_algorithms_widens_nothing() {
    let site = Plan::new().fault(dev_idp::faults::MetadataFault::WeakAlgorithms).start().await;
    let browser = site.browser();
    for fault in [Wrong::AlgNone, Wrong::Hs256ClientSecret] {
        site.faults().set(fault);
        sign_in_must_fail(&browser, &[400, 502], fault.name()).await;
        site.heal();
    }
    sign_in_must_work(&browser, "RS256").await;
}

#[tokio::test]
async fn another_algorithm_works_where_the_configuration_takes_it() {
    let plan = Plan::new().replace("[provider]", "[provider]\nid_token_algorithms = [\"RS256\", \"PS256\"]");
    let site = plan.start().await;
    let browser = site.browser();
    sign_in_must_work(&browser, "RS256 beside PS256").await;
    site.faults().set(Wrong::AlgNone);
    sign_in_must_fail(&browser, &[400, 502], "none").await;
}

#[tokio::test]
async fn the_issuer_is_compared_byte_for_byte() {
    must_all_be_refused(&[
        Wrong::WrongIssuer,
        Wrong::MissingIssuer,
        Wrong::IssuerSlash,
        Wrong::IssuerCase,
        Wrong::IssuerScheme,
        Wrong::IssuerPort,
        Wrong::IssuerArray,
        Wrong::IssuerPrefix,
    ])
    .await;
}

#[tokio::test]
async fn the_audience_is_this_client_and_nobody_else() {
    must_all_be_refused(&[
        Wrong::WrongAudience,
        Wrong::MissingAudience,
        Wrong::EmptyAudience,
        Wrong::ExtraAudience,
        Wrong::ExtraAudienceWithAzp,
        Wrong::DuplicateAud,
    ])
    .await;
    must_all_work(&[Wrong::AudienceArray]).await;
}

#[tokio::test]
async fn an_authorized_party_is_this_client() {
    must_all_be_refused(&[Wrong::WrongAzp]).await;
    must_all_work(&[Wrong::RightAzp]).await;
}

#[tokio::test]
async fn times_must_be_there_and_must_be_now() {
    must_all_be_refused(&[
        Wrong::Expired,
        Wrong::MissingExp,
        Wrong::MissingIat,
        Wrong::IatString,
        Wrong::IatFuture,
        Wrong::IatOld,
        Wrong::NbfFuture,
    ])
    .await;
}

/// Signs in with an ID token whose times stand `exp`, `iat` and `nbf` seconds from now.
async fn with_times(site: &Site, browser: &Browser, works: bool, exp: i64, iat: i64, nbf: Option<i64>) {
    site.faults().edit_id_token(move |_, claims| {
        let now = claims["iat"].as_i64().expect("iat is a number");
        claims.insert("exp".to_owned(), json!(now + exp));
        claims.insert("iat".to_owned(), json!(now + iat));
        claims.remove("nbf");
        if let Some(nbf) = nbf {
            claims.insert("nbf".to_owned(), json!(now + nbf));
        }
    });
    let what = format!("exp {exp:+} iat {iat:+} nbf {nbf:?}");
    if works {
        sign_in_must_work(browser, &what).await
    } else {
        sign_in_must_fail(browser, &[400, 502], &what).await
    }
    site.heal();
}

#[tokio::test]
async fn the_leeway_is_a_minute_at_most() {
    let site = Site::start().await;
    let browser = site.browser();
    with_times(&site, &browser, true, 3_600, 0, None).await;
    with_times(&site, &browser, false, -62, -100, None).await;
    with_times(&site, &browser, false, 3_600, 65, None).await;
    with_times(&site, &browser, true, 3_600, -590, None).await;
    with_times(&site, &browser, false, 3_600, -670, None).await;
    with_times(&site, &browser, false, 3_600, 0, Some(65)).await;
    with_times(&site, &browser, true, 3_600, 0, Some(0)).await;
}

#[tokio::test]
async fn the_nonce_is_the_one_that_was_sent() {
    must_all_be_refused(&[
        Wrong::MissingNonce,
        Wrong::WrongNonce,
        Wrong::NonceArray,
        Wrong::NoncePrefix,
        Wrong::NonceCase,
        Wrong::DuplicateNonce,
    ])
    .await;
}

#[tokio::test]
async fn the_subject_is_a_text_of_sensible_length() {
    must_all_be_refused(&[
        Wrong::MissingSub,
        Wrong::EmptySub,
        Wrong::NumericSub,
        Wrong::LongSub,
        Wrong::HugeSub,
        Wrong::DuplicateSub,
    ])
    .await;
}

#[tokio::test]
async fn the_hash_of_the_access_token_is_checked_where_it_is_given() {
    must_all_be_refused(&[Wrong::WrongAtHash]).await;
    must_all_work(&[Wrong::RightAtHash]).await;
}

#[tokio::test]
async fn a_wrong_hash_of_the_code_is_refused() {
    let site = Site::start().await;
    let browser = site.browser();
    site.faults()
        .edit_id_token(|_, claims| drop(claims.insert("c_hash".to_owned(), json!("AAAAAAAAAAAAAAAAAAAAAA"))));
    sign_in_must_fail(&browser, &[400, 502], "a wrong c_hash").await;
    site.heal();
    sign_in_must_work(&browser, "no c_hash").await;
}

#[tokio::test]
async fn tokens_of_other_kinds_are_not_id_tokens() {
    must_all_be_refused(&[Wrong::TypAccessToken, Wrong::TypLogoutToken, Wrong::TypDpop, Wrong::HasEvents])
        .await;
}

#[tokio::test]
async fn serializations_and_extensions_that_nobody_asked_for_are_refused() {
    must_all_be_refused(&[
        Wrong::Crit,
        Wrong::CritEmpty,
        Wrong::B64False,
        Wrong::Zip,
        Wrong::Nested,
        Wrong::JsonSerialization,
        Wrong::Jwe,
        Wrong::PayloadArray,
        Wrong::PayloadNotJson,
        Wrong::PayloadDeep,
        Wrong::NotBase64,
        Wrong::Padded,
        Wrong::DuplicateAlg,
    ])
    .await;
}

#[tokio::test]
async fn keys_and_addresses_inside_a_token_are_ignored_and_never_visited() {
    must_all_be_refused(&[Wrong::Jku, Wrong::X5u, Wrong::Jwk, Wrong::X5c]).await;
}

#[tokio::test]
async fn hostile_numbers_neither_pass_nor_break_anything() {
    let site = Site::start().await;
    let browser = site.browser();
    for fault in [Wrong::ExpString, Wrong::ExpNull, Wrong::ExpNegative, Wrong::ExpArray] {
        site.faults().set(fault);
        sign_in_must_fail(&browser, &[400, 502], fault.name()).await;
        site.heal();
    }
    // Numbers beyond any calendar may be compared or refused; nobody may fall over them.
    for fault in [Wrong::ExpTwoTo63, Wrong::ExpHuge, Wrong::ExpFloat] {
        site.faults().set(fault);
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        let reply = browser.send(harness::Ask::page(callback.as_str())).await;
        assert!(matches!(reply.status.as_u16(), 303 | 400 | 502), "{}: {}", fault.name(), reply.status);
        browser.drop_cookie(SESSION);
        site.heal();
    }
    sign_in_must_work(&browser, "an ordinary number").await;
    assert_eq!(site.admin("/healthz").await.status, 200);
}

#[tokio::test]
async fn people_are_told_apart_by_subject_and_never_by_address() {
    let site = Site::start().await;
    let alice = site.signed_in(ALICE).await;
    let todo =
        alice.send(harness::Ask::fetch("POST", "/api/todolist").json(&json!({"description": "mine"}))).await;
    todo.must_be(201);
    // Somebody else with Alice's address and name in the token: another person all the same.
    site.faults().edit_id_token(|_, claims| {
        for (name, value) in [("email", ALICE), ("preferred_username", ALICE), ("name", "Alice Adams")] {
            claims.insert(name.to_owned(), json!(value));
        }
    });
    let bob = site.signed_in(BOB).await;
    assert_eq!(bob.session().await["name"], "Alice Adams");
    assert_ne!(bob.session().await["claims"]["sub"], alice.session().await["claims"]["sub"]);
    assert_eq!(bob.fetch("GET", "/api/todolist").await.must_be(200).json()["items"], json!([]));
    assert_eq!(alice.fetch("GET", "/api/todolist").await.json()["items"][0]["description"], "mine");
}

#[tokio::test]
async fn a_tenant_that_is_not_on_the_list_is_refused() {
    let plan =
        Plan::new().replace("[provider]", "[provider]\ntenants = [\"7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0\"]");
    let site = plan.start().await;
    let browser = site.browser();
    site.faults().set(Wrong::WrongTid);
    sign_in_must_fail(&browser, &[403], "another tenant").await;
    site.heal();
    site.faults().edit_id_token(|_, claims| drop(claims.remove("tid")));
    sign_in_must_fail(&browser, &[400, 403], "no tenant").await;
    site.heal();
    sign_in_must_work(&browser, "the tenant on the list").await;
}

#[tokio::test]
async fn userinfo_is_never_asked_so_it_can_say_nothing_false() {
    let site = Site::start().await;
    site.faults().set(dev_idp::faults::UserinfoFault::OtherSub);
    let alice = site.signed_in(ALICE).await;
    assert_eq!(alice.session().await["name"], "Alice Adams");
    assert_eq!(site.requests(Endpoint::Userinfo), 0);
}
