//! The provider's signing keys: rotation, outage, and keys that are no keys (requirements IT-03, IT-04, JW-01 to JW-05).

use std::time::Duration;

use dev_idp::Endpoint;
use dev_idp::faults::{Fault, HttpFault, IdTokenFault, JwksFault};
use harness::{Ask, Plan, Site};

use crate::support::*;

#[tokio::test]
async fn keys_rotate_between_and_during_sign_ins() {
    let site = Site::start().await;
    let browser = site.browser();
    sign_in_must_work(&browser, "before the rotation").await;
    let during = browser.callback_address("/auth/sign-in", ALICE).await;
    site.provider().rotate_keys();
    browser.send(Ask::page(during.as_str())).await.must_be(303);
    browser.drop_cookie(SESSION);
    let fetched = site.requests(Endpoint::Keys);
    sign_in_must_work(&browser, "after the rotation").await;
    assert_eq!(site.requests(Endpoint::Keys), fetched, "the new key is known by now");
    site.advance(Duration::from_secs(31));
    site.provider().rotate_keys();
    site.provider().retire_old_keys();
    sign_in_must_work(&browser, "after the old keys are gone").await;
}

#[tokio::test]
async fn tokens_with_unknown_keys_cannot_make_the_gateway_fetch_keys_again_and_again() {
    for broken in [None, Some(HttpFault::Status500), Some(HttpFault::Close)] {
        let site = Site::start().await;
        site.ready().await;
        let browser = site.browser();
        let before = site.requests(Endpoint::Keys);
        site.faults().set(IdTokenFault::UnknownKid);
        if let Some(fault) = broken {
            site.faults().set((Endpoint::Keys, fault));
        }
        for _ in 0..8 {
            sign_in_must_fail(&browser, &[400, 502, 503], "an unknown key").await;
        }
        let fetches = site.requests(Endpoint::Keys) - before;
        assert!(fetches <= 1, "{fetches} fetches at {broken:?}");
        site.heal();
        sign_in_must_work(&browser, "the known key").await;
    }
}

#[tokio::test]
async fn the_last_good_keys_serve_while_the_provider_gives_none() {
    let outages: [Fault; 7] = [
        (Endpoint::Keys, HttpFault::Status500).into(),
        (Endpoint::Keys, HttpFault::Close).into(),
        (Endpoint::Keys, HttpFault::Html).into(),
        (Endpoint::Keys, HttpFault::Redirect302).into(),
        JwksFault::Empty.into(),
        JwksFault::NotJson.into(),
        JwksFault::Array.into(),
    ];
    let site = Site::start().await;
    let browser = site.browser();
    sign_in_must_work(&browser, "while all is well").await;
    // The keys are old by now, so each of these makes the gateway want new ones.
    site.advance(Duration::from_secs(2 * 3_600));
    for outage in outages {
        site.faults().set(outage);
        sign_in_must_work(&browser, &outage.name()).await;
        site.faults().set(IdTokenFault::UnknownKid);
        sign_in_must_fail(&browser, &[400, 502, 503], &outage.name()).await;
        site.heal();
        site.advance(Duration::from_secs(31));
    }
}

#[tokio::test]
async fn a_key_serves_only_what_it_says_it_is_for() {
    let unfit = [
        JwksFault::EncryptionOnly,
        JwksFault::KeyOpsEncrypt,
        JwksFault::OtherAlg,
        JwksFault::WeakRsa,
        JwksFault::ExponentOne,
        JwksFault::PrivateKey,
    ];
    for fault in unfit {
        let site = Plan::new().fault(fault).start().await;
        let browser = site.browser();
        // Without a single usable key the gateway may not be ready at all: then nobody is even sent to the provider.
        let reply = browser.send(Ask::page("/auth/sign-in")).await;
        match reply.status.as_u16() {
            503 => {}
            303 => sign_in_must_fail(&browser, &[400, 502, 503], fault.name()).await,
            other => panic!("{}: {other}", fault.name()),
        }
        assert_eq!(browser.session().await["signed_in"], false, "{}", fault.name());
    }
    sign_in_must_work(&Site::start().await.browser(), "a key for signing").await;
}

#[tokio::test]
async fn odd_neighbours_do_not_spoil_a_good_key() {
    let odd = [
        JwksFault::AddOct,
        JwksFault::AddBroken,
        JwksFault::AddUnknownType,
        JwksFault::AddStranger,
        JwksFault::AddOffCurve,
        JwksFault::SameKidEc,
    ];
    for fault in odd {
        let site = Plan::new().fault(fault).start().await;
        sign_in_must_work(&site.browser(), fault.name()).await;
    }
}

#[tokio::test]
async fn a_token_without_a_key_id_is_taken_when_one_key_fits_and_refused_when_two_do() {
    let one = Plan::new().fault(IdTokenFault::MissingKid).start().await;
    sign_in_must_work(&one.browser(), "one key").await;
    let two = Plan::new().fault(IdTokenFault::MissingKid).fault(JwksFault::AddStranger).start().await;
    sign_in_must_fail(&two.browser(), &[400, 502], "two keys").await;
    let twins = Plan::new().fault(JwksFault::SameKidRsa).start().await;
    sign_in_must_fail(&twins.browser(), &[400, 502], "two keys of one name").await;
}
