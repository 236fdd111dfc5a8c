//! How people proved who they are, and how long ago, where the configuration asks for that (SI-18); userinfo that is
//! signed (IT-14); groups that a provider leaves out. Each against everything that the provider can do wrong.

use std::time::Duration;

use dev_idp::Algorithm;
use dev_idp::faults::{IdTokenFault, UserinfoFault};
use harness::Plan;

use crate::support::*;

#[tokio::test]
async fn a_sign_in_in_another_way_than_asked_is_refused() {
    let plan = Plan::new().set("provider", "acr_values", "[\"2\"]");
    let site = plan.set("provider", "prompt", "\"login\"").start().await;
    let browser = site.browser();
    sign_in_must_work(&browser, "the way that was asked for").await;
    for fault in [IdTokenFault::MissingAcr, IdTokenFault::LowerAcr, IdTokenFault::NumericAcr] {
        site.faults().set(fault);
        sign_in_must_fail(&browser, &[400, 403, 502], fault.name()).await;
        site.heal();
        sign_in_must_work(&browser, fault.name()).await;
    }
}

#[tokio::test]
async fn a_sign_in_that_was_proved_too_long_ago_is_refused() {
    let site = Plan::new().set("provider", "max_age", "\"5m\"").start().await;
    let browser = site.browser();
    sign_in_must_work(&browser, "just now").await;
    for fault in [
        IdTokenFault::MissingAuthTime,
        IdTokenFault::OldAuthTime,
        IdTokenFault::FutureAuthTime,
        IdTokenFault::AuthTimeString,
    ] {
        site.faults().set(fault);
        sign_in_must_fail(&browser, &[400, 403, 502], fault.name()).await;
        site.heal();
        sign_in_must_work(&browser, fault.name()).await;
    }
    // The provider asks again when it is time, because it was told to.
    site.advance(Duration::from_secs(360));
    sign_in_must_work(&browser, "asked again").await;
}

#[tokio::test]
async fn signed_userinfo_is_checked_like_an_id_token() {
    let site = Plan::new()
        .set("provider", "userinfo", "\"always\"")
        .set("provider", "userinfo_claims", "[\"name\"]")
        .tenant(|tenant| {
            for client in &mut tenant.clients {
                client.registration.userinfo_alg = Some(Algorithm::Rs256);
            }
        })
        .start()
        .await;
    let browser = site.browser();
    sign_in_must_work(&browser, "signed").await;
    for fault in [
        UserinfoFault::OtherSub,
        UserinfoFault::MissingSub,
        UserinfoFault::Array,
        UserinfoFault::NotJson,
        UserinfoFault::SignedWrongAudience,
        UserinfoFault::SignedWrongIssuer,
        UserinfoFault::SignedAlgNone,
        UserinfoFault::SignedWrongKey,
        UserinfoFault::SignedOtherSub,
        UserinfoFault::SignedMissingIssuer,
        UserinfoFault::SignedMissingAudience,
        UserinfoFault::SignedBadSignature,
        UserinfoFault::SignedEs256,
        UserinfoFault::SignedHs256,
        UserinfoFault::SignedTypAccessToken,
        UserinfoFault::SignedArray,
    ] {
        site.faults().set(fault);
        sign_in_must_fail(&browser, &[400, 502], fault.name()).await;
        site.heal();
        sign_in_must_work(&browser, fault.name()).await;
    }
}

#[tokio::test]
async fn groups_that_the_provider_leaves_out_are_reported_with_what_to_do() {
    let site = Plan::new().entra().start().await;
    let browser = site.browser();
    site.faults().set(IdTokenFault::GroupOverage);
    sign_in_must_work(&browser, "the sign-in goes on").await;
    let logs = site.into_logs().await;
    assert!(logs.events.contains("groups_left_out"), "{}", logs.events);
}
